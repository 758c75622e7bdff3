"""Revenue at the border: what is asked, and how it is told. Amounts are minor units, each of its currency alone. No rules."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lms_rt.contracts.accounts import TimezoneName
from lms_rt.contracts.base import IdFilter, View
from lms_rt.contracts.money import CurrencyIn
from lms_rt.contracts.payments import GatewayWord

MAX_DAYS = 366
"""So many days are told at once."""

Interval = Literal["day", "week", "month"]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2200, 1, 1))]


class RevenueDaysQuery(BaseModel):
    """Which days. `from` and `to` are days of `timezone`, by default one's own; both are included."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    from_: Day | None = Field(None, alias="from")
    to: Day | None = None
    timezone: TimezoneName | None = None


class RevenueTimeQuery(RevenueDaysQuery):
    """Which time, and in what parts: the last 30 days, by months the last twelve."""

    interval: Interval = "day"


class RevenueQuery(RevenueTimeQuery):
    """Which time and which money."""

    gateway: GatewayWord | None = None
    currency: CurrencyIn | None = None
    course_id: IdFilter | None = None
    plan_id: IdFilter | None = None


class MoneySum(View):
    """So much of one currency."""

    currency: str
    amount: int


class RevenueSum(View):
    """What became of money in one currency.

    `completed` came, taxes included; `refunded` was paid back, `disputed` was taken back by banks, `revenue` is what is left
    of it. `tax` is the tax in that. `held` came, too, and waits for a person: it is in none of the others.
    """

    currency: str
    completed: int
    refunded: int
    disputed: int
    tax: int
    held: int
    revenue: int


class RevenueOfDay(RevenueSum):
    """The same of one day, or of the week or the month that began with it."""

    date: date


class RevenueOfGateway(RevenueSum):
    """The same by where it came from."""

    gateway: str


class RevenueOfCourse(RevenueSum):
    """The same by what was bought: a course, or a plan. `title` is null when it is no more."""

    course_id: str | None
    plan_id: str | None
    title: str | None


class CourseRevenueView(View):
    """What a course brought in a time, plans apart. Days on which nothing moved are left out."""

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)

    course_id: str
    from_: date = Field(alias="from")
    to: date
    timezone: str
    interval: Interval
    totals: list[RevenueSum]
    by_day: list[RevenueOfDay]


class RevenueView(View):
    """Revenue of a time. Days on which nothing moved are left out, and of courses those beyond 200 with the least."""

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)

    from_: date = Field(alias="from")
    to: date
    timezone: str
    interval: Interval
    totals: list[RevenueSum]
    by_day: list[RevenueOfDay]
    by_gateway: list[RevenueOfGateway]
    by_course: list[RevenueOfCourse]
    courses_left_out: int
