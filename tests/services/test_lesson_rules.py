"""What lessons ask of their students: watching, passing, handing in, waiting for others, waiting for a day."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from documents.assignment import Assignment
from documents.quiz import Quiz
from documents.submission import Submission
from lms_rt.clock import rfc3339
from lms_rt.contracts.actor import STRANGER, Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.courses import CourseDetailView
from lms_rt.contracts.enrollments import EnrollmentView, LessonProgressCommand, LessonProgressView
from lms_rt.contracts.lessons import LessonView
from lms_rt.errors import Code
from lms_rt.services.progress import SUBMISSION_CHANGED
from tests.services.school import OTHER_STUDENT, STUDENT, TEACHER, School, fault_codes, refusal

VIDEO: dict[str, Any] = {"content_type": "video", "video_url": "/media/lines.mp4", "duration_seconds": 100}


async def course_of(school: School, *lessons: dict[str, Any]) -> CourseDetailView:
    """A published course with these lessons."""
    course = await school.course(description="All about it.")
    for place, fields in enumerate(lessons, start=1):
        await school.lesson(course.id, **{"title": f"Lesson {place}", **fields})
    return await school.courses.publish(TEACHER, course.id)


async def watch(
    school: School, enrollment: EnrollmentView, lesson: LessonView, *ranges: list[float]
) -> LessonProgressView:
    fields = {"enrollment_id": enrollment.id, "lesson_id": lesson.id, "position_seconds": 0, "watched": list(ranges)}
    return await school.progress.watch(STUDENT, read_model(LessonProgressCommand, fields))


async def assign(school: School, course_id: str, lesson_id: str, name: str = "asg_1") -> None:
    at = school.clock.now()
    row = {
        "_id": name,
        "course_id": course_id,
        "lesson_id": lesson_id,
        "instructor_id": TEACHER.user_id,
        "points": 1000,
    }
    await Assignment.add(
        {**row, "title": "Draw", "is_published": True, "version": 1, "created_at": at, "updated_at": at}
    )


async def hand_in(school: School, enrollment: EnrollmentView, lesson_id: str, name: str = "asg_1") -> dict[str, Any]:
    """What the assignment's service does, and the effect that it leaves."""
    at = school.clock.now()
    row = {
        "_id": f"sub_{name}",
        "assignment_id": name,
        "course_id": enrollment.course_id,
        "student_id": STUDENT.user_id,
    }
    assert await Submission.add({**row, "submitted_at": at, "version": 1, "created_at": at, "updated_at": at})
    return {"enrollment_id": enrollment.id, "lesson_id": lesson_id, "assignment_id": name}


async def test_a_video_of_this_site_counts_once_most_of_it_was_watched(school: School) -> None:
    course = await course_of(school, VIDEO, {})
    video = course.lessons[0]
    assert (video.completes_when, course.lessons[1].completes_when) == (["watched"], ["viewed"])
    enrollment = await school.enrolled(course.id)
    early = await refusal(school.progress.complete_lesson(STUDENT, enrollment.id, video.id), Code.NOT_COMPLETE)
    assert (early.data["missing"], early.data["asked"]) == ([video.id], ["watched"])
    claimed = await school.record(enrollment.id, video.id, completion_percentage=100)
    assert claimed.progress[0].completion_percentage == 0
    await watch(school, enrollment, video, [0, 60])  # as far as the clock gives: the first 30 seconds
    school.clock.advance(30)
    assert (await watch(school, enrollment, video, [30, 60])).status == "in_progress"
    school.clock.advance(30)
    assert (await watch(school, enrollment, video, [60, 89])).status == "in_progress"
    school.clock.advance(20)
    done = await watch(school, enrollment, video, [85, 90])
    assert (done.status, done.completion_percentage) == ("completed", 10000)
    names = [name for name, _ in await school.events(f"user:{STUDENT.user_id}")]
    assert names[-2:] == ["lesson_completed", "progress_updated"]
    assert names.count("lesson_completed") == 1


@pytest.mark.parametrize(
    ("fields", "completes_when"),
    [
        ({**VIDEO, "video_url": "https://v.example/1"}, ["viewed"]),
        ({**VIDEO, "duration_seconds": None}, ["viewed"]),
        ({**VIDEO, "completion": "viewed"}, ["viewed"]),
        ({"completion": "passed"}, ["passed"]),
        ({"completion": "submitted"}, ["submitted"]),
    ],
)
async def test_nothing_is_asked_that_cannot_be_done(
    school: School, fields: dict[str, Any], completes_when: list[str]
) -> None:
    assert (await school.lesson((await school.course()).id, **fields)).completes_when == completes_when


async def test_what_nobody_can_do_is_refused_or_waits_until_somebody_can(school: School) -> None:
    course = await course_of(school, VIDEO, {"completion": "submitted"}, {"completion": "passed"})
    video, writing, quiz = course.lessons
    elsewhere = {"video_url": "https://v.example/1", "completion": "watched"}
    for fields in (elsewhere, {"completion": "watched", "duration_seconds": None}):
        refused = await refusal(school.change_lesson(video.id, **fields), Code.VALIDATION_FAILED)
        assert fault_codes(refused) == [("completion", "not_watchable")]
    refused = await refusal(school.lesson(course.id, completion="watched"), Code.VALIDATION_FAILED)
    assert fault_codes(refused) == [("completion", "not_watchable")]
    assert (await school.change_lesson(video.id, completion="watched")).completes_when == ["watched"]
    enrollment = await school.enrolled(course.id)
    for lesson, asked in ((writing, "submitted"), (quiz, "passed")):
        refused = await refusal(school.progress.complete_lesson(STUDENT, enrollment.id, lesson.id), Code.NOT_COMPLETE)
        assert refused.data["asked"] == [asked]
    await assign(school, course.id, writing.id)
    await school.progress.effects()[SUBMISSION_CHANGED]("evt_1", await hand_in(school, enrollment, writing.id))
    shown = await school.enrollments.show(STUDENT, enrollment.id)
    assert [row.status for row in shown.progress if row.lesson_id == writing.id] == ["completed"]


async def test_a_practice_quiz_has_to_be_passed_where_the_teacher_says_so(school: School) -> None:
    course = await course_of(school, {"completion": "passed"})
    lesson = course.lessons[0]
    row = {"_id": "quz_1", "course_id": course.id, "lesson_id": lesson.id, "quiz_type": "practice"}
    await Quiz.rows().insert_one({**row, "is_published": True, "created_at": school.clock.now()})
    enrollment = await school.enrolled(course.id)
    refused = await refusal(school.progress.complete_lesson(STUDENT, enrollment.id, lesson.id), Code.NOT_COMPLETE)
    assert (refused.data["asked"], refused.data["quiz_id"]) == (["passed"], "quz_1")
    attempt = {
        "enrollment_id": enrollment.id, "attempt_id": "att_1", "quiz_id": "quz_1", "lesson_id": lesson.id,
        "attempt_number": 1, "status": "graded", "percentage": 9000, "is_passed": True, "version": 2,
    }  # fmt: skip
    await school.progress.apply_attempt("evt_1", attempt)
    assert (await school.enrollments.show(STUDENT, enrollment.id)).status == "completed"


async def test_an_assignment_has_to_be_handed_in_and_then_completes_lesson_and_course(school: School) -> None:
    course = await course_of(school, {"content_type": "assignment"})
    lesson = course.lessons[0]
    await assign(school, course.id, lesson.id)
    assert (await school.lessons.show(TEACHER, lesson.id)).completes_when == ["submitted"]
    enrollment = await school.enrolled(course.id)
    refused = await refusal(school.progress.complete_lesson(STUDENT, enrollment.id, lesson.id), Code.NOT_COMPLETE)
    assert (refused.data["asked"], refused.data["assignment_ids"]) == (["submitted"], ["asg_1"])
    told = await hand_in(school, enrollment, lesson.id)
    handler = school.progress.effects()[SUBMISSION_CHANGED]
    await handler("evt_1", told)
    done = await school.enrollments.show(STUDENT, enrollment.id)
    assert (done.status, done.progress[0].status) == ("completed", "completed")
    await handler("evt_1", told)
    assert (await school.enrollments.show(STUDENT, enrollment.id)).version == done.version
    await handler("evt_2", {**told, "enrollment_id": "usr_x:crs_x"})


async def test_an_assignment_added_later_holds_the_course_back_until_it_is_handed_in(school: School) -> None:
    course = await course_of(school, {}, {})
    first, second = (lesson.id for lesson in course.lessons)
    enrollment = await school.enrolled(course.id)
    await school.progress.complete_lesson(STUDENT, enrollment.id, first)
    await assign(school, course.id, first)
    assert (await school.progress.complete_lesson(STUDENT, enrollment.id, second)).status == "active"
    refused = await refusal(school.progress.complete(STUDENT, enrollment.id), Code.NOT_COMPLETE)
    assert refused.data["missing"] == [first]
    await school.progress.apply_submission("evt_1", await hand_in(school, enrollment, first))
    assert (await school.enrollments.show(STUDENT, enrollment.id)).status == "completed"


async def test_a_lesson_waits_for_others_and_opens_with_the_last_of_them(school: School) -> None:
    course = await course_of(school, {}, {}, {"content": "secret", "video_url": "/v.mp4"})
    first, second, third = course.lessons
    await school.change_lesson(third.id, prerequisite_lesson_ids=[first.id, second.id])
    enrollment = await school.enrolled(course.id)
    seen = (await school.courses.show(STUDENT, course.id)).lessons[2]
    assert (seen.is_locked, seen.missing_lesson_ids, seen.unlocks_at) == (True, [first.id, second.id], None)
    assert (seen.content, seen.content_html, seen.video_url) == (None, None, None)
    for call in (
        school.lessons.show(STUDENT, third.id),
        school.record(enrollment.id, third.id, time_spent_seconds=5),
        school.progress.complete_lesson(STUDENT, enrollment.id, third.id),
        watch(school, enrollment, third, [0, 5]),
    ):
        refused = await refusal(call, Code.FORBIDDEN)
        assert refused.data["missing"] == [first.id, second.id]
    assert (await school.lessons.show(TEACHER, third.id)).content == "secret"
    await school.progress.complete_lesson(STUDENT, enrollment.id, first.id)
    await school.progress.complete_lesson(STUDENT, enrollment.id, second.id)
    told = [
        data["unlocked_lesson_ids"]
        for name, data in await school.events(f"user:{STUDENT.user_id}")
        if name == "progress_updated"
    ]
    assert told == [[], [third.id]]
    assert (await school.lessons.show(STUDENT, third.id)).content == "secret"
    assert (await school.progress.complete_lesson(STUDENT, enrollment.id, third.id)).status == "completed"


async def test_what_was_completed_stays_open_and_drafts_are_not_waited_for(school: School) -> None:
    course = await course_of(school, {}, {})
    first, second = course.lessons
    draft = await school.lesson(course.id, is_published=False)
    enrollment = await school.enrolled(course.id)
    await school.progress.complete_lesson(STUDENT, enrollment.id, second.id)
    await school.change_lesson(second.id, prerequisite_lesson_ids=[first.id])
    assert not (await school.lessons.show(STUDENT, second.id)).is_locked
    await school.change_lesson(first.id, prerequisite_lesson_ids=[draft.id])
    assert not (await school.lessons.show(STUDENT, first.id)).is_locked


async def test_a_lesson_opens_on_its_day_and_so_many_days_after_the_enrolment(school: School) -> None:
    now = school.clock.now()
    course = await course_of(school, {"release_at": rfc3339(now + timedelta(days=3))}, {"release_after_days": 2})
    dated, relative = course.lessons
    await school.change_lesson(relative.id, release_at=rfc3339(now + timedelta(days=1)))
    school.clock.advance(3600)
    await school.enrolled(course.id)
    seen = [(one.is_locked, one.unlocks_at) for one in (await school.courses.show(STUDENT, course.id)).lessons]
    assert seen == [(True, now + timedelta(days=3)), (True, now + timedelta(days=2, hours=1))]
    school.clock.advance(2 * 86_400 - 1)
    refused = await refusal(school.lessons.show(STUDENT, relative.id), Code.FORBIDDEN)
    assert refused.data["unlocks_at"] == now + timedelta(days=2, hours=1)
    school.clock.advance(1)
    assert (await school.lessons.show(STUDENT, relative.id)).content == "*text*"
    await refusal(school.lessons.show(STUDENT, dated.id), Code.FORBIDDEN)
    school.clock.advance(86_400)
    assert not (await school.lessons.show(STUDENT, dated.id)).is_locked


async def test_visitors_of_a_free_lesson_see_no_more_of_it_than_students(school: School) -> None:
    later = rfc3339(school.clock.now() + timedelta(days=1))
    course = await course_of(school, {"is_free": True}, {"is_free": True, "release_at": later}, {"is_free": True})
    await school.change_lesson(course.lessons[2].id, release_after_days=0)

    async def opened(reader: Actor) -> list[bool]:
        shown = (await school.courses.show(reader, course.id)).lessons
        for lesson in shown:
            if lesson.is_locked:
                await refusal(school.lessons.show(reader, lesson.id), Code.FORBIDDEN)
        return [one.content is not None for one in shown]

    enrollment = await school.enrolled(course.id)
    assert await opened(STRANGER) == await opened(OTHER_STUDENT) == [True, False, False]
    assert await opened(STUDENT) == [True, False, True]
    await school.enrollments.drop(STUDENT, enrollment.id)
    assert await opened(STUDENT) == [True, False, False]


async def test_no_lesson_waits_for_itself_however_far_around(school: School) -> None:
    course, other = await school.course(), await school.course()
    a, b, c = [(await school.lesson(course.id, title=title)).id for title in "abc"]
    foreign = (await school.lesson(other.id)).id
    await school.change_lesson(b, prerequisite_lesson_ids=[a])
    await school.change_lesson(c, prerequisite_lesson_ids=[b])
    wrong = [
        ([a], [("prerequisite_lesson_ids.0", "cycle")]),
        ([c], [("prerequisite_lesson_ids.0", "cycle")]),
        (
            [foreign, "les_nothing"],
            [("prerequisite_lesson_ids.0", "foreign"), ("prerequisite_lesson_ids.1", "foreign")],
        ),
    ]
    for wished, faults in wrong:
        refused = await refusal(school.change_lesson(a, prerequisite_lesson_ids=wished), Code.VALIDATION_FAILED)
        assert fault_codes(refused) == faults
    refused = await refusal(school.change_lesson(c, prerequisite_lesson_ids=[a, a]), Code.VALIDATION_FAILED)
    assert fault_codes(refused) == [("prerequisite_lesson_ids.1", "duplicate")]
    ends = await asyncio.gather(
        school.change_lesson(a, prerequisite_lesson_ids=[]),
        school.change_lesson(b, prerequisite_lesson_ids=[c]),
        school.change_lesson(c, prerequisite_lesson_ids=[b]),
        return_exceptions=True,
    )
    assert sum(isinstance(end, BaseException) for end in ends) == 1
    await school.change_lesson(c, prerequisite_lesson_ids=[])
    await school.change_lesson(b, prerequisite_lesson_ids=[a, c])
    before = (await school.lessons.show(TEACHER, b)).version
    await school.lessons.remove(TEACHER, a)
    left = await school.lessons.show(TEACHER, b)
    assert (left.prerequisite_lesson_ids, left.version) == ([c], before + 1)


async def test_a_rule_is_taken_away_again_and_a_file_has_to_be_there(school: School) -> None:
    course = await course_of(school, {**VIDEO, "release_after_days": 5, "completion": "watched"})
    lesson = course.lessons[0]
    await school.enrolled(course.id)
    changed = await school.change_lesson(lesson.id, release_after_days=None, completion=None)
    assert (changed.release_after_days, changed.completion, changed.is_locked) == (None, None, False)
    assert not (await school.lessons.show(STUDENT, lesson.id)).is_locked
    refused = await refusal(school.change_lesson(lesson.id, file_id="fil_nothing"), Code.VALIDATION_FAILED)
    assert fault_codes(refused) == [("file_id", "unknown_file")]


async def test_watched_ranges_go_by_rest_too(school: School) -> None:
    course = await course_of(school, VIDEO)
    enrollment = await school.enrolled(course.id)
    told = await school.record(enrollment.id, course.lessons[0].id, watched=[[0, 30]], last_position_seconds=25)
    row = told.progress[0]
    assert (row.time_spent_seconds, row.completion_percentage, row.last_position_seconds) == (30, 3000, 25)
    school.clock.advance(40)
    again = await school.record(enrollment.id, course.lessons[0].id, watched=[[30, 90]], rate=2)
    assert (again.status, again.progress[0].last_position_seconds) == ("completed", 25)
    assert again.total_time_spent_seconds == 30 + 30


async def test_no_more_time_is_spent_than_passed_since_the_enrolment(school: School) -> None:
    enrollment = await school.enrolled((await course_of(school, {}, {})).id)
    first, second = (row.lesson_id for row in enrollment.progress)
    school.clock.advance(600)
    ends = await asyncio.gather(*(school.record(enrollment.id, one, time_spent_seconds=500) for one in (first, second)))
    assert max(end.total_time_spent_seconds for end in ends) == 630
    school.clock.advance(10)
    assert (await school.record(enrollment.id, first, time_spent_seconds=86_400)).total_time_spent_seconds == 640
    school.clock.advance(3 * 3_600)  # what was not told within the hour is not remembered
    assert (
        await school.record(enrollment.id, first, time_spent_seconds=86_400)
    ).total_time_spent_seconds == 640 + 3_600
