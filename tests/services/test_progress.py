"""Progress: forward only, by the clock, completed by the write that finished it, and what attempts mean for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from documents.enrollment import Enrollment
from documents.quiz import Quiz
from lms_rt.contracts.base import read_model
from lms_rt.contracts.enrollments import EnrollmentView, LessonProgressCommand, LessonProgressView, ProgressDraft
from lms_rt.errors import Code, Refused
from tests.services.school import ADMIN, OTHER_STUDENT, STUDENT, TEACHER, School, refusal


async def start(school: School, lessons: int = 2, **fields: Any) -> EnrollmentView:
    """A student who has been in a published course with so many lessons for an hour, and did nothing yet."""
    enrollment = await school.enrolled((await school.published(lessons, **fields)).id)
    school.clock.advance(3600)
    return enrollment


def ids(enrollment: EnrollmentView) -> list[str]:
    return [row.lesson_id for row in enrollment.progress]


async def add_quiz(school: School, enrollment: EnrollmentView, lesson_id: str, kind: str = "graded") -> None:
    row = {"_id": f"quz_{lesson_id}", "course_id": enrollment.course_id, "lesson_id": lesson_id, "quiz_type": kind}
    await Quiz.rows().insert_one({**row, "is_published": True, "created_at": school.clock.now()})


def attempt(enrollment: EnrollmentView, lesson_id: str | None, number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "enrollment_id": enrollment.id, "attempt_id": f"att_{number}", "quiz_id": f"quz_{lesson_id}",
        "lesson_id": lesson_id, "attempt_number": number, "status": "graded", "percentage": 8000, "is_passed": True,
        "submitted_at": None, "version": 2, **more,
    }  # fmt: skip


async def watch(
    school: School, enrollment: EnrollmentView, *ranges: list[float], at: float = 0, **more: Any
) -> LessonProgressView:
    fields = {"enrollment_id": enrollment.id, "lesson_id": ids(enrollment)[0], "position_seconds": at, **more}
    command = read_model(LessonProgressCommand, {**fields, "watched": list(ranges)})
    return await school.progress.watch(STUDENT, command)


async def test_progress_is_recorded_and_only_goes_forward(school: School) -> None:
    enrollment = await start(school)
    lesson_id = ids(enrollment)[0]
    began = school.clock.now()
    await school.record(
        enrollment.id, lesson_id, time_spent_seconds=40, last_position_seconds=38, completion_percentage="45.50"
    )
    school.clock.advance(60)
    later = await school.record(
        enrollment.id, lesson_id, time_spent_seconds=5, completion_percentage=30, status="not_started"
    )
    row = later.progress[0]
    assert (row.status, row.time_spent_seconds, row.last_position_seconds) == ("in_progress", 45, 38)
    assert (row.completion_percentage, row.started_at) == (4550, began)
    assert (later.total_time_spent_seconds, later.started_at, later.last_accessed_at) == (45, began, school.clock.now())
    done = await school.record(enrollment.id, lesson_id, status="completed")
    assert (done.progress[0].status, done.progress[0].completion_percentage) == ("completed", 10000)
    assert (await school.record(enrollment.id, lesson_id, status="in_progress")).progress[0].status == "completed"


async def test_time_and_position_alone_are_no_edit(school: School) -> None:
    enrollment = await start(school)
    begun = await school.record(enrollment.id, ids(enrollment)[0], time_spent_seconds=5)
    again = await school.record(enrollment.id, ids(enrollment)[0], time_spent_seconds=5, last_position_seconds=9)
    assert again.version == begun.version == 2
    assert len(await school.events(f"user:{STUDENT.user_id}")) == 1


async def test_reports_that_meet_are_all_counted(school: School) -> None:
    enrollment = await start(school)
    first, second = ids(enrollment)
    await asyncio.gather(
        *(school.record(enrollment.id, first, time_spent_seconds=10) for _ in range(5)),
        *(school.record(enrollment.id, second, time_spent_seconds=1) for _ in range(5)),
        school.progress.complete_lesson(STUDENT, enrollment.id, second),
    )
    now = await school.enrollments.show(STUDENT, enrollment.id)
    assert now.total_time_spent_seconds == 55
    assert [row.time_spent_seconds for row in now.progress] == [50, 5]
    assert now.completed_lessons_count == 1


async def test_a_lesson_is_completed_once_and_told_once(school: School) -> None:
    enrollment = await start(school, 3)
    lesson_id = ids(enrollment)[1]
    ends = await asyncio.gather(*(school.progress.complete_lesson(STUDENT, enrollment.id, lesson_id) for _ in range(5)))
    assert {end.version for end in ends} == {2}
    assert ends[0].progress_percentage == 3333
    events = await school.events(f"user:{STUDENT.user_id}")
    assert [(name, data["version"], data["n"]) for name, data in events] == [
        ("lesson_completed", 2, 0),
        ("progress_updated", 2, 1),
    ]
    assert (events[0][1]["lesson_id"], events[0][1]["progress"]) == (lesson_id, "33.33")
    assert (events[1][1]["status"], events[1][1]["progress"]["status"]) == ("active", "completed")
    view = await school.progress.complete_lesson_of(STUDENT, lesson_id)
    assert view.version == 2


async def test_the_last_lesson_completes_the_course_in_the_same_write_and_once(school: School) -> None:
    enrollment = await start(school, 4)
    await asyncio.gather(
        *(school.progress.complete_lesson(STUDENT, enrollment.id, lesson_id) for lesson_id in ids(enrollment) * 2)
    )
    done = await school.enrollments.show(STUDENT, enrollment.id)
    assert (done.status, done.progress_percentage, done.completed_at) == ("completed", 10000, school.clock.now())
    events = await school.events(f"user:{STUDENT.user_id}")
    assert [data["status"] for name, data in events if name == "progress_updated"] == [*["active"] * 3, "completed"]
    again = await school.progress.complete(STUDENT, enrollment.id)
    assert again.version == done.version


async def test_lessons_added_later_do_not_undo_it(school: School) -> None:
    enrollment = await start(school, 1)
    await school.progress.complete_lesson(STUDENT, enrollment.id, ids(enrollment)[0])
    await school.lesson(enrollment.course_id, title="Later")
    now = await school.enrollments.show(STUDENT, enrollment.id)
    assert (now.status, now.completed_lessons_count, now.total_lessons_count) == ("completed", 1, 2)
    assert now.progress_percentage == 5000


async def test_the_course_is_not_complete_while_something_is_left(school: School) -> None:
    enrollment = await start(school, 2)
    first, second = ids(enrollment)
    await school.progress.complete_lesson(STUDENT, enrollment.id, first)
    refused = await refusal(school.progress.complete(STUDENT, enrollment.id), Code.NOT_COMPLETE)
    assert refused.data["missing"] == [second]
    await school.change_lesson(second, is_published=False)
    assert (await school.progress.complete(STUDENT, enrollment.id)).status == "completed"


async def test_a_course_without_lessons_is_never_complete(school: School) -> None:
    enrollment = await start(school, 1)
    await school.lessons.remove(TEACHER, ids(enrollment)[0])
    refused = await refusal(school.progress.complete(STUDENT, enrollment.id), Code.NOT_COMPLETE)
    assert refused.data["missing"] == []


async def test_a_course_may_ask_for_time(school: School) -> None:
    enrollment = await start(school, 1, minimum_minutes=3)
    lesson_id = ids(enrollment)[0]
    await school.record(enrollment.id, lesson_id, time_spent_seconds=61)
    assert (await school.progress.complete_lesson(STUDENT, enrollment.id, lesson_id)).status == "active"
    refused = await refusal(school.progress.complete(STUDENT, enrollment.id), Code.MINIMUM_TIME)
    assert refused.data["minutes_left"] == 2
    assert (await school.record(enrollment.id, lesson_id, time_spent_seconds=119)).status == "completed"


async def test_learning_is_for_its_student_while_enrolled(school: School) -> None:
    enrollment = await start(school)
    lesson_id = ids(enrollment)[0]
    for somebody in (OTHER_STUDENT, TEACHER):
        await refusal(school.record(enrollment.id, lesson_id, somebody), Code.NOT_FOUND)
        await refusal(school.progress.complete_lesson_of(somebody, lesson_id), Code.NOT_ENROLLED)
    for unknown in ("les_nothing", "a.b", "$x"):
        await refusal(school.record(enrollment.id, unknown), Code.NOT_FOUND)
        await refusal(school.progress.complete_lesson(STUDENT, enrollment.id, unknown), Code.NOT_FOUND)
    assert (await school.record(enrollment.id, lesson_id, ADMIN)).progress[0].status == "in_progress"
    await school.enrollments.drop(STUDENT, enrollment.id)
    await refusal(school.record(enrollment.id, lesson_id), Code.NOT_ENROLLED)
    await refusal(school.progress.complete(STUDENT, enrollment.id), Code.NOT_ENROLLED)


async def test_seconds_are_not_watched_faster_than_the_clock(school: School) -> None:
    enrollment = await start(school, 1)
    await school.change_lesson(ids(enrollment)[0], duration_seconds=600)
    first = await watch(school, enrollment, [0, 600], at=600)
    assert (first.time_spent_seconds, first.completion_percentage) == (30, 500)
    again = await watch(school, enrollment, [0, 600], at=600)
    assert (again.time_spent_seconds, again.completion_percentage) == (30, 500)
    school.clock.advance(15)
    played = await watch(school, enrollment, [60, 75], at=75)
    assert (played.time_spent_seconds, played.completion_percentage, played.last_position_seconds) == (45, 750, 75)
    school.clock.advance(15)
    too_fast = await watch(school, enrollment, [75, 105], at=105)
    assert (too_fast.time_spent_seconds, too_fast.completion_percentage) == (60, 1000)
    school.clock.advance(15)
    twice_as_fast = await watch(school, enrollment, [75, 105], at=105, rate=2)
    assert (twice_as_fast.time_spent_seconds, twice_as_fast.completion_percentage) == (75, 1250)
    school.clock.advance(270)
    seen_before = await watch(school, enrollment, [0, 20], [90, 600], at=20)
    assert (seen_before.time_spent_seconds, seen_before.completion_percentage) == (105, 1250)
    school.clock.advance(270)
    kept = await watch(school, enrollment, [105, 600], is_kept_offline=True)
    assert (kept.time_spent_seconds, kept.completion_percentage) == (375, 5750)


async def test_watching_in_two_tabs_uses_one_clock(school: School) -> None:
    enrollment = await start(school, 1)
    await watch(school, enrollment, [0, 30])
    school.clock.advance(20)
    await asyncio.gather(watch(school, enrollment, [30, 50]), watch(school, enrollment, [100, 120]))
    view = await school.enrollments.show(STUDENT, enrollment.id)
    assert view.total_time_spent_seconds == 50


async def test_a_graded_quiz_has_to_be_passed(school: School) -> None:
    enrollment = await start(school, 2)
    quizzed, plain = ids(enrollment)
    await add_quiz(school, enrollment, quizzed)
    refused = await refusal(school.progress.complete_lesson(STUDENT, enrollment.id, quizzed), Code.NOT_COMPLETE)
    assert (refused.data["missing"], refused.data["quiz_id"]) == ([quizzed], f"quz_{quizzed}")
    await refusal(school.record(enrollment.id, quizzed, status="completed"), Code.NOT_COMPLETE)
    await school.progress.complete_lesson(STUDENT, enrollment.id, plain)
    open_one = attempt(enrollment, quizzed, status="in_progress", percentage=None, is_passed=None, version=1)
    await school.progress.apply_attempt("evt_1", open_one)
    failed = attempt(enrollment, quizzed, percentage=2000, is_passed=False)
    await school.progress.apply_attempt("evt_2", failed)
    view = await school.enrollments.show(STUDENT, enrollment.id)
    assert [(one.status, one.percentage, one.is_passed) for one in view.attempts] == [("graded", 2000, False)]
    assert (view.progress[0].status, view.progress[0].attempts_count) == ("in_progress", 1)
    await school.progress.apply_attempt("evt_3", attempt(enrollment, quizzed, 2))
    done = await school.enrollments.show(STUDENT, enrollment.id)
    assert (done.status, done.progress[0].status, done.progress[0].attempts_count) == ("completed", "completed", 2)
    assert [one.attempt_number for one in done.attempts] == [2, 1]
    names = [name for name, _ in await school.events(f"user:{STUDENT.user_id}")]
    assert names.count("lesson_completed") == 2


async def test_the_quiz_s_policy_says_whether_its_lesson_is_passed(school: School) -> None:
    enrollment = await start(school, 2)
    lesson_id = ids(enrollment)[0]
    await add_quiz(school, enrollment, lesson_id)
    once = attempt(enrollment, lesson_id, is_quiz_passed=False)  # passed, but the average over all attempts is not
    await school.progress.apply_attempt("evt_1", once)
    assert (await school.enrollments.show(STUDENT, enrollment.id)).progress[0].status == "in_progress"
    await school.progress.apply_attempt("evt_2", attempt(enrollment, lesson_id, 2, is_quiz_passed=True))
    assert (await school.enrollments.show(STUDENT, enrollment.id)).progress[0].status == "completed"


async def test_an_effect_that_is_repeated_or_late_changes_nothing(school: School) -> None:
    enrollment = await start(school, 2)
    lesson_id = ids(enrollment)[0]
    await school.progress.apply_attempt("evt_2", attempt(enrollment, lesson_id))
    done = await school.enrollments.show(STUDENT, enrollment.id)
    await school.progress.apply_attempt("evt_2", attempt(enrollment, lesson_id))
    late = attempt(enrollment, lesson_id, status="in_progress", percentage=None, is_passed=None, version=1)
    await school.progress.apply_attempt("evt_1", late)
    again = await school.enrollments.show(STUDENT, enrollment.id)
    assert (again, again.attempts[0].status) == (done, "graded")
    await school.progress.apply_attempt("evt_9", attempt(enrollment, lesson_id, enrollment_id="usr_x:crs_x"))


async def test_a_practice_quiz_may_be_skipped_and_passing_one_completes_its_lesson(school: School) -> None:
    enrollment = await start(school, 3)
    first, second, _ = ids(enrollment)
    await add_quiz(school, enrollment, first, "practice")
    await add_quiz(school, enrollment, second, "practice")
    view = await school.progress.complete_lesson(STUDENT, enrollment.id, first)
    assert view.progress[0].status == "completed"
    await school.progress.apply_attempt("evt_1", attempt(enrollment, second))
    assert (await school.enrollments.show(STUDENT, enrollment.id)).completed_lessons_count == 2


async def test_the_newest_hundred_attempts_are_kept(school: School) -> None:
    enrollment = await start(school, 1)
    for number in range(1, 104):
        await school.progress.apply_attempt(f"evt_{number}", attempt(enrollment, None, number, is_passed=False))
    kept = (await school.enrollments.show(STUDENT, enrollment.id)).attempts
    assert [one.attempt_number for one in kept] == list(range(103, 3, -1))


async def test_who_left_keeps_the_grade_but_the_course_stays_as_it_is(school: School) -> None:
    enrollment = await start(school, 1)
    await school.enrollments.drop(STUDENT, enrollment.id)
    await school.progress.apply_attempt("evt_1", attempt(enrollment, ids(enrollment)[0]))
    view = await school.enrollments.show(STUDENT, enrollment.id)
    assert (view.status, view.completed_lessons_count, len(view.attempts)) == ("dropped", 1, 1)


async def test_versions_of_record_never_repeat(school: School) -> None:
    enrollment = await start(school, 3)
    calls = [school.progress.complete_lesson(STUDENT, enrollment.id, lesson_id) for lesson_id in ids(enrollment)]
    await asyncio.gather(*calls, school.enrollments.drop(STUDENT, enrollment.id), return_exceptions=True)
    places = [(data["version"], data["n"]) for _, data in await school.events(f"user:{STUDENT.user_id}")]
    assert places == sorted(set(places))
    row = await Enrollment.find_outbox(enrollment.id)
    assert row is not None
    assert row["outbox"] == []


def test_a_position_before_the_start_is_refused() -> None:
    with pytest.raises(Refused):
        read_model(LessonProgressCommand, {"enrollment_id": "a", "lesson_id": "b", "position_seconds": -1})


@pytest.mark.parametrize(
    ("told", "kept"), [(100 / 3, 3333), (200 / 3, 6667), (99.999, 10_000), ("12.50", 1250), (7, 700)]
)
def test_a_percentage_that_a_player_worked_out_is_rounded(told: float | str, kept: int) -> None:
    assert (
        read_model(ProgressDraft, {"lesson_id": "les_1", "completion_percentage": told}).completion_percentage == kept
    )
