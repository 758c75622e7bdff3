"""Stripe: payment intents for who shows its fields, hosted checkouts for our own pages, refunds, and lists to compare with.

A payment goes by its intent's id, or by that of its hosted checkout, where it began as one: which intent comes of that is
known only once somebody pays. `metadata` holds our key, order and user; nothing else about a person is told. Amounts are
`stripe_amounts.py`, answers `stripe_reading.py`, webhooks `stripe_hints.py`, subscriptions `stripe_subscriptions.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from config.settings import Settings
from lms_rt.clock import Clock
from lms_rt.contracts.gateways import (
    Charged,
    Checkout,
    CheckoutStarted,
    GatewayName,
    GatewayPayment,
    GatewayRefund,
    GatewayRefused,
    GatewaySubscription,
    GatewayUnavailable,
    Hint,
    Method,
    Money,
    OlderPayments,
    RecurringPrice,
    RefundWish,
    SubscriptionWish,
)
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.gateways.payments.stripe_amounts import is_taken, to_stripe
from lms_rt.gateways.payments.stripe_calls import VERSION, Answer, StripeCalls
from lms_rt.gateways.payments.stripe_hints import check_signature, hint_of
from lms_rt.gateways.payments.stripe_paths import path_of, understood
from lms_rt.gateways.payments.stripe_reading import (
    NO_ORIGIN,
    Origin,
    id_of,
    payment_of,
    refund_of,
    subscription_id_of,
    unpaid_session_of,
    unread_of,
)
from lms_rt.gateways.payments.stripe_subscriptions import StripeSubscriptions, locale_of

NO_SUCH = "resource_missing"
"""Stripe's word for an id that it does not know."""
CARD, HOSTED = "card", "hosted"
_METHODS = (
    Method(CARD, {"en": "Card", "ar": "بطاقة"}),
    Method(HOSTED, {"en": "Card and wallets, on Stripe's page", "ar": "البطاقة والمحافظ، في صفحة Stripe"}),
)
_CHARGE = "latest_charge.refunds"
OUTLIVES = timedelta(minutes=31)
"""A hosted checkout ends by itself so long after its order, should nobody cancel it. Stripe asks for 30 minutes at least."""
LOOKED_BACK = timedelta(days=2)
"""So long before its payment may a hosted checkout have been made, or an invoice."""


class StripeGateway(PaymentGateway):
    """One account at Stripe."""

    name = GatewayName.STRIPE
    has_subscriptions = True
    keeps_keys = True
    has_lists = True

    def __init__(
        self, calls: StripeCalls, *, clock: Clock, publishable_key: str, secrets: Sequence[str], is_live: bool
    ) -> None:
        self._calls, self._clock = calls, clock
        self._publishable_key, self._secrets, self._is_live = publishable_key, tuple(secrets), is_live
        self._subscriptions = StripeSubscriptions(calls)

    @classmethod
    def of_settings(cls, settings: Settings, clock: Clock) -> StripeGateway:
        """The account that the settings name."""
        secret_key = settings.stripe_secret_key.get_secret_value()
        return cls(
            StripeCalls(secret_key, base=settings.stripe_api_base),
            clock=clock,
            publishable_key=settings.stripe_publishable_key,
            secrets=settings.stripe_webhook_secrets,
            is_live="_live_" in secret_key,
        )

    async def methods(self, money: Money) -> Sequence[Method]:
        """By a card, in fields of Stripe's or on its page. Without a publishable key nobody can show the fields."""
        if not is_taken(money):
            return ()
        return _METHODS if self._publishable_key else _METHODS[1:]

    # --- to be paid ---

    async def start_checkout(self, checkout: Checkout) -> CheckoutStarted:
        """An intent, or a hosted checkout. Within a day the same key makes the same; later Stripe has forgotten it."""
        amount = to_stripe(checkout.money)
        if checkout.method not in {None, CARD, HOSTED}:
            raise GatewayRefused("no such method", code="method")
        begin = self._host if checkout.method == HOSTED else self._intend
        try:
            return await begin(checkout, amount)
        except GatewayRefused as error:
            if error.code != NO_SUCH or checkout.payer.customer_id is None:
                raise
        # the customer is gone, or of another account or mode: one is made anew, by a key that never said otherwise
        stranger = replace(checkout, payer=replace(checkout.payer, customer_id=None))
        return await begin(stranger, amount, ":new")

    async def _intend(self, checkout: Checkout, amount: int, again: str = "") -> CheckoutStarted:
        made = await self._calls.write(
            "/v1/payment_intents",
            key=f"pi:{checkout.key}{again}",
            amount=amount,
            currency=checkout.money.currency.lower(),
            automatic_payment_methods={"enabled": True},
            description=checkout.title[:500],
            metadata=_metadata(checkout),
            **_customer(checkout),
        )
        with understood(may_have_happened=True):
            client = {"client_secret": str(made["client_secret"]), "publishable_key": self._publishable_key}
            return CheckoutStarted(made["id"], client, id_of(made.get("customer")))

    async def _host(self, checkout: Checkout, amount: int, again: str = "") -> CheckoutStarted:
        marked = {**_metadata(checkout), "hosted": "1"}
        made = await self._calls.write(
            "/v1/checkout/sessions",
            key=f"cs:{checkout.key}{again}",
            mode="payment",
            line_items=[{"quantity": 1, "price_data": _price(checkout, amount)}],
            client_reference_id=checkout.payer.user_id,
            metadata=marked,
            payment_intent_data={"metadata": marked, "description": checkout.title[:500]},
            success_url=checkout.places.return_url,
            cancel_url=checkout.places.cancel_url,
            expires_at=int((checkout.expires_at + OUTLIVES).timestamp()),
            locale=locale_of(checkout.payer),
            **_customer(checkout),
        )
        with understood(may_have_happened=True):
            return CheckoutStarted(made["id"], {"redirect_url": str(made["url"])}, id_of(made.get("customer")))

    async def cancel_checkout(self, intent_id: str) -> None:
        """Cancel an intent, expire a hosted checkout. What Stripe refuses because it is over is left as it is."""
        is_hosted = intent_id.startswith("cs_")
        kind, verb = ("checkout/sessions", "expire") if is_hosted else ("payment_intents", "cancel")
        try:
            await self._calls.write(path_of(kind, intent_id, verb))
        except GatewayRefused:
            there = await self.read_payment(intent_id)
            if there.state is Charged.PENDING and there.subscription_id is None:
                raise

    # --- how it stands ---

    async def find_payment(self, key: str) -> GatewayPayment | None:
        """By our key. Stripe's search is about a minute behind, and knows a hosted checkout once somebody has tried to pay."""
        if not key.replace("-", "").replace("_", "").isalnum():
            return None
        query = f'metadata["key"]:"{key}"'
        found = await self._calls.read("/v1/payment_intents/search", query=query, limit=1)
        with understood():
            ids = [one["id"] for one in found["data"]]
        return await self.read_payment(ids[0]) if ids else None

    async def read_payment(self, intent_id: str) -> GatewayPayment:
        """With refunds and disputes."""
        if intent_id.startswith("cs_"):
            path = path_of("checkout/sessions", intent_id)
            session = await self._calls.read(path, expand=[f"payment_intent.{_CHARGE}"])
            with understood():
                intent = session.get("payment_intent")
                if not isinstance(intent, dict):
                    return unpaid_session_of(session)
                return await self._whole(intent, Origin(session_id=session["id"]))
        intent = await self._calls.read(path_of("payment_intents", intent_id), expand=[_CHARGE])
        with understood():
            return await self._whole(intent, await self._origin_of(intent))

    async def _origin_of(self, intent: Answer) -> Origin:
        """The hosted checkout it came of, or the subscription that it pays for."""
        metadata = intent.get("metadata") or {}
        if metadata.get("hosted"):
            found = await self._calls.read("/v1/checkout/sessions", payment_intent=intent["id"], limit=1)
            return Origin(session_id=next((one["id"] for one in found["data"]), None))
        if metadata.get("key"):
            return NO_ORIGIN
        paid = {"type": "payment_intent", "payment_intent": intent["id"]}
        found = await self._calls.read("/v1/invoice_payments", payment=paid, limit=1, expand=["data.invoice"])
        return Origin(subscription_id=next((subscription_id_of(one["invoice"]) for one in found["data"]), None))

    async def _whole(self, intent: Answer, origin: Origin) -> GatewayPayment:
        """With what hangs on its charge."""
        charge = intent.get("latest_charge")
        if not isinstance(charge, dict):
            return payment_of(intent, origin=origin)
        told = charge.get("refunds") or {}
        refunds, disputes = told.get("data") or [], []
        if told.get("has_more"):
            refunds = [one async for one in self._calls.each("/v1/refunds", payment_intent=intent["id"])]
        if charge.get("disputed"):
            disputes = [one async for one in self._calls.each("/v1/disputes", payment_intent=intent["id"])]
        return payment_of(intent, refunds=refunds, disputes=disputes, origin=origin)

    async def payments_between(self, since: datetime, until: datetime) -> AsyncIterator[GatewayPayment]:
        """All intents of this time. Hosted checkouts that nobody tried to pay are none.

        What cannot be read is told by its key and subscription, for whoever knows whether it is ours: it hides no others.
        """
        earlier = _created(since - LOOKED_BACK, until)
        with understood():
            hosted = {
                id_of(one.get("payment_intent")): one["id"]
                async for one in self._calls.each("/v1/checkout/sessions", created=earlier)
            }
            renewed = {
                id_of(one["payment"].get("payment_intent")): subscription_id_of(one["invoice"])
                async for one in self._calls.each("/v1/invoice_payments", created=earlier, expand=["data.invoice"])
            }
            made = self._calls.each("/v1/payment_intents", created=_created(since, until), expand=[f"data.{_CHARGE}"])
            async for intent in made:
                origin = Origin(hosted.get(intent["id"]), renewed.get(intent["id"]))
                try:
                    with understood():
                        read = await self._whole(intent, origin)
                except (GatewayRefused, GatewayUnavailable):
                    read = unread_of(intent, origin)
                yield read

    # --- paid back ---

    async def refund(self, wish: RefundWish) -> GatewayRefund:
        """Looked for first: Stripe forgets idempotency keys after a day, and a repeat may come later than that."""
        amount = to_stripe(wish.money)
        intent_id = await self._intent_of(wish.intent_id)
        with understood():
            async for one in self._calls.each("/v1/refunds", payment_intent=intent_id):
                if (one.get("metadata") or {}).get("refund_id") == wish.refund_id:
                    return refund_of(one)
        made = await self._calls.write(
            "/v1/refunds",
            key=f"refund:{wish.refund_id}",
            payment_intent=intent_id,
            amount=amount,
            reason="requested_by_customer",
            metadata={"refund_id": wish.refund_id},
        )
        with understood(may_have_happened=True):
            return refund_of(made)

    async def _intent_of(self, intent_id: str) -> str:
        """The intent of a hosted checkout; others are it."""
        if not intent_id.startswith("cs_"):
            return intent_id
        session = await self._calls.read(path_of("checkout/sessions", intent_id))
        if (found := id_of(session.get("payment_intent"))) is None:
            raise GatewayRefused("nothing was paid", code="not_paid")
        return found

    # --- webhooks ---

    async def read_hints(
        self,
        *,
        headers: Mapping[str, str],
        query: Mapping[str, str],  # noqa: ARG002 - others sign there
        body: bytes,
    ) -> Sequence[Hint]:
        """One event, signed by any of the secrets."""
        lower = {name.lower(): value for name, value in headers.items()}
        now_seconds = self._clock.now_ms() // 1000
        check_signature(lower.get("stripe-signature", ""), body, secrets=self._secrets, now_seconds=now_seconds)
        return (hint_of(body, is_live=self._is_live, version=VERSION),)

    # --- subscriptions ---

    async def start_subscription(self, wish: SubscriptionWish) -> CheckoutStarted:
        """A hosted checkout, of which a subscription comes."""
        return await self._subscriptions.start(wish)

    async def find_subscription(
        self,
        key: str,  # noqa: ARG002 - its checkout is known
        intent_id: str,
    ) -> GatewaySubscription | None:
        """That of a hosted checkout, which names it once somebody went through with it."""
        return await self._subscriptions.find(intent_id)

    async def read_subscription(self, subscription_id: str) -> GatewaySubscription:
        """With its newest payments."""
        return await self._subscriptions.read(subscription_id)

    async def older_payments(self, subscription_id: str, place: str) -> OlderPayments:
        """Those before its newest ones."""
        return await self._subscriptions.older(subscription_id, place)

    async def change_subscription(
        self, subscription_id: str, price: RecurringPrice, *, key: str
    ) -> GatewaySubscription:
        """At once; what is left of the old period is set against the first payment of the new price."""
        return await self._subscriptions.change(subscription_id, price, key=key)

    async def cancel_subscription(self, subscription_id: str, *, at_period_end: bool, key: str) -> GatewaySubscription:
        """At once, or at the end of the period."""
        return await self._subscriptions.cancel(subscription_id, at_period_end=at_period_end, key=key)

    async def resume_subscription(self, subscription_id: str, *, key: str) -> GatewaySubscription:
        """It is renewed after all."""
        return await self._subscriptions.resume(subscription_id, key=key)

    async def close(self) -> None:
        """Close the line."""
        await self._calls.close()


def _metadata(checkout: Checkout) -> dict[str, str]:
    return {"key": checkout.key, "order_id": checkout.order_id, "user_id": checkout.payer.user_id}


def _customer(checkout: Checkout) -> dict[str, str]:
    return {"customer": checkout.payer.customer_id} if checkout.payer.customer_id else {}


def _price(checkout: Checkout, amount: int) -> dict[str, Any]:
    product = {"name": checkout.title[:250]}
    return {"currency": checkout.money.currency.lower(), "unit_amount": amount, "product_data": product}


def _created(since: datetime, until: datetime) -> dict[str, int]:
    return {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
