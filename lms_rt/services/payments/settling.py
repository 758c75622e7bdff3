"""Settling: a payment is read from its gateway, and what was read is written down, with all that must follow, in one write.

Whoever has reason to look (a word of the gateway, the reconcile job, somebody who waits at a page) calls the same; again, late
or out of order it comes to the same. Nothing is believed but the reading: its amount, its currency and whose it is must be the
order's, else the money is held for a person, with an alarm.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from enum import StrEnum

from documents.base import Row, setting
from documents.enums import HeldFor, PaymentStatus
from documents.order import Order
from documents.payment import PAID, Payment
from documents.refund import Refund
from lms_rt.clock import Clock
from lms_rt.contracts.gateways import Charged, GatewayPayment, Money, is_reference
from lms_rt.contracts.outbox import Intent, Write
from lms_rt.contracts.payment_findings import FindingKind
from lms_rt.ids import derived_id
from lms_rt.services import figures
from lms_rt.services.contended import until_written
from lms_rt.services.payments.changes import PaymentChange, PaymentFollower
from lms_rt.services.payments.claims import Claims, followed
from lms_rt.services.payments.findings import found_intent, refs_of
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.paid_twice import told_apart, with_own_refunds
from lms_rt.services.payments.payment_facts import FIRST_LOOK, facts_of
from lms_rt.services.payments.refund_book import RefundBook, RefundStand
from lms_rt.services.relay import Relay

PREFIX = "pay"
FREE = "none"
"""The gateway of an order that costs nothing."""

Renewed = Callable[[str, GatewayPayment], Awaitable[Row | None]]
"""Makes the pending payment of a renewal that nobody here asked for; None: it is of no subscription of ours."""
IsSubscribed = Callable[[str, str], Awaitable[bool]]
"""Is a subscription at a gateway one of ours?"""
Decide = Callable[[Row], Awaitable[Row]]
"""The fields to write on a payment as it stands; None takes a field away, nothing at all writes nothing."""

_log = logging.getLogger(__name__)


class Settled(StrEnum):
    """What came of settling. Of a payment that nobody knows: `unknown` if money came under a reference of ours, else `foreign`."""

    CHANGED = "changed"
    SAME = "same"
    HELD = "held"
    UNKNOWN = "unknown"
    FOREIGN = "foreign"
    NO_GATEWAY = "no_gateway"


_MOST_TELLING = tuple(Settled[name] for name in ("HELD", "UNKNOWN", "CHANGED", "SAME", "FOREIGN", "NO_GATEWAY"))


class Settling:
    """Brings payments in line with what their gateways say."""

    def __init__(self, *, clock: Clock, relay: Relay, gateways: Gateways, refunds: RefundBook) -> None:
        self._clock, self._relay, self._gateways, self._refunds = clock, relay, gateways, refunds
        self.claims = Claims(clock=clock, relay=relay)
        self._followers: list[PaymentFollower] = []
        self._renewed: Renewed | None = None
        self._is_subscribed: IsSubscribed | None = None
        for name, handler in self.claims.effects().items():
            relay.register_effect(name, handler)

    # --- who takes part ---

    def follow(self, follower: PaymentFollower) -> None:
        """Let somebody add what must follow each change of a payment."""
        self._followers.append(follower)

    def renew_by(self, renewed: Renewed, is_subscribed: IsSubscribed | None = None) -> None:
        """Let somebody know the payments of subscriptions, which gateways take by themselves, and whose those are."""
        self._renewed, self._is_subscribed = renewed, is_subscribed

    # --- settling ---

    async def settle(self, gateway_name: str, intent_id: str, *, key: str | None = None) -> Settled:
        """Read a payment from its gateway, and write down how it stands. `key` helps to find one whose intent is not kept yet.

        Raises what the gateway raises.
        """
        gateway = self._gateways.find(gateway_name)
        if gateway is None:
            return Settled.NO_GATEWAY
        return await self.take(gateway_name, await gateway.read_payment(intent_id), key=key)

    async def look(self, payment: Row) -> Settled:
        """Settle one of ours, also where the answer of its checkout was lost: then it is looked for by its key."""
        gateway = self._gateways.find(payment["gateway"])
        if gateway is None:
            return Settled.NO_GATEWAY
        if payment.get("intent_id"):
            return await self.settle(payment["gateway"], payment["intent_id"])
        read = await gateway.find_payment(payment["key"])
        if read is not None:
            return await self.take(payment["gateway"], read, key=payment["key"])
        if payment["created_at"] + FIRST_LOOK > self._clock.now():
            return Settled.SAME  # whoever began it may be asking the gateway just now
        return await self._never_made(payment)

    async def take(self, gateway_name: str, read: GatewayPayment, *, key: str | None = None) -> Settled:
        """Write down what was read. Where a checkout was paid several times it is what came of all of them."""
        settled = [await self._take(gateway_name, one, key=key) for one in await self.told_apart(gateway_name, read)]
        return min(settled, key=_MOST_TELLING.index)

    @staticmethod
    async def told_apart(gateway_name: str, read: GatewayPayment) -> Sequence[GatewayPayment]:
        """The payments that were read, the one of the checkout first, each with its refunds."""
        if read.apart_id is None and not read.refunds:
            return (read,)
        rows = await Payment.find_of_checkout(gateway_name, read.intent_id)
        told = told_apart(rows, read)
        has_others = len(told) > 1 or any(row["intent_id"] != read.intent_id for row in rows)
        if not read.refunds or not has_others:
            return told
        known = {row["intent_id"]: await Refund.find_of_payment(row["_id"]) for row in rows}
        return with_own_refunds(told, read.refunds, known)

    async def is_ours(self, gateway_name: str, read: GatewayPayment, *, key: str | None = None) -> bool:
        """Is a payment that nobody here knows under a reference of ours, all the same? Others may share the account."""
        if is_reference(read.key or key):
            return True
        if read.subscription_id is None or self._is_subscribed is None:
            return read.subscription_id is not None
        return await self._is_subscribed(gateway_name, read.subscription_id)

    async def _take(self, gateway_name: str, read: GatewayPayment, *, key: str | None) -> Settled:
        row = await self._find(gateway_name, read, key)
        if row is None:
            is_missed = read.state is Charged.COMPLETED and await self.is_ours(gateway_name, read, key=key)
            return Settled.UNKNOWN if is_missed else Settled.FOREIGN
        held = await self.claims.claim(row, read) if read.state is Charged.COMPLETED else None
        before, after = await self._written(row["_id"], lambda present: self._facts(present, read, held), known=row)
        if after.get("held") is not None and before.get("held") is None:
            return Settled.HELD
        return Settled.SAME if before is after else Settled.CHANGED

    async def change(self, payment_id: str, decide: Decide) -> Row:
        """Write a payment for another reason than a reading, with all that follows; how it stands then."""
        return (await self._written(payment_id, decide))[1]

    async def settle_free(self, order: Row) -> Row:
        """Complete an order that costs nothing: its payment is of nothing, by no gateway. Again it is the same one."""
        key = f"{order['_id']}-{FREE}"  # no key of a checkout
        await Payment.add(pending_payment(order, key, FREE, at=self._clock.now(), check_at=None))
        payment = await Payment.find_by_key(key)
        assert payment is not None  # noqa: S101 - payments are never removed
        read = GatewayPayment(key, Charged.COMPLETED, Money(0, order["currency"]), key=key, method="coupon")
        await self.take(FREE, read, key=key)
        return await Payment.find_row(payment["_id"]) or payment

    # --- step by step ---

    async def _facts(self, present: Row, read: GatewayPayment, held: str | None) -> Row:
        stand = RefundStand()
        if present["status"] in PAID:
            stand = await self._refunds.bring(present, read)
        elif read.state is Charged.COMPLETED and (read.refunded or read.refunds):
            stand = await self._refunds.bring(
                {**present, "intent_id": present.get("intent_id") or read.intent_id}, read
            )
        return facts_of(present, read, stand.fields(), held=held, now=self._clock.now())

    async def _find(self, gateway_name: str, read: GatewayPayment, key: str | None) -> Row | None:
        """The payment that was read: by the gateway's id, else by our key; another intent under it is a payment of its own."""
        row = await Payment.find_by_intent(gateway_name, read.intent_id)
        if row is not None:
            return row
        key = read.key or key
        row = None if key is None else await Payment.find_by_key(key)
        if row is not None and row["gateway"] == gateway_name:
            is_same = row.get("intent_id") in (None, read.intent_id)
            return row if is_same else await self._surplus(row, read)
        return None if self._renewed is None else await self._renewed(gateway_name, read)

    async def _surplus(self, row: Row, read: GatewayPayment) -> Row | None:
        """A gateway without idempotency keys may have made two of one checkout. The second counts once somebody paid it."""
        if read.state is not Charged.COMPLETED:
            return None
        kept = (
            "user_id",
            "order_id",
            "title",
            "course_id",
            "plan_id",
            "subscription_id",
            "amount",
            "currency",
            "gateway",
        )
        key = f"{row['key']}:{read.intent_id}"
        at = self._clock.now()
        other: Row = {name: row[name] for name in kept if row.get(name) is not None}
        await Payment.add(
            {
                **other,
                **_fresh(key, at),
                "intent_id": read.intent_id,
                "intent_key": f"{row['gateway']}:{read.intent_id}",
            }
        )
        return await Payment.find_by_key(key)

    async def _never_made(self, payment: Row) -> Settled:
        async def decide(present: Row) -> Row:
            if present["status"] != PaymentStatus.PENDING or present.get("intent_id") is not None:
                return {}
            return {"status": PaymentStatus.CANCELLED.value, "check_at": None}

        before, after = await self._written(payment["_id"], decide)
        return Settled.SAME if before is after else Settled.CHANGED

    async def _written(self, payment_id: str, decide: Decide, *, known: Row | None = None) -> tuple[Row, Row]:
        """The payment before and after what was decided on it; the same row twice, when there was nothing to write.

        `known` is how it was read a moment ago: good enough to begin with, since the write asks for its revision.
        """
        rows = [] if known is None else [known]

        async def step() -> tuple[Row, Row] | None:
            before = rows.pop() if rows else await Payment.find_row(payment_id)
            assert before is not None  # noqa: S101 - payments are never removed
            fields = await decide(before)
            if not fields:
                return before, before
            at = self._clock.now()
            after = {name: value for name, value in {**before, **fields}.items() if value is not None}
            intents = await self._following(Write(before["version"] + 1, at), before, after)
            written = await Payment.change(before, setting(fields), intents=intents, at=at)
            return (before, after) if written else None

        before, after = await until_written(step)
        if before is not after:
            _count(before, after)
            await self._relay.hand_over(Payment, payment_id)
        return before, after

    async def _following(self, write: Write, before: Row, after: Row) -> list[Intent]:
        """All that must follow: what each part adds, the order's own look, and the alarm."""
        change = PaymentChange(before, after, await self._order_of(after))
        intents = [intent for follower in self._followers for intent in follower(write, change)]
        if before["status"] != after["status"] and not _is_first_paid(before, after):
            intents.append(followed(write, after["order_id"]))
        if change.is_newly_held:
            kind: FindingKind = "duplicate_payment" if after["held"] == HeldFor.DUPLICATE else "held_payment"
            facts = {
                "reason": after["held"],
                "due": after["amount"],
                "currency": after["currency"],
                "paid": after.get("paid_amount"),
                "paid_currency": after.get("paid_currency"),
            }
            intents.append(found_intent(write, kind, after["_id"], refs=refs_of(after), facts=facts))
        return intents

    @staticmethod
    async def _order_of(payment: Row) -> Row | None:
        return await Order.find_row(payment["order_id"])


def _is_first_paid(before: Row, after: Row) -> bool:
    """Did all of the money come just now? Then its order has nothing to follow: it was completed before, or is another's."""
    return before["status"] not in PAID and after["status"] == PaymentStatus.COMPLETED


def pending_payment(order: Row, key: str, gateway: str, *, at: datetime, check_at: datetime | None) -> Row:
    """The payment of a checkout, as it is kept before its gateway is asked."""
    kept = ("user_id", "title", "course_id", "plan_id", "subscription_id", "amount", "currency")
    copied: Row = {name: order[name] for name in kept if order.get(name) is not None}
    looked: Row = {} if check_at is None else {"check_at": check_at}
    noted = {"metadata": order.get("metadata") or {}}
    return {**copied, **_fresh(key, at), **noted, **looked, "order_id": order["_id"], "gateway": gateway}


def _fresh(key: str, at: datetime) -> Row:
    return {
        "_id": derived_id(PREFIX, key),
        "key": key,
        "status": PaymentStatus.PENDING.value,
        "refunded_amount": 0,
        "revision": 1,
        "version": 1,
        "created_at": at,
        "updated_at": at,
        "outbox": [],
    }


def _count(before: Row, after: Row) -> None:
    """Figures and a line in the log of each move. Amounts and people are for the database alone."""
    if before["status"] == after["status"]:
        return
    figures.PAYMENTS.labels(after["gateway"], after["status"]).inc()
    _log.info("payment %s is %s", after["_id"], after["status"])
