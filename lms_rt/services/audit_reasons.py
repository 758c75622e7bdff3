"""The reasons beside the audit log: whether they are still what was given, which their hash in the record tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from documents.audit_beside import AuditReason, AuditSalt
from documents.base import Row
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.audit import FindingKind, person_of
from lms_rt.security.audit_chain import AuditChain

SLACK = timedelta(days=2)
"""So long before their time is over reasons are not missed any more: clean-ups take them and the records one by one."""


@dataclass(slots=True)
class Told:
    """The reasons of some records: those that hold, by `event_id`, and at which places one does not."""

    texts: dict[str, str] = field(default_factory=dict)
    findings: list[tuple[FindingKind, int]] = field(default_factory=list)


class Reasons:
    """Reads reasons and tries them. `kept` is how long they are."""

    def __init__(self, *, clock: Clock, chain: AuditChain, kept: timedelta) -> None:
        self._clock, self._chain, self._kept = clock, chain, kept

    async def of(self, records: Sequence[Row]) -> Told:
        """The reasons of these records."""
        told = Told()
        asked = [row for row in records if row.get("reason_hash") and _has_its_kinds(row)]
        found = await AuditReason.rows_of([row["event_id"] for row in asked])
        salts = await self._salts(found)
        gone = await self._missed_among([row for row in asked if row["event_id"] not in found])
        for row in asked:
            reason = found.get(row["event_id"])
            if reason is not None and (self._holds(row, reason, salts) or await self._holds_now(row)):
                told.texts[row["event_id"]] = str(reason["text"])
            elif reason is None:
                told.findings += [("reason_missing", row["_id"])] if row["_id"] in gone else []
            elif not await AuditReason.rows_of([row["event_id"]]):
                told.findings += [("reason_missing", row["_id"])] if await self._missed_among([row]) else []
            else:
                told.findings.append(("reason_changed", row["_id"]))
        return told

    async def _salts(self, reasons: Mapping[str, Row]) -> dict[str, str]:
        return await AuditSalt.kept_among(sorted({person for row in reasons.values() if (person := _person(row))}))

    def _holds(self, record: Row, reason: Row, salts: Mapping[str, str]) -> bool:
        """Is this the reason that was given? One by a key that is not known any more cannot be tried."""
        person, text = _person(reason), reason.get("text")
        salt = salts.get(person) if person else ""
        if salt is None or not isinstance(text, str):
            return False
        kept = str(record["reason_hash"])
        return self._chain.is_value(record, kept, salt=salt, name="reason", text=text) is not False

    async def _holds_now(self, record: Row) -> bool:
        """Once more from the beginning: a person may be erased between two looks."""
        found = await AuditReason.rows_of([record["event_id"]])
        return bool(found) and self._holds(record, found[record["event_id"]], await self._salts(found))

    async def _missed_among(self, records: Sequence[Row]) -> set[int]:
        """The places of those whose reason was taken away by somebody else. Erasing a person takes it, and time."""
        young = self._clock.now() - self._kept + SLACK
        asked = {row["_id"]: person_of(row["kind"], row["target_id"]) for row in records if row["at"] >= young}
        staying = await User.ids_staying_among({person for person in asked.values() if person})
        return {seq for seq, person in asked.items() if person in staying}


def _has_its_kinds(row: Row) -> bool:
    """Is it a record as far as is looked at here? What is none is found by following the chain."""
    kinds = {"_id": int, "event_id": str, "at": datetime, "kind": str, "target_id": str}
    return all(isinstance(row.get(name), kind) for name, kind in kinds.items())


def _person(reason: Row) -> str:
    return str(reason.get("person_id") or "")
