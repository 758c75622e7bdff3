"""Enrolments as their readers see them, and as listeners hear of them. Pure."""

from __future__ import annotations

from typing import Any

from documents.base import Row
from documents.course import CourseHead
from documents.enrollment import Enrollment
from documents.enums import CourseAccess, ProgressStatus
from lms_rt.clock import from_ms
from lms_rt.contracts.base import hundredths_text
from lms_rt.contracts.enrollments import AttemptSummaryView, EnrollmentView, LessonProgressView, RosterView
from lms_rt.services.learning import completed_lessons, percentage

_SAME = (
    "id", "student_id", "course_id", "status", "total_time_spent_seconds", "last_accessed_at", "rating", "review",
    "certificate_issued_at", "payment_id", "enrolled_at", "started_at", "completed_at", "version", "created_at",
    "updated_at",
)  # fmt: skip


def _lesson_ids(enrollment: Enrollment, course: CourseHead | None) -> list[str]:
    """The published lessons; of a course that is gone, what was begun in it."""
    return list(enrollment.progress) if course is None else course.published_lesson_ids


def progress_row(enrollment: Enrollment, lesson_id: str) -> LessonProgressView:
    """How far the student is in one lesson."""
    row = enrollment.progress_in(lesson_id)
    return LessonProgressView(lesson_id=lesson_id, **row.model_dump(exclude={"watched"}))


def _figures(enrollment: Enrollment, course: CourseHead | None) -> dict[str, int]:
    lesson_ids = _lesson_ids(enrollment, course)
    done = len(completed_lessons(enrollment, lesson_ids))
    return {
        "progress_percentage": percentage(done, len(lesson_ids)),
        "completed_lessons_count": done,
        "total_lessons_count": len(lesson_ids),
    }


def enrollment_view(enrollment: Enrollment, course: CourseHead | None) -> EnrollmentView:
    """One enrolment, with a row for every published lesson."""
    return EnrollmentView(
        **{name: getattr(enrollment, name) for name in _SAME},
        **_figures(enrollment, course),
        access=enrollment.access or CourseAccess.FREE,
        course_title=None if course is None else course.title,
        course_slug=None if course is None else course.slug,
        expires_at=None if enrollment.expires_ms is None else from_ms(enrollment.expires_ms),
        attempts=[AttemptSummaryView(**one.model_dump(exclude={"attempt_version"})) for one in enrollment.attempts],
        progress=[progress_row(enrollment, lesson_id) for lesson_id in _lesson_ids(enrollment, course)],
    )


def roster_view(enrollment: Enrollment, course: CourseHead, person: Row) -> RosterView:
    """One student in the roster of a course."""
    return RosterView(
        enrollment_id=enrollment.id,
        student_id=enrollment.student_id,
        full_name=person.get("full_name"),
        email=person.get("email"),
        status=enrollment.status,
        group=enrollment.group,
        total_time_spent_seconds=enrollment.total_time_spent_seconds,
        enrolled_at=enrollment.enrolled_at,
        last_accessed_at=enrollment.last_accessed_at,
        completed_at=enrollment.completed_at,
        **_figures(enrollment, course),
    )


def progress_data(enrollment: Enrollment, course: CourseHead | None, lesson_id: str | None = None) -> dict[str, Any]:
    """What `progress_updated` says."""
    figures: dict[str, Any] = dict(_figures(enrollment, course))
    row = None if lesson_id is None else progress_row(enrollment, lesson_id).model_dump(mode="json")
    return {
        "enrollment_id": enrollment.id,
        "course_id": enrollment.course_id,
        "lesson_id": lesson_id,
        "status": enrollment.status,
        **figures,
        "progress_percentage": hundredths_text(figures["progress_percentage"]),
        "progress": row,
    }


def lesson_completed_data(enrollment: Enrollment, course: CourseHead | None, lesson_id: str) -> dict[str, Any]:
    """What `lesson_completed` says; `progress` is the course's percentage now."""
    return {
        "enrollment_id": enrollment.id,
        "course_id": enrollment.course_id,
        "lesson_id": lesson_id,
        "progress": hundredths_text(_figures(enrollment, course)["progress_percentage"]),
    }


def is_completed(enrollment: Enrollment, lesson_id: str) -> bool:
    """Did the student complete the lesson?"""
    return enrollment.progress_in(lesson_id).status == ProgressStatus.COMPLETED
