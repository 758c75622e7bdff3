"""Teachers at the border: what they say of themselves, what everybody sees, and how their courses get on. No rules."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, StringConstraints

from lms_rt.contracts.base import Change, Hundredths, Instant, Line, PageQuery, Title, View
from lms_rt.contracts.courses import CourseView
from lms_rt.contracts.revenue import MoneySum, RevenueDaysQuery, RevenueOfDay, RevenueSum

Expertise = Annotated[list[Title], Field(max_length=30)]
Bio = Annotated[str, StringConstraints(max_length=10_000)]


class InstructorView(View):
    """A teacher. Courses, students and ratings are those of published courses."""

    id: str
    user_id: str
    full_name: str
    title: str | None
    bio: str | None
    expertise: list[str]
    avatar_file_id: str | None
    courses_count: int
    students_count: int
    rating_average: Hundredths | None
    version: int
    created_at: Instant
    updated_at: Instant


class InstructorProfileView(InstructorView):
    """A teacher as everybody sees them, with the newest of their published courses; all are at `/courses?instructor_id=`."""

    courses: list[CourseView]


class InstructorChange(Change):
    """What teachers change of their profile. Null takes title or bio away."""

    read_only: ClassVar[frozenset[str]] = frozenset(InstructorView.model_fields) - {"title", "bio", "expertise"}

    title: Line | None = None
    bio: Bio | None = None
    expertise: Expertise = Field(default_factory=list)


class DashboardQuery(PageQuery, RevenueDaysQuery):
    """Which of one's own courses, the newest first, and of which days their revenue is told: the last twelve months'."""


class CourseFiguresView(View):
    """How one course gets on.

    `completion_rate` is completed of all ever enrolled, `average_score` that of graded attempts, `pass_rate` how many of
    these passed; `active_students_30d` have opened it in the last 30 days. All of them are percentages, null of nothing.
    `revenue` is what was left of what was paid for it, each currency alone; `revenue_parts` what came, and what went back.
    """

    course_id: str
    title: str
    slug: str
    is_published: bool
    total_enrollments: int
    active: int
    completed: int
    dropped: int
    expired: int
    completion_rate: Hundredths | None
    active_students_30d: int
    rating_average: Hundredths | None
    ratings_count: int
    quizzes_count: int
    attempts_count: int
    average_score: Hundredths | None
    pass_rate: Hundredths | None
    revenue: list[MoneySum]
    revenue_parts: list[RevenueSum]


class DashboardTotalsView(View):
    """All of one's courses together; somebody in two of them is one student. Months in which no money moved are left out."""

    courses: int
    published_courses: int
    students: int
    rating_average: Hundredths | None
    ratings_count: int
    revenue: list[MoneySum]
    revenue_parts: list[RevenueSum]
    revenue_by_month: list[RevenueOfDay]


class InstructorDashboardView(View):
    """A teacher's courses in figures, a page at a time; revenue is that of the days `from` to `to` of `timezone`."""

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)

    as_of: Instant
    from_: date = Field(alias="from")
    to: date
    timezone: str
    totals: DashboardTotalsView
    items: list[CourseFiguresView]
    page: int
    page_size: int
    total: int
    pages: int
