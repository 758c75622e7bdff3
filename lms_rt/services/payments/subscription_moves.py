"""How a subscription moves: by what its gateway says of it, and by time alone. Pure; the states are those of `states.py`.

Nothing here goes by a single event. It is always the gateway's present word that is laid beside ours, so that it does not
matter how often, how late and in which order we are told to look. What is paid for ends by its date, whatever the gateway says
or does not say; a renewal that comes later brings it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from documents.base import Row
from documents.enums import SubscriptionStatus as Status
from lms_rt.contracts.gateways import GatewaySubscription, Money, Renewing
from lms_rt.services.payments.service_periods import is_late
from lms_rt.services.payments.states import SUBSCRIPTION
from lms_rt.services.payments.subscription_terms import counted

REMINDER_DAYS = (0, 3, 7)
"""So many days after a renewal failed its owner is told."""
LATE = timedelta(hours=1)
"""So long after its end a renewal is waited for before its gateway is asked."""
PENDING_FOR = timedelta(hours=23)
"""So long a checkout may be paid; no gateway's lasts longer than a day."""
RETRIED_FOR = timedelta(days=30)
"""So long after its end its gateway may go on trying to draw; then it is ended there."""
PAID_LATE_FOR = timedelta(days=3)
"""So long after its time a checkout that could not be closed is looked at."""
_SLACK = timedelta(days=3)
"""So much before a period what is drawn is for it already."""
_AT_ONCE = timedelta(minutes=10)
"""So far apart may a gateway's clock and ours tell the beginning of a period."""
_OPEN = (Status.ACTIVE, Status.PAST_DUE, Status.CANCELLED)
_OVER = (Status.CANCELLED, Status.EXPIRED)


class Told(StrEnum):
    """What others hear of a move."""

    CREATED = "created"
    RENEWED = "renewed"
    CANCELLED = "cancelled"
    RESUMED = "resumed"
    PAST_DUE = "past_due"
    ACCESS = "access"


@dataclass(frozen=True, slots=True)
class Move:
    """What is to be written (None takes a field away), and what is told of it."""

    fields: dict[str, Any] = field(default_factory=dict)
    told: tuple[Told, ...] = ()


def by_gateway(row: Row, read: GatewaySubscription, *, now: datetime, grace: timedelta) -> Move:
    """What a subscription is by what its gateway says of it now."""
    fields = _identity(row, read) | _paid_time(row, read) | _end_there(row, read)
    if "end_date" in fields:
        fields |= _agreed(row, read, now)
    after = {**row, **fields}
    status = _status(row, after, read, now=now, grace=grace)
    is_moved, was_paid = status != row["status"], row.get("start_date") is not None
    told: list[Told] = []
    if is_moved:
        fields |= _moved(row, status, now)
    if is_moved and status == Status.PAST_DUE:
        told.append(Told.PAST_DUE)
    if not was_paid and after.get("start_date") is not None:
        told.append(Told.CREATED)
    elif "end_date" in fields and read.state is Renewing.ACTIVE:
        told.append(Told.RENEWED)
    ending = _ending(row, after, read, now)
    told += _told_of_end(row, ending)
    if "end_date" in fields or (is_moved and was_paid):
        told.append(Told.ACCESS)
    return Move(fields | ending, tuple(told))


def by_time(row: Row, *, now: datetime, grace: timedelta) -> Move:
    """What a subscription is by the hour alone: over, or to be reminded of."""
    status, end = row["status"], row.get("end_date")
    if status == Status.PENDING and row["created_at"] + PENDING_FOR <= now:
        return Move({"status": _after(status, "expire"), "open_key": None, "checkout": None})
    if status in _OPEN and end is not None and end + grace <= now:
        return Move({"status": _after(status, "expire"), "open_key": None}, (Told.ACCESS,))
    if (day := _reminder(row, now)) is not None:
        return Move({"reminded": [*row.get("reminded", []), day]}, (Told.PAST_DUE,))
    is_long_over = status == Status.EXPIRED and end is not None and end + RETRIED_FOR <= now
    if is_long_over and may_be_charged(row) and not row.get("must_end"):
        return Move({"must_end": True})
    return Move()


def may_be_charged(row: Row) -> bool:
    """May its gateway draw for it, for all that we know? Whether its courses are open is another question."""
    return row.get("gateway_subscription_id") is not None and not row.get("is_ended_there")


def may_be_resumed(row: Row) -> bool:
    """Was it to end by somebody's wish, which may be taken back until its `end_date`? One whose money went back ends."""
    return bool(row["status"] == Status.ACTIVE and row.get("cancel_at_period_end") and not row.get("must_end"))


def may_be_begun(row: Row) -> bool:
    """May somebody still pay at one of its checkouts, or have paid there untold? Until they were asked of after their time."""
    asked = row.get("asked_at")
    return asked is None or asked < closed_at(row)


def closed_at(row: Row) -> datetime:
    """When nobody can have paid at one of its checkouts any more without being found by who asks then."""
    begun: datetime = max(row["created_at"], row.get("begun_at") or row["created_at"])
    return begun + PENDING_FOR + PAID_LATE_FOR


def given_up_at(row: Row) -> datetime:
    """When its checkouts are left alone though a gateway of theirs could not be asked."""
    return closed_at(row) + RETRIED_FOR


def next_check(row: Row, *, now: datetime, grace: timedelta) -> datetime | None:
    """When it is to be looked at again; None: never, unless somebody says so."""
    status, end = row["status"], row.get("end_date")
    if status == Status.PENDING:
        return now + LATE
    moments: list[datetime] = []
    if status == Status.ACTIVE:
        moments.append(now + timedelta(days=1))
    if status == Status.PAST_DUE:
        moments.append(now + timedelta(hours=12))
    if status in _OPEN and end is not None:
        moments += [end + LATE, end + grace]
    if row.get("next_price") is not None and not row.get("is_next_agreed"):
        moments.append(now + timedelta(minutes=10))
    moments += _unended(row, now)
    if (since := row.get("past_due_since")) is not None and status != Status.CANCELLED:
        moments += [since + timedelta(days=day) for day in REMINDER_DAYS if day not in row.get("reminded", [])]
    coming = [moment for moment in moments if moment > now]
    if coming:
        return min(coming)
    return now + timedelta(hours=6) if moments else None


def _unended(row: Row, now: datetime) -> list[datetime]:
    """What is over here is looked at until it is over there: it may be drawn for, or its checkout paid."""
    if row["status"] not in _OVER:
        return []
    if may_be_charged(row):
        return [now + (LATE if row.get("must_end") else timedelta(days=1))]
    is_unknown = row.get("gateway_subscription_id") is None and row.get("checkout_intent_id") is not None
    is_open = is_unknown or bool(row.get("former"))
    return [now + timedelta(hours=6)] if is_open and may_be_begun(row) else []


def _end_there(row: Row, read: GatewaySubscription) -> dict[str, Any]:
    is_ended = read.state in (Renewing.CANCELLED, Renewing.EXPIRED)
    return {} if is_ended == bool(row.get("is_ended_there")) else {"is_ended_there": is_ended}


def _identity(row: Row, read: GatewaySubscription) -> dict[str, Any]:
    if row.get("gateway_subscription_id") == read.subscription_id:
        return {}
    first = counted(row, read.key) if read.key is not None and row.get("first_key") is None else {}
    return {"gateway_subscription_id": read.subscription_id, "checkout": None, **first}


def _paid_time(row: Row, read: GatewaySubscription) -> dict[str, Any]:
    """From when and until when it is paid. Time that was paid for is never taken back."""
    is_new, end, until = row.get("start_date") is None, row.get("end_date"), _paid_until(row, read)
    if until is None:
        return {}
    fields: dict[str, Any] = {"start_date": read.period_start or until} if is_new else {}
    return fields | ({"end_date": until} if end is None or until > end else {})


def changed_to(row: Row, price: Row, now: datetime) -> dict[str, Any]:
    """It is of another plan from now on, at its price."""
    known = {*row.get("known_amounts", []), row["amount"], price["amount"]}
    over = {"next_price": None, "is_next_agreed": None, "open_key": None}
    return {**price, **over, "changed_at": now, "known_amounts": sorted(known)}


def _agreed(row: Row, read: GatewaySubscription, now: datetime) -> dict[str, Any]:
    """A change that was to come with the next period comes with it, if that was drawn at the new price."""
    price = row.get("next_price")
    if price is None or not row.get("is_next_agreed") or read.state is not Renewing.ACTIVE:
        return {}
    return changed_to(row, price, now) if read.money == Money(price["amount"], price["currency"]) else {}


def _paid_until(row: Row, read: GatewaySubscription) -> datetime | None:
    """Of one that is past due the present period is not paid; one that ended before we ever saw it was, if there is a payment."""
    match read.state:
        case Renewing.ACTIVE:
            return read.period_end
        case Renewing.PAST_DUE if row.get("start_date") is not None:
            return read.period_start
        case Renewing.CANCELLED if row.get("start_date") is None and read.intent_ids:
            return read.period_end
    return None


def paid_before_end(row: Row, read: GatewaySubscription, payments: Sequence[Row]) -> datetime | None:
    """Until when one is paid that has ended there: to the end of its last period, if money came for it, or to its start.

    Some gateways draw a little before a period; what a change of plan cost then, or what the period before still owed, was not for it.
    """
    if not payments or (start := read.period_start) is None:
        return None
    early = [one for one in payments if start - _SLACK < one["completed_at"] < start - _AT_ONCE]
    is_paid = any(one["completed_at"] >= start - _AT_ONCE for one in payments)
    times = [one["completed_at"] for one in payments]
    is_paid = is_paid or any(
        not _is_for_rest(row, one) and not is_late(row, start, one["completed_at"], times) for one in early
    )
    return read.period_end if is_paid else start


def _is_for_rest(row: Row, payment: Row) -> bool:
    """Is it less than a whole period costs, or was it drawn when the plan was changed?"""
    if not row.get("changes", 0):
        return False
    changed_at = row.get("changed_at")
    is_with_change = changed_at is not None and abs(payment["completed_at"] - changed_at) <= _SLACK
    return bool(is_with_change or payment["amount"] < row["amount"])


def _status(row: Row, after: Row, read: GatewaySubscription, *, now: datetime, grace: timedelta) -> str:
    """The state that follows; the same, where the table knows no way."""
    status = str(row["status"])
    match read.state:
        case Renewing.ACTIVE:
            end = after.get("end_date")
            if status == Status.EXPIRED and (end is None or end + grace <= now):
                return status
            event = "activate" if row.get("start_date") is None else "renew"
        case Renewing.PAST_DUE:
            if status == Status.PENDING:
                return status  # nothing was ever paid for it
            event = "fall_due"
        case Renewing.CANCELLED:
            event = "cancel"
        case Renewing.EXPIRED:
            event = "expire"
        case _:
            return status
    return SUBSCRIPTION.after(status, event) or status


def _moved(row: Row, status: str, now: datetime) -> dict[str, Any]:
    """What comes with a state."""
    fields: dict[str, Any] = {"status": status}
    if status == Status.ACTIVE and row.get("past_due_since") is not None:
        fields |= {"past_due_since": None, "reminded": []}
    if status == Status.PAST_DUE:
        fields |= {"past_due_since": now, "reminded": [REMINDER_DAYS[0]]}
    if status in _OVER:
        fields |= {"open_key": None, "next_price": None, "is_next_agreed": None}
    return fields


def _ending(row: Row, after: Row, read: GatewaySubscription, now: datetime) -> dict[str, Any]:
    """Whether it ends with what is paid for, and since when that is so."""
    fields: dict[str, Any] = {}
    if read.cancel_at_period_end != bool(row.get("cancel_at_period_end")):
        fields["cancel_at_period_end"] = read.cancel_at_period_end
    is_ending = read.cancel_at_period_end or read.state is Renewing.CANCELLED
    has_begun = after.get("start_date") is not None
    if is_ending and has_begun and row.get("cancelled_at") is None:
        fields["cancelled_at"] = now
    if not is_ending and row.get("cancelled_at") is not None and read.state is Renewing.ACTIVE:
        fields["cancelled_at"] = None
    return fields


def _told_of_end(row: Row, ending: dict[str, Any]) -> list[Told]:
    """That it will end, or that it goes on after all. Of one that had ended a new payment is told, and nothing else."""
    if "cancelled_at" not in ending:
        return []
    if ending["cancelled_at"] is not None:
        return [Told.CANCELLED]
    return [Told.RESUMED] if row["status"] in (Status.ACTIVE, Status.PAST_DUE) else []


def _reminder(row: Row, now: datetime) -> int | None:
    """The day of which its owner is to be reminded now: the last that is due, when some were slept through."""
    since = row.get("past_due_since")
    if since is None or row["status"] not in (Status.PAST_DUE, Status.EXPIRED):
        return None
    due = [day for day in REMINDER_DAYS if since + timedelta(days=day) <= now]
    latest = max(due, default=None)
    return latest if latest is not None and latest > max(row.get("reminded", []), default=-1) else None


def _after(status: str, event: str) -> str:
    return SUBSCRIPTION.after(str(status), event) or str(status)
