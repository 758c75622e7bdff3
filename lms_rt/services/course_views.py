"""Courses and lessons as their readers see them: what is shown to whom, once it is decided who reads. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from documents.base import Row
from documents.course import Course, Lesson
from documents.enrollment import Enrollment
from documents.lesson_quiz import LessonQuiz
from lms_rt.contracts.courses import CourseDetailView, CourseView
from lms_rt.contracts.lessons import LessonView
from lms_rt.security.access.lessons import Lock, lock_of
from lms_rt.services.lesson_rules import asked_of
from lms_rt.services.rendering import render

_OPTIONAL = (
    "description", "short_description", "category", "difficulty_level", "thumbnail_url", "estimated_duration_minutes",
    "minimum_minutes", "access_days", "rating_average",
)  # fmt: skip
_REQUIRED = (
    "title", "slug", "instructor_id", "tags", "price", "currency", "is_published", "is_archived", "enrollments_count",
    "ratings_count", "metadata", "version", "created_at", "updated_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a course: its teachers see drafts too, and they and its learners the content of every lesson.

    Lessons that are `now` locked to the `enrollment` are closed to its learner; without `now` nothing is.
    """

    is_teacher: bool = False
    is_learner: bool = False
    enrollment: Enrollment | None = None
    now: datetime | None = None

    @property
    def enrollment_id(self) -> str | None:
        """The reader's own enrolment, if there is one."""
        return None if self.enrollment is None else self.enrollment.id

    def can_see(self, lesson: Lesson) -> bool:
        """May the reader know of the lesson?"""
        return self.is_teacher or lesson.is_published

    def may_read(self, lesson: Lesson) -> bool:
        """May the reader see its content, once it is open?"""
        return self.is_teacher or self.is_learner or lesson.is_free

    def lock_of(self, course: Course, lesson: Lesson) -> Lock | None:
        """What keeps the lesson closed to the reader."""
        if self.is_teacher or self.now is None:
            return None
        return lock_of(course, lesson.id, self.enrollment if self.is_learner else None, self.now)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a course's view shows of other documents: people's names, and the quizzes and assignments of its lessons."""

    names: Mapping[str, Row] = field(default_factory=dict)
    quizzes: Mapping[str, LessonQuiz] = field(default_factory=dict)
    assignments: Mapping[str, Sequence[str]] = field(default_factory=dict)


_NO_LOCK = Lock()
_WITHHELD = {"content", "video_url", "file_id", "caption_file_ids"}


def _html(markdown: str | None) -> str | None:
    return None if markdown is None else render(markdown)


def _shown_fields(row: Row, reader: Reader, names: Mapping[str, Row]) -> dict[str, Any]:
    lesson_ids = row["lesson_ids" if reader.is_teacher else "published_lesson_ids"]
    return {
        "id": row["_id"],
        **{name: row.get(name) for name in _OPTIONAL},
        **{name: row[name] for name in _REQUIRED},
        "instructor_name": names.get(row["instructor_id"], {}).get("full_name"),
        "is_free": row["price"] == 0,
        "lessons_count": len(lesson_ids),
    }


def course_view(row: Row, reader: Reader, names: Mapping[str, Row]) -> CourseView:
    """A course in a list, from its row. Readers who do not teach it count its published lessons only."""
    return CourseView(**_shown_fields(row, reader, names))


def course_detail_view(course: Course, reader: Reader, around: Surroundings) -> CourseDetailView:
    """One course with the lessons that the reader may know of."""
    row = {"_id": course.id, **{name: getattr(course, name) for name in (*_OPTIONAL, *_REQUIRED)}}
    row.update(lesson_ids=course.lesson_ids, published_lesson_ids=course.published_lesson_ids)
    return CourseDetailView(
        **_shown_fields(row, reader, around.names),
        description_html=_html(course.description),
        lessons=lesson_views(course, reader, around),
        enrollment_id=reader.enrollment_id,
    )


def lesson_views(course: Course, reader: Reader, around: Surroundings) -> list[LessonView]:
    """The lessons that the reader may know of, in their order."""
    return [lesson_view(course, lesson, reader, around) for lesson in course.ordered_lessons if reader.can_see(lesson)]


def lesson_view(course: Course, lesson: Lesson, reader: Reader, around: Surroundings) -> LessonView:
    """A lesson, with its content when the reader may see that, and it is open."""
    found = reader.lock_of(course, lesson)
    lock, is_shown = found or _NO_LOCK, found is None and reader.may_read(lesson)
    quiz, assignments = around.quizzes.get(lesson.id), around.assignments.get(lesson.id, ())
    return LessonView(
        course_id=course.id,
        content_html=_html(lesson.content) if is_shown else None,
        completes_when=asked_of(course.rule_of(lesson.id), quiz, assignments),
        is_locked=found is not None,
        unlocks_at=lock.unlocks_at,
        missing_lesson_ids=list(lock.missing),
        order=course.lesson_ids.index(lesson.id) + 1,
        quiz_id=None if quiz is None else quiz.quiz_id,
        assignment_ids=list(assignments),
        **{name: getattr(lesson, name) if is_shown else None for name in _WITHHELD},
        **lesson.model_dump(exclude=_WITHHELD),
    )
