"""Findings about money: told by whoever meets one, counted, shown to people, and looked into by them.

A finding is an alarm, too: a line in the log and a figure. It has the same id however often it is met, so that a check that
runs each night adds nothing to what somebody has looked into.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, get_args

from documents.base import Row
from documents.payment_finding import MENDED, OPEN, RESOLVED, PaymentFinding
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.outbox import Intent, Write, audit, effect
from lms_rt.contracts.payment_findings import FindingKind, FindingQuery, FindingResolution, FindingView
from lms_rt.errors import Code, Refused
from lms_rt.security.access.payments import require_treasurer
from lms_rt.services import figures
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.relay import Relay

WATCH_SECONDS = 60.0
FOUND_EFFECT, MENDED_EFFECT = "payments.found", "payments.mended"

_MERE_WORDS = frozenset({"event_type", "event_id"})
"""Facts that are other ones each time, and say nothing new of the money."""

_log = logging.getLogger(__name__)


class Findings:
    """What can be done with findings."""

    def __init__(self, *, clock: Clock, relay: Relay) -> None:
        self._clock, self._relay = clock, relay

    def register(self) -> None:
        """Let those who write payments and refunds tell in the same write."""
        self._relay.register_effect(FOUND_EFFECT, self._on_found)
        self._relay.register_effect(MENDED_EFFECT, self._on_mended)

    # --- who meets one ---

    async def found(
        self, kind: FindingKind, ref: str, *, refs: Mapping[str, str], facts: Mapping[str, Any], intent_id: str = ""
    ) -> None:
        """Something is not as it should be. Again it is the same one; for an intent that is heard again it is nothing."""
        at, finding_id = self._clock.now(), f"{kind}:{ref}"
        row: Row = {
            "_id": finding_id,
            "version": 1,
            "kind": kind,
            "refs": {name: value for name, value in refs.items() if value},
            "facts": dict(facts),
            "status": OPEN,
            "first_seen": at,
            "last_seen": at,
            "note": "",
            "created_at": at,
            "updated_at": at,
            "outbox": [],
            "heard": [intent_id] if intent_id else [],
        }
        if await PaymentFinding.add(row) or await until_written(lambda: self._seen_again(finding_id, facts, intent_id)):
            _log.error("money: %s", finding_id, extra={"finding": kind})
        await self.count()

    async def _seen_again(self, finding_id: str, facts: Mapping[str, Any], intent_id: str) -> bool | None:
        """It is known. Is it open by this again: mended before, or another thing than somebody looked into?"""
        row = await _require(finding_id)
        if intent_id in row.get("heard", ()):
            return False
        is_other = any(row["facts"].get(name, fact) != fact for name, fact in facts.items() if name not in _MERE_WORDS)
        is_open = row["status"] == MENDED or is_other
        seen, at = {**row["facts"], **facts}, self._clock.now()
        if not await PaymentFinding.see_again(row, seen, at, is_open=is_open, intent_id=intent_id):
            return None
        return is_open and row["status"] != OPEN

    async def mended(self, kind: FindingKind, ref: str, *, intent_id: str = "") -> bool:
        """It is as it should be (again); False when there was nothing to mend, or this intent was heard before."""
        if not await PaymentFinding.mend(f"{kind}:{ref}", self._clock.now(), intent_id=intent_id):
            return False
        await self.count()
        return True

    async def _on_found(self, intent_id: str, data: dict[str, Any]) -> None:
        await self.found(data["kind"], data["ref"], refs=data["refs"], facts=data["facts"], intent_id=intent_id)

    async def _on_mended(self, intent_id: str, data: dict[str, Any]) -> None:
        await self.mended(data["kind"], data["ref"], intent_id=intent_id)

    @staticmethod
    async def count() -> None:
        """Set the figures to what is open now."""
        open_ = await PaymentFinding.count_open()
        for kind in get_args(FindingKind):
            figures.PAYMENT_FINDINGS.labels(kind).set(open_.get(kind, 0))

    async def watch(self) -> None:
        """Count now and then, until cancelled: a finding may be met in one process, and watched in another."""
        while True:
            try:
                await self.count()
            except Exception as error:  # noqa: BLE001 - the database is away, and others say so
                _log.info("findings could not be counted: %s", type(error).__name__)
            await asyncio.sleep(WATCH_SECONDS)

    # --- who looks into them ---

    async def list(self, actor: Actor, query: FindingQuery) -> Page[FindingView]:
        """What was found, as far as it is asked for."""
        require_treasurer(actor)
        asked = {"kind": query.kind, "status": query.status, "refs.payment_id": query.payment_id}
        which = {name: value for name, value in asked.items() if value is not None}
        rows, total = await PaymentFinding.page(which, skip=query.skip, limit=query.page_size)
        return page_of([finding_view(row) for row in rows], query, total)

    async def show(self, actor: Actor, finding_id: str) -> FindingView:
        """One finding."""
        require_treasurer(actor)
        return finding_view(await _require(finding_id))

    async def resolve(
        self, actor: Actor, finding_id: str, draft: FindingResolution, *, expected_version: int | None = None
    ) -> FindingView:
        """Somebody looked into it. Again changes nothing; what was mended meanwhile can be resolved, too."""
        require_treasurer(actor)

        async def step() -> bool | None:
            row = await _require(finding_id)
            if row["status"] == RESOLVED:
                return True
            refuse_other_version(row["version"], expected_version)
            at = self._clock.now()
            fields = {"status": RESOLVED, "resolved_by": actor.user_id, "resolved_at": at, "note": draft.note}
            record = audit(
                Write(row["version"] + 1, at),
                actor,
                "finding.resolve",
                kind="finding",
                target_id=finding_id,
                before={"status": row["status"]},
                after={"status": RESOLVED},
                reason=draft.note,
                person_id=row["refs"].get("user_id", ""),
            )
            return await PaymentFinding.change_at(finding_id, row["version"], fields, intents=[record], at=at) or None

        await until_written(step)
        await self._relay.hand_over(PaymentFinding, finding_id)
        await self.count()
        return finding_view(await _require(finding_id))


def found_intent(
    write: Write, kind: FindingKind, ref: str, *, refs: Mapping[str, str | None], facts: Mapping[str, Any]
) -> Intent:
    """The finding that follows a write."""
    named = {name: value for name, value in refs.items() if value}
    return effect(write, FOUND_EFFECT, {"kind": kind, "ref": ref, "refs": named, "facts": dict(facts)})


def mended_intent(write: Write, kind: FindingKind, ref: str) -> Intent:
    """What was found is put right by a write."""
    return effect(write, MENDED_EFFECT, {"kind": kind, "ref": ref})


def refs_of(payment: Row) -> dict[str, str | None]:
    """What a finding about a payment names."""
    names = ("user_id", "course_id", "plan_id", "order_id", "gateway", "subscription_id")
    return {"payment_id": payment["_id"], **{name: payment.get(name) for name in names}}


_SHOWN = ("kind", "status", "refs", "facts", "first_seen", "last_seen", "version", "created_at", "updated_at")


def finding_view(row: Row) -> FindingView:
    """A finding as people see it."""
    return FindingView(
        id=row["_id"],
        **{name: row[name] for name in _SHOWN},
        resolved_by=row.get("resolved_by"),
        resolved_at=row.get("resolved_at"),
        note=row.get("note") or "",
    )


async def _require(finding_id: str) -> Row:
    row = await PaymentFinding.find_row(finding_id)
    if row is None:
        raise Refused(Code.NOT_FOUND)
    return row
