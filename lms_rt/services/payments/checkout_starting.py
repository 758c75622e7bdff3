"""How a checkout is begun: what is to be paid is kept before the gateway is asked, under a key that the gateway keeps, too.

So whoever is killed in between, or hears no answer, asks again with the same key and meets the same checkout; and a word about
a payment that comes before its intent is written down finds it by that key. One asks at a time: a second click waits for the
first. What the browser needs is sealed with the order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta

import orjson

from config.settings import Settings
from documents.base import Row
from documents.enums import OrderStatus, PaymentStatus
from documents.order import Order
from documents.payment import Payment, intent_key_of
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.gateways import (
    Checkout,
    CheckoutStarted,
    GatewayRefused,
    GatewayUnavailable,
    Money,
    Payer,
    Places,
)
from lms_rt.errors import Code, Refused, invalid
from lms_rt.security.sealing import Sealer, Unsealable
from lms_rt.services.contended import until_written
from lms_rt.services.mails import site_url
from lms_rt.services.notification_texts import language_of
from lms_rt.services.payments.customers import customer_of, keep_customer
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.payment_facts import FIRST_LOOK
from lms_rt.services.payments.settling import Settling, pending_payment

ASKING = timedelta(seconds=45)
"""Longer than any gateway is waited for; whoever was killed while asking is followed by another then."""
_ASK_SECONDS = 40.0
"""So long a gateway is waited for in all, whatever it takes in calls: nobody else asks for the same meanwhile."""
_LOOK_SECONDS, _LOOKS = 0.1, 30

_log = logging.getLogger(__name__)


class Starting:
    """Begins checkouts."""

    def __init__(
        self, *, settings: Settings, clock: Clock, gateways: Gateways, settling: Settling, sealer: Sealer
    ) -> None:
        self._settings, self._clock = settings, clock
        self._gateways, self._settling, self._sealer = gateways, settling, sealer

    async def start(self, user_id: str, order: Row, key: str) -> Mapping[str, str] | None:
        """What the browser needs for this attempt. None: its checkout is lost, and another attempt is to be begun."""
        at = self._clock.now()
        fresh = pending_payment(order, key, order["gateway"], at=at, check_at=at + FIRST_LOOK)
        is_first = await Payment.add({**fresh, "asking_until": at + ASKING})
        if not is_first:
            if not await self._may_ask(key):
                return await self._waited(order["_id"], key)
            if (client := await self._kept(order["_id"], key)) is not None:  # by one who was done a moment before
                await self._note(key, {"asking_until": None})
                return client
        try:
            checkout = await self._checkout(user_id, order, key)
            started = await self._asked(order["gateway"], checkout)
        except GatewayRefused as error:
            await self._refused(key, error)
            if not is_first:
                return None
            raise invalid("gateway", "The gateway does not take this payment.", "gateway") from error
        except GatewayUnavailable as error:
            await self._note(key, {"asking_until": None})
            _log.warning("%s does not answer: %s", order["gateway"], error.reason)
            seconds = error.retry_after_seconds or 5
            raise Refused(Code.UNAVAILABLE, "The gateway does not answer.", retry_after_seconds=seconds) from error
        except Exception:
            await self._note(key, {"asking_until": None})  # a fault of ours: whoever asks next need not wait
            raise
        await self._keep(order["_id"], key, started)
        await keep_customer(order["gateway"], checkout.payer, started, at=self._clock.now())
        return started.client

    async def _asked(self, gateway: str, checkout: Checkout) -> CheckoutStarted:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                return await self._gateways.named(gateway).start_checkout(checkout)
        except TimeoutError as error:
            raise GatewayUnavailable("no answer in time", may_have_happened=True) from error

    async def _may_ask(self, key: str) -> bool:
        """Is nobody asking for it just now? Then it is this one's turn."""
        payment, now = await Payment.find_by_key(key), self._clock.now()
        until = None if payment is None else payment.get("asking_until")
        if payment is None or (until is not None and until > now):
            return False
        return await Payment.change(payment, {"$set": {"asking_until": now + ASKING}}, at=now)

    async def _waited(self, order_id: str, key: str) -> Mapping[str, str] | None:
        """What somebody else is asking for."""
        for _ in range(_LOOKS):
            client, payment = await self._kept(order_id, key), await Payment.find_by_key(key)
            if client is not None:
                return client
            if payment is not None and payment["status"] != PaymentStatus.PENDING:
                return None
            if payment is not None and payment.get("asking_until") is None:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        raise Refused(Code.BUSY, retry_after_seconds=2)

    async def _kept(self, order_id: str, key: str) -> Mapping[str, str] | None:
        """What the browser needs for this attempt, where it is kept with the order by now."""
        order = await Order.find_row(order_id)
        return self.unsealed(order) if order is not None and key_of(order) == key else None

    async def look(self, payment: Row) -> None:
        """Settle one by what its gateway says now."""
        await self._settling.look(payment)

    def unsealed(self, order: Row) -> Mapping[str, str] | None:
        """What the browser was given; None: nothing yet, or no key opens it any more: then the gateway is asked again."""
        if order.get("checkout") is None:
            return None
        try:
            found: Mapping[str, str] = orjson.loads(self._sealer.unseal(order["checkout"], owner=order["_id"]))
        except Unsealable:
            return None
        return found

    async def _refused(self, key: str, error: GatewayRefused) -> None:
        _log.warning("checkout %s was refused: %s", key, error.code)

        async def decide(present: Row) -> Row:
            if present["status"] != PaymentStatus.PENDING:
                return {}
            fields: Row = {"status": PaymentStatus.FAILED.value, "failure": error.code[:200]}
            return {**fields, "check_at": None, "asking_until": None}

        payment = await Payment.find_by_key(key)
        if payment is not None:
            await self._settling.change(payment["_id"], decide)

    async def _keep(self, order_id: str, key: str, started: CheckoutStarted) -> None:
        """Keep what the browser needs with the order, then the intent with the payment: who waits for the first goes on."""
        sealed = self._sealer.seal(orjson.dumps(dict(started.client)).decode(), owner=order_id)

        async def step() -> bool | None:
            order = await Order.find_row(order_id)
            if order is None or key_of(order) != key or order["status"] != OrderStatus.PENDING:
                return True  # it was ended, or is paid by something else by now
            fields = {"gateway_intent_id": started.intent_id, "checkout": sealed}
            return await Order.change(order, {"$set": fields}, at=self._clock.now()) or None

        await until_written(step)
        found = await Payment.find_by_key(key)
        fields: Row = {"asking_until": None}
        if found is not None and found.get("intent_id") is None:
            intent_key = intent_key_of(found["gateway"], started.intent_id)
            fields |= {"intent_id": started.intent_id, "intent_key": intent_key}
        await self._note(key, fields)

    async def _note(self, key: str, fields: Row) -> None:
        async def decide(present: Row) -> Row:
            return {name: value for name, value in fields.items() if present.get(name) != value}

        payment = await Payment.find_by_key(key)
        if payment is not None:
            await self._settling.change(payment["_id"], decide)

    async def _checkout(self, user_id: str, order: Row, key: str) -> Checkout:
        return Checkout(
            key=key,
            order_id=order["_id"],
            money=Money(order["amount"], order["currency"]),
            title=order["title"],
            payer=await payer_of(user_id, order["gateway"], country=order.get("country")),
            places=places_of(self._settings, order["gateway"], f"/payments/orders/{order['_id']}"),
            expires_at=order["expires_at"],
            method=order.get("method"),
        )


def key_of(order: Row) -> str:
    """The key of the newest attempt of an order."""
    return f"{order['_id']}-{order['attempt']}"


async def payer_of(user_id: str, gateway: str, *, country: str | None = None) -> Payer:
    """Who is to pay, as gateways want to know them."""
    user = await User.find_by_id(user_id)
    if user is None:
        raise Refused(Code.NOT_FOUND)
    return Payer(
        user_id=user.id,
        full_name=user.full_name,
        email=user.email,
        language=language_of(user.locale),
        country=country,
        customer_id=await customer_of(user.id, gateway),
    )


def places_of(settings: Settings, gateway: str, page: str) -> Places:
    """Where a gateway sends the browser, and its words. The page shows what is known; coming to it grants nothing."""
    base = site_url(settings)
    return Places(
        return_url=f"{base}{page}",
        cancel_url=f"{base}{page}",
        webhook_url=f"{base}/api/v1/payments/webhooks/{gateway}",
    )
