"""What is said of a file beside its bytes: its folder, and whether everybody may read it, which takes somebody who teaches."""

from __future__ import annotations

from documents.base import Row
from documents.stored_file import StoredFile
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import refuse_changed_read_only
from lms_rt.contracts.files import FileChange
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import may_teach
from lms_rt.services.audit import Audit
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.file_access import require_own
from lms_rt.services.file_views import file_view, version_of


def refuse_public(actor: Actor) -> None:
    """403 unless they teach: what is public stands under the school's name."""
    if not may_teach(actor):
        raise Refused(Code.FORBIDDEN, "Who teaches makes files public.")


async def own_at(actor: Actor, file_id: str, expected_version: int | None) -> Row:
    """A file that the actor may change or delete; 412 when it has another version than they expect."""
    row = await require_own(actor, file_id)
    refuse_other_version(version_of(row), expected_version)
    return row


async def note_change(audit: Audit, actor: Actor, action: str, row: Row) -> None:
    """Record what is about to be done to a file that may be somebody else's."""
    if actor.is_admin or actor.is_impersonated:
        await audit.record(actor, action, kind="file", target_id=row["_id"], person_id=row["uploader_id"])


async def change_file(
    actor: Actor, file_id: str, change: FileChange, clock: Clock, *, expected_version: int | None
) -> Row:
    """The row after the change. What an exam or work was ever shown by becomes public no more; 409."""

    async def step() -> Row | None:
        row = await own_at(actor, file_id, expected_version)
        refuse_changed_read_only(change, file_view(row))
        return await _written(actor, row, change.given(), clock)

    return await until_written(step)


async def _written(actor: Actor, row: Row, fields: Row, clock: Clock) -> Row | None:
    """The row with these fields; None: somebody was first."""
    if all(row[name] == value for name, value in fields.items()):
        return row
    which: Row = {"version": row.get("version")}
    moved = {"version": 1}
    if fields.get("is_public", row["is_public"]) != row["is_public"]:
        moved["access_epoch"] = 1
        if fields["is_public"]:
            refuse_public(actor)
            if row.get("is_withheld"):
                raise Refused(Code.CONFLICT, "What belongs to an attempt or to work is not made public.")
            which["is_withheld"] = {"$ne": True}
    return await StoredFile.change(row["_id"], which, {"$set": {**fields, "updated_at": clock.now()}, "$inc": moved})
