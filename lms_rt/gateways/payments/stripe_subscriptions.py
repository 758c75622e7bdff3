"""Subscriptions at Stripe: begun on its page, changed and cancelled from here. Prices are made with them, never kept there.

A change needs a product that is there already: that of a plan is made at its first change, under an id that says which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from lms_rt.clock import from_ms
from lms_rt.contracts.gateways import (
    CheckoutStarted,
    GatewayRefused,
    GatewaySubscription,
    OlderPayments,
    Payer,
    RecurringPrice,
    Renewing,
    SubscriptionWish,
)
from lms_rt.gateways.payments.stripe_amounts import to_stripe
from lms_rt.gateways.payments.stripe_calls import Answer, StripeCalls
from lms_rt.gateways.payments.stripe_paths import path_of, understood
from lms_rt.gateways.payments.stripe_reading import MAX_INTENTS, id_of, intents_of, subscription_of

_THERE_ALREADY = "resource_already_exists"
_GONE = frozenset({"resource_missing", "not_found"})
_UNPAID = {
    Renewing.ACTIVE: frozenset({"draft", "open"}),
    Renewing.CANCELLED: frozenset({"draft", "open", "void", "uncollectible"}),
}
"""The invoices for which nothing was paid. Whose was voided while it goes on was let off."""
_BEFORE = timedelta(days=1)


class StripeSubscriptions:
    """Those of one account."""

    def __init__(self, calls: StripeCalls) -> None:
        self._calls = calls

    async def start(self, wish: SubscriptionWish) -> CheckoutStarted:
        """A hosted checkout."""
        customer_id = wish.payer.customer_id or await self._customer_of(wish.payer)
        try:
            return await self._host(wish, customer_id)
        except GatewayRefused as error:
            if error.code not in _GONE:
                raise
        # the customer is gone, or of another account or mode. What was made by the usual key of theirs may be the very one
        # that is gone, as Stripe answers a key alike for a day: one is made by another
        return await self._host(wish, await self._customer_of(wish.payer, f":{wish.key}"), ":new")

    async def _host(self, wish: SubscriptionWish, customer_id: str, again: str = "") -> CheckoutStarted:
        price = {**_recurring(wish.price), "product_data": {"name": wish.price.title[:250]}}
        metadata = {
            "key": wish.key,
            "subscription_id": wish.subscription_id,
            "plan_id": wish.price.plan_id,
            "user_id": wish.payer.user_id,
        }
        made = await self._calls.write(
            "/v1/checkout/sessions",
            key=f"cs:{wish.key}{again}",
            mode="subscription",
            customer=customer_id,
            client_reference_id=wish.payer.user_id,
            line_items=[{"quantity": 1, "price_data": price}],
            metadata=metadata,
            subscription_data={"metadata": metadata},  # a session's own is not handed on
            success_url=wish.places.return_url,
            cancel_url=wish.places.cancel_url,
            locale=locale_of(wish.payer),
        )
        with understood(may_have_happened=True):
            return CheckoutStarted(made["id"], {"redirect_url": str(made["url"])}, customer_id)

    async def find(self, session_id: str) -> GatewaySubscription | None:
        """What came of a hosted checkout."""
        session = await self._calls.read(path_of("checkout/sessions", session_id))
        found = id_of(session.get("subscription"))
        return await self.read(found) if found else None

    async def read(self, subscription_id: str) -> GatewaySubscription:
        """How it stands."""
        return await self._with_payments(await self._calls.read(path_of("subscriptions", subscription_id)))

    async def change(self, subscription_id: str, price: RecurringPrice, *, key: str) -> GatewaySubscription:
        """Another price, if what it costs now can be drawn; a card that says no leaves all as it was."""
        path = path_of("subscriptions", subscription_id)
        product = await self._product_of(price)
        there = await self._calls.read(path)
        with understood():
            item_id = there["items"]["data"][0]["id"]
        item = {"id": item_id, "quantity": 1, "price_data": {**_recurring(price), "product": product}}
        changed = await self._calls.write(
            path,
            key=f"change:{key}",
            items=[item],
            metadata={"plan_id": price.plan_id},
            proration_behavior="always_invoice",
            payment_behavior="error_if_incomplete",
        )
        return replace(await self._with_payments(changed), is_at_once=True)

    async def cancel(self, subscription_id: str, *, at_period_end: bool, key: str) -> GatewaySubscription:
        """End it; one that is over stays as it is."""
        path = path_of("subscriptions", subscription_id)
        try:
            if at_period_end:
                await self._calls.write(path, key=f"cancel:{key}", cancel_at_period_end=True)
            else:
                await self._calls.remove(path)
        except GatewayRefused:
            if not await self._is_over(path):
                raise
        return await self.read(subscription_id)

    async def resume(self, subscription_id: str, *, key: str) -> GatewaySubscription:
        """Renew it after all; one that is over stays as it is."""
        path = path_of("subscriptions", subscription_id)
        try:
            await self._calls.write(path, key=f"resume:{key}", cancel_at_period_end=False)
        except GatewayRefused:
            if not await self._is_over(path):
                raise
        return await self.read(subscription_id)

    async def _is_over(self, path: str) -> bool:
        """Has it ended? Then it is no wonder that nothing can be changed."""
        return (await self._calls.read(path)).get("status") in {"canceled", "incomplete_expired"}

    async def older(self, subscription_id: str, place: str) -> OlderPayments:
        """Payments before an invoice."""
        invoices = await self._invoices(subscription_id, starting_after=place)
        return OlderPayments(_intents_of(invoices), _place_after(invoices))

    async def _with_payments(self, subscription: Answer) -> GatewaySubscription:
        with understood():
            invoices = await self._invoices(subscription["id"])
            told = replace(subscription_of(subscription, _intents_of(invoices)), older=_place_after(invoices))
            return _without_unpaid(told, invoices["data"])

    async def _invoices(self, subscription_id: str, **place: str) -> Answer:
        return await self._calls.read(
            "/v1/invoices", subscription=subscription_id, limit=MAX_INTENTS, expand=["data.payments"], **place
        )

    async def _customer_of(self, payer: Payer, again: str = "") -> str:
        """A customer that knows whose it is; Stripe's page asks for the rest."""
        made = await self._calls.write(
            "/v1/customers", key=f"customer:{payer.user_id}{again}", metadata={"user_id": payer.user_id}
        )
        with understood(may_have_happened=True):
            return str(made["id"])

    async def _product_of(self, price: RecurringPrice) -> str:
        product_id = f"lms_plan_{price.plan_id}"
        try:
            await self._calls.write("/v1/products", id=product_id, name=price.title[:250])
        except GatewayRefused as refused:
            if refused.code != _THERE_ALREADY:
                raise
        return product_id


def _intents_of(invoices: Answer) -> tuple[str, ...]:
    with understood():
        return tuple(dict.fromkeys(intent for invoice in invoices["data"] for intent in intents_of(invoice)))


def _place_after(invoices: Answer) -> str | None:
    with understood():
        return str(invoices["data"][-1]["id"]) if invoices.get("has_more") and invoices["data"] else None


def _without_unpaid(told: GatewaySubscription, invoices: Sequence[Answer]) -> GatewaySubscription:
    """Stripe begins a period, and calls it active, about an hour before it draws: until it is drawn it does not count.

    Nor does the last one of what has ended, whatever became of its invoice: for that was begun before it could be drawn, too.
    """
    newest = next((one for one in invoices if one.get("billing_reason") == "subscription_cycle"), None)
    if newest is None or told.period_start is None:
        return told
    is_of_before = from_ms(newest["created"] * 1000) < told.period_start - _BEFORE  # a change has begun a period since
    unpaid = _UNPAID.get(told.state, frozenset())
    return told if is_of_before or newest.get("status") not in unpaid else replace(told, period_end=told.period_start)


def locale_of(payer: Payer) -> str:
    """The language of Stripe's page; what it does not speak, such as Arabic, is left to the browser."""
    return "en" if payer.language == "en" else "auto"


def _recurring(price: RecurringPrice) -> Mapping[str, Any]:
    return {
        "currency": price.money.currency.lower(),
        "unit_amount": to_stripe(price.money),
        "recurring": {"interval": price.interval},
    }
