"""The payments of subscriptions: each that a gateway drew becomes an order and a payment of ours, before it is settled.

Both have ids that derive from the gateway's, so that who does it twice, or at once, does it once. What it should have cost is
the subscription's; another amount is taken only when the plan was changed, since gateways then count the rest of a period
against the new price. Everything else waits for a person, as settling has it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from documents.base import Row
from documents.enums import OrderKind, OrderStatus
from documents.order import Order
from documents.payment import Payment, intent_key_of
from documents.plan_subscription import PlanSubscription
from lms_rt.clock import Clock
from lms_rt.contracts.gateways import Charged, GatewayPayment, GatewayRefused, is_reference
from lms_rt.contracts.outbox import Write
from lms_rt.ids import derived_id
from lms_rt.services.contended import until_written
from lms_rt.services.payments.findings import found_intent, refs_of
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.payment_facts import FIRST_LOOK
from lms_rt.services.payments.rounding import divided
from lms_rt.services.payments.settling import pending_payment
from lms_rt.services.payments.subscription_terms import counted

_PAYABLE = timedelta(days=30)


def subscription_id_of(key: str | None) -> str | None:
    """Whose checkout a key is: "<subscription id>-<attempt>"; None: none of a subscription."""
    found, _, attempt = (key or "").rpartition("-")
    return found if found.startswith("sub_") and attempt.isdigit() else None


class Renewals:
    """Orders and payments of what gateways draw by themselves."""

    def __init__(self, *, clock: Clock, gateways: Gateways) -> None:
        self._clock, self._gateways = clock, gateways

    async def adopt(self, gateway: str, read: GatewayPayment) -> Row | None:
        """The payment that this is of a subscription of ours, made where it is not there. None: of none, or nothing was paid."""
        present = await Payment.find_by_intent(gateway, read.intent_id)
        if present is not None or read.state is not Charged.COMPLETED:
            return present
        subscription, key = await self._subscription_of(gateway, read)
        if subscription is not None and key is not None and not read.is_again:
            subscription = await self._first(subscription["_id"], key)
        if subscription is None:
            return None
        is_surplus = read.is_again or _is_surplus(subscription, gateway, read, key)
        if is_surplus or _is_given_up(subscription):
            await PlanSubscription.ask_again(subscription["_id"], self._clock.now())
        amount = read.money.amount if is_surplus else expected_amount(subscription, read)
        order = self._order(subscription, gateway, read, amount=amount)
        await Order.add(order)
        key, now = f"{subscription['_id']}-{read.intent_id}", self._clock.now()
        payment = pending_payment(order, key, gateway, at=now, check_at=now + FIRST_LOOK)
        payment |= {"intent_id": read.intent_id, "intent_key": intent_key_of(gateway, read.intent_id)}
        if is_surplus:
            payment = _alarmed(payment, now)
        await Payment.add(payment)
        return await Payment.find_by_intent(gateway, read.intent_id)

    async def is_ours(self, gateway: str, gateway_subscription_id: str) -> bool:
        """Was a subscription at a gateway begun here, whatever became of what was kept of it?"""
        if await PlanSubscription.find_at_gateway(gateway, gateway_subscription_id) is not None:
            return True
        try:
            told = await self._gateways.named(gateway).read_subscription(gateway_subscription_id)
        except GatewayRefused:
            return False
        return is_reference(told.key)

    async def _subscription_of(self, gateway: str, read: GatewayPayment) -> tuple[Row | None, str | None]:
        """Whose it is, and the key of the checkout by which that is known; no key, where the gateway's id tells it."""
        key = read.key
        if subscription_id_of(key) is None and read.subscription_id is not None:
            known = await PlanSubscription.find_at_gateway(gateway, read.subscription_id)
            if known is not None:
                return known, None
            key = (await self._gateways.named(gateway).read_subscription(read.subscription_id)).key
        own_id = subscription_id_of(key)
        return (None, None) if own_id is None else (await PlanSubscription.find_row(own_id), key)

    async def _first(self, subscription_id: str, key: str) -> Row | None:
        """Let the checkout of this key be the one that counts, where none does and no gateway's is known; how it stands then."""

        async def step() -> tuple[Row | None] | None:
            row = await PlanSubscription.find_row(subscription_id)
            if row is None or any(row.get(name) is not None for name in ("first_key", "gateway_subscription_id")):
                return (row,)
            now = self._clock.now()
            await PlanSubscription.move(row, {**counted(row, key), "asked_at": None, "check_at": now}, at=now)
            return None  # as it was written, or by another

        return (await until_written(step))[0]

    def _order(self, subscription: Row, gateway: str, read: GatewayPayment, *, amount: int) -> Row:
        now = self._clock.now()
        subscription = _at_price_of(subscription, amount)
        tax = divided(amount, (subscription["amount"] - subscription["tax_amount"], subscription["tax_amount"]))[1]
        is_included = subscription.get("is_tax_included", True)
        named = ("tax_name", "tax_country", "country", "address_country")
        return {
            "_id": derived_id("ord", gateway, read.intent_id),
            "revision": 1,
            "version": 1,
            "user_id": subscription["user_id"],
            "kind": OrderKind.SUBSCRIPTION.value,
            "plan_id": subscription["plan_id"],
            "subscription_id": subscription["_id"],
            "title": subscription["plan_name"],
            "list_amount": amount if is_included else amount - tax,
            "discount_amount": 0,
            "tax_basis_points": subscription.get("tax_basis_points", 0),
            "tax_amount": tax,
            "is_tax_included": is_included,
            "amount": amount,
            "currency": subscription["currency"],
            "status": OrderStatus.PENDING.value,
            "gateway": gateway,
            "attempt": 1,
            "gateway_intent_id": read.intent_id,
            "created_at": now,
            "updated_at": now,
            "expires_at": now + _PAYABLE,
            "outbox": [],
            **{name: subscription[name] for name in named if subscription.get(name) is not None},
        }


def _is_surplus(subscription: Row, gateway: str, read: GatewayPayment, key: str | None) -> bool:
    """Is it of a second subscription that came of the same wish? The first checkout that was paid for counts."""
    if key is not None and subscription.get("first_key") not in (None, key):
        return True
    known = subscription.get("gateway_subscription_id")
    is_elsewhere = subscription["gateway"] != gateway or read.subscription_id not in (None, known)
    return known is not None and is_elsewhere


def _is_given_up(subscription: Row) -> bool:
    """Did no gateway name it for so long that it was not asked any more? What is drawn for it says that there is one."""
    return subscription.get("gateway_subscription_id") is None and subscription.get("asked_at") is not None


def _alarmed(payment: Row, at: datetime) -> Row:
    """Nothing is opened by it, nor closed when it is paid back, and it is held; somebody is shown that money came twice."""
    alone = {name: value for name, value in payment.items() if name != "subscription_id"}
    refs = refs_of(payment)
    intent = found_intent(Write(1, at), "duplicate_payment", payment["_id"], refs=refs, facts={"reason": "duplicate"})
    return {**alone, "outbox": [intent], "outbox_at": at}


def _at_price_of(subscription: Row, amount: int) -> Row:
    """The plan that a payment is for: the next one, when it is the first at the price that was agreed."""
    price = subscription.get("next_price") or {}
    is_next = subscription.get("is_next_agreed") and price["amount"] == amount != subscription["amount"]
    return {**subscription, **price} if is_next else subscription


def expected_amount(subscription: Row, read: GatewayPayment) -> int:
    """What was to be paid: the price; after a change of plan whatever is not above the dearest price that it ever had."""
    price, paid = int(subscription["amount"]), read.money.amount
    known = [price, *subscription.get("known_amounts", [])]
    was_changed = subscription.get("changes", 0) > 0 and read.money.currency == subscription["currency"]
    return paid if was_changed and 0 < paid <= max(known) else price
