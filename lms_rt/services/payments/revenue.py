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
    RevenueDaysQuery,
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
_YEAR = timedelta(days=364)
_MONTHS = 12

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
        course_id = None if query.course_id is None else await Course.id_of(query.course_id)
        subjects = [one for one in (course_id, query.plan_id) if one is not None] or None
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
        return _asked(query, zone, self._clock.now(), is_by_month=query.interval == "month")


@dataclass(frozen=True, slots=True)
class RevenueOfSeveral:
    """What several courses brought from the first day to the last: in all, by month, and each."""

    first: date
    last: date
    timezone: str
    totals: list[RevenueSum]
    by_month: list[RevenueOfDay]
    by_course: dict[str, list[RevenueSum]]


async def revenue_of(
    actor: Actor, course_ids: Collection[str], query: RevenueDaysQuery, now: datetime
) -> RevenueOfSeveral:
    """What these courses brought on the days of a query, else in the last twelve months; whose they are is seen to before."""
    zone = query.timezone or await _zone_of(actor)
    first, last = _asked(query, zone, now, is_by_month=True)
    if not course_ids:
        return RevenueOfSeveral(first, last, zone, [], [], {})
    begin, end = _moments(zone, first, last)
    moved, found = await asyncio.gather(
        _moved(zone, first, last, course_ids), JournalEntry.sums_of_subjects(begin, end, subject_ids=course_ids)
    )
    by_course: dict[str, list[RevenueSum]] = {}
    for row in sorted(found, key=lambda row: str(row["_id"]["currency"])):
        by_course.setdefault(row["_id"]["subject_id"], []).append(RevenueSum(**_sums_of(row)))
    return RevenueOfSeveral(first, last, zone, *_told(moved, first, "month"), by_course)


def left_of(sums: Iterable[RevenueSum]) -> list[MoneySum]:
    """What is left of each."""
    return [MoneySum(currency=one.currency, amount=one.revenue) for one in sums]


async def revenue_since(moment: datetime) -> list[MoneySum]:
    """What the whole school took since then."""
    total: Sums = defaultdict(int)
    for row in await JournalEntry.sums_since(to_ms(moment)):
        total[row["_id"]["currency"]] += _revenue(row)
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


def _asked(query: RevenueDaysQuery, zone: str, now: datetime, *, is_by_month: bool) -> tuple[date, date]:
    """The first and the last day of a query: what it says, else 30 days, or by months twelve of them, the last one's included."""
    lately = _YEAR if is_by_month else _LATELY
    last = query.to or (local_date(zone, now) if query.from_ is None else query.from_ + lately)
    first = query.from_ or (_months_before(last, _MONTHS - 1) if is_by_month else last - lately)
    if first > last:
        raise invalid("to", "The last day is before the first.")
    if (last - first).days >= MAX_DAYS:
        raise invalid("from", f"At most {MAX_DAYS} days are told at once.")
    return first, last


def _months_before(day: date, months: int) -> date:
    """The first day of the month so many months before that of a day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


def _moments(zone: str, first: date, last: date) -> tuple[int, int]:
    """When the first day begins and the last one ends, in milliseconds."""
    return to_ms(day_begins(zone, first)), to_ms(day_begins(zone, last + _DAY))


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
    begin, end = _moments(zone, first, last)
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
