"""The timer of an attempt: when it speaks, and what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_rt.clock import FakeClock
from lms_rt.contracts.events import LiveEvent
from lms_rt.contracts.events import QuizTimer as QuizTimerData
from lms_rt.realtime.projections import Audience, Listener
from lms_rt.realtime.timers import THRESHOLDS_MS, QuizTimer, TimerFacts, next_threshold_ms


@given(st.integers(0, 10**7), st.integers(1, 10**7))
def test_every_threshold_within_the_time_is_met_once_and_in_order(started_ms: int, length_ms: int) -> None:
    facts = TimerFacts(started_ms, started_ms + length_ms, is_running=True)
    met, at = [], started_ms - 1
    while (after := next_threshold_ms(facts, at)) is not None:
        met.append(facts.deadline_ms - after)  # type: ignore[operator]
        at = after
    half = length_ms // 2
    assert met == sorted({half, *(left for left in THRESHOLDS_MS if left <= 2 * half)}, reverse=True)


def test_an_untimed_attempt_has_none() -> None:
    assert next_threshold_ms(TimerFacts(0, None, is_running=True), 0) is None


class Heard(Audience):
    """Keeps what it is told."""

    channel = "attempt:1"

    def __init__(self) -> None:
        self.told: list[tuple[dict[str, Any], Listener | None]] = []

    def tell(self, name: str, data: Mapping[str, Any], listener: Listener | None = None) -> None:
        assert name == "quiz_timer"
        QuizTimerData.model_validate(data)
        self.told.append((dict(data), listener))

    def offer(self, listener: Listener, name: str, make: Any) -> None:
        raise AssertionError(f"a timer tells all the same: {listener} {name} {make}")


class Room:
    """A timer over facts that a test sets, and time that it moves."""

    def __init__(self) -> None:
        self.clock, self.heard = FakeClock(), Heard()
        now_ms = self.clock.now_ms()
        self.facts: TimerFacts | None = TimerFacts(now_ms, now_ms + 120_000, is_running=True)
        self.is_away = False
        self.timer = QuizTimer("att_1", self.read, self.clock)

    async def read(self, attempt_id: str) -> TimerFacts | None:
        assert attempt_id == "att_1"
        if self.is_away:
            raise OSError("away")
        return self.facts

    async def passes(self, seconds: float) -> list[tuple[int | None, bool]]:
        """What is said meanwhile: (seconds left, announced)."""
        self.heard.told.clear()
        for _ in range(round(seconds)):
            self.clock.advance(1)
            await settle()
        return self.said()

    def said(self) -> list[tuple[int | None, bool]]:
        left = [(data["remaining_ms"], data["announce"]) for data, _ in self.heard.told]
        return [(None if ms is None else ms // 1000, announce) for ms, announce in left]


async def settle() -> None:
    for _ in range(12):
        await asyncio.sleep(0)


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    made = Room()
    task = asyncio.create_task(made.timer.run(made.heard))
    await settle()
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_thresholds_are_announced_and_corrections_are_not(room: Room) -> None:
    assert room.said() == [(120, False)]
    assert await room.passes(120) == [(90, False), (60, True), (30, True), (10, True), (0, True)]
    assert await room.passes(60) == []


async def test_a_moved_deadline_is_told_at_once(room: Room) -> None:
    await room.passes(100)
    assert room.facts is not None
    room.facts = TimerFacts(room.facts.started_ms, room.clock.now_ms() + 45_000, is_running=True)
    room.heard.told.clear()
    room.timer.heard(LiveEvent("evt_1", "quiz_extended", {}, 0))
    await settle()
    assert room.said() == [(45, False)]
    assert await room.passes(45) == [(30, True), (10, True), (0, True)]


async def test_answers_make_it_read_nothing_and_pokes_without_a_change_say_nothing(room: Room) -> None:
    room.facts = None
    room.timer.heard(LiveEvent("evt_1", "answer_saved", {}, 0))
    await settle()
    assert (await room.passes(31))[0] == (90, False)
    room.timer.poked()
    await settle()
    assert await room.passes(90) == []


async def test_a_newcomer_is_told_alone(room: Room) -> None:
    room.heard.told.clear()
    room.timer.joined("con_2")
    ((data, listener),) = room.heard.told
    assert (listener, data["announce"], data["remaining_ms"]) == ("con_2", False, 120_000)
    assert data["deadline_at"] == "2026-01-05T09:02:00.000Z"


async def test_a_closed_attempt_is_silent_and_one_that_is_paused_begins_again(room: Room) -> None:
    facts = room.facts
    assert facts is not None
    room.facts = TimerFacts(facts.started_ms, facts.deadline_ms, is_running=False)
    room.timer.heard(LiveEvent("evt_1", "quiz_paused", {}, 0))
    await settle()
    assert await room.passes(60) == []
    room.facts = TimerFacts(facts.started_ms, room.clock.now_ms() + 90_000, is_running=True)
    room.timer.heard(LiveEvent("evt_2", "quiz_resumed", {}, 0))
    await settle()
    assert room.said() == [(90, False)]


async def test_the_old_deadline_counts_on_while_the_facts_cannot_be_read(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    room.is_away = True
    room.timer.poked()
    await settle()
    assert await room.passes(60) == [(90, False), (60, True)]
    assert "att_1" in caplog.text
