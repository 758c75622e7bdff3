"""Teachers: what they say of themselves, what everybody may see of them, and how their courses get on.

A teacher is whoever has that role, and whoever else may teach and has a published course. Whose account is closed is not
there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from documents.base import Row
from documents.course import Course
from documents.course_figures import courses_of, opened_since, quizzes_in, scores_of, statuses_in
from documents.enrollment import PRESENT, Enrollment
from documents.enums import EnrollmentStatus, Role
from documents.instructor import Instructor
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import page_of, refuse_changed_read_only
from lms_rt.contracts.instructors import (
    CourseFiguresView,
    DashboardQuery,
    DashboardTotalsView,
    InstructorChange,
    InstructorDashboardView,
    InstructorProfileView,
    InstructorView,
)
from lms_rt.contracts.outbox import Write, audited
from lms_rt.contracts.revenue import RevenueSum
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import TEACHING, permissions_of
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.course_views import Reader, course_view
from lms_rt.services.learning import percentage
from lms_rt.services.payments.revenue import RevenueOfSeveral, left_of, revenue_of
from lms_rt.services.relay import Relay

SHOWN_COURSES = 20
LATELY = timedelta(days=30)


class Instructors:
    """What can be done with teachers."""

    def __init__(self, *, clock: Clock, relay: Relay) -> None:
        self._clock, self._relay = clock, relay

    async def me(self, actor: Actor) -> InstructorView:
        """The actor's own profile."""
        user = await _require_user(actor.user_id)
        return await _view(user, await _profile(user), await courses_of(user.id))

    async def update_me(
        self, actor: Actor, change: InstructorChange, *, expected_version: int | None = None
    ) -> InstructorView:
        """Change it."""
        user = await _require_user(actor.user_id)
        given = {name: value or None if name != "expertise" else value for name, value in change.given().items()}

        async def step() -> Instructor | None:
            profile = await _profile(user)
            refuse_other_version(profile.version, expected_version)
            refuse_changed_read_only(change, await _view(user, profile, await courses_of(user.id)))
            fields = {name: value for name, value in given.items() if getattr(profile, name) != value}
            return profile if not fields else await self._write(actor, profile, fields)

        profile = await until_written(step)
        await self._relay.hand_over(Instructor, profile.id)
        return await _view(user, profile, await courses_of(user.id))

    async def show(self, user_id: str) -> InstructorProfileView:
        """A teacher as everybody sees them."""
        published = {"instructor_id": user_id, "is_published": True, "is_archived": False}
        user, courses, (rows, total) = await asyncio.gather(  # whoever it is: who is hidden takes no longer than nobody
            User.find_by_id(user_id),
            courses_of(user_id),
            Course.page(published, [("created_at", -1)], skip=0, limit=SHOWN_COURSES),
        )
        if user is None or not user.is_active or _permissions(user).isdisjoint(TEACHING):
            raise Refused(Code.NOT_FOUND)
        if user.role != Role.INSTRUCTOR and not total:
            raise Refused(Code.NOT_FOUND)
        names: Mapping[str, Row] = {user.id: {"full_name": user.full_name}}
        view = await _view(user, await _profile(user), courses)
        return InstructorProfileView(**dict(view), courses=[course_view(row, Reader(), names) for row in rows])

    async def dashboard(self, actor: Actor, query: DashboardQuery) -> InstructorDashboardView:
        """How the actor's own courses get on."""
        now, courses = self._clock.now(), await courses_of(actor.user_id)
        kept = [row for row in courses if not row["is_archived"]]
        shown = kept[query.skip : query.skip + query.page_size]
        ids = [row["_id"] for row in shown]
        every = [row["_id"] for row in kept]
        statuses, lately, quizzes, students, revenue = await asyncio.gather(
            statuses_in(ids),
            opened_since(ids, now - LATELY),
            quizzes_in(ids),
            _students(every),
            revenue_of(actor, every, query, now),
        )
        scores = await scores_of([quiz_id for found in quizzes.values() for quiz_id in found])
        views = [
            _figures(
                row,
                statuses.get(row["_id"], {}),
                scores.get(row["_id"], {}),
                active_students_30d=lately.get(row["_id"], 0),
                quizzes_count=len(quizzes.get(row["_id"], ())),
                revenue=revenue.by_course.get(row["_id"], []),
            )
            for row in shown
        ]
        return InstructorDashboardView(
            as_of=now,
            from_=revenue.first,
            to=revenue.last,
            timezone=revenue.timezone,
            totals=_totals(kept, students, revenue),
            **dict(page_of(views, query, len(kept))),
        )

    async def _write(self, actor: Actor, profile: Instructor, fields: dict[str, Any]) -> Instructor | None:
        at = self._clock.now()
        await Instructor.begin(profile.id, profile.created_at)
        before = {name: getattr(profile, name) for name in fields}
        act: dict[str, Any] = {"kind": "instructor", "target_id": profile.id, "person_id": profile.id}
        intents = audited(
            Write(profile.version + 1, at), actor, "instructor.change", **act, before=before, after=fields
        )
        if not await Instructor.change_at(profile.id, profile.version, fields, intents=intents, at=at):
            return None
        written: Instructor = profile.model_copy(update={**fields, "version": profile.version + 1, "updated_at": at})
        return written


def _permissions(user: User) -> frozenset[str]:
    return permissions_of(Role(user.role), user.permissions)


async def _require_user(user_id: str) -> User:
    user = await User.find_by_id(user_id)
    if user is None:
        raise Refused(Code.NOT_FOUND)
    return user


async def _profile(user: User) -> Instructor:
    """What they wrote, or the empty profile that they begin with."""
    begun = Instructor(id=user.id, user_id=user.id, created_at=user.created_at, updated_at=user.created_at)
    return await Instructor.find_of(user.id) or begun


async def _students(course_ids: Sequence[str]) -> int:
    return await Enrollment.count_students(course_ids, PRESENT)


async def _view(user: User, profile: Instructor, courses: Sequence[Row]) -> InstructorView:
    published = [row for row in courses if row["is_published"] and not row["is_archived"]]
    return InstructorView(
        id=user.id,
        user_id=user.id,
        full_name=user.full_name,
        title=profile.title,
        bio=profile.bio,
        expertise=profile.expertise,
        avatar_file_id=user.avatar_file_id,
        courses_count=len(published),
        students_count=await _students([row["_id"] for row in published]),
        rating_average=_rating(published),
        version=profile.version,
        created_at=profile.created_at,
        updated_at=profile.updated_at,
    )


def _rating(courses: Sequence[Row]) -> int | None:
    """The average over all ratings, in hundredths, half up."""
    count = sum(row["ratings_count"] for row in courses)
    total = sum((row.get("rating_average") or 0) * row["ratings_count"] for row in courses)
    return (2 * total + count) // (2 * count) if count else None


def _totals(courses: Sequence[Row], students: int, revenue: RevenueOfSeveral) -> DashboardTotalsView:
    return DashboardTotalsView(
        courses=len(courses),
        published_courses=sum(row["is_published"] for row in courses),
        students=students,
        rating_average=_rating(courses),
        ratings_count=sum(row["ratings_count"] for row in courses),
        revenue=left_of(revenue.totals),
        revenue_parts=revenue.totals,
        revenue_by_month=revenue.by_month,
    )


def _figures(
    row: Row,
    statuses: Mapping[str, int],
    scores: Row,
    *,
    active_students_30d: int,
    quizzes_count: int,
    revenue: list[RevenueSum],
) -> CourseFiguresView:
    total, attempts = sum(statuses.values()), scores.get("count", 0)
    by_status = {status.value: statuses.get(status.value, 0) for status in EnrollmentStatus}
    return CourseFiguresView(
        course_id=row["_id"],
        **{name: row[name] for name in ("title", "slug", "is_published", "ratings_count")},
        rating_average=row.get("rating_average"),
        total_enrollments=total,
        **by_status,
        completion_rate=percentage(by_status["completed"], total) if total else None,
        active_students_30d=active_students_30d,
        quizzes_count=quizzes_count,
        attempts_count=attempts,
        average_score=(2 * scores["sum"] + attempts) // (2 * attempts) if attempts else None,
        revenue=left_of(revenue),
        revenue_parts=revenue,
        pass_rate=percentage(scores["passed"], attempts) if attempts else None,
    )
