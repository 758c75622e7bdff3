"""Learning: progress in lessons, watched seconds, completing a lesson and a course, and what attempts mean for both.

When the last published lesson is done the enrolment is completed by the very write that did it. A lesson with a graded
quiz is completed by passing that quiz. Progress never goes back: statuses only move forward, percentages only grow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from documents.course import Course, CourseHead
from documents.enrollment import AttemptSummary, Enrollment, LessonProgress, enrollment_id_of
from documents.enums import AttemptStatus, EnrollmentStatus, ProgressStatus
from documents.lesson_quiz import LessonQuiz, published_quizzes
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.channels import user_channel
from lms_rt.contracts.enrollments import EnrollmentView, LessonProgressCommand, LessonProgressView, ProgressDraft
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import require_course_of_lesson, require_own_enrollment
from lms_rt.services.enrollment_edits import EnrollmentEdits, Told, kept, moved
from lms_rt.services.enrollment_views import enrollment_view, is_completed, lesson_completed_data, progress_row
from lms_rt.services.learning import (
    clean_ranges,
    first_seconds,
    is_quiz_open,
    lessons_left,
    merge_ranges,
    minutes_left,
    percentage,
    seconds_in,
)
from lms_rt.services.relay import EffectHandler, Relay

FIRST_WORD_MS = 30_000
"""What a player's first word may claim; after it the clock since the last one decides."""
LONGEST_CREDIT_MS = 3_600_000
"""A player that was offline may tell of its last hour at once."""
FASTEST_PLAYBACK = 2
"""Of a video, twice as many seconds as passed may have been seen; the time spent is that of the clock."""
KEPT_ATTEMPTS = 100

_ACTIVE, _COMPLETED = EnrollmentStatus.ACTIVE.value, EnrollmentStatus.COMPLETED.value
_BEGUN, _DONE = ProgressStatus.IN_PROGRESS.value, ProgressStatus.COMPLETED.value
_ORDER = (AttemptStatus.IN_PROGRESS, AttemptStatus.PAUSED, AttemptStatus.SUBMITTED, AttemptStatus.GRADED)

Change = Callable[["_Study"], Awaitable[bool]]
"""Given what is studied, to change in place; was anything more than counters changed?"""


@dataclass(frozen=True, slots=True)
class _Study:
    """An enrolment with the course and the quizzes that decide what is done."""

    enrollment: Enrollment
    course: CourseHead
    quizzes: dict[str, LessonQuiz]
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

    def left(self) -> list[str]:
        """What still keeps the course from being completed."""
        return lessons_left(self.enrollment, self.course.published_lesson_ids, self.quizzes)

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


class Progress:
    """What can be done while learning."""

    def __init__(self, *, clock: Clock, relay: Relay, bus: Bus) -> None:
        self._clock = clock
        self._edits = EnrollmentEdits(clock=clock, relay=relay, bus=bus)

    def effects(self) -> dict[str, EffectHandler]:
        """The handlers of the effects that concern learning, for the relay."""
        return {"enrollment.attempt_changed": self.apply_attempt}

    async def record(self, actor: Actor, enrollment_id: str, draft: ProgressDraft) -> EnrollmentView:
        """What happened in one lesson. A status only moves forward: what comes late takes nothing back."""
        study = await self._study(_own(actor, enrollment_id), draft.lesson_id, lambda study: _record(study, draft))
        return enrollment_view(study.enrollment, study.course)

    async def watch(self, actor: Actor, command: LessonProgressCommand) -> LessonProgressView:
        """Where a player stands. Seconds cannot be watched faster than the clock runs; what is too much is cut."""

        async def change(study: _Study) -> bool:
            duration = await Course.find_lesson_duration(study.course.id, command.lesson_id)
            return _watch(study, command, duration_seconds=duration)

        study = await self._study(_own(actor, command.enrollment_id), command.lesson_id, change)
        return progress_row(study.enrollment, command.lesson_id)

    async def complete_lesson(self, actor: Actor, enrollment_id: str, lesson_id: str) -> EnrollmentView:
        """Complete a lesson; again changes nothing. One with a graded quiz only once that is passed."""
        study = await self._complete(_own(actor, enrollment_id), lesson_id)
        return enrollment_view(study.enrollment, study.course)

    async def complete_lesson_row(self, actor: Actor, enrollment_id: str, lesson_id: str) -> LessonProgressView:
        """The same, answered by the lesson's row alone."""
        study = await self._complete(_own(actor, enrollment_id), lesson_id)
        return progress_row(study.enrollment, lesson_id)

    async def complete_lesson_of(self, actor: Actor, lesson_id: str, *, course_id: str | None = None) -> EnrollmentView:
        """The same for who knows the lesson alone: in the actor's own enrolment."""
        course = await require_course_of_lesson(actor, lesson_id, course_id)

        async def load() -> Enrollment:
            enrollment = await Enrollment.find_one_by_id(enrollment_id_of(actor.user_id, course.id))
            if enrollment is None:
                raise Refused(Code.NOT_ENROLLED, course_id=course.id)
            return enrollment

        study = await self._complete(load, lesson_id)
        return enrollment_view(study.enrollment, study.course)

    async def complete(self, actor: Actor, enrollment_id: str) -> EnrollmentView:
        """Complete the course, when all is done; again changes nothing."""

        async def change(study: _Study) -> bool:
            if study.enrollment.status == _COMPLETED:
                return False
            _refuse_absent(study)
            if not study.course.published_lesson_ids or (left := study.left()):
                raise Refused(Code.NOT_COMPLETE, missing=left if study.course.published_lesson_ids else [])
            if minutes := study.minutes_left():
                raise Refused(Code.MINIMUM_TIME, minutes_left=minutes)
            return True

        study = await self._study(_own(actor, enrollment_id), None, change)
        return enrollment_view(study.enrollment, study.course)

    async def settle(self, enrollment_id: str) -> bool:
        """Complete the enrolment, if its course asks for no more by now; did that happen? Again changes nothing."""
        settled: list[bool] = []

        async def change(study: _Study) -> bool:
            settled[:] = [study.enrollment.status == _ACTIVE]
            return False

        try:
            study = await self._edit(_whoever(enrollment_id), None, change)
        except Refused as refused:
            if refused.code is not Code.NOT_FOUND:
                raise
            return False
        return settled[0] and study.enrollment.status == _COMPLETED

    async def apply_attempt(self, _: str, data: dict[str, Any]) -> None:
        """The effect of an attempt that began, closed or was graded: its summary, and the lesson that it passes.

        Idempotent by what it writes. An enrolment that is gone, or dropped meanwhile, keeps what it can.
        """
        load = _whoever(data["enrollment_id"])
        try:
            await self._edit(load, data.get("lesson_id"), lambda study: _apply_attempt(study, data))
        except Refused as refused:
            if refused.code is not Code.NOT_FOUND:
                raise

    async def _complete(self, load: Callable[[], Awaitable[Enrollment]], lesson_id: str) -> _Study:
        async def change(study: _Study) -> bool:
            return _complete_by_hand(study, lesson_id)

        return await self._study(load, lesson_id, change)

    async def _study(self, load: Callable[[], Awaitable[Enrollment]], lesson_id: str | None, change: Change) -> _Study:
        """Change what an actor does: in a published lesson of a course that they are in."""

        async def checked(study: _Study) -> bool:
            if lesson_id is not None:
                if lesson_id not in study.course.published_lesson_ids:
                    raise Refused(Code.NOT_FOUND)
                _refuse_absent(study)
            return await change(study)

        return await self._edit(load, lesson_id, checked)

    async def _edit(self, load: Callable[[], Awaitable[Enrollment]], lesson_id: str | None, change: Change) -> _Study:
        studies: list[_Study] = []

        async def decide(enrollment: Enrollment) -> Sequence[Told] | None:
            course = await Course.find_head(enrollment.course_id)
            if course is None:
                raise Refused(Code.NOT_FOUND)
            study = _Study(enrollment, course, await published_quizzes(course.id), self._clock.now())
            studies[:] = [study]
            was_completed = lesson_id is not None and is_completed(enrollment, lesson_id)
            is_edit = await change(study)
            is_settled = study.settle()
            if not is_edit and not is_settled:
                return None
            is_lesson_new = lesson_id is not None and not was_completed and is_completed(enrollment, lesson_id)
            return _told(study, lesson_id, is_lesson_completed=is_lesson_new, is_settled=is_settled)

        await self._edits.apply(load, decide)
        return studies[0]


def _told(study: _Study, lesson_id: str | None, *, is_lesson_completed: bool, is_settled: bool) -> list[Told]:
    enrollment, course = study.enrollment, study.course
    told = [moved(enrollment, course, lesson_id)]
    if is_lesson_completed and lesson_id is not None:
        data = lesson_completed_data(enrollment, course, lesson_id)
        told.insert(0, Told("lesson_completed", (user_channel(enrollment.student_id),), data, "lesson.completed"))
    if is_settled:
        told.append(kept("enrollment.completed", enrollment))
    return told


def _own(actor: Actor, enrollment_id: str) -> Callable[[], Awaitable[Enrollment]]:
    async def load() -> Enrollment:
        return await require_own_enrollment(actor, enrollment_id)

    return load


def _whoever(enrollment_id: str) -> Callable[[], Awaitable[Enrollment]]:
    """For what follows from other changes: nobody acts."""

    async def load() -> Enrollment:
        enrollment = await Enrollment.find_one_by_id(enrollment_id)
        if enrollment is None:
            raise Refused(Code.NOT_FOUND)
        return enrollment

    return load


def _refuse_absent(study: _Study) -> None:
    if study.enrollment.status not in (_ACTIVE, _COMPLETED):
        raise Refused(Code.NOT_ENROLLED, course_id=study.course.id, status=study.enrollment.status)


def _complete_by_hand(study: _Study, lesson_id: str) -> bool:
    quiz = study.quizzes.get(lesson_id)
    if is_completed(study.enrollment, lesson_id):
        return False
    if quiz is not None and is_quiz_open(study.enrollment, quiz):
        raise Refused(Code.NOT_COMPLETE, "Pass the lesson's quiz first.", missing=[lesson_id], quiz_id=quiz.quiz_id)
    return study.complete(lesson_id)


async def _record(study: _Study, draft: ProgressDraft) -> bool:
    is_edit = draft.status == _DONE and _complete_by_hand(study, draft.lesson_id)
    seen = study.row(draft.lesson_id)
    before = (seen.status, seen.completion_percentage)
    row = study.begin(draft.lesson_id)
    row.time_spent_seconds += draft.time_spent_seconds
    study.enrollment.total_time_spent_seconds += draft.time_spent_seconds
    if draft.last_position_seconds is not None:
        row.last_position_seconds = draft.last_position_seconds
    row.completion_percentage = max(row.completion_percentage, draft.completion_percentage or 0)
    return is_edit or before != (row.status, row.completion_percentage)


def _watch(study: _Study, command: LessonProgressCommand, *, duration_seconds: int | None) -> bool:
    """`watched_until_ms` is how far the clock is used up: it never passes now, and stays an hour behind at most."""
    now_ms, enrollment = round(study.now.timestamp() * 1000), study.enrollment
    used_until = enrollment.watched_until_ms
    free_from = now_ms - FIRST_WORD_MS if used_until is None else max(used_until, now_ms - LONGEST_CREDIT_MS)
    allowed_seconds = max(0, now_ms - free_from) // 1000
    claimed = clean_ranges(command.watched, duration_seconds)
    seen = first_seconds(claimed, allowed_seconds * FASTEST_PLAYBACK)
    spent_seconds = min(seconds_in(seen), allowed_seconds)
    enrollment.watched_until_ms = free_from + spent_seconds * 1000
    is_new = study.enrollment.progress_in(command.lesson_id).status == ProgressStatus.NOT_STARTED
    row = study.begin(command.lesson_id)
    before = row.completion_percentage
    row.last_position_seconds = round(command.position_seconds)
    row.time_spent_seconds += spent_seconds
    enrollment.total_time_spent_seconds += spent_seconds
    row.watched = merge_ranges([*row.watched, *seen])
    if duration_seconds:
        covered = percentage(min(seconds_in(row.watched), duration_seconds), duration_seconds)
        row.completion_percentage = max(before, covered)
    return is_new or row.completion_percentage != before


async def _apply_attempt(study: _Study, data: dict[str, Any]) -> bool:
    enrollment = study.enrollment
    fresh = AttemptSummary(
        **{name: data.get(name) for name in AttemptSummary.model_fields if name != "attempt_version"},
        attempt_version=data.get("version") or 0,
    )
    known = next((one for one in enrollment.attempts if one.attempt_id == fresh.attempt_id), None)
    if known is not None and (known == fresh or _rank(fresh) < _rank(known)):
        return False
    if known is None:
        enrollment.attempts = [fresh, *enrollment.attempts][:KEPT_ATTEMPTS]
    else:
        enrollment.attempts = [fresh if one is known else one for one in enrollment.attempts]
    is_quiz_passed = bool(data.get("is_quiz_passed", fresh.is_passed))  # by the quiz's policy over all attempts
    if is_quiz_passed and fresh.quiz_id not in enrollment.passed_quiz_ids:
        enrollment.passed_quiz_ids = [*enrollment.passed_quiz_ids, fresh.quiz_id]
    lesson_id = data.get("lesson_id")
    if lesson_id is not None and lesson_id in study.course.lesson_ids:
        row = study.begin(lesson_id)
        row.attempts_count = max(row.attempts_count, fresh.attempt_number)
        if is_quiz_passed:
            study.complete(lesson_id)
    return True


def _rank(summary: AttemptSummary) -> tuple[int, int]:
    """Which of two words about one attempt is the newer: by its version, else by how far the attempt was."""
    statuses = {status.value: place for place, status in enumerate(_ORDER)}
    return summary.attempt_version, statuses.get(summary.status, len(_ORDER))
