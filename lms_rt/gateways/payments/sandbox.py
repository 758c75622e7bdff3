"""The sandbox: a gateway for trying and for demonstrations, with a checkout page of its own. No money moves.

It keeps its payments as another company would, knows ours by their keys alone, and tells what happens in signed words that
come in by the same door as those of others. What people do at its page is `services/payments/sandbox_desk.py`. A subscription
renews itself when it is looked at after its period: somebody looks each hour.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from documents.base import Row
from documents.sandbox_payment import PAYMENT, SUBSCRIPTION, SandboxPayment
from lms_rt.clock import Clock
from lms_rt.contracts.gateways import (
    BadSignature,
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
    PaidBack,
    Places,
    RecurringPrice,
    RefundWish,
    Renewing,
    Subject,
    SubscriptionWish,
)
from lms_rt.contracts.money import is_known
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.gateways.payments.sandbox_periods import renewed

CHECKOUT_PATH = "/sandbox/checkout"
SIGNATURE = "sandbox-signature"
PREFIX = "sbx_"
TOLERANCE_SECONDS = 300
MAX_TRIES = 20
PAGE = 100
NEWEST = 10
CARD, TRANSFER = "card", "transfer"
_METHODS = (
    Method(CARD, {"en": "Test card", "ar": "بطاقة تجريبية"}),
    Method(TRANSFER, {"en": "Test transfer, which takes a while", "ar": "تحويل تجريبي يستغرق بعض الوقت"}),
)

Sign = Callable[[bytes], bytes]
IsSigned = Callable[[bytes, bytes], bool]


class SandboxGateway(PaymentGateway):
    """The sandbox of one school."""

    name = GatewayName.SANDBOX
    has_subscriptions = True
    keeps_keys = True
    has_lists = True

    def __init__(self, *, clock: Clock, sign: Sign, is_signed: IsSigned) -> None:
        self._clock, self._sign, self._is_signed = clock, sign, is_signed

    async def methods(self, money: Money) -> Sequence[Method]:
        """All currencies there are."""
        return _METHODS if money.amount > 0 and is_known(money.currency) else ()

    # --- to be paid ---

    async def start_checkout(self, checkout: Checkout) -> CheckoutStarted:
        """Its page, at our own address."""
        if not await self.methods(checkout.money):
            raise GatewayRefused("no such amount", code="amount")
        if checkout.method not in {None, CARD, TRANSFER}:
            raise GatewayRefused("no such method", code="method")
        row = self._row(checkout.key, PAYMENT, checkout.money, checkout.payer.user_id, places=checkout.places)
        row |= {"title": checkout.title} | ({"method": checkout.method} if checkout.method else {})
        return await self._started(row, checkout.places)

    async def find_payment(self, key: str) -> GatewayPayment | None:
        """By its key, of which its id is made."""
        row = await SandboxPayment.find_row(PREFIX + key)
        return None if row is None or row["kind"] != PAYMENT else payment_of(row)

    async def read_payment(self, intent_id: str) -> GatewayPayment:
        """As it is kept."""
        return payment_of(await _require(intent_id, PAYMENT))

    async def cancel_checkout(self, intent_id: str) -> None:
        """Close its page."""
        for _ in range(MAX_TRIES):
            row = await _require(intent_id)
            if row["state"] != Charged.PENDING:
                return
            if await SandboxPayment.change(row, {"$set": {"state": Charged.CANCELLED.value}}, at=self._clock.now()):
                return
        raise GatewayUnavailable("too many at once")

    async def refund(self, wish: RefundWish) -> GatewayRefund:
        """Once for each id of ours, never more than was paid."""
        for _ in range(MAX_TRIES):
            row, amount = await _require(wish.intent_id, PAYMENT), wish.money.amount
            if (made := row["refunds"].get(wish.refund_id)) is not None:
                return _refund_of(wish.refund_id, made)
            if row["state"] != Charged.COMPLETED or not 0 < amount <= row["amount"] - row["refunded"]:
                raise GatewayRefused("more than was paid", code="amount")
            if not all(letter.isalnum() or letter in "_-" for letter in wish.refund_id):
                raise GatewayRefused("no such id", code="reference")
            fields = {f"refunds.{wish.refund_id}": {"amount": amount}, "refunded": row["refunded"] + amount}
            if await SandboxPayment.change(row, {"$set": fields}, at=self._clock.now()):
                return _refund_of(wish.refund_id, {"amount": amount})
        raise GatewayUnavailable("too many at once")

    # --- words ---

    def word(self, event_id: str, event_type: str, row: Row) -> tuple[dict[str, str], bytes]:
        """The headers and the body of a word about one of them, as they stand at the moment."""
        told = {"id": event_id, "type": event_type, "kind": row["kind"], "object_id": row["_id"], "key": row["key"]}
        body = json.dumps(told, separators=(",", ":")).encode()
        at_seconds = self._clock.now_ms() // 1000
        return {SIGNATURE: f"t={at_seconds},v1={self._sign(b'%d.' % at_seconds + body).hex()}"}, body

    async def read_hints(
        self,
        *,
        headers: Mapping[str, str],
        query: Mapping[str, str],  # noqa: ARG002 - others sign there
        body: bytes,
    ) -> Sequence[Hint]:
        """Signed by our own keys, for this purpose, within the last minutes."""
        header = {name.lower(): value for name, value in headers.items()}.get(SIGNATURE, "")
        self._check(header, body)
        try:
            told = json.loads(body)
            subject = Subject.SUBSCRIPTION if told["kind"] == SUBSCRIPTION else Subject.PAYMENT
            return (Hint(told["id"], told["type"], subject, told["object_id"], told["key"]),)
        except (ValueError, KeyError, TypeError) as error:
            raise BadSignature from error

    def _check(self, header: str, body: bytes) -> None:
        at, _, mac = header.removeprefix("t=").partition(",v1=")
        if not (at.isascii() and at.isdecimal() and len(at) <= 12 and len(mac) == 64):
            raise BadSignature
        try:
            signature = bytes.fromhex(mac)
        except ValueError as error:
            raise BadSignature from error
        is_now = abs(self._clock.now_ms() // 1000 - int(at)) <= TOLERANCE_SECONDS
        if not self._is_signed(at.encode() + b"." + body, signature) or not is_now:
            raise BadSignature

    # --- subscriptions ---

    async def start_subscription(self, wish: SubscriptionWish) -> CheckoutStarted:
        """The same page."""
        if not await self.methods(wish.price.money):
            raise GatewayRefused("no such amount", code="amount")
        row = self._row(wish.key, SUBSCRIPTION, wish.price.money, wish.payer.user_id, places=wish.places)
        row |= {"title": wish.price.title, "facts": {"interval": wish.price.interval, "periods": 0}}
        return await self._started(row, wish.places)

    async def find_subscription(self, key: str, intent_id: str) -> GatewaySubscription | None:  # noqa: ARG002 - the same
        """The checkout itself, once it was paid."""
        row = await _require(intent_id, SUBSCRIPTION)
        return await self.read_subscription(intent_id) if row["facts"]["periods"] else None

    async def older_payments(self, subscription_id: str, place: str) -> OlderPayments:
        """Those behind so many of the newest ones."""
        rows = await SandboxPayment.find_of_subscription(subscription_id, limit=NEWEST, skip=int(place))
        following = str(int(place) + NEWEST) if len(rows) == NEWEST else None
        return OlderPayments(tuple(one["_id"] for one in rows), following)

    async def read_subscription(self, subscription_id: str) -> GatewaySubscription:
        """As it stands, once the periods that are over are paid."""
        for _ in range(MAX_TRIES):
            row = await _require(subscription_id, SUBSCRIPTION)
            fields, payment = renewed(row, self._clock.now())
            if payment is not None:
                await SandboxPayment.add(payment)
            if not fields:
                return await _subscription_of(row)
            await SandboxPayment.change(row, {"$set": fields}, at=self._clock.now())
        raise GatewayUnavailable("too many periods at once")

    async def change_subscription(
        self,
        subscription_id: str,
        price: RecurringPrice,
        *,
        key: str,  # noqa: ARG002 - again changes nothing
    ) -> GatewaySubscription:
        """From the next period on."""
        fields = {"amount": price.money.amount, "currency": price.money.currency, "title": price.title}
        return await self._changed(subscription_id, {**fields, "facts.interval": price.interval})

    async def cancel_subscription(
        self,
        subscription_id: str,
        *,
        at_period_end: bool,
        key: str,  # noqa: ARG002 - again changes nothing
    ) -> GatewaySubscription:
        """At once, or not to be renewed."""
        fields = {"facts.cancel_at_period_end": True} if at_period_end else {"state": Renewing.CANCELLED.value}
        return await self._changed(subscription_id, fields)

    async def resume_subscription(
        self,
        subscription_id: str,
        *,
        key: str,  # noqa: ARG002 - again changes nothing
    ) -> GatewaySubscription:
        """To be renewed after all; a period that is over has ended it."""
        return await self._changed(subscription_id, {"facts.cancel_at_period_end": False})

    async def payments_between(self, since: datetime, until: datetime) -> AsyncIterator[GatewayPayment]:
        """All of them."""
        after = ""
        while rows := await SandboxPayment.page_between(since, until, after=after, limit=PAGE):
            for row in rows:
                yield payment_of(row)
            after = rows[-1]["_id"]

    async def close(self) -> None:
        """Nothing is open."""

    # --- step by step ---

    async def _changed(self, subscription_id: str, fields: Row) -> GatewaySubscription:
        for _ in range(MAX_TRIES):
            await self.read_subscription(subscription_id)  # what is over already is as it was
            row = await _require(subscription_id, SUBSCRIPTION)
            is_over = row["state"] in {Renewing.CANCELLED, Renewing.EXPIRED}
            if is_over or await SandboxPayment.change(row, {"$set": fields}, at=self._clock.now()):
                return await self.read_subscription(subscription_id)
        raise GatewayUnavailable("too many at once")

    def _row(self, key: str, kind: str, money: Money, user_id: str, *, places: Places) -> Row:
        at = self._clock.now()
        urls = {"return_url": places.return_url, "cancel_url": places.cancel_url}
        named: Row = {"_id": PREFIX + key, "key": key, "kind": kind, "user_id": user_id, **urls}
        fresh: Row = {"state": Charged.PENDING.value, "facts": {}, "refunds": {}, "refunded": 0, "outbox": []}
        counted: Row = {"revision": 1, "version": 1, "created_at": at, "updated_at": at}
        return {**named, **fresh, **counted, "amount": money.amount, "currency": money.currency}

    async def _started(self, row: Row, places: Places) -> CheckoutStarted:
        await SandboxPayment.add(row)
        there = await _require(row["_id"])
        if (there["amount"], there["currency"], there["user_id"]) != (row["amount"], row["currency"], row["user_id"]):
            raise GatewayRefused("the same key with another request", code="idempotency")
        ours = urlsplit(places.return_url)
        url = f"{ours.scheme}://{ours.netloc}{CHECKOUT_PATH}/{row['_id']}"
        return CheckoutStarted(row["_id"], {"redirect_url": url})


def payment_of(row: Row) -> GatewayPayment:
    """A payment as it is kept, in the words of the contract."""
    facts, state = row["facts"], Charged(row["state"])
    is_paid = state is Charged.COMPLETED
    return GatewayPayment(
        intent_id=row["_id"],
        state=state,
        money=Money(row["amount"], row["currency"]),
        key=None if row.get("subscription_id") else row["key"],
        transaction_id=f"{row['_id']}_t" if is_paid else None,
        method=row.get("method"),
        paid_at=facts.get("paid_at"),
        refunded=row["refunded"],
        refunds=tuple(_refund_of(refund_id, made) for refund_id, made in row["refunds"].items()),
        subscription_id=row.get("subscription_id"),
        failure=None if is_paid else facts.get("failure"),
    )


async def _subscription_of(row: Row) -> GatewaySubscription:
    facts = row["facts"]
    payments = await SandboxPayment.find_of_subscription(row["_id"], limit=NEWEST)
    return GatewaySubscription(
        subscription_id=row["_id"],
        state=Renewing(row["state"]),
        key=row["key"],
        period_start=facts.get("period_start"),
        period_end=facts.get("period_end"),
        cancel_at_period_end=bool(facts.get("cancel_at_period_end")),
        money=Money(row["amount"], row["currency"]),
        intent_ids=tuple(one["_id"] for one in payments),
        older=str(NEWEST) if len(payments) == NEWEST else None,
    )


def _refund_of(refund_id: str, made: Row) -> GatewayRefund:
    return GatewayRefund(f"sbr_{refund_id}", made["amount"], PaidBack.COMPLETED, reference=refund_id)


async def _require(payment_id: str, kind: str | None = None) -> Row:
    row = await SandboxPayment.find_row(payment_id)
    if row is None or kind not in {None, row["kind"]}:
        raise GatewayRefused("no such id", code="not_found")
    return row
