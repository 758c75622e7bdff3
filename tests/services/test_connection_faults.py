"""Lost connections when something fails, and at the deadline: nothing is forgotten, nobody waits for somebody else's trouble."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from config.settings import Settings
from documents import attempt_lines
from documents.base import Row
from documents.quiz import Quiz
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.channels import attempt_channel
from lms_rt.services.lines import MOST_TRIES, ROUNDS_BETWEEN_ENDS
from lms_rt.storage.mongo import OpenDatabase
from tests.services.room import CLOSING_SECONDS, LIMIT, Room, on_both, opened_room, sat


@pytest.fixture
def engine() -> str:
    return "embedded"


@pytest.fixture
async def exam(database: OpenDatabase, settings: Settings) -> Room:
    del database
    return await opened_room(settings)


@pytest.mark.parametrize("is_back_later", [True, False])
async def test_a_credit_that_failed_before_it_was_decided_is_given_after_all(
    exam: Room, student: Actor, monkeypatch: pytest.MonkeyPatch, is_back_later: bool
) -> None:
    attempt = await sat(exam, student, connection_loss_policy="automatic")
    whole = Quiz.find_head

    async def away(*_: Any) -> Any:
        raise OSError("the database is away")

    monkeypatch.setattr(Quiz, "find_head", away)
    await exam.goes(attempt)
    exam.clock.advance(120)
    exam.lines.came(attempt_channel(attempt.id), "con_1", student.user_id)
    with pytest.raises(OSError, match="away"):
        await exam.lines.work()
    monkeypatch.setattr(Quiz, "find_head", whole)
    if is_back_later:
        await exam.lines.work()
    else:  # the node died with what it had to write
        exam.clock.advance(LIMIT.total_seconds())
        await exam.attempt_clock.sweep()
    assert (await exam.stored(attempt.id))["status"] == "in_progress"
    assert await exam.deadline(attempt) == 120_000


@on_both
async def test_who_is_away_is_put_before_the_teacher_while_there_is_time(exam: Room, student: Actor) -> None:
    attempt = await sat(exam, student, connection_loss_policy="approval")
    unasked = await sat(exam, await exam.student("Other"), connection_loss_policy="none")
    for one in (attempt, unasked):
        await exam.goes(one)
    exam.clock.advance(31)
    before = (await exam.stored(attempt.id))["updated_ms"]
    for _ in range(ROUNDS_BETWEEN_ENDS + 1):
        await exam.lines.keep()
    stored = await exam.stored(attempt.id)
    assert (stored["offline"]["asked_ms"], stored["updated_ms"] > before) == (31_000, True)
    assert "asked_ms" not in (await exam.stored(unasked.id))["offline"]
    exam.clock.advance(9)
    shown = await exam.ledger(student, attempt)
    assert (shown.lost_seconds, shown.asked_seconds, shown.away_since is not None) == (40, 40, True)
    assert (await exam.credit(attempt, approve=False)).asked_seconds is None
    exam.clock.advance(30)
    await exam.loss.ask_for_absent()
    assert (await exam.ledger(student, attempt)).asked_seconds is None, "they were asked about this absence"
    await exam.comes(student, attempt)
    assert (await exam.ledger(student, attempt)).asked_seconds == 30


async def test_a_line_that_cannot_be_written_down_holds_up_nobody_else(
    exam: Room, student: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged, attempt = await sat(exam, await exam.student("Other")), await sat(exam, student)
    whole = attempt_lines.find

    async def find(attempt_id: str) -> Any:
        if attempt_id == damaged.id:
            raise KeyError("status")
        return await whole(attempt_id)

    monkeypatch.setattr(attempt_lines, "find", find)
    for one in (damaged, attempt):
        exam.lines.went(attempt_channel(one.id), "con_1")
    for _ in range(MOST_TRIES - 1):
        with pytest.raises(KeyError):
            await exam.lines.work()
    await exam.lines.work()
    assert (await exam.ledger(student, attempt)).away_since is not None


@on_both
async def test_who_is_away_at_the_deadline_holds_up_nobody_else(exam: Room, student: Actor) -> None:
    away = await sat(exam, student, connection_loss_policy="automatic")
    other = await exam.begun(await exam.student("Other"), away.quiz_id)
    elsewhere = [await sat(exam, await exam.student(), connection_loss_policy="automatic") for _ in range(2)]
    for one in (away, elsewhere[0]):
        await exam.goes(one)
    asked: list[tuple[set[str], set[str]]] = []

    async def note(due: Sequence[Row], now_ms: int) -> None:
        del now_ms
        states = {(await exam.stored(one.id))["status"] for one in (other, elsewhere[1])}
        asked.append(({row["_id"] for row in due}, states))

    exam.attempt_clock.closing.ask_before(note)
    exam.clock.advance(LIMIT.total_seconds() + CLOSING_SECONDS)
    await exam.attempt_clock.closing.close_due(is_grading=False)
    assert sorted(asked, key=str) == sorted([({one.id}, {"submitted"}) for one in (away, elsewhere[0])], key=str)
    for one in (away, elsewhere[0]):
        assert (await exam.stored(one.id))["status"] == "in_progress"
