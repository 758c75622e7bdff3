"""Numbers that are kept beside their source are counted again, course by course; what had drifted is mended and logged."""

from __future__ import annotations

import logging

from documents.base import Row
from documents.course import Course
from documents.enrollment import PRESENT, Enrollment
from documents.quiz import Quiz
from lms_rt.clock import Clock
from lms_rt.services.enrollment_edits import COUNT_EFFECT
from lms_rt.services.jobs import Jobs
from lms_rt.services.lesson_rules import rules_of
from lms_rt.services.quiz_views import counted_fields
from lms_rt.services.ratings import Ratings
from lms_rt.services.recalculation import Recalculation

PAGE = 500
TRIES = 5
"""Where people come and go while it is counted, it is counted again; else the next night."""

_log = logging.getLogger(__name__)


class Reconciling:
    """Counts again."""

    def __init__(self, *, clock: Clock, jobs: Jobs, recalculation: Recalculation) -> None:
        self._clock, self._jobs, self._recalculation = clock, jobs, recalculation

    async def order_all(self) -> int:
        """A job for every course, once a day; how many."""
        day, ordered, after = self._clock.now().date().isoformat(), 0, ""
        while page := await Course.page_of_ids(after=after, limit=PAGE):
            for course_id in page:
                args = {"course_id": course_id}
                await self._jobs.put(f"refresh:{course_id}:{day}", "analytics.refresh_course", args)
            ordered, after = ordered + len(page), page[-1]
        return ordered

    async def refresh_course(self, course_id: str) -> None:
        """All numbers of one course."""
        await self._count_enrollments(course_id)
        await Ratings().recount(course_id)
        await self._count_questions(course_id)
        await self._write_rules(course_id)
        await self._recalculation.complete_in(course_id)

    async def _count_enrollments(self, course_id: str) -> None:
        for _ in range(TRIES):
            if (seen := await Course.find_count(course_id)) is None:
                return
            count = await _present(course_id, set(seen.get("counted", ())))
            if count == seen["enrollments_count"]:
                return
            if await Course.correct_count(seen, count):
                _log.error("enrollments_count of %s was %s, and is %s", course_id, seen["enrollments_count"], count)
                return

    async def _write_rules(self, course_id: str) -> None:
        """What lessons ask for, beside them: courses that are older than this have no rows yet."""
        course = await Course.find_whole(course_id)
        if course is None or course.lesson_rules == (rules := rules_of(course)):
            return
        rows = {lesson_id: rule.model_dump() for lesson_id, rule in rules.items()}
        if await Course.write(course.id, course.version, {"$set": {"lesson_rules": rows}}):
            _log.warning("the rules of the lessons of %s were not those that its lessons say", course_id)

    async def _count_questions(self, course_id: str) -> None:
        for quiz_id in await Quiz.ids_of_course(course_id):
            quiz = await Quiz.find_whole(quiz_id)
            if quiz is None:
                continue
            drifted = {name: value for name, value in counted_fields(quiz).items() if quiz.get(name) != value}
            if drifted and await Quiz.correct_at(quiz_id, quiz["version"], drifted):
                _log.error("counts of %s had drifted, and are %s", quiz_id, drifted)


async def _present(course_id: str, counted: set[str]) -> int:
    """How many are in the course, without those whose coming or leaving still waits to be counted.

    Each row tells both in one read. Nothing was counted meanwhile (the correction filters on that), so it adds up.
    """
    count, after = 0, ""
    while rows := await Enrollment.page_of_course(course_id, after=after, limit=PAGE):
        count += sum((row["status"] in PRESENT) - _uncounted(row, counted) for row in rows)
        after = rows[-1]["_id"]
    return count


def _uncounted(row: Row, counted: set[str]) -> int:
    return sum(
        intent["data"]["by"]
        for intent in row.get("outbox", ())
        if intent["kind"] == "effect" and intent["effect"] == COUNT_EFFECT and intent["id"] not in counted
    )
