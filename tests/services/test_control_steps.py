"""Orders of a teacher that die after any of their steps, or meet others at any of them: each reaches every attempt once."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from documents.attempt import Attempt
from documents.base import Row
from documents.paper import AttemptPaper
from documents.quiz_control import QuizControl
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import HandedOutView
from lms_rt.errors import Code
from lms_rt.services.leases import Device
from tests.conftest import settings_on
from tests.services.exam import Exam
from tests.services.stepping import Handler, done, open_stepping

LIMIT_SECONDS = 30 * 60
CLOSING_SECONDS = 3
Work = Coroutine[Any, Any, Any]


class Hall(Exam):
    """One quiz, two students; every run begins anew."""

    quiz_id: str
    students: list[Actor]

    def open(self) -> Hall:
        done(self.open_course())
        self.quiz_id = done(self.quiz(max_attempts=None))
        self.students = [done(self.student(f"Student {number}")) for number in range(2)]
        return self

    def seated(self) -> list[HandedOutView]:
        for document in (Attempt, AttemptPaper, QuizControl):
            done(document.rows().delete_many({}))
        return [done(self.begun(one, self.quiz_id)) for one in self.students]

    def give(self, kind: str, control_id: str = "ctl_1", **fields: Any) -> Work:
        """By a node of its own."""
        controls = self.another_clock().controls
        return self.order(self.quiz_id, kind, control_id=control_id, controls=controls, **fields)

    def take_up(self) -> None:
        """Another node finds what is left."""
        self.clock.advance(CLOSING_SECONDS)
        done(self.another_clock().sweep())
        done(self.relay.sweep())

    def rows(self) -> list[Row]:
        async def read() -> list[Row]:
            rows: list[Row] = await Attempt.rows().find({}).to_list(None)
            return rows

        found: list[Row] = done(read())
        return found

    def told(self, attempt_id: str) -> list[str]:
        events = done(self.bus.history.read(f"attempt:{attempt_id}", after=0)).events
        return [one.event.event_id for one in events if one.event.aggregate == f"{self.quiz_id}:controls"]


@pytest.fixture(scope="module")
def hall(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    settings = settings_on("embedded", request, tmp_path_factory.mktemp("hall"))
    with open_stepping(settings):
        yield Hall(settings).open()


def met(one: Work, two: Work, first: int, steps: int) -> list[Handler]:
    """Both to their ends: `first` does so many steps, then the other all of its own."""
    handlers = [Handler(one), Handler(two)]
    for which, count in ((first, steps), (1 - first, 1_000), (first, 1_000)):
        walk(handlers[which], count)
    return handlers


def steps_of(work: Work) -> int:
    """How many steps there are."""
    handler, count = Handler(work), 0
    while not handler.is_over:
        handler.step()
        count += 1
    return count


@pytest.mark.parametrize("kind", ["extend", "pause", "resume", "end", "announce"])
def test_an_order_that_dies_anywhere_is_finished_once_by_another_node(hall: Hall, kind: str) -> None:
    fields: dict[str, Any] = {"seconds": 60} if kind == "extend" else {"text": "Hello"} if kind == "announce" else {}

    def begin() -> list[HandedOutView]:
        seated = hall.seated()
        if kind == "resume":
            done(hall.give("pause", "ctl_0"))
        return seated

    begin()
    count = steps_of(hall.give(kind, f"ctl_{kind}", **fields))
    for steps in range(1, count):
        seated = begin()
        control_id = f"ctl_{kind}_{steps}"
        before = {row["_id"]: row for row in hall.rows()}
        handler = Handler(hall.give(kind, control_id, **fields))
        for _ in range(steps):
            handler.step()
        handler.crash()
        hall.take_up()
        control = done(QuizControl.find_row(control_id))
        if control is None:
            assert all(row == before[row["_id"]] for row in hall.rows()), "nothing was written, nothing happened"
            continue
        assert "undone" not in control, steps
        for row in hall.rows():
            assert (row["live_version"], row["controls"].count(control["n"])) == (control["n"], 1), steps
            check(kind, before[row["_id"]], row)
        for one in seated:
            assert hall.told(one.id).count(control_id) == 1, (steps, "told once")


def check(kind: str, old: Row, row: Row) -> None:
    """It did what it says, once."""
    moved = row["deadline_ms"] - old["deadline_ms"]
    if kind == "end":
        assert (row["submitted_by"], "open_key" in row) == ("instructor", False)
    else:
        assert row["status"] == ("paused" if kind == "pause" else "in_progress")
    if kind == "resume":
        assert 0 <= moved <= CLOSING_SECONDS * 1000
    else:
        assert moved == (60_000 if kind == "extend" else 0)


@pytest.mark.parametrize("first", [0, 1])
def test_the_same_order_by_two_nodes_at_once_is_one(hall: Hall, first: int) -> None:
    for steps in range(1, 12):
        hall.seated()
        before = {row["_id"]: row["deadline_ms"] for row in hall.rows()}
        control_id = f"ctl_twice_{first}_{steps}"
        handlers = met(
            hall.give("extend", control_id, seconds=60), hall.give("extend", control_id, seconds=60), first, steps
        )
        assert [handler.refused for handler in handlers] == [None, None]
        assert {row["deadline_ms"] - before[row["_id"]] for row in hall.rows()} == {60_000}, steps


def test_two_orders_at_once_take_two_numbers_and_both_happen(hall: Hall) -> None:
    for steps in range(4, 15):
        for others in range(3, 15, 2):
            hall.seated()
            before = {row["_id"]: row["deadline_ms"] for row in hall.rows()}
            named = f"{steps}_{others}"
            one = Handler(hall.give("extend", f"ctl_a_{named}", seconds=60))
            two = Handler(hall.give("extend", f"ctl_b_{named}", seconds=5))
            for handler, count in ((one, steps), (two, others), (one, 1_000), (two, 1_000)):
                walk(handler, count)
            for row in hall.rows():
                assert (row["deadline_ms"] - before[row["_id"]], row["controls"]) == (65_000, [1, 2]), named


def test_two_orders_reach_in_their_turn_who_starts_between_any_of_their_steps(hall: Hall) -> None:
    late = hall.students[0]
    for steps in range(0, 28, 2):
        for others in range(0, 21, 3):
            hall.seated()
            done(Attempt.rows().delete_many({"student_id": late.user_id}))
            start = Handler(hall.attempts.start(late, hall.quiz_id, Device("laptop")))
            while start.next_step != "insert_one attempts":
                start.step()
            orders = Handler(both(hall, f"{steps}_{others}"))
            walk(orders, steps)
            start.step()
            (row,) = [row for row in hall.rows() if row["student_id"] == late.user_id]
            assert (row["live_version"], "controls" in row) == (0, False)
            walk(orders, others)
            start.run()
            orders.run()
            row = done(hall.stored(row["_id"]))
            assert (row["controls"], row["live_version"]) == ([1, 2], 2), (steps, others)
            assert row["deadline_ms"] - hall.clock.now_ms() == (LIMIT_SECONDS + 65) * 1000, (steps, others)


async def both(hall: Hall, named: str) -> None:
    """One order after the other."""
    await hall.give("extend", f"ctl_1_{named}", seconds=60)
    await hall.give("extend", f"ctl_2_{named}", seconds=5)


def walk(handler: Handler, count: int) -> None:
    """So many steps, if there are any left."""
    for _ in range(count):
        if not handler.is_over:
            handler.step()


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("kind", ["pause", "extend", "end", "correct"])
def test_who_starts_at_the_moment_of_an_order_is_given_it_or_begins_after_it(hall: Hall, kind: str, first: int) -> None:
    fields: dict[str, Any] = {"seconds": 60} if kind == "extend" else {}
    if kind == "correct":
        fields = {"changes": [{"question_id": hall.question_ids[0], "action": "void"}]}
    late = hall.students[0]
    for steps in range(1, 13):
        hall.seated()
        done(Attempt.rows().delete_many({"student_id": late.user_id}))
        started, _ = met(
            hall.attempts.start(late, hall.quiz_id, Device("laptop")),
            hall.give(kind, f"ctl_{kind}_{first}_{steps}", **fields),
            first,
            steps,
        )
        rows = [row for row in hall.rows() if row["student_id"] == late.user_id]
        if started.refused is not None:
            assert started.refused.code is {"pause": Code.QUIZ_PAUSED, "end": Code.QUIZ_CLOSED}[kind], steps
            assert rows == [], steps
            continue
        (row,) = rows
        is_reached = row.get("controls", []) == [1]
        assert (row["live_version"], row.get("controls", [])) in ((1, [1]), (1, [])), steps
        moved = row["deadline_ms"] - hall.clock.now_ms() - LIMIT_SECONDS * 1000
        assert moved == (60_000 if kind == "extend" and is_reached else 0), steps
        if kind in ("pause", "end"):
            assert row["status"] == {"pause": "paused", "end": "submitted"}[kind], steps
        if kind == "correct":
            assert row["key_version"] == 1, steps


@pytest.mark.parametrize("first", [0, 1])
def test_what_is_extended_at_the_moment_of_its_closing_stays_open_or_was_closed_before(hall: Hall, first: int) -> None:
    outcomes = set()
    for steps in range(1, 14):
        hall.seated()
        hall.clock.advance(LIMIT_SECONDS + CLOSING_SECONDS)
        met(
            hall.give("extend", f"ctl_last_{first}_{steps}", seconds=60),
            hall.another_clock().closing.close_due(is_grading=False),
            first,
            steps,
        )
        for row in hall.rows():
            is_open = row["status"] == "in_progress"
            outcomes.add(is_open)
            assert is_open == (row.get("controls", []) == [1]), steps
            assert is_open == (row["deadline_ms"] > hall.clock.now_ms()), steps
            assert is_open or row["submitted_by"] == "deadline", steps
    assert outcomes == {True, False}, "one of the two never came first"


def test_whoever_comes_back_to_a_half_given_order_gets_it_first(hall: Hall) -> None:
    for steps in range(3, 8):
        seated = hall.seated()
        handler = Handler(hall.give("extend", f"ctl_back_{steps}", seconds=60))
        for _ in range(steps):
            handler.step()
        handler.crash()
        view = done(hall.attempts.resume(hall.students[0], seated[0].id, Device("laptop")))
        is_written = done(QuizControl.find_row(f"ctl_back_{steps}")) is not None
        row = done(hall.stored(seated[0].id))
        assert (row["deadline_ms"] - hall.clock.now_ms() > LIMIT_SECONDS * 1000) == is_written, steps
        assert [message.control_id for message in view.messages] == [f"ctl_back_{steps}"] * is_written
