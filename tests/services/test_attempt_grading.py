"""What closes by itself, and that each closed attempt is graded once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from documents.attempt import Attempt
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import (
    HandedOutView,
)
from lms_rt.contracts.channels import attempt_channel
from lms_rt.errors import Code
from tests.services.exam import Exam, code_of, submitted

LIMIT_SECONDS = 30 * 60
GRACE_SECONDS = 2


async def test_the_deadline_closes_and_grades_without_anybody(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    await exam.save(student, attempt, "b")
    exam.clock.advance(LIMIT_SECONDS + GRACE_SECONDS + 0.999)
    await exam.attempt_clock.sweep()
    assert (await exam.stored(attempt.id))["status"] == "in_progress"
    exam.clock.advance(0.001)
    await exam.attempt_clock.sweep()
    stored = await exam.stored(attempt.id)
    assert (stored["status"], stored["submitted_by"], stored["score"]) == ("graded", "deadline", 200)
    assert "open_key" not in stored
    closed = await exam.attempts.submit(student, attempt.id, submitted())
    assert closed.submitted_by == "deadline"
    for _ in range(2):
        await exam.attempt_clock.sweep()
    assert len(await exam.events(attempt, "attempt_graded")) == 1
    assert len(await exam.events(attempt, "attempt_submitted")) == 1


async def test_an_extension_a_moment_before_keeps_it_open(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    exam.clock.advance(LIMIT_SECONDS + GRACE_SECONDS + 1)
    await Attempt.rows().update_one({"_id": attempt.id}, {"$inc": {"deadline_ms": 60_000}})
    await exam.attempt_clock.sweep()
    await exam.attempt_clock.closing.close_due(attempt.id)
    assert (await exam.save(student, attempt, "b")).revision == 1


async def test_the_running_clock_closes_on_the_moment(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz()
    running = asyncio.create_task(exam.attempt_clock.run())
    exam.attempts = exam.node_of(exam.attempt_clock)
    attempt = await exam.begun(student, quiz_id)
    heard = await exam.listen(attempt_channel(attempt.id))
    exam.clock.advance(LIMIT_SECONDS + GRACE_SECONDS + 1)
    async with asyncio.timeout(10):
        while await heard.get() != "attempt_graded":
            pass
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await exam.stored(attempt.id))["submitted_by"] == "deadline"


async def test_a_grade_that_its_closer_left_behind_is_made_by_the_next_sweep(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    assert await Attempt.submit(attempt.id, revision=None, now_ms=exam.clock.now_ms())
    await exam.attempt_clock.sweep()
    assert (await exam.stored(attempt.id))["grading"] == "pending", "its closer may still be at it"
    exam.clock.advance(5)
    await asyncio.gather(*(exam.attempt_clock.sweep() for _ in range(3)))
    assert (await exam.stored(attempt.id))["grading"] == "done"
    assert len(await exam.events(attempt, "attempt_graded")) == 1


async def test_what_a_crash_left_in_the_outbox_is_told_by_the_relay(
    exam: Exam, student: Actor, attempt: HandedOutView, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crashed(*_: Any) -> None:
        """The node dies between the write and the relay."""

    with monkeypatch.context() as patch:
        patch.setattr(exam.relay, "hand_over", crashed)
        await exam.attempts.submit(student, attempt.id, submitted())
    assert await exam.events(attempt, "attempt_graded") == []
    exam.clock.advance(3)
    await exam.relay.sweep()
    await exam.relay.sweep()
    assert len(await exam.events(attempt, "attempt_graded")) == 1
    assert (await exam.stored(attempt.id))["outbox"] == []


async def test_an_untimed_attempt_without_answers_is_abandoned_and_counts(exam: Exam, student: Actor) -> None:
    attempt = await exam.begun(student, await exam.quiz(time_limit_minutes=None, max_attempts=1))
    assert attempt.deadline_at is None
    exam.clock.advance(29 * 86_400)
    await exam.save(student, attempt, "b")
    exam.clock.advance(29 * 86_400)
    await exam.attempt_clock.sweep()
    assert (await exam.stored(attempt.id))["status"] == "in_progress"
    exam.clock.advance(86_400)
    await exam.attempt_clock.sweep()
    stored = await exam.stored(attempt.id)
    assert (stored["status"], stored["grading"], stored["score"]) == ("abandoned", "done", 200)
    assert await code_of(exam.begun(student, attempt.quiz_id)) is Code.ATTEMPTS_EXHAUSTED


async def test_one_damaged_attempt_holds_up_no_other(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    other = await exam.begun(await exam.student(), attempt.quiz_id)
    await Attempt.rows().database["attempt_papers"].delete_one({"_id": attempt.id})
    for one in (attempt, other):
        assert await Attempt.submit(one.id, revision=None, now_ms=exam.clock.now_ms())
    exam.clock.advance(5)
    await exam.attempt_clock.sweep()
    assert (await exam.stored(other.id))["grading"] == "done"


async def test_what_a_teacher_tells_is_no_answer_of_the_student(exam: Exam, student: Actor) -> None:
    attempt = await exam.begun(student, await exam.quiz(time_limit_minutes=None))
    exam.clock.advance(20 * 86_400)
    await exam.order(attempt.quiz_id, "announce", text="Is anybody there?")
    exam.clock.advance(10 * 86_400)
    await exam.attempt_clock.closing.close_abandoned()
    assert (await exam.stored(attempt.id))["status"] == "abandoned"


async def test_an_attempt_that_misses_a_pause_is_paused_and_not_abandoned(
    exam: Exam, student: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = await exam.begun(student, await exam.quiz(time_limit_minutes=None))
    exam.clock.advance(30 * 86_400)

    async def dies(*_: Any) -> None:
        """The node that was told of the pause gets no further than writing it."""

    with monkeypatch.context() as patch:
        patch.setattr(exam.controls, "_finish", dies)
        await exam.order(attempt.quiz_id, "pause")
    assert not await exam.attempt_clock.closing.close_abandoned()
    assert (await exam.stored(attempt.id))["status"] == "paused"
