"""What opens a course for somebody: derived anew from the set of their payments and subscriptions, never switched by an event.

A payment opens a course once, for as long as the course says; a subscription for as long as it is paid, and some days longer.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from config.settings import Settings
from documents.base import Row
from documents.course import CourseHead
from documents.enrollment import Enrollment
from documents.enums import CourseAccess, PaymentStatus
from documents.payment import PAID, Payment
from documents.plan_subscription import PlanSubscription
from lms_rt.clock import Clock, to_ms
from lms_rt.contracts.gateways import Disputed
from lms_rt.services.payments.service_periods import is_late

_DAY_MS = 86_400_000
_SLACK = timedelta(days=3)
"""Months are of 28 to 31 days, at some gateways of 30 always."""


@dataclass(frozen=True, slots=True)
class AccessRules:
    """What the school decided: when paying back and disputes end access, and how long a subscription outlives its end."""

    refund_ends_access: str = "full"
    dispute_ends_access: bool = True
    grace: timedelta = timedelta(days=3)

    @classmethod
    def of(cls, settings: Settings) -> AccessRules:
        """Those of the settings."""
        return cls(
            settings.payment_refund_ends_access,
            settings.payment_dispute_ends_access,
            timedelta(days=settings.subscription_grace_days),
        )


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What opens a course: one payment, or one subscription. `until_ms` None: without an end.

    `is_unused`: no enrolment was ever opened by it, so it may open one that was left or ran out.
    """

    access: CourseAccess
    payment_id: str | None = None
    subscription_id: str | None = None
    until_ms: int | None = None
    is_unused: bool = False


def is_valid(payment: Mapping[str, Any], rules: AccessRules) -> bool:
    """Does this payment, as it stands, open what was bought?"""
    status, dispute = payment["status"], payment.get("dispute")
    if status not in PAID or payment.get("held") is not None or _is_lost(payment):
        return False
    if dispute == Disputed.OPEN and rules.dispute_ends_access:
        return False
    if rules.refund_ends_access == "full":
        return bool(status != PaymentStatus.REFUNDED)
    return rules.refund_ends_access == "never" or not payment.get("refunded_amount", 0)


def by_payments(
    payments: Iterable[Mapping[str, Any]],
    course: CourseHead | None,
    enrollment: Enrollment | None,
    *,
    rules: AccessRules,
    now_ms: int,
) -> list[Entitlement]:
    """What payments entitle to, the best first: the one that the enrolment lives by, unused ones, used ones that last longest."""
    days = None if course is None else course.access_days
    own: list[Entitlement] = []
    unused: list[Entitlement] = []
    used: list[Entitlement] = []
    for payment in payments:
        if not is_valid(payment, rules):
            continue
        if enrollment is not None and enrollment.payment_id == payment["_id"]:
            own.append(_by_payment(payment, _own_end(enrollment)))
        elif payment.get("enrollment_id") is None:
            end = None if days is None else now_ms + days * _DAY_MS
            unused.append(_by_payment(payment, end, is_unused=True))
        else:
            began = payment.get("completed_at") or payment["created_at"]
            used.append(_by_payment(payment, None if days is None else to_ms(began) + days * _DAY_MS))
    used.sort(key=lambda one: (one.until_ms is not None, -(one.until_ms or 0)))
    return [one for one in (*own, *unused, *used) if one.until_ms is None or one.until_ms > now_ms]


def by_subscriptions(
    subscriptions: Iterable[Mapping[str, Any]], course_id: str, *, rules: AccessRules, now_ms: int
) -> list[Entitlement]:
    """What subscriptions entitle to, the longest first."""
    found = []
    for one in subscriptions:
        if one.get("end_date") is None or not (one.get("is_for_all") or course_id in one.get("course_ids", ())):
            continue
        until_ms = to_ms(one["end_date"] + rules.grace)
        if until_ms > now_ms:
            found.append(Entitlement(CourseAccess.SUBSCRIPTION, subscription_id=one["_id"], until_ms=until_ms))
    return sorted(found, key=lambda one: -(one.until_ms or 0))


def paid_until(subscription: Mapping[str, Any], payments: Sequence[Row], rules: AccessRules) -> datetime | None:
    """Until when a subscription is paid by its payments, the newest first; None: nothing that counts was paid for it.

    The gateway's word that it goes on is not enough: until the money of a period came, the period before counts. What was
    paid for the newest period opens it while most of that stands: a small sum that is paid back for a change of plan closes
    nothing, nor does a small one that stays keep it open.
    """
    if not payments:
        return None
    until = _until(subscription, payments[0]["completed_at"])
    period = [] if until is None else _of_newest_period(subscription, payments, until)
    standing = sum(_came(one) for one in period if is_valid(one, rules))
    return until if 2 * standing > sum(_came(one) for one in period) else None


def _until(subscription: Mapping[str, Any], newest: datetime) -> datetime | None:
    """The end of the period that was paid for at `newest`: the present one, or the one before; None: of an older one."""
    # after a change of plan gateways count the rest of what was paid before, so that there may be nothing to pay for long
    is_yearly = _is_yearly(subscription) or subscription.get("changes", 0) > 0
    end: datetime = subscription["end_date"]
    for until in (end, _period_before(end, is_yearly=is_yearly)):
        if newest > _period_before(until, is_yearly=is_yearly) - _SLACK:
            return until
    return None


def _of_newest_period(subscription: Mapping[str, Any], payments: Sequence[Row], until: datetime) -> Sequence[Row]:
    """The newest payment, and those that were for the same period, which ends then: not what the one before still owed."""
    newest, *others = payments
    is_yearly = _is_yearly(subscription)
    since = _period_before(newest["completed_at"], is_yearly=is_yearly) + _SLACK
    begin, times = _period_before(until, is_yearly=is_yearly), [one["completed_at"] for one in payments]

    def is_of_before(at: datetime) -> bool:
        return at < begin and is_late(subscription, begin, at, times)

    return [newest, *(one for one in others if since < one["completed_at"] and not is_of_before(one["completed_at"]))]


def _is_yearly(subscription: Mapping[str, Any]) -> bool:
    return bool(subscription.get("interval") == "year")


def chosen(entitlements: Sequence[Entitlement], payment_id: str | None = None) -> Entitlement | None:
    """The best of them, or the one of this payment."""
    return next((one for one in entitlements if payment_id in (None, one.payment_id)), None)


class Entitlements:
    """Reads what somebody paid, and derives."""

    def __init__(self, *, clock: Clock, rules: AccessRules) -> None:
        self._clock, self.rules = clock, rules

    async def all_of(
        self, user_id: str, course_id: str, course: CourseHead | None, enrollment: Enrollment | None
    ) -> list[Entitlement]:
        """All that opens this course for them now, the best first. `enrollment` is theirs in it, as it stands."""
        now_ms = self._clock.now_ms()
        payments = await Payment.find_of_course(user_id, course_id)
        found = by_payments(payments, course, enrollment, rules=self.rules, now_ms=now_ms)
        subscriptions = await self._subscriptions(user_id)
        return found + by_subscriptions(subscriptions, course_id, rules=self.rules, now_ms=now_ms)

    async def of(
        self, user_id: str, course: CourseHead, enrollment: Enrollment | None, payment_id: str | None = None
    ) -> Entitlement | None:
        """What an enrolment in this course may begin, or go on, by; the payment named, if one is."""
        return chosen(await self.all_of(user_id, course.id, course, enrollment), payment_id)

    async def _subscriptions(self, user_id: str) -> list[Row]:
        """Those that are paid for, or were until days ago, each with the end of what was really paid."""
        ended = self._clock.now() - self.rules.grace
        found = []
        for row in await PlanSubscription.find_paid_of(user_id, ends_after=ended):
            payments = await Payment.find_last_of_subscription(row["_id"])
            if (until := paid_until(row, payments, self.rules)) is not None:
                found.append({**row, "end_date": until})
        return found


def _by_payment(payment: Mapping[str, Any], until_ms: int | None, *, is_unused: bool = False) -> Entitlement:
    return Entitlement(CourseAccess.PAYMENT, payment_id=payment["_id"], until_ms=until_ms, is_unused=is_unused)


def _is_lost(payment: Mapping[str, Any]) -> bool:
    """Was any of its disputes lost, whatever became of the others?"""
    states = {payment.get("dispute"), *(one["state"] for one in payment.get("disputes") or ())}
    return Disputed.LOST in states


def _came(payment: Mapping[str, Any]) -> int:
    paid = payment.get("paid_amount")
    return int(payment["amount"] if paid is None else paid)


def _period_before(end: datetime, *, is_yearly: bool) -> datetime:
    """When a period began that ends then, by the calendar."""
    year, month = (end.year - 1, end.month) if is_yearly else (end.year - (end.month == 1), (end.month - 2) % 12 + 1)
    return end.replace(year=year, month=month, day=min(end.day, monthrange(year, month)[1]))


def _own_end(enrollment: Enrollment) -> int | None:
    """Who completed the course keeps it."""
    return None if enrollment.completed_at is not None else enrollment.expires_ms
