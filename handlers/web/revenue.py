"""/teach/courses/{id}/revenue: what a course brought, by day and currency; and what pages about revenue share. Works without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from handlers.rest.access import needs
from handlers.web import plots
from handlers.web.base import PageHandler, Screen, shape
from handlers.web.teaching import tabs_of
from lms_rt.contracts.revenue import CourseRevenueView, Interval, RevenueTimeQuery, RevenueView
from lms_rt.security.rights import Reach

MOST_PLOTTED = 92
"""So many days a plot shows one by one; a longer time is told by weeks."""
_SHEETS = ("pages.css", "teach.css", "admin.css", "statistics.css", "payments.css")

QueryT = TypeVar("QueryT", bound=RevenueTimeQuery)


class CourseRevenuePage(PageHandler):
    """The figures of GET /courses/{id}/revenue."""

    access = needs("analytics:view")
    reach = Reach.TAUGHT

    async def get(self, course_id: str) -> None:
        """The time, its parts and the currency stand in the address; else the last twelve months, by month."""
        query, days = asked_time(self, RevenueTimeQuery, interval="month")
        course = await self.services.courses.show(self.actor, course_id)
        revenue = await self.services.revenue.of_course(self.actor, course.id, query)
        if is_long(revenue):
            weeks = query.model_copy(update={"interval": "week"})
            revenue = await self.services.revenue.of_course(self.actor, course.id, weeks)
        currency, currencies = chosen_currency(self, revenue)
        self.show(
            Screen("teach_revenue.html", title=(self.t("money.revenue"), course.title), sheets=_SHEETS),
            course=shape(course),
            tab="revenue",
            tabs=tabs_of(self.actor, course),
            revenue=shape(revenue),
            currency=currency,
            currencies=currencies,
            days=days,
            plot=drawn(revenue, currency, is_mirrored=self.language == "ar"),
        )


def asked_time(page: PageHandler, kind: type[QueryT], *, interval: Interval = "day") -> tuple[QueryT, dict[str, str]]:
    """The time of the address, and what stands in its fields; what cannot be read counts as not said."""
    days = {name: page.get_query_argument(name, "") for name in ("from", "to")}
    given = {name: value for name, value in days.items() if _is_day(value)}
    asked = page.get_query_argument("interval", "")
    parts = {"interval": asked if asked in get_args(Interval) else interval}
    try:
        return kind.model_validate(given | parts), days
    except ValidationError:
        return kind.model_validate(parts), days


def is_long(revenue: RevenueView | CourseRevenueView) -> bool:
    """Is it too long a time to be told by days?"""
    return revenue.interval == "day" and (revenue.to - revenue.from_).days > MOST_PLOTTED


def chosen_currency(page: PageHandler, revenue: RevenueView | CourseRevenueView) -> tuple[str, Sequence[str]]:
    """The currency of the address, else the first that there is; and all there are."""
    currencies = [one.currency for one in revenue.totals]
    asked = page.get_query_argument("currency", "")
    return (asked if asked in currencies else next(iter(currencies), "")), currencies


def drawn(revenue: RevenueView | CourseRevenueView, currency: str, *, is_mirrored: bool) -> dict[str, Any]:
    """Bars of what is left of each day, week or month; one in which more went back than came has none."""
    left = {one.date: max(0, one.revenue) for one in revenue.by_day if one.currency == currency}
    days = (revenue.from_ + timedelta(days=n) for n in range((revenue.to - revenue.from_).days + 1))
    dates = list(days) if revenue.interval == "day" else sorted(left)
    place = plots.frame(is_mirrored=is_mirrored)
    bars = plots.bars([left.get(day, 0) for day in dates], place)
    marked = sorted({0, len(dates) // 2, len(dates) - 1}) if dates else []
    return {"place": place, "bars": bars, "dates": dates, "marked": marked}


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


PAGES = [(r"/teach/courses/([^/]+)/revenue", CourseRevenuePage)]
"""The row of this page."""
