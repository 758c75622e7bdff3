"""A till for tests of refunds, disputes and reconciling: a gateway in memory that can be steered, and the services around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from config.settings import Settings
from documents import DOCUMENTS
from documents.base import Aggregate, Row
from documents.enums import JobState
from documents.job import Job
from documents.order import Order
from documents.payment import Payment
from lms_rt.bus.memory import SilentWakeUps, memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.base import read_model
from lms_rt.contracts.gateways import (
    BadSignature,
    Charged,
    Checkout,
    CheckoutStarted,
    Disputed,
    GatewayDispute,
    GatewayName,
    GatewayPayment,
    GatewayRefund,
    GatewayRefused,
    GatewaySubscription,
    GatewayUnavailable,
    Hint,
    Method,
    Money,
    PaidBack,
    RecurringPrice,
    RefundWish,
    SubscriptionWish,
)
from lms_rt.contracts.refunds import RefundDraft, RefundView
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.ids import new_id
from lms_rt.services.jobs import Failed, Jobs, NotYet
from lms_rt.services.payments.findings import Findings
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.journal import Journal
from lms_rt.services.payments.payment_alarms import alarms_of
from lms_rt.services.payments.payment_effects import journal_of
from lms_rt.services.payments.reconcile_lists import Comparison
from lms_rt.services.payments.reconcile_open import OpenPayments
from lms_rt.services.payments.refund_book import TASK, RefundBook
from lms_rt.services.payments.refund_cancelling import RefundCancelling
from lms_rt.services.payments.refunds import Refunds
from lms_rt.services.payments.settling import Settling, pending_payment
from tests.services.relaying import relay_over
from tests.services.school import ADMIN

WAITED = timedelta(minutes=30)


def _refuse(answer: str) -> None:
    """Nothing happens."""
    if answer == "down":
        raise GatewayUnavailable("no answer", may_have_happened=True)
    if answer == "refuse":
        raise GatewayRefused("the charge cannot be refunded", code="refused")


def _lose(answer: str) -> None:
    """It happened, and is not told."""
    if answer == "denies":
        raise GatewayRefused("it was paid back already", code="refused")
    if answer == "lost":
        raise GatewayUnavailable("the answer was lost", may_have_happened=True)


class TillGateway(PaymentGateway):
    """Payments in memory. `names_refunds` and `keeps_keys` off: it tells sums alone, and does again what is asked again."""

    name = GatewayName.STRIPE
    has_lists = True

    def __init__(self) -> None:
        self.payments: dict[str, GatewayPayment] = {}
        self.made_at: dict[str, datetime] = {}
        self.names_refunds = self.keeps_keys = True
        self.answers: list[str] = []
        """How the next refunds go: refuse, down (nothing happens), lost (it happens, and nobody hears of it), denies (it happens, and it says that it does not), pending, slow (others come meanwhile), late (nobody hears of it, and it happens when `lands` says)."""
        self.asked: list[RefundWish] = []
        self.is_away = False
        self.under_way: list[RefundWish] = []
        self.one_by_one: dict[str, GatewayRefund] = {}
        """How refunds stand that are told only to who asks for each."""

    def pays(self, payment: Row, *, at: datetime, **fields: Any) -> GatewayPayment:
        """Somebody pays; the gateway knows it as what the payment says, unless something else is said."""
        money = Money(payment["amount"], payment["currency"])
        made = GatewayPayment(payment["intent_id"], Charged.COMPLETED, money, key=payment["key"], transaction_id="ch_1")
        self.payments[made.intent_id], self.made_at[made.intent_id] = replace(made, **fields), at
        return self.payments[made.intent_id]

    def pays_back(
        self, intent_id: str, amount: int, *, state: PaidBack = PaidBack.COMPLETED, ours: str | None = None
    ) -> str:
        """A refund, by us or at its own desk."""
        read, refund_id = self.payments[intent_id], new_id("gwr")
        made = GatewayRefund(refund_id, amount, state, ours)
        refunds = (*read.refunds, made) if self.names_refunds else ()
        told = 0 if state is PaidBack.PENDING and not self.names_refunds else amount
        self.payments[intent_id] = replace(read, refunds=refunds, refunded=read.refunded + told)
        return refund_id

    def lands(self) -> None:
        """What was under way is carried out."""
        while self.under_way:
            wish = self.under_way.pop()
            self.pays_back(wish.intent_id, wish.money.amount, ours=wish.refund_id)

    def moves(self, intent_id: str, refund_id: str, state: PaidBack) -> None:
        """A refund goes on, or comes back."""
        read = self.payments[intent_id]
        refunds = tuple(replace(one, state=state) if one.refund_id == refund_id else one for one in read.refunds)
        gone = sum(one.amount for one in refunds if one.state not in (PaidBack.FAILED, PaidBack.CANCELLED))
        self.payments[intent_id] = replace(read, refunds=refunds, refunded=gone)

    def disputes(self, intent_id: str, state: Disputed, amount: int) -> None:
        """The payer's bank asks for the money."""
        self.payments[intent_id] = replace(self.payments[intent_id], disputes=(GatewayDispute("dp_1", amount, state),))

    async def read_payment(self, intent_id: str) -> GatewayPayment:
        """As it stands."""
        if self.is_away:
            raise GatewayUnavailable("away")
        if intent_id not in self.payments:
            raise GatewayRefused("there is none", code="not_found")
        return self.payments[intent_id]

    async def find_payment(self, key: str) -> GatewayPayment | None:
        """By its key."""
        return next((one for one in self.payments.values() if one.key == key), None)

    async def refund(self, wish: RefundWish) -> GatewayRefund:
        """As steered. Who keeps keys makes one once; who keeps none looks at the sum, as the contract asks."""
        self.asked.append(wish)
        answer = self.answers.pop(0) if self.answers else "done"
        _refuse(answer)
        read = self.payments[wish.intent_id]
        present = next((one for one in read.refunds if one.reference == wish.refund_id), None)
        if present is None and not self.names_refunds and read.refunded != wish.refunded_before:
            raise GatewayRefused("something else was paid back", code="state_differs")
        if present is None and read.refunded + wish.money.amount > read.money.amount:
            raise GatewayRefused("more than is left", code="amount")
        await self._takes_its_time(answer, wish)
        if present is None:
            state = PaidBack.PENDING if answer == "pending" else PaidBack.COMPLETED
            refund_id = self.pays_back(wish.intent_id, wish.money.amount, state=state, ours=wish.refund_id)
            present = GatewayRefund(refund_id, wish.money.amount, state, wish.refund_id)
        _lose(answer)
        return present

    async def read_refund(self, refund_id: str) -> GatewayRefund | None:
        """One of those that `read_payment` tells the sum of."""
        return self.one_by_one.get(refund_id)

    async def _takes_its_time(self, answer: str, wish: RefundWish) -> None:
        if answer == "late":
            self.under_way.append(wish)
            raise GatewayUnavailable("the answer was lost", may_have_happened=True)
        for _ in range(40 if answer == "slow" else 0):
            await asyncio.sleep(0)

    async def payments_between(self, since: datetime, until: datetime) -> AsyncIterator[GatewayPayment]:
        """All of a time."""
        if self.is_away:
            raise GatewayUnavailable("away")
        for intent_id, read in list(self.payments.items()):
            if since <= self.made_at[intent_id] <= until:
                yield read

    async def methods(self, money: Money) -> Sequence[Method]:  # noqa: ARG002 - as each is asked
        """Cards."""
        return [Method("card", {"en": "Card", "ar": "بطاقة"})]

    async def start_checkout(self, checkout: Checkout) -> CheckoutStarted:
        """The same one for the same key."""
        return CheckoutStarted(f"pi0_{checkout.key}", {"redirect_url": "https://pay.example/now"})

    async def cancel_checkout(self, intent_id: str) -> None:
        """Nothing to do."""

    async def read_hints(self, *, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> Sequence[Hint]:  # noqa: ARG002
        """It tells nothing: everything here is lost on the way."""
        raise BadSignature

    async def start_subscription(self, wish: SubscriptionWish) -> CheckoutStarted:
        """None."""
        raise LookupError(wish.key)

    async def find_subscription(self, key: str, intent_id: str) -> GatewaySubscription | None:  # noqa: ARG002
        """None."""
        return None

    async def read_subscription(self, subscription_id: str) -> GatewaySubscription:
        """None."""
        raise LookupError(subscription_id)

    async def change_subscription(
        self, subscription_id: str, price: RecurringPrice, *, key: str
    ) -> GatewaySubscription:
        """None."""
        raise LookupError(subscription_id, price, key)

    async def cancel_subscription(self, subscription_id: str, *, at_period_end: bool, key: str) -> GatewaySubscription:
        """None."""
        raise LookupError(subscription_id, at_period_end, key)

    async def resume_subscription(self, subscription_id: str, *, key: str) -> GatewaySubscription:
        """None."""
        raise LookupError(subscription_id, key)

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Till:
    """The services around it, and short ways to use them."""

    settings: Settings
    clock: FakeClock = field(default_factory=FakeClock)
    gateway: TillGateway = field(default_factory=TillGateway)

    def __post_init__(self) -> None:
        bus = memory_bus(self.clock)
        aggregates = [document for document in DOCUMENTS if issubclass(document, Aggregate)]
        self.relay = relay_over(bus.fan_out, self.clock, aggregates)
        self.gateways = Gateways(self.settings)
        self.gateways.add(self.gateway)
        self.book = RefundBook(clock=self.clock, relay=self.relay)
        self.settling = Settling(clock=self.clock, relay=self.relay, gateways=self.gateways, refunds=self.book)
        self.findings = Findings(clock=self.clock, relay=self.relay)
        self.findings.register()
        self.journal = Journal()
        for name, handler in self.journal.effects().items():
            self.relay.register_effect(name, handler)
        self.settling.follow(journal_of)
        self.settling.follow(alarms_of)
        self.refunds = Refunds(
            clock=self.clock, relay=self.relay, gateways=self.gateways, settling=self.settling, book=self.book
        )
        self.refunds.register()
        self.cancelling = RefundCancelling(clock=self.clock, relay=self.relay, settling=self.settling)
        self.cancelling.register()
        self.jobs = Jobs(clock=self.clock, wake_ups=SilentWakeUps())
        self.open_payments = OpenPayments(
            clock=self.clock, jobs=self.jobs, settling=self.settling, findings=self.findings
        )
        self.comparison = Comparison(
            clock=self.clock,
            gateways=self.gateways,
            settling=self.settling,
            findings=self.findings,
            looking=self.refunds.looking,
        )

    async def begun(self, amount: int = 1000, *, currency: str = "USD", **order: Any) -> Row:
        """A payment that somebody is about to pay."""
        at, order_id, intent_id = self.clock.now(), new_id("ord"), new_id("pi0")
        row: Row = {"_id": order_id, "version": 1, "revision": 1, "created_at": at, "updated_at": at, "outbox": []}
        row |= {
            "user_id": "usr_sara",
            "kind": "subscription",
            "plan_id": "pln_1",
            "subscription_id": new_id("sub"),
            "title": "Algebra",
            "status": "pending",
        }
        row |= {"amount": amount, "list_amount": amount, "currency": currency, "expires_at": at + timedelta(hours=1)}
        await Order.add(row | {"attempt": 1, "discount_amount": 0, "tax_amount": 0} | order)
        payment = pending_payment(row | order, f"{order_id}-1", "stripe", at=at, check_at=at + timedelta(minutes=10))
        await Payment.add(payment | {"intent_id": intent_id, "intent_key": f"stripe:{intent_id}"})
        return await self.payment(payment["_id"])

    async def paid(self, amount: int = 1000, *, currency: str = "USD", **order: Any) -> Row:
        """A payment that came, and is settled."""
        row = await self.begun(amount, currency=currency, **order)
        self.gateway.pays(row, at=self.clock.now())
        await self.settling.settle("stripe", row["intent_id"])
        return await self.payment(row["_id"])

    async def payment(self, payment_id: str) -> Row:
        """As it stands."""
        row = await Payment.find_row(payment_id)
        assert row is not None
        return row

    async def refund(self, payment: Row, amount: int | None = None, *, seed: str | None = None) -> RefundView:
        """Ask for one."""
        draft = {"reason": "Sick"} | ({} if amount is None else {"amount": amount})
        return await self.refunds.request(ADMIN, payment["_id"], read_model(RefundDraft, draft), seed=seed)

    async def work(self) -> list[str]:
        """Run the refund jobs that are due, once; what became of those that did not come to their end."""
        wrong = []
        which = {"task": TASK, "state": JobState.WAITING.value}
        for job in await Job.rows().find(which).sort("_id", 1).to_list(100):
            try:
                await self.refunds.carry_out(job["args"]["refund_id"])
            except (Failed, NotYet) as error:
                wrong.append(type(error).__name__)
            else:
                await Job.rows().update_one({"_id": job["_id"]}, {"$set": {"state": JobState.DONE.value}})
        return wrong

    async def sums(self, payment: Row) -> tuple[str, int, int]:
        """Status, what was paid back and what is held. The book says the same, and sums to zero."""
        row = await self.payment(payment["_id"])
        assert await self.journal.imbalance(row["_id"]) is None
        assert set((await self.journal.totals()).values()) <= {0}
        return row["status"], row.get("refunded_amount", 0), row.get("reserved_amount", 0)
