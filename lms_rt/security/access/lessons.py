"""Which lessons of a course are not open yet to who is in it: those that wait for other lessons, or for a day.

Pure where it decides, so that pages, files, quizzes and assignments ask the same question. Staff are never kept out, and
what somebody has completed stays open to them. Who may be in the course at all is `courses.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from documents.course import CourseHead
from documents.enrollment import Enrollment
from documents.enums import ProgressStatus
from documents.lesson_rule import LessonRule
from lms_rt.errors import Code, Refused


class Planned(Protocol):
    """What the rules look at: `Course` and `CourseHead` both have it."""

    @property
    def lesson_ids(self) -> list[str]:
        """All lessons, in their order."""

    @property
    def published_lesson_ids(self) -> list[str]:
        """The lessons that students know of, in their order."""

    def rule_of(self, lesson_id: str) -> LessonRule:
        """What a lesson asks of who learns it."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Why a lesson is not open: the lessons to be completed before, and the moment before which it stays closed.

    `is_after_enrolling`: its day is counted from an enrolment, and there is none.
    """

    missing: tuple[str, ...] = ()
    unlocks_at: datetime | None = None
    is_after_enrolling: bool = False


def lock_of(course: Planned, lesson_id: str, enrollment: Enrollment | None, now: datetime) -> Lock | None:
    """What keeps the lesson closed to a student, or (without an enrolment) to a visitor; None: it is open."""
    if enrollment is not None and _is_completed(enrollment, lesson_id):
        return None
    rule = course.rule_of(lesson_id)
    missing = tuple(
        other
        for other in rule.prerequisite_lesson_ids
        if other in course.published_lesson_ids and not (enrollment is not None and _is_completed(enrollment, other))
    )
    opens_at = opens_at_of(rule, enrollment)
    unlocks_at = opens_at if opens_at is not None and opens_at > now else None
    is_after_enrolling = rule.release_after_days is not None and enrollment is None
    if not missing and unlocks_at is None and not is_after_enrolling:
        return None
    return Lock(missing, unlocks_at, is_after_enrolling)


def opens_at_of(rule: LessonRule, enrollment: Enrollment | None) -> datetime | None:
    """When the lesson opens by the clock, to this student; None: at any time. Of two moments it is the later one."""
    moments = [] if rule.release_at is None else [rule.release_at]
    if rule.release_after_days is not None and enrollment is not None:
        moments.append(enrollment.enrolled_at + timedelta(days=rule.release_after_days))
    return max(moments, default=None)


def open_lessons(course: Planned, enrollment: Enrollment, now: datetime) -> Sequence[str]:
    """The published lessons that are open to a student, in their order."""
    return [one for one in course.published_lesson_ids if lock_of(course, one, enrollment, now) is None]


def is_lesson_shown(course: Planned, lesson_id: str | None) -> bool:
    """Do students know of the lesson that something belongs to? What belongs to none, or to one that is gone, is the course's."""
    return lesson_id is None or lesson_id not in hidden_lessons(course)


def hidden_lessons(course: Planned) -> set[str]:
    """The lessons of which students do not know: what belongs to them is not there for students."""
    return set(course.lesson_ids) - set(course.published_lesson_ids)


def there_for_students(courses: Iterable[CourseHead]) -> dict[str, Any]:
    """Which quizzes or assignments of these courses are there for students, as a filter: published, and so their lessons."""
    known = list(courses)
    hidden = sorted(lesson_id for course in known for lesson_id in hidden_lessons(course))
    wanted: dict[str, Any] = {"course_id": {"$in": [course.id for course in known]}, "is_published": True}
    return wanted | ({"lesson_id": {"$nin": hidden}} if hidden else {})


def refuse_locked(course: Planned, lesson_id: str | None, enrollment: Enrollment | None, now: datetime) -> None:
    """403 `forbidden` for what belongs to a lesson that is not open to a student yet. Ask this of students alone."""
    lock = None if lesson_id is None else lock_of(course, lesson_id, enrollment, now)
    if lock is not None:
        raise Refused(
            Code.FORBIDDEN, "This lesson is not open yet.", missing=list(lock.missing), unlocks_at=lock.unlocks_at
        )


def _is_completed(enrollment: Enrollment, lesson_id: str) -> bool:
    return enrollment.progress_in(lesson_id).status == ProgressStatus.COMPLETED
