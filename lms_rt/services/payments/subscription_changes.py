"""What the owner of a subscription may change: end it with what is paid for, take that back, and go over to another plan.

A change of plan is kept before the gateway is asked, and asked for under one key until it is known to have happened: killed in
between, or without an answer, the sweep asks again. Who sees to payments may do all of it, which is in the audit log.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from documents.base import Row
from documents.plan import Plan
from documents.plan_subscription import PlanSubscription
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.gateways import GatewayRefused, GatewaySubscription, GatewayUnavailable, Money, Renewing
from lms_rt.contracts.outbox import Intent, Write, audited
from lms_rt.contracts.plans import SubscriptionMove, SubscriptionResume, SubscriptionView
from lms_rt.errors import Code, Refused, invalid
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.plan_subscriptions import PlanSubscriptions, require_subscription
from lms_rt.services.payments.pricing import Pricing
from lms_rt.services.payments.subscription_book import SubscriptionBook
from lms_rt.services.payments.subscription_checkouts import has_money, promised, recurring
from lms_rt.services.payments.subscription_moves import Move, Told, changed_to, may_be_charged, may_be_resumed

_log = logging.getLogger(__name__)


class SubscriptionChanges:
    """Changes of subscriptions by those whose they are."""

    def __init__(
        self,
        *,
        clock: Clock,
        gateways: Gateways,
        pricing: Pricing,
        book: SubscriptionBook,
        subscriptions: PlanSubscriptions,
    ) -> None:
        self._clock, self._gateways, self._pricing = clock, gateways, pricing
        self._book, self._subscriptions = book, subscriptions
        subscriptions.changes_by(self.finish)

    async def cancel(self, actor: Actor, subscription_id: str) -> SubscriptionView:
        """Let it end with what is paid for; one whose renewal failed, and one that was never paid, at once. Again is the same.

        One that is over here is ended at its gateway, where that may still try to draw. One that is to end already is told to its
        gateway once more: that it goes on after all may have been carried out there, and the answer lost.
        """
        row = await require_subscription(actor, subscription_id)
        if row["status"] in ("cancelled", "expired") and not may_be_charged(row):
            return self._subscriptions.view(row)
        beside = self._recorded(actor, row, "subscription.cancel")
        if row["status"] == "pending":
            row = await self._call_off(row, beside)
            if not may_be_charged(row):
                return self._subscriptions.view(row)
        gateway, began = self._gateway(row), self._clock.now()
        key = f"{row['_id']}-{row['revision']}"
        if beside:
            await PlanSubscription.put_intents(row["_id"], beside, began)
        try:
            read = await gateway.cancel_subscription(
                row["gateway_subscription_id"], at_period_end=row["status"] == "active", key=key
            )
        except GatewayRefused as refused:
            raise _refused(gateway.name, refused) from None
        except GatewayUnavailable as away:
            raise _away(away) from None
        return self._subscriptions.view(await self._subscriptions.take_done(row["_id"], read, began=began))

    async def resume(self, actor: Actor, subscription_id: str, draft: SubscriptionResume) -> SubscriptionView:
        """Let it go on that was to end with what is paid for, as long as that lasts. Again is the same.

        It is their money that its owner is to pay again: whoever else does it says why, and the owner gets a mail. What its
        gateway says afterwards is what it is: one that ended just before has ended.
        """
        row = await require_subscription(actor, subscription_id)
        if _goes_on(row):
            return self._subscriptions.view(row)
        if not _may_go_on(row, began := self._clock.now()):
            raise _over(row)
        if row["user_id"] != actor.user_id and not draft.reason:
            raise invalid("reason", "Say why somebody else's subscription goes on.", "required")
        gateway = self._gateway(row)
        if beside := self._recorded(actor, row, "subscription.resume", reason=draft.reason):
            await PlanSubscription.put_intents(row["_id"], beside, began)
        try:
            read = await gateway.resume_subscription(
                row["gateway_subscription_id"], key=f"{row['_id']}-{row['revision']}"
            )
        except GatewayRefused as refused:
            raise _refused(gateway.name, refused) from None
        except GatewayUnavailable as away:
            raise _away(away) from None
        after = await self._subscriptions.take_done(row["_id"], read, began=began)
        if not _goes_on(after):
            raise _over(after)
        return self._subscriptions.view(after)

    async def change(self, actor: Actor, subscription_id: str, move: SubscriptionMove) -> SubscriptionView:
        """Go over to another plan, from now on; how the rest of the period is counted is its gateway's."""
        row = await require_subscription(actor, subscription_id)
        plan = await self._plan(row, move.plan_id)
        gateway = self._gateway(row)
        priced = await self._pricing.of_plan(plan, country=row.get("country") or row.get("tax_country"))
        price = promised(plan, priced)
        beside = self._recorded(
            actor, row, "subscription.change", before={"plan_id": row["plan_id"]}, after={"plan_id": plan["_id"]}
        )
        begun = await PlanSubscription.find_open(f"{row['user_id']}:{plan['_id']}")
        if begun is not None and begun["status"] == "pending":
            await self._make_way(begun)
        moves: list[Move | None] = []

        def decide(present: Row) -> Move | None:
            moves.append(_wanted(present, price))
            return moves[-1]

        row = await self._book.write(subscription_id, decide, beside=beside)
        return self._subscriptions.view(await self._ask(gateway, row, is_again=moves[-1] is None))

    async def finish(self, row: Row) -> None:
        """Ask once more for a change whose answer was lost."""
        gateway = self._gateways.find(row["gateway"])
        if gateway is None or row.get("next_price") is None:
            return
        began = self._clock.now()
        try:
            read = await self._changed(gateway, row)
        except GatewayRefused as refused:
            _log.warning("%s did not change subscription %s: %s", row["gateway"], row["_id"], refused.code)
            await self._book.write(row["_id"], _forgotten)
            return
        await self._confirm(row, read)
        await self._subscriptions.take(row["_id"], read, began=began)

    async def _plan(self, row: Row, plan_id: str) -> Row:
        """The plan to go over to, if that can be."""
        if row["status"] != "active" or row.get("cancel_at_period_end"):
            raise Refused(Code.CONFLICT, "Only a subscription that goes on can be changed.", status=row["status"])
        plan = await Plan.find_row(plan_id)
        if plan is None or not plan["is_active"]:
            raise invalid("plan_id", "There is no plan with this id to subscribe to.", "unknown")
        if plan["_id"] == row["plan_id"] and not row.get("is_next_agreed"):
            raise Refused(Code.CONFLICT, "The subscription is to this plan already.")
        if plan["currency"] != row["currency"]:
            raise invalid("plan_id", "A subscription stays in its currency.", "currency")
        which = {"user_id": row["user_id"], "plan_id": plan_id, "status": {"$in": ["active", "past_due"]}}
        which["_id"] = {"$ne": row["_id"]}
        if (await PlanSubscription.page(which, skip=0, limit=1))[0]:
            raise Refused(Code.CONFLICT, "There is a subscription to this plan already.")
        return plan

    async def _ask(self, gateway: PaymentGateway, row: Row, *, is_again: bool) -> Row:
        """What was asked for before may have happened then, whatever comes of asking again: it is not forgotten."""
        began = self._clock.now()
        try:
            read = await self._changed(gateway, row)
        except GatewayRefused as refused:
            await self._book.write(row["_id"], _forgotten)
            raise _refused(gateway.name, refused) from None
        except GatewayUnavailable as away:
            if not (away.may_have_happened or is_again):
                await self._book.write(row["_id"], _forgotten)
            raise _away(away) from None
        await self._confirm(row, read)
        after = await self._subscriptions.take(row["_id"], read, began=began)
        await self._subscriptions.end_doubles(after)
        return after

    async def _changed(self, gateway: PaymentGateway, row: Row) -> GatewaySubscription:
        price = recurring({**row, **row["next_price"]})
        key = f"{row['_id']}-change-{row['changes']}"
        return await gateway.change_subscription(row["gateway_subscription_id"], price, key=key)

    async def _confirm(self, row: Row, read: GatewaySubscription) -> None:
        """The gateway has changed it: it is of that plan, at that price, once that is paid. Until then it is as it was."""

        def decide(present: Row) -> Move | None:
            wanted = present.get("next_price")
            if wanted is None or present["changes"] != row["changes"]:
                return None
            if read.state is not Renewing.ACTIVE or read.money != Money(wanted["amount"], wanted["currency"]):
                return None
            if not read.is_at_once:
                return Move({"is_next_agreed": True})
            fields = changed_to(present, wanted, self._clock.now())
            if present["interval"] != wanted["interval"] and read.period_end is not None:
                fields["end_date"] = read.period_end
            return Move(fields, (Told.ACCESS,))

        await self._book.write(row["_id"], decide)

    async def _make_way(self, begun: Row) -> None:
        """Call off what was begun of a plan, for another that goes over to it; refused where somebody has paid for it."""
        if begun.get("first_key") is not None:
            raise has_money(begun)
        if may_be_charged(await self._call_off(begun, [])):
            raise Refused(Code.CONFLICT, "There is a subscription to this plan already.")

    async def _call_off(self, row: Row, beside: list[Intent]) -> Row:
        """Nobody went through with it, and nobody shall. Where somebody just did it goes on, as it is given back.

        Its page is closed before that is asked: nobody goes through in between.
        """
        gateway, intent_id = self._gateways.find(row["gateway"]), row.get("checkout_intent_id")
        try:
            if gateway is not None and intent_id is not None:
                await gateway.cancel_checkout(intent_id)
            row = await self._subscriptions.look_begun(row["_id"]) or row
        except GatewayRefused as refused:
            raise _refused(row["gateway"], refused) from None
        except GatewayUnavailable as away:
            raise _away(away) from None
        if row["status"] != "pending":
            return row
        now = self._clock.now()
        return await self._book.write(row["_id"], lambda present: _called_off(present, now), beside=beside)

    def _gateway(self, row: Row) -> PaymentGateway:
        gateway = self._gateways.find(row["gateway"])
        if gateway is None or row.get("gateway_subscription_id") is None:
            raise Refused(Code.CONFLICT, "Its gateway is not set up here any more.")
        return gateway

    def _recorded(
        self, actor: Actor, row: Row, action: str, *, reason: str = "", **values: Mapping[str, Any]
    ) -> list[Intent]:
        """For the audit log, when it is not the owner's own hand."""
        write, about = Write(row["version"] + 1, self._clock.now()), row["_id"]
        before, after = values.get("before"), values.get("after")
        return audited(
            write, actor, action, kind="subscription", target_id=about, reason=reason, before=before, after=after
        )


def _goes_on(row: Row) -> bool:
    """Is it renewed when its period is over, for all that we know?"""
    return row["status"] in ("active", "past_due") and not row.get("cancel_at_period_end") and not row.get("must_end")


def _may_go_on(row: Row, now: datetime) -> bool:
    """Is it one that was to end, and has not ended yet? One whose money went back ends whatever its owner wishes."""
    end = row.get("end_date")
    return may_be_resumed(row) and end is not None and end > now


def _over(row: Row) -> Refused:
    return Refused(Code.CONFLICT, "Only a subscription that has not ended can go on.", status=row["status"])


def _wanted(present: Row, price: dict[str, Any]) -> Move | None:
    """Keep what is asked for before the gateway is. One that is under way already is asked for again, and no other."""
    if present["status"] != "active" or present.get("cancel_at_period_end"):
        raise Refused(Code.CONFLICT, "Only a subscription that goes on can be changed.", status=present["status"])
    under_way = present.get("next_price")
    is_asked = under_way is not None and not present.get("is_next_agreed")
    if under_way is not None and is_asked and under_way["plan_id"] != price["plan_id"]:
        raise Refused(Code.CONFLICT, "Another change is under way; try again in some minutes.")
    if is_asked or under_way == price:
        return None
    known = sorted({*present.get("known_amounts", []), present["amount"], price["amount"]})
    changes = present.get("changes", 0) + 1
    return Move({"next_price": price, "is_next_agreed": None, "changes": changes, "known_amounts": known})


def _forgotten(_: Row) -> Move:
    return Move({"next_price": None, "is_next_agreed": None})


def _called_off(present: Row, now: datetime) -> Move | None:
    """One whose money was heard of is ended as soon as its gateway names it: what was paid for stays paid."""
    if present["status"] != "pending":
        return None
    paid = {} if present.get("first_key") is None else {"must_end": True, "check_at": now}
    return Move({"status": "expired", "open_key": None, "checkout": None} | paid)


def _refused(gateway_name: str, refused: GatewayRefused) -> Refused:
    _log.warning("%s said no to a change of a subscription: %s", gateway_name, refused.code)
    return Refused(Code.CONFLICT, "The gateway does not allow this for this subscription.", reason=refused.code)


def _away(away: GatewayUnavailable) -> Refused:
    words = "The gateway does not answer. Look again in some minutes."
    return Refused(Code.UNAVAILABLE, words, retry_after_seconds=away.retry_after_seconds or 5)
