"""What is said of a file beside its bytes: its folder, and whether everybody may read it, which takes somebody who teaches."""

from __future__ import annotations

from datetime import datetime

from documents.base import Row
from documents.stored_file import StoredFile
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import refuse_changed_read_only
from lms_rt.contracts.files import FileChange
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import may_teach
from lms_rt.services.file_views import file_view


def refuse_public(actor: Actor) -> None:
    """403 unless they teach: what is public stands under the school's name."""
    if not may_teach(actor):
        raise Refused(Code.FORBIDDEN, "Who teaches makes files public.")


async def change_file(actor: Actor, row: Row, change: FileChange, *, at: datetime) -> Row:
    """The row after the change. What an exam or work was ever shown by becomes public no more; 409."""
    refuse_changed_read_only(change, file_view(row))
    fields, which = change.given(), {}
    update: Row = {"$set": {**fields, "updated_at": at}}
    if fields.get("is_public", row["is_public"]) != row["is_public"]:
        update["$inc"] = {"access_epoch": 1}
        if fields["is_public"]:
            refuse_public(actor)
            which = {"is_withheld": {"$ne": True}}
    if all(row[name] == value for name, value in fields.items()):
        return row
    changed = await StoredFile.change(row["_id"], which, update)
    if changed is None:
        raise Refused(Code.CONFLICT, "What belongs to an attempt or to work is not made public.")
    return changed
