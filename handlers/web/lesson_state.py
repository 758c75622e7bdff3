"""How a lesson stands to its reader: what is asked, what is done of it, why it is locked. For the player's page; no rules."""

from __future__ import annotations

from typing import Any

from babel import Locale, localedata

from lms_rt.contracts.courses import CourseDetailView
from lms_rt.contracts.enrollments import EnrollmentView
from lms_rt.contracts.files import FileView
from lms_rt.contracts.lessons import LessonView

Shown = dict[str, Any]


def lock_of(course: CourseDetailView, lesson: LessonView) -> Shown | None:
    """Why the lesson is closed: the lessons to be completed before, and the moment; None: it is open."""
    if not lesson.is_locked:
        return None
    by_id = {other.id: other for other in course.lessons}
    missing = [by_id[one] for one in lesson.missing_lesson_ids if one in by_id]
    return {"missing": [{"title": one.title, "slug": one.slug} for one in missing], "unlocks_at": lesson.unlocks_at}


def track_of(file: FileView, language: str) -> Shown:
    """Captions as the player takes them: the end of the name tells the language, else it is that of the page."""
    stem = file.original_filename.rpartition(".")[0]
    named, _, code = stem.rpartition(".")
    is_told = bool(named) and len(code) in (2, 3) and code.isascii() and localedata.exists(code.lower())
    label = Locale(code.lower()).display_name if is_told else stem
    src = f"{file.file_url}?disposition=inline"
    return {"src": src, "language": code.lower() if is_told else language, "label": label}


def quiz_of(lesson: LessonView, enrollment: EnrollmentView | None) -> Shown | None:
    """The lesson's quiz and how the reader did: begun, passed, not passed, or not begun. None: it has none."""
    if lesson.quiz_id is None:
        return None
    attempts = [] if enrollment is None else [one for one in enrollment.attempts if one.quiz_id == lesson.quiz_id]
    graded = [one for one in attempts if one.percentage is not None]
    best = max((one.percentage or 0 for one in graded), default=None)
    if any(one.is_passed for one in graded):
        state = "passed"
    elif any(one.status in {"in_progress", "paused"} for one in attempts):
        state = "running"
    else:
        state = "failed" if graded else "waiting" if attempts else "none"
    is_needed = "passed" in lesson.completes_when
    return {
        "id": lesson.quiz_id,
        "state": state,
        "best": best and best / 100,
        "tried": len(attempts),
        "is_needed": is_needed,
    }


def moments_of(course: CourseDetailView) -> list[Shown]:
    """The lessons that the clock will open, for the page's script."""
    return [
        {"lesson_id": lesson.id, "unlocks_ms": round(lesson.unlocks_at.timestamp() * 1000)}
        for lesson in course.lessons
        if lesson.is_locked and lesson.unlocks_at is not None
    ]


def next_lesson(course: CourseDetailView, enrollment: EnrollmentView | None) -> LessonView | None:
    """Where the reader goes on: the first lesson that is open and not completed, else the first that is left, else the first."""
    done = {row.lesson_id for row in enrollment.progress if row.status == "completed"} if enrollment else set()
    left = [lesson for lesson in course.lessons if lesson.id not in done]
    open_ones = [lesson for lesson in left if not lesson.is_locked]
    return next(iter([*open_ones, *left, *course.lessons]), None)
