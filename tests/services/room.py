"""An exam with nodes that hold the lines of its students, by a clock that moves only when told to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from config.settings import Settings
from documents.integrity import IntegrityRecord
from lms_rt.clock import FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import HandedOutView
from lms_rt.contracts.channels import attempt_channel
from lms_rt.contracts.integrity import OfflineView, TimeCreditDraft
from lms_rt.security.audit_chain import AuditChain
from lms_rt.security.keyring import Keyring
from lms_rt.services.audit import Audit
from lms_rt.services.connection_loss import ConnectionLoss
from lms_rt.services.lines import LineWatch
from lms_rt.services.quiz_controls import QuizControls
from lms_rt.services.telling import Telling
from tests.services.exam import Exam

LIMIT = timedelta(minutes=30)
CLOSING_SECONDS = 3
"""Grace and slack."""
on_both = pytest.mark.parametrize("engine", ["embedded", pytest.param("real", marks=pytest.mark.real)])
"""Where it matters how the store writes; the rest is arithmetic."""


class Room(Exam):
    """An exam with nodes that hold the lines of its students."""

    def __post_init__(self) -> None:
        super().__post_init__()
        audit = Audit(clock=self.clock, chain=AuditChain(Keyring("the key of this school")))
        self.loss = ConnectionLoss(
            clock=self.clock,
            controls=QuizControls(clock=self.clock, relay=self.relay, telling=Telling(self.bus)),
            integrity=self.attempts.integrity,
            telling=Telling(self.bus),
            audit=audit,
        )
        self.attempt_clock.closing.ask_before(self.loss.before_closing)
        self.lines = self.another_node()

    def another_node(self) -> LineWatch:
        return LineWatch(clock=self.clock, loss=self.loss)

    async def comes(self, student: Actor, attempt: HandedOutView, line: str = "con_1", node: Any = None) -> None:
        lines = node or self.lines
        lines.came(attempt_channel(attempt.id), line, student.user_id)
        await lines.work()

    async def goes(self, attempt: HandedOutView, line: str = "con_1", node: Any = None, **how: int) -> None:
        lines = node or self.lines
        lines.went(attempt_channel(attempt.id), line, **how)
        await lines.work()

    async def away(self, student: Actor, attempt: HandedOutView, seconds: float) -> None:
        """Gone for so long, and back."""
        await self.goes(attempt)
        self.clock.advance(seconds)
        await self.comes(student, attempt)

    async def ledger(self, student: Actor, attempt: HandedOutView) -> OfflineView:
        return (await self.attempts.show(student, attempt.id)).offline

    async def deadline(self, attempt: HandedOutView) -> int:
        """In milliseconds after the start plus the limit."""
        stored = await self.stored(attempt.id)
        return int(stored["deadline_ms"] - (attempt.started_at + LIMIT).timestamp() * 1000)

    async def facts(self, attempt: HandedOutView) -> list[tuple[str, dict[str, Any]]]:
        rows = await IntegrityRecord.rows().find({"attempt_id": attempt.id}).sort("n", 1).to_list(None)
        assert [row["n"] for row in rows] == list(range(1, len(rows) + 1))
        return [(row["kind"], row["data"]) for row in rows]

    async def credit(self, attempt: HandedOutView, **draft: Any) -> OfflineView:
        return await self.loss.decide(self.teacher, attempt.id, TimeCreditDraft(**draft))


async def sat(exam: Room, student: Actor, **quiz: Any) -> HandedOutView:
    """An attempt whose student has a line."""
    attempt = await exam.begun(student, await exam.quiz(**quiz))
    await exam.comes(student, attempt)
    return attempt


async def opened_room(settings: Settings) -> Room:
    """A room with a course, on the database that is open."""
    made = Room(settings, FakeClock())
    await made.open_course()
    return made
