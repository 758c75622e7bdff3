"""Progress made again from its sources: after a course asks for less than before, and for an enrolment that is in doubt.

What has to be written is written as always, by `progress.py`; nothing that was reached is taken back.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from documents.attempt import Attempt
from documents.base import Row
from documents.course import Course, CourseHead
from documents.enrollment import Enrollment
from documents.enums import EnrollmentStatus, Grading, ProgressStatus
from documents.lesson_assignment import published_assignments
from documents.lesson_quiz import published_quizzes
from documents.paper import AttemptPaper
from lms_rt.contracts.jobs import RecalculationArgs
from lms_rt.services.attempt_grading import summary_data
from lms_rt.services.learners import done_lessons
from lms_rt.services.learning import minutes_left
from lms_rt.services.progress import Progress
from lms_rt.services.quiz_standing import policy_of

PAGE = 200
_GRADED = (Grading.DONE.value, Grading.MANUAL.value)

_log = logging.getLogger(__name__)


class Recalculation:
    """Looks again at what enrolments have reached."""

    def __init__(self, *, progress: Progress) -> None:
        self._progress = progress

    async def recalculate(self, args: RecalculationArgs) -> int:
        """One enrolment with its attempts, or all active ones of a course; how many were completed by it."""
        if args.enrollment_id is not None:
            return int(await self._recalculate_one(args.enrollment_id))
        return 0 if args.course_id is None else await self.complete_in(args.course_id)

    async def complete_in(self, course_id: str) -> int:
        """Complete the lessons that ask for no more than was done, and the enrolments of which the course does; how many of these."""
        course = await Course.find_head(course_id)
        if course is None or not course.published_lesson_ids:
            return 0
        asking = {*await published_quizzes(course_id), *await published_assignments(course_id)}
        completed, after, active = 0, "", EnrollmentStatus.ACTIVE.value
        while rows := await Enrollment.page_of_course(course_id, status=active, after=after, limit=PAGE):
            for row in rows:
                if _is_worth_a_look(row, course, asking) and await self._progress.settle(row["_id"]):
                    completed += 1
            after = rows[-1]["_id"]
        if completed:
            _log.info("%s enrolments of %s are complete without having been touched", completed, course_id)
        return completed

    async def _recalculate_one(self, enrollment_id: str) -> bool:
        after = ""
        while rows := await Attempt.page_of_enrollment(enrollment_id, after=after, limit=PAGE):
            for row in rows:
                await self._progress.apply_attempt("", await _summary(row))
            after = rows[-1]["_id"]
        return await self._progress.settle(enrollment_id)


async def _summary(attempt: Row) -> Row:
    """What the enrolment was told of this attempt, or ought to have been."""
    paper = await AttemptPaper.find_row(attempt["_id"]) if attempt.get("grading") in _GRADED else None
    return summary_data(attempt) | ({} if paper is None else policy_of(paper))


def _is_worth_a_look(row: Row, course: CourseHead, asking: Collection[str]) -> bool:
    """Is all done, or one begun of the lessons that are `asking` for more than being opened? What is open still is seen there."""
    progress = row.get("progress", {})
    begun = (one for one in course.published_lesson_ids if one in asking and one in progress)
    if any(progress[one].get("status") != ProgressStatus.COMPLETED for one in begun):
        return True
    has_all = done_lessons(row, course) == len(course.published_lesson_ids)
    return has_all and not minutes_left(course.minimum_minutes, row.get("total_time_spent_seconds", 0))
