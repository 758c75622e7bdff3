"""Seconds watched, by whatever devices in whatever order: never more than the clock gave, and never twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.course import CourseHead
from documents.enrollment import Enrollment
from documents.lesson_rule import LessonRule
from lms_rt.contracts.enrollments import ProgressDraft
from lms_rt.services.learning import seconds_in
from lms_rt.services.study import Study
from lms_rt.services.watching import FIRST_WORD_MS, Played, record, watch

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
LESSONS = ("les_a", "les_b")
DURATION = 900

claims = st.lists(st.tuples(st.integers(0, DURATION), st.integers(0, 1_200)).map(list), max_size=4)
manners = st.tuples(st.sampled_from([0.25, 0.5, 1.0, 1.5, 2.0]), st.booleans())
words = st.lists(
    st.tuples(st.integers(0, 4_000), st.sampled_from(LESSONS), claims, st.integers(0, 5_000), manners),
    min_size=1,
    max_size=12,
)


def study_at(enrollment: Enrollment, seconds: int) -> Study:
    rules = {one: LessonRule(completion="watched", is_own_video=True, duration_seconds=DURATION) for one in LESSONS}
    course = CourseHead(
        "crs_1", "Algebra", "algebra", "usr_t", True, False, 0, "USD", list(LESSONS), list(LESSONS), rules, None, None,
        None, 1,
    )  # fmt: skip
    return Study(enrollment, course, {}, {}, frozenset(), START + timedelta(seconds=seconds))


def as_told(stretch: list[int]) -> list[float]:
    return [float(end) for end in stretch]


def new_enrollment() -> Enrollment:
    enrollment: Enrollment = Enrollment.model_construct(
        id="usr_s:crs_1", student_id="usr_s", course_id="crs_1", status="active", progress={}, passed_quiz_ids=[],
        total_time_spent_seconds=0, enrolled_at=START, started_at=None, watched_until_ms=None, last_accessed_at=None,
    )  # fmt: skip
    return enrollment


@given(words)
@settings(max_examples=30)
def test_all_devices_together_see_and_spend_no_more_than_the_clock(
    told: list[tuple[int, str, list[list[int]], int, tuple[float, bool]]],
) -> None:
    enrollment, passed, begun = new_enrollment(), 0, dict[str, int]()
    for wait, lesson_id, ranges, seconds, (rate, is_kept) in told:
        passed += wait
        study, before = study_at(enrollment, passed), enrollment.total_time_spent_seconds
        begun.setdefault(lesson_id, passed)
        if seconds % 2:
            told_of = [*map(as_told, ranges)]
            draft = ProgressDraft(lesson_id=lesson_id, time_spent_seconds=seconds, watched=told_of, rate=rate)
            record(study, draft.model_copy(update={"is_kept_offline": is_kept}))
        else:
            watch(study, lesson_id, Played(ranges, rate, is_kept), position_seconds=0)
        assert enrollment.total_time_spent_seconds >= before
        assert enrollment.total_time_spent_seconds <= passed + FIRST_WORD_MS // 1000
    assert enrollment.total_time_spent_seconds == sum(row.time_spent_seconds for row in enrollment.progress.values())
    for lesson_id, row in enrollment.progress.items():
        since = passed - begun[lesson_id] + FIRST_WORD_MS // 1000
        assert seconds_in(row.watched) <= min(DURATION, 2 * since)
        is_done = row.status == "completed"
        assert is_done == (seconds_in(row.watched) * 10 >= DURATION * 9)


@given(st.lists(st.tuples(st.integers(1, 15), st.booleans()), min_size=1, max_size=60))
@settings(max_examples=30)
def test_who_plays_honestly_loses_nothing(played: list[tuple[int, bool]]) -> None:
    """Heartbeats of a player at its normal speed, each told at once or with the next one; pauses between."""
    enrollment, now, position, kept, seen = new_enrollment(), 0, 0, list[list[int]](), 0
    watch(study_at(enrollment, 0), "les_a", Played([]), position_seconds=0)
    for seconds, is_told in played:
        now += seconds + 3
        seen = min(DURATION, position + seconds)
        kept.append([position, seen])
        position = seen
        if is_told:
            watch(study_at(enrollment, now), "les_a", Played(kept, 1.0, len(kept) > 1), position_seconds=position)
            kept = []
    watch(study_at(enrollment, now), "les_a", Played(kept, 1.0, is_kept_offline=True), position_seconds=position)
    row = enrollment.progress["les_a"]
    assert row.watched == [[0, seen]]
    assert row.time_spent_seconds == seen


@pytest.mark.parametrize(
    ("silent_seconds", "manner", "counted"),
    [
        (15, (1.0, False), (15, 15)),
        (15, (2.0, False), (30, 15)),
        (16, (0.25, False), (4, 16)),
        (270, (1.0, False), (30, 30)),  # silence buys nothing
        (270, (2.0, False), (60, 30)),
        (270, (1.0, True), (270, 270)),
        (270, (2.0, True), (540, 270)),
        (9_000, (1.0, True), (DURATION, DURATION)),
    ],
)
def test_what_was_not_heard_of_counts_as_one_heartbeat_unless_it_was_kept(
    silent_seconds: int, manner: tuple[float, bool], counted: tuple[int, int]
) -> None:
    enrollment = new_enrollment()
    start = FIRST_WORD_MS // 1000
    watch(study_at(enrollment, start), "les_a", Played([[0, 60]]), position_seconds=0)
    enrollment.progress["les_a"].watched, enrollment.progress["les_a"].time_spent_seconds = [], 0
    played = Played([[0, DURATION]], *manner)
    watch(study_at(enrollment, start + silent_seconds), "les_a", played, position_seconds=0)
    row = enrollment.progress["les_a"]
    assert (seconds_in(row.watched), row.time_spent_seconds) == counted
