"""For which time a payment of a subscription was: the period that it fell into, as far as that can be counted. Pure.

Gateways draw some hours or days beside the beginning of a period, and one of them counts days instead of months.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from documents.base import Row
from lms_rt.clock import months_later
from lms_rt.contracts.gateways import PERIOD_DAYS

_MONTHS = {"month": 1, "year": 12}
_SLACK = timedelta(days=3)
"""So much before a period what is drawn is for it already."""

Later = Callable[[datetime, int], datetime]
"""So many periods later; earlier, if less than none."""


def period_of(
    subscription: Row | None, paid_at: datetime | None, others: Iterable[datetime] = ()
) -> tuple[datetime, datetime] | None:
    """From when until when, the latter not included. None: it is of no subscription, or was not paid.

    `others` is when all else was paid for it.
    """
    if subscription is None or paid_at is None:
        return None
    later, end = _later(subscription), subscription.get("end_date")
    if end is not None and paid_at < end and _is_of_change(subscription, paid_at, later(end, -1)):
        return paid_at, end
    since, number = _counted(subscription, later, paid_at)
    begin = later(since, number)
    if paid_at < begin and is_late(subscription, begin, paid_at, others):
        return later(since, number - 1), begin
    return begin, later(since, number + 1)


def is_late(subscription: Mapping[str, Any], begin: datetime, paid_at: datetime, others: Iterable[datetime]) -> bool:
    """Is what was drawn shortly before a period begins for the one before, which nobody had paid till then?

    Where each one was drawn a little early, the first that is known says what they were for. After a change of plan there may
    be nothing to pay for long, so that nothing is late.
    """
    times, later, number = sorted(at for at in others if at < paid_at), _later(subscription), 0
    while times and not subscription.get("changes", 0):
        end, start = later(begin, -number), later(begin, -number - 1)
        if start < times[0] - _SLACK or any(start <= at < end - _SLACK for at in times):
            return False
        if not any(start - _SLACK <= at < start for at in times):
            return True
        number += 1
    return False


def _is_of_change(subscription: Row, paid_at: datetime, began: datetime) -> bool:
    """Is it what a dearer plan cost for the rest of the period that had begun?"""
    if not subscription.get("changes", 0) or paid_at <= began + _SLACK:
        return False
    changed_at = subscription.get("changed_at")
    is_under_way = subscription.get("next_price") is not None and not subscription.get("is_next_agreed")
    return is_under_way or (changed_at is not None and abs(paid_at - changed_at) <= _SLACK)


def _counted(subscription: Row, later: Later, paid_at: datetime) -> tuple[datetime, int]:
    """Which period it was, counted from when: from the beginning, or by days and after a change from the end that is known.

    With a change gateways may begin a new period: where that end says nothing, it begins with the payment.
    """
    start, end, at = subscription.get("start_date"), subscription.get("end_date"), paid_at + _SLACK
    days = _days_of(subscription)
    if days is not None and end is not None:
        return end, (at - end) // timedelta(days=days)
    if days is None and start is not None and not subscription.get("changes", 0):
        number = 0
        while later(start, number + 1) <= at:
            number += 1
        return start, number
    if end is not None and end <= at and paid_at <= end + _SLACK:
        return end, 0
    return (end, -1) if end is not None and later(end, -1) <= at < end else (paid_at, 0)


def _later(subscription: Mapping[str, Any]) -> Later:
    days, months = _days_of(subscription), _MONTHS[subscription["interval"]]
    if days is not None:
        return lambda at, number: at + number * timedelta(days=days)
    return lambda at, number: months_later(at, number * months)


def _days_of(subscription: Mapping[str, Any]) -> int | None:
    """So many days its gateway counts for a period; None: it goes by the calendar."""
    return PERIOD_DAYS.get(subscription.get("gateway", ""), {}).get(subscription["interval"])
