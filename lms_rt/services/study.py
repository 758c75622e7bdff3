"""One student in one course while something is decided: what is open, what is done, what is left. Changed in place, stored elsewhere.

A lesson is done when all is done that it asks for (`lesson_rules.py`), and nothing that was done is taken back. Pure but for
loading what decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from documents.course import CourseHead
from documents.enrollment import Enrollment, LessonProgress
from documents.enums import Completion, EnrollmentStatus, ProgressStatus
from documents.lesson_assignment import published_assignments
from documents.lesson_quiz import LessonQuiz, published_quizzes
from documents.submission import Submission
from lms_rt.errors import Code, Refused
from lms_rt.security.access.lessons import open_lessons
from lms_rt.services.learning import completed_lessons, minutes_left, percentage, seconds_in
from lms_rt.services.lesson_rules import (
    WATCHED_PERCENT,
    asked_of,
    is_passed_asked,
    is_submitted_asked,
    is_watched_asked,
)

_ACTIVE, _COMPLETED = EnrollmentStatus.ACTIVE.value, EnrollmentStatus.COMPLETED.value
_BEGUN, _DONE = ProgressStatus.IN_PROGRESS.value, ProgressStatus.COMPLETED.value

_WORDS = {
    Completion.WATCHED: f"Watch {WATCHED_PERCENT} % of the lesson's video first.",
    Completion.PASSED: "Pass the lesson's quiz first.",
    Completion.SUBMITTED: "Hand in the lesson's assignment first.",
}


@dataclass(frozen=True, slots=True)
class Study:
    """An enrolment with the course, the quizzes and the assignments that decide what is done."""

    enrollment: Enrollment
    course: CourseHead
    quizzes: Mapping[str, LessonQuiz]
    assignments: Mapping[str, Sequence[str]]
    handed_in: AbstractSet[str]
    now: datetime

    def row(self, lesson_id: str) -> LessonProgress:
        """The student's progress in a lesson, to be changed in place."""
        return self.enrollment.progress.setdefault(lesson_id, LessonProgress())

    def begin(self, lesson_id: str) -> LessonProgress:
        """The same, begun at the latest now."""
        row = self.row(lesson_id)
        self.enrollment.last_accessed_at = self.now
        self.enrollment.started_at = self.enrollment.started_at or self.now
        row.started_at = row.started_at or self.now
        if row.status != _DONE:
            row.status = _BEGUN
        return row

    def complete(self, lesson_id: str) -> bool:
        """Complete a lesson; False when it was."""
        row = self.begin(lesson_id)
        if row.status == _DONE:
            return False
        row.status, row.completed_at, row.completion_percentage = _DONE, self.now, percentage(1, 1)
        return True

    def complete_by_hand(self, lesson_id: str) -> bool:
        """The same because somebody says so: 409 `not_complete` while the lesson asks for more than their word."""
        if self.row(lesson_id).status == _DONE:
            return False
        if asked := self.still_asked(lesson_id):
            quiz, handing_in = self.quizzes.get(lesson_id), self._not_handed_in(lesson_id)
            raise Refused(
                Code.NOT_COMPLETE,
                _WORDS[asked[0]],
                missing=[lesson_id],
                asked=asked,
                quiz_id=None if quiz is None else quiz.quiz_id,
                assignment_ids=handing_in,
            )
        return self.complete(lesson_id)

    def complete_if_done(self, lesson_id: str) -> bool:
        """The same because nothing is asked any more; False when something is, or it was completed."""
        return not self.still_asked(lesson_id) and self.complete(lesson_id)

    def complete_met(self) -> list[str]:
        """Complete the open lessons that ask for more than being opened, and for nothing that is not done by now; which.

        What they asked for may have become less since, or have been done before it was asked.
        """
        if self.enrollment.status not in (_ACTIVE, _COMPLETED):
            return []
        is_open = self.open_lessons()
        met = [one for one in self.course.published_lesson_ids if one in is_open and self._is_met(one)]
        for lesson_id in met:
            row = self.row(lesson_id)
            row.started_at = row.started_at or self.now
            row.status, row.completed_at, row.completion_percentage = _DONE, self.now, percentage(1, 1)
        return met

    def is_watched_asked(self, lesson_id: str) -> bool:
        """Does the lesson count by what was watched of its video?"""
        has_more = lesson_id in self.quizzes or lesson_id in self.assignments
        return is_watched_asked(self.course.rule_of(lesson_id), has_more=has_more)

    def still_asked(self, lesson_id: str) -> list[Completion]:
        """What has still to be done for a lesson, besides opening it."""
        asked = {
            Completion.WATCHED: self.is_watched_asked(lesson_id) and not self._is_watched(lesson_id),
            Completion.PASSED: self._is_quiz_open(lesson_id) or self._is_quiz_awaited(lesson_id),
            Completion.SUBMITTED: bool(self._not_handed_in(lesson_id)) or self._is_assignment_awaited(lesson_id),
        }
        return [one for one, is_open in asked.items() if is_open]

    def open_lessons(self) -> frozenset[str]:
        """The lessons that are open to the student now."""
        return frozenset(open_lessons(self.course, self.enrollment, self.now))

    def left(self) -> list[str]:
        """The published lessons that still keep the course from being completed."""
        published = self.course.published_lesson_ids
        done = set(completed_lessons(self.enrollment, published))
        return [one for one in published if one not in done or self._is_quiz_open(one) or self._not_handed_in(one)]

    def minutes_left(self) -> int:
        """How many minutes the course still asks for."""
        return minutes_left(self.course.minimum_minutes, self.enrollment.total_time_spent_seconds)

    def settle(self) -> bool:
        """Complete the course when everything is done; did that happen?"""
        is_done = bool(self.course.published_lesson_ids) and not self.left() and not self.minutes_left()
        if self.enrollment.status != _ACTIVE or not is_done:
            return False
        self.enrollment.status, self.enrollment.completed_at = _COMPLETED, self.now
        return True

    def _is_met(self, lesson_id: str) -> bool:
        if self.enrollment.progress_in(lesson_id).status == _DONE:
            return False
        quiz, assignments = self.quizzes.get(lesson_id), self.assignments.get(lesson_id, ())
        is_more_asked = asked_of(self.course.rule_of(lesson_id), quiz, assignments) != [Completion.VIEWED]
        return is_more_asked and not self.still_asked(lesson_id)

    def _is_quiz_open(self, lesson_id: str) -> bool:
        quiz = self.quizzes.get(lesson_id)
        is_asked = is_passed_asked(self.course.rule_of(lesson_id), quiz)
        return is_asked and quiz is not None and quiz.quiz_id not in self.enrollment.passed_quiz_ids

    def _is_quiz_awaited(self, lesson_id: str) -> bool:
        """Does the lesson ask for a quiz that is not there yet? Then nobody can complete it, and who has keeps that."""
        return lesson_id not in self.quizzes and is_passed_asked(self.course.rule_of(lesson_id), None)

    def _is_assignment_awaited(self, lesson_id: str) -> bool:
        return not self.assignments.get(lesson_id) and is_submitted_asked(self.course.rule_of(lesson_id), ())

    def _not_handed_in(self, lesson_id: str) -> list[str]:
        return [one for one in self.assignments.get(lesson_id, ()) if one not in self.handed_in]

    def _is_watched(self, lesson_id: str) -> bool:
        duration_seconds = self.course.rule_of(lesson_id).duration_seconds or 0
        return seconds_in(self.enrollment.progress_in(lesson_id).watched) * 100 >= duration_seconds * WATCHED_PERCENT


async def stand_again(enrollment: Enrollment, course: CourseHead, now: datetime) -> bool:
    """Be in the course again, with the progress of before; was it completed by that, for the first time?

    Who had completed it has completed it since that day, where it asks for no more by now; else there is something to be done.
    """
    since = enrollment.completed_at
    enrollment.status, enrollment.completed_at = _ACTIVE, None
    is_settled = (await study_of(enrollment, course, now)).settle()
    if is_settled and since is not None:
        enrollment.completed_at = since
    return is_settled and since is None


async def study_of(enrollment: Enrollment, course: CourseHead, now: datetime) -> Study:
    """With the quizzes and assignments as they are now. What was handed in stays so: it is read beside the enrolment."""
    assignments = await published_assignments(course.id)
    handed_in = await Submission.submitted_assignments(enrollment.student_id, course.id) if assignments else set()
    return Study(enrollment, course, await published_quizzes(course.id), assignments, handed_in, now)
