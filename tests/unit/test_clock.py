"""The clock of a node among others: it never goes back, finds the shared time, and says truly how far it may be off."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_rt.bus.base import SharedTime
from lms_rt.clock import Clock, from_ms, rfc3339, rfc3339_of_ms, to_ms
from lms_rt.errors import Code, Refused
from lms_rt.services import clock_keeper
from lms_rt.services.clock_keeper import QUESTIONS, UNKNOWN_ERROR_MS, ClockKeeper


class Quartz:
    """What counts on in this machine."""

    def __init__(self) -> None:
        self.ns = 5_000_000_000

    def __call__(self) -> int:
        return self.ns

    def advance(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)


@pytest.fixture
def quartz() -> Quartz:
    return Quartz()


@pytest.fixture
def clock(quartz: Quartz) -> Clock:
    return Clock(monotonic_ns=quartz)


def test_a_clock_alone_is_the_shared_one(clock: Clock, quartz: Quartz) -> None:
    start = clock.now_ms()
    quartz.advance(3600)
    assert clock.now_ms() == start + 3_600_000
    assert clock.error_ms == 0


def test_a_clock_that_is_behind_jumps(clock: Clock, quartz: Quartz) -> None:
    shared_ms = clock.now_ms() + 3_000
    clock.anchor(shared_ms, error_ms=2)
    assert (clock.now_ms(), clock.error_ms) == (shared_ms, 2)
    quartz.advance(10)
    assert clock.now_ms() == shared_ms + 10_000


def test_a_clock_that_is_ahead_waits_for_the_others_and_says_how_far_it_is(clock: Clock, quartz: Quartz) -> None:
    shown_ms = clock.now_ms()
    clock.anchor(shown_ms - 3_000, error_ms=2)
    assert clock.now_ms() == shown_ms
    assert 3_002 <= clock.error_ms <= 3_003
    quartz.advance(2)
    assert clock.now_ms() == shown_ms + 1_000
    assert 2_002 <= clock.error_ms <= 2_004
    quartz.advance(4)
    assert clock.now_ms() == shown_ms - 3_000 + 6_000
    assert clock.error_ms <= 7


def test_a_clock_that_nobody_has_gone_by_yet_may_go_back(clock: Clock) -> None:
    shown_ms = clock.now_ms()
    clock.anchor(shown_ms - 3_000, error_ms=2, may_go_back=True)
    assert (clock.now_ms(), clock.error_ms) == (shown_ms - 3_000, 2)


def test_the_error_grows_while_nobody_is_asked(clock: Clock, quartz: Quartz) -> None:
    clock.anchor(clock.now_ms(), error_ms=1)
    quartz.advance(30)
    assert clock.error_ms == 16
    quartz.advance(600)
    assert clock.error_ms > 250


def test_the_answer_with_the_smallest_round_trip_counts(clock: Clock, quartz: Quartz) -> None:
    start = clock.now_ms()
    clock.anchor(start + 100, error_ms=1)
    clock.anchor(start + 110, error_ms=20)
    assert (clock.now_ms(), clock.error_ms) == (start + 100, 1)
    quartz.advance(60)
    clock.anchor(start + 60_110, error_ms=20)  # by now as good
    assert (clock.now_ms(), clock.error_ms) == (start + 60_110, 20)


def test_an_answer_that_contradicts_what_is_known_counts_however_slow(clock: Clock) -> None:
    start = clock.now_ms()
    clock.anchor(start, error_ms=1)
    clock.anchor(start + 2_000, error_ms=40)  # another server answers now
    assert (clock.now_ms(), clock.error_ms) == (start + 2_000, 40)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 100),  # seconds until the next answer
            st.floats(-5_000, 5_000),  # how far the machine's wall clock is off then, as the answer says
            st.floats(0.1, 300),
        ),
        max_size=20,
    )
)
def test_it_never_goes_back_and_its_error_is_true(answers: list[tuple[float, float, float]]) -> None:
    quartz = Quartz()
    clock = Clock(monotonic_ns=quartz)
    start_ms, start_ns = clock.now_ms(), quartz.ns
    last_ms = start_ms
    for seconds, wrong_ms, error_ms in answers:
        for _ in range(4):
            quartz.advance(seconds / 4)
            assert clock.now_ms() >= last_ms
            last_ms = clock.now_ms()
        shared_ms = start_ms + (quartz.ns - start_ns) / 1e6 + wrong_ms
        clock.anchor(shared_ms, error_ms=error_ms)
        assert clock.now_ms() >= last_ms
        last_ms = clock.now_ms()
        assert abs(clock.now_ms() - shared_ms) <= clock.error_ms + error_ms + 1


# --- who asks ---


class Told(SharedTime):
    """Answers that were written down: the time there by the clock, and the round trip; None: no answer."""

    def __init__(self, clock: Clock, *answers: tuple[float, float] | None) -> None:
        self.clock, self.answers, self.asked = clock, list(answers), 0
        self.was_asked = asyncio.Event()

    async def measure(self) -> tuple[int, float]:
        self.asked += 1
        self.was_asked.set()
        answer = self.answers.pop(0) if self.answers else None
        if answer is None:
            raise Refused(Code.UNAVAILABLE)
        ahead_ms, round_trip_ms = answer
        return round(self.clock.now_ms() + ahead_ms - round_trip_ms / 2), round_trip_ms


async def test_the_best_of_some_answers_is_kept(clock: Clock) -> None:
    start = clock.now_ms()
    told = Told(clock, (3_000, 40), (0, 2), (0, 40), (0, 40), (0, 40))
    await ClockKeeper(clock=clock, time=told).open()
    assert told.asked == QUESTIONS
    assert abs(clock.now_ms() - start - 3_000) <= 2
    assert 2 <= clock.error_ms <= 4


async def test_a_node_that_starts_ahead_is_right_from_the_start(clock: Clock) -> None:
    start = clock.now_ms()
    await ClockKeeper(clock=clock, time=Told(clock, (-3_000, 2), (0, 2))).open()
    assert abs(clock.now_ms() - start + 3_000) <= 2
    assert clock.error_ms <= 4


async def test_a_node_that_finds_nobody_says_that_its_clock_is_its_own(clock: Clock) -> None:
    start = clock.now_ms()
    told = Told(clock)
    keeper = ClockKeeper(clock=clock, time=told)
    await keeper.open()
    assert clock.now_ms() == start
    assert UNKNOWN_ERROR_MS <= clock.error_ms <= UNKNOWN_ERROR_MS + 1
    told.answers = [(-10, 2), None]
    await keeper.measure()
    assert 11 <= clock.error_ms <= 14


async def test_asked_again_when_the_bus_is_back_and_every_half_minute(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(clock)
    keeper = ClockKeeper(clock=clock, time=told)
    running = asyncio.create_task(keeper.run())
    try:
        keeper.receive(False)
        keeper.receive(True)
        async with asyncio.timeout(5):
            await told.was_asked.wait()
            monkeypatch.setattr(clock_keeper, "MEASURE_EVERY_SECONDS", 0.001)
            told.was_asked.clear()
            keeper.receive(True)
            await told.was_asked.wait()
            told.was_asked.clear()
            await told.was_asked.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@given(st.integers(min_value=0, max_value=to_ms(datetime(9998, 1, 1, tzinfo=UTC))))
def test_a_time_is_told_the_same_whether_it_is_held_in_milliseconds_or_not(epoch_ms: int) -> None:
    assert rfc3339_of_ms(epoch_ms) == rfc3339(from_ms(epoch_ms))
