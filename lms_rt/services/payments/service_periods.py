"""For which time a payment of a subscription was: the period that it fell into, counted from where the subscription began. Pure."""

from __future__ import annotations

from datetime import datetime

from documents.base import Row
from lms_rt.clock import months_later

_MONTHS = {"month": 1, "year": 12}


def period_of(subscription: Row | None, paid_at: datetime | None) -> tuple[datetime, datetime] | None:
    """From when until when, the latter not included. None: it is of no subscription, or was not paid."""
    if subscription is None or paid_at is None:
        return None
    months = _MONTHS[subscription["interval"]]
    begin = _first(subscription, months, paid_at)
    number = max(0, (paid_at.year - begin.year) * 12 + paid_at.month - begin.month) // months
    if number and months_later(begin, number * months) > paid_at:
        number -= 1
    return months_later(begin, number * months), months_later(begin, (number + 1) * months)


def _first(subscription: Row, months: int, paid_at: datetime) -> datetime:
    """Where its periods are counted from.

    Before the first is written down, and after a change of plan, with which gateways may begin a new one, that is the payment,
    unless the end that is known says otherwise.
    """
    begin, end = subscription.get("start_date"), subscription.get("end_date")
    if begin is not None and not subscription.get("changes", 0):
        return begin  # type: ignore[no-any-return]  # a raw row
    if end is None:
        return paid_at
    last = months_later(end, -months)
    return last if last <= paid_at < end else paid_at
