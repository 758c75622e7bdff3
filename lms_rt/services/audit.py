"""The audit log's one writer: facts become records of one chain, each behind the one before, and the head is moved along.

Whoever changes an aggregate puts an intent beside it (`contracts/outbox.py: audit`), and the relay brings it here; what has
no aggregate is recorded before it is done (`Audit.record`). Reading and checking are `audit_views.py` and `audit_check.py`.

How many writers come to one order: `appending.py`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any, Unpack

from documents.audit_beside import HEAD, AuditMark, AuditReason, AuditSalt
from documents.audit_record import AuditRecord
from documents.base import Row
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.audit import Act, facts_of
from lms_rt.ids import new_id, random_token
from lms_rt.security.audit_chain import AuditChain, Link, place_of
from lms_rt.services.appending import Appending
from lms_rt.services.audit_witness import Witness
from lms_rt.services.contended import until_written

MAX_BATCH = 100
MAX_USE_LENGTH = 200

_log = logging.getLogger(__name__)


class Audit:
    """Writes the audit log."""

    def __init__(self, *, clock: Clock, chain: AuditChain, witness: Witness | None = None) -> None:
        self._clock, self._chain = clock, chain
        self.witness = witness or Witness(clock=clock, chain=chain)
        self._appending = Appending(self._append, AuditRecord.kept_among, max_batch=MAX_BATCH)

    async def record(self, actor: Actor, action: str, **act: Unpack[Act]) -> None:
        """Record what is about to be done and has no aggregate to lie beside. Raises when it cannot be: then do nothing."""
        await self.append({"id": new_id("aud"), "at": self._clock.now(), "data": facts_of(actor, action, act)})

    async def record_once(self, record_id: str, actor: Actor, action: str, **act: Unpack[Act]) -> None:
        """The same for what may be asked for again by its own id: a repeat leaves no further record."""
        await self.append({"id": record_id, "at": self._clock.now(), "data": facts_of(actor, action, act)})

    async def note_use(self, actor: Actor, kind: str, what: str) -> None:
        """Record each thing that is asked for in somebody else's place, before it is answered."""
        await self.record(actor, "impersonation.use", kind=kind, target_id=what[:MAX_USE_LENGTH])

    async def append(self, intent: Row) -> None:
        """Keep the facts of an intent, once."""
        await self._appending.keep(await self._facts(intent))

    async def forget_person(self, person_id: str) -> None:
        """Take away what leads from the log to a person's values: their salt, and the reasons that were about them."""
        await AuditReason.forget_of(person_id)
        await AuditSalt.forget(person_id)

    async def _facts(self, intent: Row) -> Row:
        """What the record will hold: hashes in the place of values. The reason is kept beside it."""
        data, event_id = intent["data"], intent["id"]
        salt = await self._salt(data)
        if reason := data["reason"]:
            about = {"person_id": data["person_id"], "text": reason, "at": intent["at"]}
            await AuditReason.keep(event_id, about)
        return {
            "event_id": event_id,
            "at": intent["at"],
            **{name: data[name] for name in ("actor_id", "impersonator_id", "action", "kind", "target_id")},
            "before": self._hashes(salt, data["before"]),
            "after": self._hashes(salt, data["after"]),
            "reason_hash": self._chain.value_hash(salt, "reason", reason) if reason else "",
            "request_id": data["request_id"],
        }

    async def _salt(self, data: Row) -> str:
        is_needed = data["person_id"] and (data["before"] or data["after"] or data["reason"])
        return await AuditSalt.of(data["person_id"], random_token()) if is_needed else ""

    def _hashes(self, salt: str, values: Sequence[Sequence[str]]) -> list[list[str]]:
        return [[name, self._chain.value_hash(salt, name, text)] for name, text in values]

    # --- the chain ---

    async def _append(self, facts: Sequence[Row]) -> bool:
        head, end = await self._end()
        records = self._chain.chained(facts, after=end)
        if not await AuditRecord.append(records):
            await self._catch_up(head, end)
            return False
        await self._move_head(head, Link(records[-1]["_id"], records[-1]["hash"]))
        return True

    async def _catch_up(self, head: Row | None, end: Link) -> None:
        """Whoever wrote the last record may have been killed before the head was moved, and it is brought again: move it."""
        if head is None or not self._chain.is_mark(HEAD, head) or head["seq"] >= end.seq:
            return
        row = await AuditRecord.find_at(end.seq)
        if row is not None and row.get("hash") == end.hash and self._chain.is_record(row) is True:
            await self._move_head(head, end)

    async def _end(self) -> tuple[Row | None, Link]:
        """The head, and behind what the next record stands.

        A head that is ahead of the last record says that records were taken away, and so does one that is behind what was
        seen of it: their places are not given again.
        """
        known = self.witness.place
        head, end = await self._stored_end()
        if await self.witness.has_lost(known, end):
            _log.error("the audit log does not hold what it held: python3 run.py verify-audit")
            return head, known if known.seq > end.seq else end
        return head, end

    async def _stored_end(self) -> tuple[Row | None, Link]:
        head, last = await AuditMark.find_mark(HEAD), None
        if head is None and (last := await AuditRecord.find_last()) is None:
            await AuditMark.begin(HEAD, self._chain.mark(HEAD, Link(), self._clock.now()))
            head = await AuditMark.find_mark(HEAD)
        if head is not None and self._chain.is_mark(HEAD, head):
            return head, await self._end_behind(place_of(head))
        last = last or await AuditRecord.find_last()
        return head, Link() if last is None else Link(int(last["_id"]), str(last.get("hash")))

    async def _end_behind(self, end: Link) -> Link:
        """The end from the head on: nothing that is not ours is built on, nor its place taken, so that it stays to be seen."""
        while rows := await AuditRecord.find_stretch(after=end.seq, limit=MAX_BATCH):
            for row in rows:
                if not end.seq < row["_id"] <= end.seq + 1:
                    return end
                is_ours = self._chain.is_record(row) is True
                if not is_ours:
                    _log.error("a record of the audit log is none of ours: python3 run.py verify-audit")
                end = Link(math.ceil(row["_id"]), row["hash"] if is_ours else end.hash)
        return end

    async def _move_head(self, head: Row | None, place: Link) -> None:
        """Let the head follow. One that is gone or that we have not signed is left: what it tells must not be lost."""

        async def step() -> bool | None:
            nonlocal head
            if head is None or not self._chain.is_mark(HEAD, head):
                _log.error("the head of the audit log is not what was written: python3 run.py verify-audit")
                return True
            if head["seq"] >= place.seq or await AuditMark.move(HEAD, head, self._mark(place)):
                self.witness.see(place)
                return True
            head = await AuditMark.find_mark(HEAD)
            return None

        await until_written(step)

    def _mark(self, place: Link) -> dict[str, Any]:
        return self._chain.mark(HEAD, place, self._clock.now())
