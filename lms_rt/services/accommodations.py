"""Accommodations: who gets more time, and what a quiz's times are for one student. The formula is `deadlines.py`.

A quiz's own profile holds instead of the course's. What an attempt was given at its start stays: changing a profile moves
nothing in an attempt that runs (a teacher extends it instead).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from documents.accommodation import Accommodation, key_of
from documents.base import Row
from documents.course import CourseHead
from documents.enrollment import Enrollment
from documents.names import names_of
from lms_rt.clock import Clock, from_ms, to_ms
from lms_rt.contracts.accommodations import (
    AccommodationDraft,
    AccommodationQuery,
    AccommodationShown,
    AccommodationView,
    YourTimeView,
)
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.errors import Code, Refused, invalid
from lms_rt.security.access.courses import require_taught_course
from lms_rt.security.access.quizzes import require_taught_quiz
from lms_rt.security.permissions import Permission
from lms_rt.services.audit import Audit
from lms_rt.services.deadlines import NO_PROFILE, Profile, Sitting, sitting_of

_FIELDS = ("factor_percent", "extra_minutes", "break_minutes", "stretches_closing")


class WasSet(NamedTuple):
    """A profile, and whether its student had none there."""

    view: AccommodationView
    is_new: bool


class Accommodations:
    """Profiles of more time, for those who teach a course."""

    def __init__(self, *, clock: Clock, audit: Audit) -> None:
        self._clock, self._audit = clock, audit

    async def list_of_course(self, actor: Actor, course_id: str, query: AccommodationQuery) -> Page[AccommodationView]:
        """The profiles that hold in the whole course."""
        course = await require_taught_course(actor, course_id, Permission.QUIZZES_MANAGE)
        wanted: Row = {"course_id": course.id, "quiz_id": {"$exists": False}}
        return await _page(wanted, query, None)

    async def list_of_quiz(self, actor: Actor, quiz_id: str, query: AccommodationQuery) -> Page[AccommodationView]:
        """The profiles that hold at a quiz: its own, and the course's."""
        course = (await require_taught_quiz(actor, quiz_id, Permission.QUIZZES_MANAGE)).course
        wanted: Row = {"course_id": course.id, "$or": [{"quiz_id": quiz_id}, {"quiz_id": {"$exists": False}}]}
        return await _page(wanted, query, quiz_id)

    async def set_in_course(self, actor: Actor, course_id: str, draft: AccommodationDraft) -> WasSet:
        """Give a student more time at all quizzes of a course that say nothing else."""
        course = await require_taught_course(actor, course_id, Permission.QUIZZES_MANAGE)
        return await self._set(actor, course, None, draft)

    async def set_at_quiz(self, actor: Actor, quiz_id: str, draft: AccommodationDraft) -> WasSet:
        """Give a student more time at one quiz, whatever holds in the course."""
        course = (await require_taught_quiz(actor, quiz_id, Permission.QUIZZES_MANAGE)).course
        return await self._set(actor, course, quiz_id, draft)

    async def remove_in_course(self, actor: Actor, course_id: str, student_id: str) -> None:
        """Take a course's profile of a student away."""
        course = await require_taught_course(actor, course_id, Permission.QUIZZES_MANAGE)
        await self._remove(actor, key_of(course.id, student_id), student_id)

    async def remove_at_quiz(self, actor: Actor, quiz_id: str, student_id: str) -> None:
        """Take a quiz's profile of a student away: then the course's holds."""
        await require_taught_quiz(actor, quiz_id, Permission.QUIZZES_MANAGE)
        await self._remove(actor, key_of(quiz_id, student_id), student_id)

    async def _set(self, actor: Actor, course: CourseHead, quiz_id: str | None, draft: AccommodationDraft) -> WasSet:
        if await Enrollment.find_of(draft.student_id, course.id) is None:
            raise invalid("student_id", "The course has no such student.", "unknown")
        key, at = key_of(quiz_id or course.id, draft.student_id), self._clock.now()
        before, profile = await Accommodation.find_row(key), draft.profile()
        await self._audit.record(
            actor,
            "accommodation.set",
            kind="accommodation",
            target_id=key,
            before=None if before is None else {name: before[name] for name in _FIELDS},
            after=profile,
            person_id=draft.student_id,
        )
        fixed: Row = {"course_id": course.id, "student_id": draft.student_id}
        if quiz_id is not None:
            fixed["quiz_id"] = quiz_id
        row, is_new = await Accommodation.put(key, {**profile, "set_by": actor.user_id}, fixed, at)
        names = await names_of([draft.student_id])
        return WasSet(_view(row, names, is_in_force=True), is_new)

    async def _remove(self, actor: Actor, key: str, student_id: str) -> None:
        before = await Accommodation.find_row(key)
        if before is None:
            raise Refused(Code.NOT_FOUND)
        await self._audit.record(
            actor,
            "accommodation.remove",
            kind="accommodation",
            target_id=key,
            before={name: before[name] for name in _FIELDS},
            person_id=student_id,
        )
        await Accommodation.remove(key)


# --- what a quiz's times are for one student ---


def profile_of(row: Row | None) -> Profile:
    """A stored profile as the formula takes it."""
    return NO_PROFILE if row is None else Profile(**{name: row[name] for name in _FIELDS})


def times_of_quiz(quiz: Row, row: Row | None) -> Sitting:
    """A quiz's limit and closing time for one with this profile (None: none)."""
    opens_at, closes_at = quiz.get("opens_at"), quiz.get("closes_at")
    return sitting_of(
        limit_minutes=quiz.get("time_limit_minutes"),
        opens_ms=None if opens_at is None else to_ms(opens_at),
        closes_ms=None if closes_at is None else to_ms(closes_at),
        profile=profile_of(row),
    )


def snapshot(row: Row | None) -> dict[str, Any] | None:
    """What an attempt keeps of the profile that it began with."""
    if row is None or profile_of(row).is_plain:
        return None
    return {"source": "quiz" if row.get("quiz_id") else "course", **{name: row[name] for name in _FIELDS}}


def shown(kept: Mapping[str, Any] | None) -> AccommodationShown | None:
    """A snapshot as its student sees it."""
    if kept is None:
        return None
    return AccommodationShown(source=kept["source"], factor=kept["factor_percent"], **{n: kept[n] for n in _FIELDS})


def your_time(quiz: Row, row: Row | None) -> YourTimeView:
    """A quiz's times for its reader, and why."""
    times = times_of_quiz(quiz, row)
    return YourTimeView(
        limit_seconds=None if times.limit_ms is None else times.limit_ms // 1000,
        closes_at=None if times.closes_ms is None else from_ms(times.closes_ms),
        accommodation=shown(snapshot(row)),
    )


async def your_times(student_id: str, quizzes: Iterable[Row]) -> dict[str, YourTimeView]:
    """The same for many quizzes, by quiz."""
    known = list(quizzes)
    places = {quiz["_id"] for quiz in known} | {quiz["course_id"] for quiz in known}
    found = await Accommodation.find_of_student(student_id, places)
    return {quiz["_id"]: your_time(quiz, found.get(quiz["_id"]) or found.get(quiz["course_id"])) for quiz in known}


async def _page(wanted: Row, query: AccommodationQuery, quiz_id: str | None) -> Page[AccommodationView]:
    if query.student_id is not None:
        wanted["student_id"] = query.student_id
    rows, total = await Accommodation.page_of(wanted, skip=query.skip, limit=query.page_size)
    names = await names_of(row["student_id"] for row in rows)
    overridden: set[str] = set()
    if quiz_id is not None and rows:
        overridden = await Accommodation.students_with_own(quiz_id, {row["student_id"] for row in rows})
    return page_of(
        [_view(row, names, is_in_force="quiz_id" in row or row["student_id"] not in overridden) for row in rows],
        query,
        total,
    )


def _view(row: Row, names: Mapping[str, Row], *, is_in_force: bool) -> AccommodationView:
    return AccommodationView(
        source="quiz" if row.get("quiz_id") else "course",
        factor=row["factor_percent"],
        **{name: row[name] for name in _FIELDS},
        course_id=row["course_id"],
        quiz_id=row.get("quiz_id"),
        student_id=row["student_id"],
        full_name=names.get(row["student_id"], {}).get("full_name"),
        is_in_force=is_in_force,
        set_by=row["set_by"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
