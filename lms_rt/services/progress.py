"""Learning: progress in lessons, watched seconds, completing a lesson and a course, and what attempts and submissions mean.

When the last published lesson is done the enrolment is completed by the very write that did it. What a lesson asks for is
`study.py`'s, what a player may claim `watching.py`'s. Progress never goes back: statuses only move forward.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from documents.course import Course
from documents.enrollment import AttemptSummary, Enrollment, enrollment_id_of
from documents.enums import AttemptStatus, EnrollmentStatus
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.channels import user_channel
from lms_rt.contracts.enrollments import EnrollmentView, LessonProgressCommand, LessonProgressView, ProgressDraft
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import require_course_of_lesson, require_own_enrollment
from lms_rt.security.access.lessons import refuse_locked
from lms_rt.services.enrollment_edits import EnrollmentEdits, Told, kept, moved
from lms_rt.services.enrollment_views import enrollment_view, is_completed, lesson_completed_data, progress_row
from lms_rt.services.quiz_standing import has_passed
from lms_rt.services.relay import EffectHandler, Relay
from lms_rt.services.study import Study, study_of
from lms_rt.services.watching import Played, record, watch

KEPT_ATTEMPTS = 100
SUBMISSION_CHANGED = "enrollment.submission_changed"

_ACTIVE, _COMPLETED = EnrollmentStatus.ACTIVE.value, EnrollmentStatus.COMPLETED.value
_ORDER = (AttemptStatus.IN_PROGRESS, AttemptStatus.PAUSED, AttemptStatus.SUBMITTED, AttemptStatus.GRADED)

Change = Callable[[Study], Awaitable[bool]]
"""Given what is studied, to change in place; was anything more than counters changed?"""


class Progress:
    """What can be done while learning."""

    def __init__(self, *, clock: Clock, relay: Relay, bus: Bus) -> None:
        self._clock = clock
        self._edits = EnrollmentEdits(clock=clock, relay=relay, bus=bus)

    def effects(self) -> dict[str, EffectHandler]:
        """The handlers of the effects that concern learning, for the relay."""
        return {"enrollment.attempt_changed": self.apply_attempt, SUBMISSION_CHANGED: self.apply_submission}

    async def record(self, actor: Actor, enrollment_id: str, draft: ProgressDraft) -> EnrollmentView:
        """What happened in one lesson. A status only moves forward: what comes late takes nothing back."""

        async def change(study: Study) -> bool:
            return record(study, draft)

        study = await self._study(_own(actor, enrollment_id), draft.lesson_id, change)
        return enrollment_view(study.enrollment, study.course)

    async def watch(self, actor: Actor, command: LessonProgressCommand) -> LessonProgressView:
        """Where a player stands. Seconds cannot be watched faster than the clock runs; what is too much is cut."""

        async def change(study: Study) -> bool:
            played = Played(command.watched, command.rate, command.is_kept_offline)
            return watch(study, command.lesson_id, played, position_seconds=command.position_seconds)

        study = await self._study(_own(actor, command.enrollment_id), command.lesson_id, change)
        return progress_row(study.enrollment, command.lesson_id)

    async def complete_lesson(self, actor: Actor, enrollment_id: str, lesson_id: str) -> EnrollmentView:
        """Complete a lesson; again changes nothing. 409 `not_complete` while it asks for more than opening it."""
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

        async def change(study: Study) -> bool:
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

        async def change(study: Study) -> bool:
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

    async def apply_submission(self, _: str, data: dict[str, Any]) -> None:
        """The effect of an assignment that was handed in: the lesson that is done by it. Idempotent, as above."""

        async def change(study: Study) -> bool:
            lesson_id = data["lesson_id"]
            if lesson_id not in study.course.lesson_ids:
                return False
            before = study.row(lesson_id).status
            study.begin(lesson_id)
            study.complete_if_done(lesson_id)
            return study.row(lesson_id).status != before

        try:
            await self._edit(_whoever(data["enrollment_id"]), data["lesson_id"], change)
        except Refused as refused:
            if refused.code is not Code.NOT_FOUND:
                raise

    async def _complete(self, load: Callable[[], Awaitable[Enrollment]], lesson_id: str) -> Study:
        async def change(study: Study) -> bool:
            return study.complete_by_hand(lesson_id)

        return await self._study(load, lesson_id, change)

    async def _study(self, load: Callable[[], Awaitable[Enrollment]], lesson_id: str | None, change: Change) -> Study:
        """Change what an actor does: in a published lesson, open by now, of a course that they are in."""

        async def checked(study: Study) -> bool:
            if lesson_id is not None:
                if lesson_id not in study.course.published_lesson_ids:
                    raise Refused(Code.NOT_FOUND)
                _refuse_absent(study)
                refuse_locked(study.course, lesson_id, study.enrollment, study.now)
            return await change(study)

        return await self._edit(load, lesson_id, checked)

    async def _edit(self, load: Callable[[], Awaitable[Enrollment]], lesson_id: str | None, change: Change) -> Study:
        studies: list[Study] = []

        async def decide(enrollment: Enrollment) -> Sequence[Told] | None:
            course = await Course.find_head(enrollment.course_id)
            if course is None:
                raise Refused(Code.NOT_FOUND)
            study = await study_of(enrollment, course, self._clock.now())
            studies[:] = [study]
            was_completed = lesson_id is not None and is_completed(enrollment, lesson_id)
            were_open = study.open_lessons()
            is_edit = await change(study)
            new = study.complete_met()
            is_settled = study.settle()
            if not is_edit and not new and not is_settled:
                return None
            if lesson_id is not None and not was_completed and is_completed(enrollment, lesson_id):
                new = [lesson_id, *(one for one in new if one != lesson_id)]
            unlocked = [one for one in course.published_lesson_ids if one in study.open_lessons() - were_open]
            moved_in = new[0] if lesson_id is None and new else lesson_id
            return [
                *(_lesson_told(study, one) for one in new),
                moved(enrollment, course, moved_in, unlocked=unlocked),
                *([kept("enrollment.completed", enrollment)] if is_settled else []),
            ]

        await self._edits.apply(load, decide)
        return studies[0]


def _lesson_told(study: Study, lesson_id: str) -> Told:
    data = lesson_completed_data(study.enrollment, study.course, lesson_id)
    return Told("lesson_completed", (user_channel(study.enrollment.student_id),), data, "lesson.completed")


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


def _refuse_absent(study: Study) -> None:
    if study.enrollment.status not in (_ACTIVE, _COMPLETED):
        raise Refused(Code.NOT_ENROLLED, course_id=study.course.id, status=study.enrollment.status)


async def _apply_attempt(study: Study, data: dict[str, Any]) -> bool:
    enrollment = study.enrollment
    fresh = AttemptSummary(
        **{name: data.get(name) for name in AttemptSummary.model_fields if name != "attempt_version"},
        attempt_version=data.get("version") or 0,
    )
    known = next((one for one in enrollment.attempts if one.attempt_id == fresh.attempt_id), None)
    if known is not None and _rank(fresh) < _rank(known):
        return False
    is_quiz_passed = await has_passed(enrollment.student_id, data)  # by the quiz's policy over all attempts
    if known == fresh and (not is_quiz_passed or fresh.quiz_id in enrollment.passed_quiz_ids):
        return False
    if known is None:
        enrollment.attempts = [fresh, *enrollment.attempts][:KEPT_ATTEMPTS]
    else:
        enrollment.attempts = [fresh if one is known else one for one in enrollment.attempts]
    if is_quiz_passed and fresh.quiz_id not in enrollment.passed_quiz_ids:
        enrollment.passed_quiz_ids = [*enrollment.passed_quiz_ids, fresh.quiz_id]
    lesson_id = data.get("lesson_id")
    if lesson_id is not None and lesson_id in study.course.lesson_ids:
        row = study.begin(lesson_id)
        row.attempts_count = max(row.attempts_count, fresh.attempt_number)
        if is_quiz_passed:
            study.complete_if_done(lesson_id)
    return True


def _rank(summary: AttemptSummary) -> tuple[int, int]:
    """Which of two words about one attempt is the newer: by its version, else by how far the attempt was."""
    statuses = {status.value: place for place, status in enumerate(_ORDER)}
    return summary.attempt_version, statuses.get(summary.status, len(_ORDER))
