"""Numbers that are counted again, and progress that is looked at again: what drifted is mended, what is right is left."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from documents.course import Course
from documents.enrollment import Enrollment
from documents.job import Job
from documents.quiz import Quiz
from lms_rt.bus.memory import SilentWakeUps
from lms_rt.contracts.base import read_model
from lms_rt.contracts.jobs import RecalculationArgs
from lms_rt.contracts.questions import QuestionDraft
from lms_rt.contracts.quizzes import QuizChange, QuizDraft
from lms_rt.services.jobs import Jobs
from lms_rt.services.questions import Questions
from lms_rt.services.quizzes import Quizzes
from lms_rt.services.recalculation import Recalculation
from lms_rt.services.reconciling import Reconciling
from tests.services.school import OTHER_STUDENT, STUDENT, TEACHER, School

COUNT = "course.enrollment_counted"


@pytest.fixture
def recalculation(school: School) -> Recalculation:
    return Recalculation(progress=school.progress)


@pytest.fixture
def reconciling(school: School, recalculation: Recalculation) -> Reconciling:
    jobs = Jobs(clock=school.clock, wake_ups=SilentWakeUps())
    return Reconciling(clock=school.clock, jobs=jobs, recalculation=recalculation)


async def count_of(course_id: str) -> int:
    row = await Course.rows().find_one({"_id": course_id})
    assert row is not None
    return int(row["enrollments_count"])


async def recalculations(course_id: str) -> int:
    """How often an edit of the course asked for its enrolments to be looked at."""
    return await Job.rows().count_documents({"task": "progress.recalculate", "args": {"course_id": course_id}})


async def test_a_count_that_drifted_is_mended_and_told(
    school: School, reconciling: Reconciling, caplog: pytest.LogCaptureFixture
) -> None:
    course = await school.published(1)
    await school.enrolled(course.id)
    left = await school.enrolled(course.id, by=OTHER_STUDENT)
    await school.set_status(left.id, "dropped", by=OTHER_STUDENT)
    await reconciling.refresh_course(course.id)
    assert not caplog.records
    await Course.rows().update_one({"_id": course.id}, {"$set": {"enrollments_count": 7}})
    with caplog.at_level(logging.ERROR):
        await reconciling.refresh_course(course.id)
    assert await count_of(course.id) == 1
    assert [record.getMessage() for record in caplog.records] == [f"enrollments_count of {course.id} was 7, and is 1"]


async def test_who_waits_to_be_counted_is_counted_once(school: School, reconciling: Reconciling) -> None:
    """Stopped after the enrolment was written; after it was counted; and after that was noted."""
    course = await school.published(1)
    enrollment = await school.enrolled(course.id)
    intent = {"id": "evt_coming", "kind": "effect", "effect": COUNT, "data": {"course_id": course.id, "by": 1}}
    waits = {"$push": {"outbox": intent}, "$set": {"outbox_at": school.clock.now()}}
    await Enrollment.rows().update_one({"_id": enrollment.id}, waits)
    await Course.rows().update_one({"_id": course.id}, {"$set": {"enrollments_count": 0, "counted": []}})
    await reconciling.refresh_course(course.id)
    assert await count_of(course.id) == 0
    await Course.count_enrollment(course.id, "evt_coming", 1)
    await reconciling.refresh_course(course.id)
    assert await count_of(course.id) == 1
    await school.relay.sweep(minimum_age_ms=0)
    await reconciling.refresh_course(course.id)
    assert await count_of(course.id) == 1


async def test_a_count_that_moves_meanwhile_is_left_to_those_who_move_it(
    school: School, reconciling: Reconciling, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = await school.published(1)
    await school.enrolled(course.id)
    await Course.rows().update_one({"_id": course.id}, {"$set": {"enrollments_count": 5}})
    page_of_course, comers = Enrollment.page_of_course, [OTHER_STUDENT]

    async def after_somebody_came(*args: object, **more: object) -> list[dict[str, object]]:
        page = await page_of_course(*args, **more)  # type: ignore[arg-type]
        while comers:
            await school.enrolled(course.id, by=comers.pop())
        return page

    monkeypatch.setattr(Enrollment, "page_of_course", after_somebody_came)
    await reconciling.refresh_course(course.id)
    assert await count_of(course.id) == 2


async def test_people_come_and_go_while_it_is_counted(school: School, reconciling: Reconciling) -> None:
    course = await school.published(1)
    enrollment = await school.enrolled(course.id)

    async def come_and_go() -> None:
        for status in ("dropped", "active") * 5:
            await school.set_status(enrollment.id, status)

    async def count() -> None:
        for _ in range(10):
            await reconciling.refresh_course(course.id)

    await asyncio.gather(come_and_go(), count())
    assert await count_of(course.id) == 1


async def test_counts_of_a_quiz(school: School, reconciling: Reconciling) -> None:
    course = await school.published(1)
    question = {"question_type": "true_false", "question_text": "So?", "points": 250, "order": 1}
    drifted = {"questions_count": 9, "total_points": 1}
    row = {"_id": "quz_1", "course_id": course.id, "questions": {"qst_1": question}, "question_ids": ["qst_1"]}
    await Quiz.rows().insert_one({**row, **drifted, "version": 3, "quiz_type": "practice"})
    await reconciling.refresh_course(course.id)
    quiz = await Quiz.rows().find_one({"_id": "quz_1"})
    assert quiz
    assert (quiz["questions_count"], quiz["total_points"], quiz["version"]) == (1, 250, 3)


async def test_every_course_has_its_turn_once_a_day(school: School, reconciling: Reconciling) -> None:
    ids = {(await school.course()).id for _ in range(3)}
    assert (await reconciling.order_all(), await reconciling.order_all()) == (3, 3)
    asked = [row["args"]["course_id"] async for row in Job.rows().find({"task": "analytics.refresh_course"})]
    assert (set(asked), len(asked)) == (ids, 3)
    school.clock.advance(24 * 3600)
    await reconciling.order_all()
    assert await Job.rows().count_documents({"task": "analytics.refresh_course"}) == 6


async def test_a_course_that_asks_for_less_completes_those_who_have_done_the_rest(
    school: School, recalculation: Recalculation
) -> None:
    course = await school.published(2)
    first, other = await school.enrolled(course.id), await school.enrolled(course.id, by=OTHER_STUDENT)
    done, left = (row.lesson_id for row in first.progress)
    await school.progress.complete_lesson(STUDENT, first.id, done)
    await school.progress.complete_lesson(OTHER_STUDENT, other.id, left)
    args = RecalculationArgs(course_id=course.id)
    assert await recalculation.recalculate(args) == 0
    before = await recalculations(course.id)
    await school.change_lesson(left, is_published=False)
    assert await recalculations(course.id) == before + 1
    assert (await recalculation.recalculate(args), await recalculation.recalculate(args)) == (1, 0)
    statuses = [row["status"] async for row in Enrollment.rows().find({}).sort("student_id", 1)]
    assert statuses == ["active", "completed"]  # Omar, Sara
    told = [name for name, _ in await school.events(f"user:{STUDENT.user_id}")]
    assert told == ["lesson_completed", "progress_updated", "progress_updated"]


@pytest.mark.parametrize("edit", ["publish", "remove", "minutes", "title", "order"])
async def test_only_what_decides_completion_lets_it_be_looked_at(school: School, edit: str) -> None:
    course = await school.published(2)
    lessons = [lesson.id for lesson in course.lessons]
    hidden = await school.lesson(course.id, is_published=False)
    await school.enrolled(course.id)
    before = await recalculations(course.id)
    match edit:
        case "publish":
            await school.change_lesson(hidden.id, is_published=True)
        case "remove":
            await school.lessons.remove(TEACHER, lessons[0])
        case "minutes":
            await school.change(course.id, minimum_minutes=5)
        case "title":
            await school.change(course.id, title="Another")
        case _:
            await school.lessons.reorder(TEACHER, course.id, [hidden.id, *reversed(lessons)])
    assert await recalculations(course.id) - before == (edit in ("publish", "remove", "minutes"))


@pytest.mark.parametrize(
    ("change", "is_asked"),
    [
        ({"is_published": False}, True),
        ({"quiz_type": "practice"}, True),
        ({"lesson_id": None}, True),
        ({"title": "Another"}, False),
        ({"passing_score": "90.00"}, False),
    ],
)
async def test_a_quiz_that_stands_in_nobodys_way_any_more_lets_it_be_looked_at(
    school: School, recalculation: Recalculation, change: dict[str, Any], is_asked: bool
) -> None:
    course = await school.published(1)
    enrollment = await school.enrolled(course.id)
    lesson_id = enrollment.progress[0].lesson_id
    quizzes = Quizzes(clock=school.clock, relay=school.relay)
    draft = {"course_id": course.id, "lesson_id": lesson_id, "title": "Midterm", "quiz_type": "graded"}
    quiz = await quizzes.create(TEACHER, read_model(QuizDraft, draft))
    question = {"question_type": "true_false", "question_text": "So?", "points": 1, "correct_answer": {"value": True}}
    await Questions(clock=school.clock, relay=school.relay).add(TEACHER, quiz.id, read_model(QuestionDraft, question))
    await quizzes.publish(TEACHER, quiz.id)
    done = {f"progress.{lesson_id}.status": "completed"}
    await Enrollment.rows().update_one({"_id": enrollment.id}, {"$set": done})
    assert await recalculation.complete_in(course.id) == 0
    before = await recalculations(course.id)
    await quizzes.change(TEACHER, quiz.id, read_model(QuizChange, change))
    assert await recalculations(course.id) - before == is_asked
    assert await recalculation.complete_in(course.id) == is_asked


async def test_nothing_that_is_missing_is_looked_at(recalculation: Recalculation, reconciling: Reconciling) -> None:
    for args in (
        RecalculationArgs(),
        RecalculationArgs(course_id="crs_none"),
        RecalculationArgs(enrollment_id="usr:crs"),
    ):
        assert await recalculation.recalculate(args) == 0
    await reconciling.refresh_course("crs_none")


async def test_a_course_that_is_older_than_what_lessons_ask_for_is_given_it(
    school: School, reconciling: Reconciling
) -> None:
    course = await school.published(2)
    first, second = (lesson.id for lesson in course.lessons)
    await school.change_lesson(first, duration_seconds=100)
    await school.change_lesson(second, prerequisite_lesson_ids=[first])
    await Course.rows().update_one({"_id": course.id}, {"$unset": {"lesson_rules": ""}})
    enrollment = await school.enrolled(course.id)
    assert (await school.record(enrollment.id, first, watched=[[0, 10]])).progress[0].completion_percentage == 0
    assert not (await school.lessons.show(STUDENT, second)).is_locked
    before = (await school.courses.show(TEACHER, course.id)).version
    await reconciling.refresh_course(course.id)
    assert (await school.courses.show(STUDENT, course.id)).lessons[1].is_locked
    assert (await school.record(enrollment.id, first, watched=[[10, 20]])).progress[0].completion_percentage == 2000
    assert (await school.courses.show(TEACHER, course.id)).version == before
