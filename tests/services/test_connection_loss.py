"""What a lost connection costs and what is given back: by no rule, by itself, by a teacher, at the deadline, after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from config.settings import Settings
from documents import attempt_lines
from documents.enums import ControlKind
from documents.line_keeper import LineKeeper
from documents.quiz_control import QuizControl
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.channels import attempt_channel
from lms_rt.contracts.integrity import TimeCreditDraft
from lms_rt.errors import Code
from lms_rt.services.lines import LOST_MS
from lms_rt.services.quiz_controls import ALL, ControlOrder, QuizControls
from lms_rt.storage.mongo import OpenDatabase
from tests.services.exam import code_of
from tests.services.room import CLOSING_SECONDS, LIMIT, Room, on_both, opened_room, sat


@pytest.fixture
def engine() -> str:
    return "embedded"


@pytest.fixture
async def exam(database: OpenDatabase, settings: Settings) -> Room:
    del database
    return await opened_room(settings)


async def test_absences_are_measured_and_nothing_is_given_where_the_quiz_says_so(exam: Room, student: Actor) -> None:
    attempt = await sat(exam, student)
    await exam.away(student, attempt, 4.9)
    await exam.away(student, attempt, 61.5)
    ledger = await exam.ledger(student, attempt)
    assert (ledger.lost_seconds, ledger.gaps_count, ledger.credited_seconds, ledger.asked_seconds) == (62, 1, 0, None)
    assert ledger.away_since is None
    await exam.goes(attempt)
    assert (await exam.ledger(student, attempt)).away_since == exam.clock.now()
    assert await exam.deadline(attempt) == 0
    facts = await exam.facts(attempt)
    assert [kind for kind, _ in facts] == ["connected", *["disconnected", "connected"] * 2, "disconnected"]
    assert facts[4][1] == {"screens": 1, "away_ms": 61_500}


@on_both
async def test_lost_time_comes_back_by_itself_up_to_the_cap(exam: Room, student: Actor) -> None:
    attempt = await sat(exam, student, connection_loss_policy="automatic", connection_loss_cap_minutes=2)
    await exam.away(student, attempt, 60.2)
    assert await exam.deadline(attempt) == 61_000
    (extended,) = await exam.events(attempt, "quiz_extended")
    assert (extended.event.data["seconds"], extended.event.data["reason"]) == (61, "connection_loss")
    await exam.away(student, attempt, 300)
    await exam.away(student, attempt, 300)
    assert await exam.deadline(attempt) == 120_000
    ledger = await exam.ledger(student, attempt)
    assert (ledger.lost_seconds, ledger.credited_seconds, ledger.gaps_count) == (661, 120, 3)
    credited = [data for kind, data in await exam.facts(attempt) if kind == "time_credited"]
    assert credited == [{"seconds": 61, "by": "rule"}, {"seconds": 59, "by": "rule"}]


async def test_two_screens_and_a_reload_are_no_absence(exam: Room, student: Actor) -> None:
    attempt = await sat(exam, student, connection_loss_policy="automatic")
    other = exam.another_node()
    await exam.comes(student, attempt, "con_2", other)
    await exam.goes(attempt)
    exam.clock.advance(60)
    await exam.comes(student, attempt)
    await exam.goes(attempt, "con_2", other)
    await exam.comes(await exam.student("Other"), attempt, "con_3")  # somebody else is nobody here
    ledger = await exam.ledger(student, attempt)
    assert (ledger.lost_seconds, ledger.away_since, await exam.deadline(attempt)) == (0, None, 0)


async def test_a_line_that_fell_silent_was_gone_since_it_was_heard_last(exam: Room, student: Actor) -> None:
    attempt = await sat(exam, student)
    exam.clock.advance(30)
    await exam.goes(attempt, silent_ms=26_000)
    exam.clock.advance(4)
    await exam.comes(student, attempt)
    assert (await exam.ledger(student, attempt)).lost_seconds == 30


async def test_no_time_is_lost_while_the_quiz_is_paused(exam: Room, student: Actor) -> None:
    attempt = await sat(exam, student, connection_loss_policy="automatic")
    quiz = {"_id": attempt.quiz_id, "course_id": attempt.course_id}

    async def order(kind: ControlKind) -> None:
        name = f"ctl_{kind}"
        await exam.controls.order(quiz, ControlOrder(kind, ALL, by_id="usr_t", by_name="T", control_id=name))

    await exam.goes(attempt)
    exam.clock.advance(20)
    await order(ControlKind.PAUSE)
    exam.clock.advance(600)
    await order(ControlKind.RESUME)
    exam.clock.advance(10)
    await exam.comes(student, attempt)
    assert (await exam.ledger(student, attempt)).lost_seconds == 30
    assert await exam.deadline(attempt) == 600_000 + 30_000


@on_both
async def test_who_is_away_at_the_deadline_has_the_cap_to_come_back(exam: Room, student: Actor) -> None:
    attempt = await sat(exam, student, connection_loss_policy="automatic", connection_loss_cap_minutes=1)
    exam.clock.advance(LIMIT.total_seconds() - 40)
    await exam.goes(attempt)
    exam.clock.advance(40 + CLOSING_SECONDS)
    await exam.attempt_clock.sweep()
    assert (await exam.stored(attempt.id))["status"] == "in_progress"
    assert await exam.deadline(attempt) == 40_000
    exam.clock.advance(40)
    await exam.attempt_clock.sweep()
    assert await exam.deadline(attempt) == 60_000  # what is left under the cap
    exam.clock.advance(20)
    await exam.attempt_clock.sweep()
    assert (await exam.stored(attempt.id))["status"] == "graded"
    ledger = await exam.ledger(student, attempt)
    assert (ledger.lost_seconds, ledger.credited_seconds, ledger.away_since) == (100, 60, None)


@pytest.mark.parametrize("policy", ["none", "approval"])
async def test_without_the_rule_the_deadline_closes_who_is_away(exam: Room, student: Actor, policy: str) -> None:
    attempt = await sat(exam, student, connection_loss_policy=policy)
    await exam.goes(attempt)
    exam.clock.advance(LIMIT.total_seconds() + CLOSING_SECONDS)
    await exam.attempt_clock.sweep()
    assert (await exam.stored(attempt.id))["status"] == "graded"
    assert (await exam.ledger(student, attempt)).lost_seconds == LIMIT.total_seconds()
    assert await code_of(exam.credit(attempt, approve=True)) is Code.ATTEMPT_CLOSED


@on_both
async def test_a_teacher_decides_once_about_what_was_lost_once(exam: Room, student: Actor) -> None:
    attempt = await sat(exam, student, connection_loss_policy="approval")
    assert await code_of(exam.credit(attempt, approve=True)) is Code.CONFLICT
    before = (await exam.stored(attempt.id))["updated_ms"]
    await exam.away(student, attempt, 90)
    stored = await exam.stored(attempt.id)
    assert (await exam.ledger(student, attempt)).asked_seconds == 90
    assert stored["offline"]["asked_ms"] == 90_000
    assert stored["updated_ms"] > before  # the dashboard looks
    assert stored["revision"] == 0  # a submission that saw no other answer is no conflict
    ledger = await exam.credit(attempt, approve=True, reason="The router failed")
    assert (ledger.asked_seconds, ledger.credited_seconds) == (None, 90)
    assert await exam.deadline(attempt) == 90_000
    assert await code_of(exam.credit(attempt, approve=True)) is Code.CONFLICT
    await exam.away(student, attempt, 20)
    refusal = await exam.credit(attempt, approve=False, reason="Not again")
    assert (refusal.asked_seconds, refusal.credited_seconds) == (None, 90)
    await exam.away(student, attempt, 20)
    await exam.credit(attempt, approve=True, seconds=300)
    assert await exam.deadline(attempt) == 390_000
    control = await QuizControl.rows().find_one({"quiz_id": attempt.quiz_id, "n": 1})
    assert control is not None
    assert (control["by"], control["reason"]) == (exam.teacher.user_id, "The router failed")
    kinds = [kind for kind, _ in await exam.facts(attempt) if kind.startswith("time_")]
    assert kinds == ["time_credited", "time_refused", "time_credited"]
    for somebody in (student, await exam.student("Other")):
        draft = TimeCreditDraft(approve=True)
        assert await code_of(exam.loss.decide(somebody, attempt.id, draft)) is Code.NOT_FOUND


async def test_a_teacher_may_give_back_what_somebody_loses_right_now(exam: Room, student: Actor) -> None:
    attempt = await sat(exam, student)
    await exam.goes(attempt)
    exam.clock.advance(45)
    assert (await exam.credit(attempt, approve=True)).credited_seconds == 45
    exam.clock.advance(2)
    await exam.comes(student, attempt)
    ledger = await exam.ledger(student, attempt)
    assert (ledger.lost_seconds, ledger.gaps_count, ledger.credited_seconds) == (47, 1, 45)


async def test_untimed_attempts_have_nothing_to_be_given_back(exam: Room, student: Actor) -> None:
    attempt = await sat(exam, student, time_limit_minutes=None, connection_loss_policy="automatic")
    await exam.away(student, attempt, 60)
    assert (await exam.ledger(student, attempt)).lost_seconds == 60
    assert await QuizControl.rows().count_documents({}) == 0
    assert await code_of(exam.credit(attempt, approve=True)) is Code.CONFLICT


async def test_a_credit_that_was_cut_off_is_ended_by_the_next_who_looks(
    exam: Room, student: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = await sat(exam, student, connection_loss_policy="automatic")
    whole = QuizControls.order

    async def dies_before(*_: Any) -> Any:
        raise OSError("the process died")

    async def dies_after(*args: Any) -> Any:
        await whole(*args)
        raise OSError("the process died")

    for number, order in enumerate((dies_before, dies_after), 1):
        monkeypatch.setattr(QuizControls, "order", order)
        await exam.goes(attempt)
        exam.clock.advance(30)
        exam.lines.came(attempt_channel(attempt.id), "con_1", student.user_id)
        with pytest.raises(OSError, match="died"):
            await exam.lines.work()
        monkeypatch.setattr(QuizControls, "order", whole)
        exam.clock.advance(6)
        other = exam.another_node()
        await other.keep()
        await exam.lines.work()  # what failed is written again
        await other.keep()
        assert await exam.deadline(attempt) == number * 30_000
        ledger = await exam.ledger(student, attempt)
        assert (ledger.credited_seconds, ledger.lost_seconds) == (number * 30, number * 30)


async def test_a_credit_that_was_cut_off_is_given_before_the_deadline_closes(
    exam: Room, student: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = await sat(exam, student, connection_loss_policy="automatic")
    whole = QuizControls.order

    async def dies(*_: Any) -> Any:
        raise OSError("the process died")

    monkeypatch.setattr(QuizControls, "order", dies)
    await exam.goes(attempt)
    exam.clock.advance(30)
    exam.lines.came(attempt_channel(attempt.id), "con_1", student.user_id)
    with pytest.raises(OSError, match="died"):
        await exam.lines.work()
    exam.clock.advance(LIMIT.total_seconds())
    await exam.attempt_clock.sweep()  # it cannot be given yet: nothing closes
    assert (await exam.stored(attempt.id))["status"] == "in_progress"
    monkeypatch.setattr(QuizControls, "order", whole)
    await exam.attempt_clock.sweep()
    assert await exam.deadline(attempt) == 30_000


async def test_nodes_that_write_at_the_same_moment_lose_no_line(
    exam: Room, student: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, other = await sat(exam, student), exam.another_node()

    async def first() -> None:
        await exam.comes(student, attempt, "con_2", other)

    before_the_next_write(monkeypatch, first)
    await exam.goes(attempt)
    assert (await exam.ledger(student, attempt)).away_since is None
    assert [line["id"] for line in (await exam.stored(attempt.id))["offline"]["lines"]] == ["con_2"]


async def test_of_two_who_decide_at_the_same_moment_one_does(
    exam: Room, student: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = await sat(exam, student, connection_loss_policy="approval")
    await exam.away(student, attempt, 60)

    async def first() -> None:
        await exam.credit(attempt, approve=True)

    before_the_next_write(monkeypatch, first)
    assert await code_of(exam.credit(attempt, approve=True, seconds=600)) is Code.CONFLICT
    assert await exam.deadline(attempt) == 60_000


def before_the_next_write(monkeypatch: pytest.MonkeyPatch, first: Callable[[], Awaitable[None]]) -> None:
    """Somebody else is faster, once."""
    whole = attempt_lines.write

    async def write(*args: Any, **options: Any) -> bool:
        monkeypatch.setattr(attempt_lines, "write", whole)
        await first()
        return await whole(*args, **options)

    monkeypatch.setattr(attempt_lines, "write", write)


@on_both
async def test_of_a_node_that_dies_the_others_take_note(exam: Room, student: Actor) -> None:
    attempt = await sat(exam, student, connection_loss_policy="automatic")
    other = exam.another_node()
    exam.clock.advance(4)
    await exam.lines.keep()
    died_ms = exam.clock.now_ms()
    exam.clock.advance(LOST_MS / 1000 - 1)
    await other.keep()
    assert (await exam.ledger(student, attempt)).away_since is None
    exam.clock.advance(2)
    await other.keep()
    away_since = (await exam.ledger(student, attempt)).away_since
    assert away_since is not None
    assert away_since.timestamp() * 1000 == died_ms
    exam.clock.advance(20)
    await exam.comes(student, attempt, "con_2", other)
    assert await exam.deadline(attempt) == 36_000
    assert await LineKeeper.rows().count_documents({"_id": exam.lines.node_id}) == 0
    assert [kind for kind, _ in await exam.facts(attempt)][1:3] == ["disconnected", "connected"]


async def test_a_node_that_goes_writes_down_its_lines_first(exam: Room, student: Actor) -> None:
    attempt = await sat(exam, student)
    running = asyncio.create_task(exam.lines.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert (await exam.ledger(student, attempt)).away_since == exam.clock.now()
    assert (await exam.facts(attempt))[-1] == ("disconnected", {"screens": 0, "why": "server"})
    assert await LineKeeper.rows().count_documents({}) == 0


async def test_a_node_that_was_given_up_too_soon_comes_back_with_its_lines(exam: Room, student: Actor) -> None:
    attempt, other = await sat(exam, student), exam.another_node()
    exam.clock.advance(20)  # the database was away for this one
    await other.keep()
    assert (await exam.ledger(student, attempt)).away_since is not None
    await exam.lines.keep()
    await exam.lines.work()
    ledger = await exam.ledger(student, attempt)
    assert (ledger.away_since, ledger.lost_seconds) == (None, 20)
    await other.keep()
    assert (await exam.ledger(student, attempt)).away_since is None
