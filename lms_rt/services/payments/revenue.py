"""Revenue, summed up from the journal: completed less refunded and disputed, each currency alone. Nothing is converted.

Money counts on the day when it was written down here, by the gateway's word, and what went back likewise: what was told of a day
stays true, but for what a crash kept from the journal, which is entered under its own moment.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from documents.base import Row
from documents.course import Course
from documents.journal_entry import FIGURES, JournalEntry
from documents.plan import Plan
from documents.user import User
from lms_rt.clock import Clock, to_ms
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.revenue import (
    MAX_DAYS,
    CourseRevenueView,
    MoneySum,
    RevenueOfCourse,
    RevenueOfDay,
    RevenueOfGateway,
    RevenueQuery,
    RevenueSum,
    RevenueTimeQuery,
    RevenueView,
)
from lms_rt.errors import invalid
from lms_rt.security.access.courses import require_taught_course
from lms_rt.security.access.payments import require_treasurer
from lms_rt.security.permissions import Permission
from lms_rt.services.local_days import day_begins, local_date

SHOWN_COURSES = 200
_DAY = timedelta(days=1)
_LATELY = timedelta(days=29)

Sums = dict[str, int]


@dataclass(frozen=True, slots=True)
class _Movement:
    """What moved on one day, of one gateway, in one currency."""

    day: date
    gateway: str
    currency: str
    sums: Mapping[str, int]


class Revenue:
    """Sums of the journal, for who looks after payments; those of a course for who teaches it, too."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def summary(self, actor: Actor, query: RevenueQuery) -> RevenueView:
        """By day, gateway, course and currency."""
        require_treasurer(actor)
        zone = query.timezone or await _zone_of(actor)
        first, last = self._days(query, zone)
        subjects = [one for one in (query.course_id, query.plan_id) if one is not None] or None
        equal = {name: value for name in ("gateway", "currency") if (value := getattr(query, name)) is not None}
        moved, courses = await asyncio.gather(
            _moved(zone, first, last, subjects, **equal), _by_course(zone, first, last, subjects, **equal)
        )
        totals, by_day = _told(moved, first, query.interval)
        return RevenueView(
            from_=first,
            to=last,
            timezone=zone,
            interval=query.interval,
            totals=totals,
            by_day=by_day,
            by_gateway=[
                RevenueOfGateway(gateway=name, **sums) for name, sums in _summed(moved, lambda one: one.gateway)
            ],
            by_course=courses[:SHOWN_COURSES],
            courses_left_out=max(0, len(courses) - SHOWN_COURSES),
        )

    async def of_course(self, actor: Actor, course_id: str, query: RevenueTimeQuery) -> CourseRevenueView:
        """What a course brought, by day and currency, for who teaches it and sees its figures."""
        course = await require_taught_course(actor, course_id, Permission.ANALYTICS_VIEW)
        zone = query.timezone or await _zone_of(actor)
        first, last = self._days(query, zone)
        totals, by_day = _told(await _moved(zone, first, last, [course.id]), first, query.interval)
        return CourseRevenueView(
            course_id=course.id,
            from_=first,
            to=last,
            timezone=zone,
            interval=query.interval,
            totals=totals,
            by_day=by_day,
        )

    def _days(self, query: RevenueTimeQuery, zone: str) -> tuple[date, date]:
        last = query.to or (local_date(zone, self._clock.now()) if query.from_ is None else query.from_ + _LATELY)
        first = query.from_ or last - _LATELY
        if first > last:
            raise invalid("to", "The last day is before the first.")
        if (last - first).days >= MAX_DAYS:
            raise invalid("from", f"At most {MAX_DAYS} days are told at once.")
        return first, last


async def revenue_of(course_ids: Collection[str]) -> dict[str, list[MoneySum]]:
    """What each of these courses ever brought."""
    if not course_ids:
        return {}
    found: dict[str, list[MoneySum]] = {}
    rows = await JournalEntry.sums_since(0, subject_ids=course_ids)
    for row in sorted(rows, key=lambda row: str(row["_id"]["currency"])):
        money = MoneySum(currency=row["_id"]["currency"], amount=_revenue(row))
        found.setdefault(row["_id"]["subject_id"], []).append(money)
    return found


async def revenue_since(moment: datetime) -> list[MoneySum]:
    """What the whole school took since then."""
    return added(
        MoneySum(currency=row["_id"]["currency"], amount=_revenue(row))
        for row in await JournalEntry.sums_since(to_ms(moment))
    )


def added(sums: Iterable[MoneySum]) -> list[MoneySum]:
    """Sums by currency."""
    total: Sums = defaultdict(int)
    for one in sums:
        total[one.currency] += one.amount
    return [MoneySum(currency=currency, amount=total[currency]) for currency in sorted(total)]


def stretches(zone: str, first: date, last: date) -> Iterator[tuple[datetime, datetime, list[date]]]:
    """The days of a time in stretches whose days all begin 24 hours after one another: begin, end and days.

    Clocks that are put forward or back end a stretch; the last day of one may be longer or shorter.
    """
    days = [first]
    begins = day_begins(zone, first)
    while True:
        day = days[-1] + _DAY
        begin = day_begins(zone, day)
        if day > last or begin != begins + _DAY * len(days):
            yield begins, begin, days
            if day > last:
                return
            days, begins = [], begin
        days.append(day)


async def _moved(
    zone: str, first: date, last: date, subject_ids: Collection[str] | None, **equal: str
) -> list[_Movement]:
    """All that moved on these days."""
    found: list[_Movement] = []
    for begin, end, days in stretches(zone, first, last):
        rows = await JournalEntry.sums_between(to_ms(begin), to_ms(end), subject_ids=subject_ids, **equal)
        found += [_movement(row, days) for row in rows]
    return found


def _movement(row: Row, days: list[date]) -> _Movement:
    by = row["_id"]
    day = days[min(int(by["day"]), len(days) - 1)]  # the hour that comes twice belongs to its day
    sums = {name: int(row[name]) for name in FIGURES}
    return _Movement(day, by["gateway"], by["currency"], sums)


def _begin(day: date, interval: str) -> date:
    if interval == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if interval == "month" else day


def _summed(moved: Iterable[_Movement], key: Callable[[_Movement], Any]) -> list[tuple[Any, dict[str, Any]]]:
    """The sums by that key and currency, in their order."""
    totals: dict[tuple[Any, str], Sums] = {}
    for one in moved:
        sums = totals.setdefault((key(one), one.currency), dict.fromkeys(FIGURES, 0))
        for name in FIGURES:
            sums[name] += one.sums[name]
    ordered = sorted(totals, key=lambda pair: (str(pair[0]), pair[1]))
    return [(pair[0], {"currency": pair[1], **totals[pair], "revenue": _revenue(totals[pair])}) for pair in ordered]


def _told(moved: list[_Movement], first: date, interval: str) -> tuple[list[RevenueSum], list[RevenueOfDay]]:
    """The sums in all, and by day, week or month."""
    by_day = _summed(moved, lambda one: max(first, _begin(one.day, interval)))
    totals = [RevenueSum(**sums) for _, sums in _summed(moved, lambda _: None)]
    return totals, [RevenueOfDay(date=day, **sums) for day, sums in by_day]


def _revenue(sums: Mapping[str, Any]) -> int:
    return int(sums["completed"]) - int(sums["refunded"]) - int(sums["disputed"])


async def _by_course(
    zone: str, first: date, last: date, subject_ids: Collection[str] | None, **equal: str
) -> list[RevenueOfCourse]:
    """The greatest first, each currency for itself."""
    begin, end = to_ms(day_begins(zone, first)), to_ms(day_begins(zone, last + _DAY))
    found = await JournalEntry.sums_of_subjects(begin, end, subject_ids=subject_ids, **equal)
    summed = [(row["_id"]["subject_id"], _sums_of(row)) for row in found]
    ids = {subject_id for subject_id, _ in summed}
    courses, plans = await asyncio.gather(Course.heads(ids), Plan.names_of(ids))
    rows = [
        RevenueOfCourse(
            course_id=None if subject_id in plans else subject_id,
            plan_id=subject_id if subject_id in plans else None,
            title=plans.get(subject_id) or (courses[subject_id].title if subject_id in courses else None),
            **sums,
        )
        for subject_id, sums in summed
    ]
    return sorted(rows, key=lambda one: (one.currency, -one.revenue))


def _sums_of(row: Row) -> dict[str, Any]:
    sums = {name: int(row[name]) for name in FIGURES}
    return {"currency": row["_id"]["currency"], **sums, "revenue": _revenue(sums)}


async def _zone_of(actor: Actor) -> str:
    user = await User.find_by_id(actor.user_id)
    return "UTC" if user is None else user.timezone
