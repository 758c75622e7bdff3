"""The audit log as it is read: newest first, filtered. What is written in it is `audit.py`'s."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from documents.audit_record import FILTERS, AuditRecord
from documents.base import Row
from documents.names import names_of
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.audit import AuditPage, AuditQuery, AuditState, AuditVerdict, AuditView
from lms_rt.errors import invalid
from lms_rt.security.access.operating import require_auditor
from lms_rt.services.audit_check import AuditCheck


class AuditLog:
    """What can be asked of the audit log."""

    def __init__(self, *, check: AuditCheck) -> None:
        self._check = check

    async def list(self, actor: Actor, query: AuditQuery) -> AuditPage:
        """A stretch of the records that fit, newest first; the cursor is a place of the log."""
        require_auditor(actor)
        equal = {name: value for name in FILTERS if (value := getattr(query, name)) is not None}
        which = AuditRecord.asked_for(equal, since=query.since, until=query.until)
        rows = await AuditRecord.find_newest(which, before=_place(query.after), limit=query.limit + 1)
        shown = [row for row in rows[: query.limit] if _is_record(row)]  # the check says what else there is
        reasons = await self._check.reasons.of(shown)
        items = [_view(row, reasons.texts.get(row["event_id"])) for row in shown]
        next_ = str(rows[query.limit - 1]["_id"]) if len(rows) > query.limit else None
        return AuditPage(items=items, next=next_, limit=query.limit)

    async def state(self, actor: Actor) -> AuditState:
        """Does the chain hold?"""
        require_auditor(actor)
        return await self._check.glance()

    async def check(self, actor: Actor) -> AuditVerdict:
        """Follow all of it now."""
        require_auditor(actor)
        return await self._check.check()

    async def names(self, actor: Actor, records: Iterable[AuditView]) -> dict[str, str]:
        """What the people of these records are called today, by id; whoever is gone has no name."""
        require_auditor(actor)
        ids = {one for record in records for one in (record.actor_id, record.impersonator_id, record.target_id) if one}
        found = await names_of(one for one in ids if one.startswith("usr_"))
        return {user_id: row["full_name"] for user_id, row in found.items() if row.get("full_name")}


def _is_record(row: Row) -> bool:
    try:
        AuditRecord.model_validate(row)
    except ValidationError:
        return False
    return True


def _view(row: Row, reason: str | None) -> AuditView:
    before, after = dict(row["before"]), dict(row["after"])
    return AuditView(
        id=str(row["_id"]),
        seq=row["_id"],
        **{name: row[name] for name in ("at", "actor_id", "action", "kind", "target_id", "previous_hash", "hash")},
        impersonator_id=row["impersonator_id"] or None,
        fields=sorted({*before, *after}),
        before=before,
        after=after,
        reason=reason,
        request_id=row["request_id"] or None,
    )


def _place(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise invalid("after", "This is no cursor of this list.", "invalid_cursor")
    return int(cursor)
