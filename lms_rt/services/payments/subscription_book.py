"""Writes subscriptions: one compare-and-set for each move, with all that others hear of it in the same write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from config.settings import Settings
from documents.base import Row
from documents.plan_subscription import PlanSubscription
from lms_rt.clock import Clock
from lms_rt.contracts.mails import SubscriptionMail, SubscriptionResumed
from lms_rt.contracts.outbox import Intent, Write, event, job
from lms_rt.errors import Code, Refused
from lms_rt.services.contended import until_written
from lms_rt.services.payments.plan_views import access_until, subscription_view
from lms_rt.services.payments.subscription_moves import Move, Told, next_check
from lms_rt.services.relay import Relay

ACCESS_JOB = "subscriptions.access"
_PAGE = "/payments"
_RECORDS = {
    Told.CREATED: "subscription.created",
    Told.RENEWED: "subscription.renewed",
    Told.CANCELLED: "subscription.cancelled",
    Told.RESUMED: "subscription.resumed",
}
_MAILS = {
    Told.CANCELLED: "subscription_cancelled",
    Told.PAST_DUE: "subscription_past_due",
    Told.RESUMED: "subscription_resumed",
}

Decide = Callable[[Row], Move | None]
"""What becomes of a subscription as it stands; None, or a move without fields: nothing."""


class SubscriptionBook:
    """The one who writes subscriptions."""

    def __init__(self, *, settings: Settings, clock: Clock, relay: Relay) -> None:
        self._clock, self._relay = clock, relay
        self.grace_days = settings.subscription_grace_days

    @property
    def grace(self) -> timedelta:
        """So long its courses stay open after its end."""
        return timedelta(days=self.grace_days)

    def check_of(self, row: Row) -> datetime | None:
        """When a subscription that stands so is to be looked at again."""
        return next_check(row, now=self._clock.now(), grace=self.grace)

    async def write(self, subscription_id: str, decide: Decide, *, beside: Sequence[Intent] = ()) -> Row:
        """Move it as `decide` says; the subscription afterwards. `beside` goes into the same write, when there is one."""

        async def step() -> Row | None:
            row = await PlanSubscription.find_row(subscription_id)
            if row is None:
                raise Refused(Code.NOT_FOUND)
            move = decide(row)
            if move is None or not move.fields:
                return row
            now = self._clock.now()
            after = {**row, **move.fields, "version": row["version"] + 1, "updated_at": now}
            fields = {"check_at": next_check(after, now=now, grace=self.grace), **move.fields}
            intents = [*self._intents(after, move.told), *beside]
            if not await PlanSubscription.move(row, fields, intents=intents, at=now):
                return None
            return await PlanSubscription.find_row(subscription_id)

        row = await until_written(step)
        await self._relay.hand_over(PlanSubscription, subscription_id)
        return row

    async def tell(self, subscription_id: str, intents: Sequence[Intent]) -> None:
        """Let something else follow, though nothing of it is changed."""
        await PlanSubscription.put_intents(subscription_id, intents, self._clock.now())
        await self._relay.hand_over(PlanSubscription, subscription_id)

    def _intents(self, after: Row, told: Sequence[Told]) -> list[Intent]:
        """The events in their order, the mails, and what is to be done about enrolments."""
        write = Write(after["version"], after["updated_at"])
        view = subscription_view(after, grace_days=self.grace_days).model_dump(mode="json")
        records = [_RECORDS[one] for one in told if one in _RECORDS]
        intents = [
            event(write, record.replace(".", "_"), n=n, channels=[], data=view, record=record)
            for n, record in enumerate(records)
        ]
        intents += [self._mail(write, after, one) for one in told if one in _MAILS]
        if Told.ACCESS in told:
            intents.append(job(write, ACCESS_JOB, {"subscription_id": after["_id"]}))
        return intents

    def _mail(self, write: Write, after: Row, told: Told) -> Intent:
        data = _resumed(after, write.at) if told is Told.RESUMED else self._until(after, told, write.at)
        args = {"template": _MAILS[told], "user_id": after["user_id"], "data": data.model_dump(mode="json")}
        return job(write, "mail.send", args)

    def _until(self, after: Row, told: Told, now: datetime) -> SubscriptionMail:
        """Until when the courses stay open, while they do: of one that was cancelled until its end, else some days longer."""
        until = after.get("end_date") if told is Told.CANCELLED else access_until(after, self.grace_days)
        return SubscriptionMail(
            plan_name=after["plan_name"], until=until if until and until > now else None, link=_PAGE
        )


def _resumed(after: Row, now: datetime) -> SubscriptionResumed:
    """What is drawn next, at the price that holds then, and when."""
    price = after["next_price"] if after.get("is_next_agreed") else after
    end = after.get("end_date")
    return SubscriptionResumed(
        plan_name=price["plan_name"],
        amount=price["amount"],
        currency=price["currency"],
        until=end if end and end > now else None,
        link=_PAGE,
    )
