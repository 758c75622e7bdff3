"""The arithmetic of the live dashboard: whatever the attempts went through, the figures are those of the rows as they are."""

from __future__ import annotations

import copy
import statistics
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.enums import AttemptStatus
from lms_rt.clock import from_ms, to_ms
from lms_rt.contracts.dashboards import LiveQuestionView, LiveStudentView
from lms_rt.services.live_picture import LivePicture, Presence

START_MS = 1_790_000_000_000
NOW_MS = START_MS + 600_000
QUESTIONS = (
    {"id": "q1", "question_text": "Which?", "question_type": "multiple_choice"},
    {"id": "q2", "question_text": "Which of them?", "question_type": "multiple_select"},
    {"id": "q3", "question_text": "So?", "question_type": "true_false"},
    {"id": "q4", "question_text": "How many?", "question_type": "numeric"},
)
VALUES = {
    "q1": st.sampled_from(["a", "b", "c"]) | st.none(),
    "q2": st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3) | st.none(),
    "q3": st.booleans() | st.none(),
    "q4": st.decimals(min_value=0, max_value=9, places=1).map(str) | st.none(),
    "gone": st.just("to a question that the quiz has no more"),
}
STATUSES = st.sampled_from([status.value for status in AttemptStatus])


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    chosen = draw(st.sets(st.sampled_from(sorted(VALUES))))
    return {
        question_id: {
            "value": draw(VALUES[question_id]),
            "saved_at_ms": START_MS + draw(st.integers(0, 300_000)),
        }
        for question_id in sorted(chosen)
    }


@st.composite
def row_states(draw: st.DrawFn) -> dict[str, Any]:
    """One of five attempts of three students, in some state."""
    number = draw(st.integers(1, 5))
    return {
        "_id": f"att_{number}",
        "student_id": f"usr_{number % 3}",
        "student_name": f"Student {number}",
        "attempt_number": 1 + number // 4,
        "status": draw(STATUSES),
        "started_at": from_ms(START_MS + number),
        "deadline_ms": draw(st.none() | st.just(START_MS + 1_800_000)),
        "answers": draw(answers()),
        "updated_ms": START_MS,
    }


PRESENCES = st.builds(
    Presence,
    devices=st.integers(0, 2),
    question_id=st.none() | st.sampled_from(["q1", "q2", "gone"]),
    is_hidden=st.booleans(),
)
STEPS = st.lists(
    st.lists(row_states(), max_size=4) | st.dictionaries(st.sampled_from([f"att_{n}" for n in range(1, 6)]), PRESENCES),
    max_size=12,
)


class Room:
    """A picture that took every step, and the rows as they stand."""

    def __init__(self) -> None:
        self.picture = LivePicture(QUESTIONS)
        self.rows: dict[str, dict[str, Any]] = {}
        self.presences: dict[str, Presence] = {}
        self.revision = 0

    def go(self, step: list[dict[str, Any]] | dict[str, Presence]) -> None:
        if isinstance(step, dict):
            seen = {attempt_id: presence for attempt_id, presence in step.items() if attempt_id in self.rows}
            self.picture.see(seen)
            self.presences |= seen
        else:
            for row in step:
                self.revision += 1
                row |= {"revision": self.revision, "version": 1, "updated_ms": START_MS + self.revision}
            self.picture.take(step)
            self.rows |= {row["_id"]: row for row in step}

    def values(self, question_id: str) -> list[Any]:
        given = (row["answers"].get(question_id) for row in self.rows.values())
        return [answer["value"] for answer in given if answer is not None and answer["value"] is not None]

    def seconds(self, question_id: str) -> list[int]:
        """From the answer saved before, or the start, told anew from the rows."""
        spent = []
        for row in self.rows.values():
            answer = row["answers"].get(question_id)
            if answer is None or answer["value"] is None:
                continue
            ordered = sorted(row["answers"].items(), key=lambda item: item[1]["saved_at_ms"])
            place = [name for name, _ in ordered].index(question_id)
            before = ordered[place - 1][1]["saved_at_ms"] if place else to_ms(row["started_at"])
            spent.append(max(0, answer["saved_at_ms"] - before) // 1000)
        return spent


def _options(values: Iterable[Any], question_type: str) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for value in values:
        if question_type == "multiple_select":
            counts.update(value)
        elif question_type == "multiple_choice":
            counts[value] += 1
        elif question_type == "true_false":
            counts["true" if value else "false"] += 1
    return dict(counts)


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_the_figures_are_those_of_the_rows_as_they_stand(steps: list[Any]) -> None:
    room = Room()
    for step in steps:
        room.go(step)
        totals = room.picture.totals()
        status_of = Counter(row["status"] for row in room.rows.values())
        assert totals.students == len({row["student_id"] for row in room.rows.values()})
        assert totals.in_progress == status_of["in_progress"]
        assert totals.paused == status_of["paused"]
        assert totals.submitted == status_of["submitted"]
        assert totals.graded == status_of["graded"] + status_of["abandoned"]
        assert totals.connected == sum(presence.devices > 0 for presence in room.presences.values())
        assert totals.answers_saved == sum(len(room.values(question_id)) for question_id in VALUES)


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_each_question_s_counts_and_median_are_those_of_the_rows(steps: list[Any]) -> None:
    room = Room()
    for step in steps:
        room.go(step)
    for shown in room.picture.questions(-1):
        values = room.values(shown.question_id)
        seconds = room.seconds(shown.question_id)
        looking = [presence for presence in room.presences.values() if presence.devices]
        assert shown.answered == len(values)
        assert shown.options == _options(values, str(shown.question_type))
        assert shown.median_seconds == (int(statistics.median(seconds)) if seconds else None)
        assert shown.viewing == sum(presence.question_id == shown.question_id for presence in looking)


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_whoever_applies_the_differences_sees_what_the_whole_picture_shows(steps: list[Any]) -> None:
    room = Room()
    students: dict[str, LiveStudentView] = {}
    questions: dict[str, LiveQuestionView] = {row.question_id: row for row in room.picture.questions(-1)}
    for step in steps:
        before = room.picture.step
        room.go(step)
        students |= {row.attempt_id: row for row in room.picture.students(before, NOW_MS)}
        questions |= {row.question_id: row for row in room.picture.questions(before)}
    assert students == {row.attempt_id: row for row in room.picture.students(-1, NOW_MS)}
    assert questions == {row.question_id: row for row in room.picture.questions(-1)}


OTHERS: tuple[dict[str, Any], ...] = (
    QUESTIONS[3] | {"question_text": "How many of them?", "version": 2},
    {"id": "gone", "question_text": "Back again?", "question_type": "essay"},
    QUESTIONS[0] | {"question_type": "short_answer"},
    QUESTIONS[1],
)
"""Q4 is edited and first, `gone` is added, Q1 is of another type, Q3 is deleted."""


@given(STEPS, STEPS)
@settings(max_examples=100, deadline=None)
def test_questions_that_change_meanwhile_are_shown_as_if_they_had_been_there(
    before: list[Any], after: list[Any]
) -> None:
    room, fresh = Room(), Room()
    fresh.picture = LivePicture(OTHERS)
    seen = {row.question_id: row for row in room.picture.questions(-1)}
    for step in before:
        room.go(copy.deepcopy(step))
        fresh.go(copy.deepcopy(step))
    seen |= {row.question_id: row for row in room.picture.questions(-1)}
    step = room.picture.step
    room.picture.renew(OTHERS, asked_ms=START_MS)
    for one in after:
        room.go(copy.deepcopy(one))
        fresh.go(copy.deepcopy(one))
    assert room.picture.questions(-1) == fresh.picture.questions(-1)
    seen |= {row.question_id: row for row in room.picture.questions(step)}
    assert room.picture.removed(step) == ["q3"]
    assert room.picture.removed(step + 1) == []
    del seen["q3"]
    assert seen == {row.question_id: row for row in fresh.picture.questions(-1)}


def test_questions_that_did_not_change_are_not_told_again() -> None:
    picture = LivePicture(QUESTIONS)
    step = picture.step
    picture.renew([QUESTIONS[0], QUESTIONS[1] | {"question_text": "Which two?"}, *QUESTIONS[2:]], asked_ms=START_MS)
    assert [(row.question_id, row.title) for row in picture.questions(step)] == [("q2", "Which two?")]


def _row(**fields: Any) -> dict[str, Any]:
    row = {
        "_id": "att_1",
        "student_id": "usr_1",
        "student_name": "Sara",
        "attempt_number": 1,
        "status": "in_progress",
        "started_at": from_ms(START_MS),
        "deadline_ms": NOW_MS + 90_000,
        "answers": {},
        "updated_ms": START_MS,
        "revision": 1,
        "version": 1,
    }
    return row | fields


def test_a_row_in_the_same_state_is_no_change() -> None:
    picture = LivePicture(QUESTIONS)
    assert picture.take([_row()]) == ["att_1"]
    step = picture.step
    assert picture.differing([_row()]) == []
    assert picture.take([_row()]) == []
    assert picture.see({"att_1": Presence()}) is False
    assert picture.step == step
    assert picture.students(step, NOW_MS) == []


@pytest.mark.parametrize("changed", [{"revision": 2}, {"version": 2}, {"status": "paused"}, {"deadline_ms": NOW_MS}])
def test_what_tells_states_apart(changed: dict[str, Any]) -> None:
    picture = LivePicture(QUESTIONS)
    picture.take([_row()])
    assert picture.differing([_row(**changed)]) == ["att_1"]
    assert picture.take([_row(**changed)]) == ["att_1"]


def test_a_student_s_row_says_how_it_stands() -> None:
    picture = LivePicture(QUESTIONS)
    answer = {"value": "b", "saved_at_ms": START_MS + 48_000}
    picture.take([_row(answers={"q1": answer, "q3": {"value": None, "saved_at_ms": START_MS + 9_000}})])
    picture.see({"att_1": Presence(devices=2, question_id="q2", is_hidden=True)})
    (shown,) = picture.students(-1, NOW_MS)
    assert (shown.answered_count, shown.remaining_ms, shown.flags) == (1, 90_000, ["hidden"])
    assert (shown.is_connected, shown.devices, shown.question_id) == (True, 2, "q2")
    assert shown.last_saved_at == from_ms(START_MS + 48_000)
    picture.see({"att_1": Presence(devices=0, question_id="q2", is_hidden=True)})
    (shown,) = picture.students(-1, NOW_MS)
    assert (shown.is_connected, shown.question_id, shown.flags) == (False, None, [])


def test_a_closed_attempt_has_no_time_left_and_a_late_clock_shows_none() -> None:
    picture = LivePicture(QUESTIONS)
    picture.take([_row(status="graded", score=300, max_score=400), _row(_id="att_2", deadline_ms=NOW_MS - 5)])
    closed, late = picture.students(-1, NOW_MS)
    assert (closed.remaining_ms, closed.score, closed.max_score) == (None, 300, 400)
    assert late.remaining_ms == 0


def test_a_conflict_is_told_until_something_is_saved_after_it() -> None:
    picture = LivePicture(QUESTIONS)
    picture.take([_row(revision=3)])
    picture.see({"att_1": Presence(devices=2, conflict_revision=3)})
    assert picture.students(-1, NOW_MS)[0].flags == ["conflict"]
    picture.take([_row(revision=4)])
    assert picture.students(-1, NOW_MS)[0].flags == []
    picture.take([_row(revision=3, status="submitted", version=2)])
    assert picture.students(-1, NOW_MS)[0].flags == []


@pytest.mark.parametrize(
    ("fields", "flags"),
    [({"take_overs": 2}, ["taken_over"]), ({"offline": {"asked_ms": 90_500}}, ["credit"]), ({"offline": {}}, [])],
)
def test_stored_facts_are_flags_and_tell_states_apart(fields: dict[str, Any], flags: list[str]) -> None:
    picture = LivePicture(QUESTIONS)
    picture.take([_row()])
    assert picture.differing([_row(**fields)]) == (["att_1"] if flags else [])
    picture.take([_row(revision=2, **fields)])
    (shown,) = picture.students(-1, NOW_MS)
    assert shown.flags == flags
    assert shown.take_overs == fields.get("take_overs", 0)
    assert shown.credit_asked_seconds == (91 if "credit" in flags else None)


def test_while_paused_no_time_runs() -> None:
    picture = LivePicture(QUESTIONS)
    picture.take([_row(status="paused", paused_at_ms=NOW_MS - 30_000, group="Monday")])
    (shown,) = picture.students(-1, NOW_MS)
    assert (shown.remaining_ms, shown.paused_at, shown.group) == (120_000, from_ms(NOW_MS - 30_000), "Monday")
