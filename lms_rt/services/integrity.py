"""The integrity log: facts about an attempt in the server's order, shown to its student too. Never a verdict.

Noting is best effort: no answer fails because a fact about it could not be kept.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from documents.base import Row
from documents.integrity import IntegrityRecord
from lms_rt import ids
from lms_rt.clock import Clock, from_ms, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.channels import quiz_live_channel
from lms_rt.contracts.integrity import IntegrityQuery, IntegrityView
from lms_rt.security.access.quizzes import require_attempt_state
from lms_rt.services.telling import Telling

MAX_FACTS = 2_000
"""So many of one attempt are kept; a screen that flickers all day does not fill the store."""
MAX_TOLD = 1_000
"""So many of them may be what a client alone decides to send: the rest is kept for what the server sees by itself."""
TRIES = 20
_TOLD_KINDS = frozenset({"page_hidden", "page_shown", "late_message"})
_PAGE_KINDS = frozenset({"page_hidden", "page_shown"})

_log = logging.getLogger(__name__)


class Integrity:
    """Keeps and shows what happened around attempts."""

    def __init__(self, *, clock: Clock, telling: Telling) -> None:
        self._clock, self._telling = clock, telling

    async def note(
        self, attempt: Row, kind: str, data: Mapping[str, Any] | None = None, *, at_ms: int | None = None
    ) -> None:
        """Keep a fact, and tell who watches the quiz. Of previews nothing is kept."""
        if attempt.get("is_preview"):
            return
        try:
            fact = await self._kept(attempt, kind, dict(data or {}), self._clock.now_ms() if at_ms is None else at_ms)
        except Exception:  # noqa: BLE001 - whatever is noted here must not fail because of it
            _log.exception("that %s of attempt %s was not noted", kind, attempt["_id"])
            return
        if fact is not None:
            told = {"attempt_id": attempt["_id"], "number": fact["n"], "kind": fact["kind"], "data": fact["data"]}
            told["at"] = rfc3339(from_ms(fact["at_ms"]))
            await self._telling.event(quiz_live_channel(attempt["quiz_id"]), "integrity", told)

    async def page(self, attempt: Row, state: str) -> None:
        """The page was hidden or shown."""
        await self.note(attempt, "page_hidden" if state == "hidden" else "page_shown")

    async def show(self, actor: Actor, attempt_id: str, query: IntegrityQuery) -> Page[IntegrityView]:
        """What happened, to the attempt's student and to those who teach it."""
        await require_attempt_state(actor, attempt_id)
        rows, total = await IntegrityRecord.page_of(
            attempt_id,
            kind=query.kind,
            skip=query.skip,
            limit=query.page_size,
            is_newest_first=query.sort == "-n",
        )
        return page_of([_view(row) for row in rows], query, total)

    async def _kept(self, attempt: Row, kind: str, data: dict[str, Any], at_ms: int) -> Row | None:
        """The fact with its number; None: it is known already, or there are too many."""
        fact: Row = {"quiz_id": attempt["quiz_id"], "student_id": attempt["student_id"], "at_ms": at_ms}
        for _ in range(TRIES):
            last = await IntegrityRecord.find_last(attempt["_id"])
            n = 1 if last is None else last["n"] + 1
            if n > MAX_FACTS or (last is not None and kind in _PAGE_KINDS and last["kind"] == kind):
                return None
            told = (0 if last is None else last.get("told", 0)) + (kind in _TOLD_KINDS)
            if kind in _TOLD_KINDS and told > MAX_TOLD:
                return None
            row = {**fact, "kind": kind, "data": data, "told": told}
            if n == MAX_FACTS or (kind in _TOLD_KINDS and told == MAX_TOLD):
                row |= {"kind": "log_full" if n == MAX_FACTS else "told_full", "data": {}}
            row |= {"_id": ids.new_id("fct"), "attempt_id": attempt["_id"], "n": n}
            if await IntegrityRecord.add(row):
                return row
        raise RuntimeError("too many facts at one moment")


def _view(row: Row) -> IntegrityView:
    return IntegrityView(n=row["n"], kind=row["kind"], at=from_ms(row["at_ms"]), data=row["data"])
