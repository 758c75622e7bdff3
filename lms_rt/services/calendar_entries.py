"""What stands in somebody's calendar: when their quizzes open and close, what is due, what lessons open. By their own times.

Who learns sees what is theirs, with the time that they were granted; who teaches sees what holds for everybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from documents import gradebook as stored
from documents.accommodation import Accommodation
from documents.assignment import Assignment
from documents.base import Row
from documents.course import Course, CourseHead
from documents.enrollment import PRESENT, Enrollment, is_present_row
from documents.lesson_names import names_of_lessons
from lms_rt.clock import from_ms, to_ms
from lms_rt.contracts.actor import Actor
from lms_rt.security.access.courses import is_visible, may_teach
from lms_rt.security.access.lessons import opens_at_of
from lms_rt.services.accommodations import times_of_quiz
from lms_rt.services.late_penalty import terms_of

WINDOW = timedelta(hours=24)
"""A quiz that is open no longer is one entry from its opening to its closing; a longer one two moments."""
BEHIND, AHEAD = timedelta(days=90), timedelta(days=730)
MOST = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `key` stays the same for ever; `kind` is window, opens, closes, due or release."""

    key: str
    kind: str
    title: str
    course: str
    path: str
    starts_at: datetime
    ends_at: datetime | None = None


async def entries_of(actor: Actor, now: datetime) -> list[Entry]:
    """What is in somebody's calendar now, the earliest first; of more than there is room for, what is nearest to now."""
    learned = await _learned(actor, now)
    taught = await _taught(actor)
    found = {entry.key: entry for entry in taught}
    found |= {entry.key: entry for entry in learned}
    shown = [one for one in found.values() if now - BEHIND <= one.starts_at <= now + AHEAD]
    nearest = sorted(shown, key=lambda one: (abs(one.starts_at - now), one.key))[:MOST]
    return sorted(nearest, key=lambda one: (one.starts_at, one.key))


async def _learned(actor: Actor, now: datetime) -> list[Entry]:
    """What somebody learns: published courses that they are in."""
    wanted = {"student_id": actor.user_id, "status": {"$in": list(PRESENT)}}
    rows = await Enrollment.rows().find(wanted, {"outbox": 0, "progress": 0, "attempts": 0}).to_list(None)
    present = [Enrollment.model_validate(row) for row in rows if is_present_row(row, to_ms(now))]
    own = {one.course_id: one for one in present}
    heads = await Course.heads(own)
    courses = {one: head for one, head in heads.items() if is_visible(actor, head)}
    quizzes = await stored.quizzes_of_courses(courses)
    places = set(courses) | {row["_id"] for row in quizzes}
    profiles = await Accommodation.find_of_student(actor.user_id, places)
    found: list[Entry] = []
    for quiz in quizzes:
        profile = profiles.get(quiz["_id"]) or profiles.get(quiz["course_id"])
        closes_ms = times_of_quiz(quiz, profile).closes_ms
        closes_at = None if closes_ms is None else from_ms(closes_ms)
        found += _of_quiz(quiz, courses[quiz["course_id"]], closes_at)
    for row in await Assignment.find_of_courses(courses):
        terms = terms_of(row, actor.user_id, own[row["course_id"]].group)
        found += _of_assignment(row, courses[row["course_id"]], terms.due_at)
    for course_id, course in courses.items():
        found += await _released(course, own[course_id], now)
    return found


async def _released(course: CourseHead, enrollment: Enrollment, now: datetime) -> list[Entry]:
    """The lessons of a course that open to a student at some moment."""
    moments: dict[str, datetime] = {}
    for lesson_id in course.published_lesson_ids:
        opens_at = opens_at_of(course.rule_of(lesson_id), enrollment)
        if opens_at is not None and now - BEHIND <= opens_at <= now + AHEAD:
            moments[lesson_id] = opens_at
    named = await names_of_lessons(course.id, moments)
    return [
        Entry(
            lesson_id, "release", row["title"], course.title, f"/learn/{course.slug}/{row['slug']}", moments[lesson_id]
        )
        for lesson_id, row in named.items()
    ]


async def _taught(actor: Actor) -> list[Entry]:
    """What somebody teaches: their own courses that are not put away."""
    if not may_teach(actor):
        return []
    heads = await Course.heads(await Course.ids_of_instructor(actor.user_id))
    courses = {one: head for one, head in heads.items() if not head.is_archived}
    found: list[Entry] = []
    for quiz in await stored.quizzes_of_courses(courses):
        entries = _of_quiz(quiz, courses[quiz["course_id"]], quiz.get("closes_at"))
        found += [replace(one, path=f"/teach{one.path}") for one in entries]
    for row in await Assignment.find_of_courses(courses):
        entries = _of_assignment(row, courses[row["course_id"]], row.get("due_date"))
        found += [replace(one, path=f"/teach{one.path}") for one in entries]
    return found


def _of_quiz(quiz: Row, course: CourseHead, closes_at: datetime | None) -> Iterator[Entry]:
    opens_at: datetime | None = quiz.get("opens_at")
    shown = {"title": quiz["title"], "course": course.title, "path": f"/quizzes/{quiz['_id']}"}
    if opens_at is not None and closes_at is not None and timedelta() < closes_at - opens_at <= WINDOW:
        yield Entry(quiz["_id"], "window", starts_at=opens_at, ends_at=closes_at, **shown)
        return
    if closes_at is not None:
        yield Entry(quiz["_id"], "closes", starts_at=closes_at, **shown)
    if opens_at is not None:
        yield Entry(f"{quiz['_id']}-opens", "opens", starts_at=opens_at, **shown)


def _of_assignment(row: Row, course: CourseHead, due_at: datetime | None) -> Iterator[Entry]:
    if due_at is not None:
        yield Entry(row["_id"], "due", row["title"], course.title, f"/assignments/{row['_id']}", due_at)
