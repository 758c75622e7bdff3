"""Subscriptions for tests: a gateway in memory that renews, fails and forgets as it is told, and the services around it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

from config.settings import Settings
from documents import DOCUMENTS
from documents.base import Aggregate, Row
from documents.job import Job
from documents.plan_subscription import PlanSubscription
from documents.user import User
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.gateways import (
    Charged,
    CheckoutStarted,
    GatewayPayment,
    GatewayRefused,
    GatewaySubscription,
    GatewayUnavailable,
    Money,
    OlderPayments,
    RecurringPrice,
    Renewing,
    SubscriptionWish,
)
from lms_rt.contracts.plans import PlanDraft, PlanView, SubscriptionDraft, SubscriptionStartedView
from lms_rt.security.keyring import keyring_of
from lms_rt.security.sealing import Sealer
from lms_rt.services.payments.access import Access
from lms_rt.services.payments.coupon_uses import CouponUses
from lms_rt.services.payments.entitlements import AccessRules, Entitlements
from lms_rt.services.payments.plan_subscriptions import PlanSubscriptions
from lms_rt.services.payments.plans import Plans
from lms_rt.services.payments.pricing import Pricing
from lms_rt.services.payments.renewals import Renewals
from lms_rt.services.payments.subscription_book import SubscriptionBook
from lms_rt.services.payments.subscription_changes import SubscriptionChanges
from lms_rt.services.payments.subscription_checkouts import SubscriptionCheckouts
from lms_rt.services.payments.subscription_refunds import SubscriptionRefunds, paid_back_of
from tests.services.school import ADMIN, STUDENT, School
from tests.services.till import Till, TillGateway

MONTH = timedelta(days=30)


class Timed(Protocol):
    """Whoever has a clock."""

    @property
    def clock(self) -> Clock:
        """What the time is."""


class RenewingGateway(TillGateway):
    """It draws when it is told to, and gives the same checkout for the same key."""

    has_subscriptions = True

    def __init__(self) -> None:
        super().__init__()
        self.wishes: dict[str, SubscriptionWish] = {}
        self.closed: list[str] = []
        self.resumed: list[str] = []
        self.asked_older: list[str] = []
        self.subscriptions: dict[str, GatewaySubscription] = {}
        self.by_checkout: dict[str, str] = {}
        self.loses_answers = 0
        self.changes_at_once, self.draws_changes = True, True

    async def start_subscription(self, wish: SubscriptionWish) -> CheckoutStarted:
        """A page to pay at."""
        if self.is_away:
            raise GatewayUnavailable("away")
        self.wishes[f"cs_{wish.key}"] = wish
        return CheckoutStarted(f"cs_{wish.key}", {"redirect_url": f"https://pay.test/{wish.key}", "other": "x"})

    async def cancel_checkout(self, intent_id: str) -> None:
        """Nobody pays there any more."""
        self.closed.append(intent_id)

    def goes_through(self, checkout_id: str, till: Timed) -> str:
        """Somebody pays at the page."""
        wish, gateway_id = self.wishes[checkout_id], f"gs_{checkout_id}"
        now = till.clock.now()
        self.subscriptions[gateway_id] = GatewaySubscription(
            gateway_id, Renewing.ACTIVE, wish.key, now, now + MONTH, money=wish.price.money
        )
        self.by_checkout[checkout_id] = gateway_id
        self._draws(gateway_id, till)
        return gateway_id

    def renews(self, gateway_id: str, till: Timed, *, amount: int | None = None) -> None:
        """It draws for another period."""
        one = self.subscriptions[gateway_id]
        begin = max(one.period_end or till.clock.now(), till.clock.now() - MONTH)
        self.moves_to(gateway_id, state=Renewing.ACTIVE, period_start=begin, period_end=begin + MONTH)
        self._draws(gateway_id, till, amount=amount)

    def recovers(self, gateway_id: str, till: Timed) -> None:
        """It could draw after all, for the same period."""
        self.moves_to(gateway_id, state=Renewing.ACTIVE)
        self._draws(gateway_id, till)

    def fails(self, gateway_id: str) -> None:
        """It could not draw."""
        end = self.subscriptions[gateway_id].period_end
        assert end is not None
        self.moves_to(gateway_id, state=Renewing.PAST_DUE, period_start=end, period_end=end + MONTH)

    def moves_to(self, gateway_id: str, **fields: Any) -> None:
        """It is otherwise from now on."""
        self.subscriptions[gateway_id] = replace(self.subscriptions[gateway_id], **fields)

    def _draws(self, gateway_id: str, till: Timed, *, amount: int | None = None) -> None:
        one = self.subscriptions[gateway_id]
        assert one.money is not None
        intent_id = f"pi_{len(self.payments)}"
        money = one.money if amount is None else Money(amount, one.money.currency)
        self.payments[intent_id] = GatewayPayment(intent_id, Charged.COMPLETED, money, subscription_id=gateway_id)
        self.made_at[intent_id] = till.clock.now()
        self.moves_to(gateway_id, intent_ids=(intent_id, *one.intent_ids))

    async def find_subscription(self, key: str, intent_id: str) -> GatewaySubscription | None:  # noqa: ARG002
        """By its checkout."""
        if self.is_away:
            raise GatewayUnavailable("away")
        found = self.by_checkout.get(intent_id)
        return None if found is None else self._told(found)

    async def read_subscription(self, subscription_id: str) -> GatewaySubscription:
        """As it stands."""
        if self.is_away:
            raise GatewayUnavailable("away")
        return self._told(subscription_id)

    def _told(self, subscription_id: str) -> GatewaySubscription:
        one = self.subscriptions[subscription_id]
        older = "10" if len(one.intent_ids) > 10 else None
        return replace(one, intent_ids=one.intent_ids[:10], older=older)

    async def older_payments(self, subscription_id: str, place: str) -> OlderPayments:
        """Ten of them."""
        intents, begin = self.subscriptions[subscription_id].intent_ids, int(place)
        self.asked_older.append(place)
        return OlderPayments(intents[begin : begin + 10], str(begin + 10) if len(intents) > begin + 10 else None)

    async def change_subscription(
        self, subscription_id: str, price: RecurringPrice, *, key: str
    ) -> GatewaySubscription:
        """At once, unless it is away; some answers are lost."""
        if self.is_away:
            raise GatewayUnavailable("away", may_have_happened=False)
        if price.title == "Refused":
            raise GatewayRefused("no", code="interval")
        self.moves_to(subscription_id, money=price.money)
        if not self.draws_changes:
            begin = self.made_at[self.subscriptions[subscription_id].intent_ids[0]]
            self.moves_to(subscription_id, state=Renewing.PAST_DUE, period_start=begin, period_end=begin + 12 * MONTH)
        self.closed.append(key)
        if self.loses_answers:
            self.loses_answers -= 1
            raise GatewayUnavailable("lost", may_have_happened=True)
        return replace(self.subscriptions[subscription_id], is_at_once=self.changes_at_once)

    async def cancel_subscription(self, subscription_id: str, *, at_period_end: bool, key: str) -> GatewaySubscription:
        """At once or at the end."""
        if self.is_away:
            raise GatewayUnavailable(key)
        if at_period_end:
            self.moves_to(subscription_id, cancel_at_period_end=True)
        else:
            self.moves_to(subscription_id, state=Renewing.CANCELLED)
        return self.subscriptions[subscription_id]

    async def resume_subscription(self, subscription_id: str, *, key: str) -> GatewaySubscription:
        """To be renewed after all; what has ended stays so. Some answers are lost."""
        if self.is_away:
            raise GatewayUnavailable(key)
        self.resumed.append(key)
        if self.subscriptions[subscription_id].state != Renewing.CANCELLED:
            self.moves_to(subscription_id, cancel_at_period_end=False)
        if self.loses_answers:
            self.loses_answers -= 1
            raise GatewayUnavailable("lost", may_have_happened=True)
        return self.subscriptions[subscription_id]


class Kiosk(Till):
    """A till that sells subscriptions."""

    def __init__(self, settings: Settings, school: School) -> None:
        self.renewing, self.school = RenewingGateway(), school
        super().__init__(settings, clock=school.clock, gateway=self.renewing)
        relay, clock, gateways = self.relay, self.clock, self.gateways
        entitlements = Entitlements(clock=clock, rules=AccessRules.of(settings))
        self.access = Access(clock=clock, relay=relay, bus=memory_bus(clock), entitlements=entitlements)
        for name, handler in {**self.access.effects(), **school.enrollments.effects()}.items():
            relay.register_effect(name, handler)
        self.pricing = Pricing(settings=settings, clock=clock, uses=CouponUses(clock=clock))
        self.plans = Plans(clock=clock, relay=relay)
        self.subscription_book = SubscriptionBook(settings=settings, clock=clock, relay=relay)
        self.subscriptions = PlanSubscriptions(
            clock=clock,
            gateways=gateways,
            book=self.subscription_book,
            settling=self.settling,
            access=self.access,
        )
        self.settling.follow(paid_back_of)
        refunded = SubscriptionRefunds(clock=clock, book=self.subscription_book, rules=AccessRules.of(settings))
        for name, handler in refunded.effects().items():
            relay.register_effect(name, handler)
        self.settling.renew_by(Renewals(clock=clock, gateways=gateways).adopt)
        sealer = Sealer(keyring_of(settings), purpose="subscription checkouts")
        self.subscription_checkouts = SubscriptionCheckouts(
            settings=settings, clock=clock, gateways=gateways, pricing=self.pricing, sealer=sealer
        )
        self.changes = SubscriptionChanges(
            clock=clock,
            gateways=gateways,
            pricing=self.pricing,
            book=self.subscription_book,
            subscriptions=self.subscriptions,
        )
        assert [document for document in DOCUMENTS if issubclass(document, Aggregate)]

    async def account(self, who: Actor = STUDENT) -> None:
        """Somebody's account."""
        row = {"_id": who.user_id, "full_name": who.full_name, "email": f"{who.user_id}@example.org"}
        fields = {"role": "student", "is_active": True, "locale": "en", "version": 1, "email_key": row["email"]}
        if await User.rows().find_one({"_id": who.user_id}) is None:
            stamps = {"created_at": self.clock.now(), "updated_at": self.clock.now()}
            await User.rows().insert_one({**row, **fields, **stamps, "password_hash": "x", "timezone": "UTC"})

    async def plan(self, amount: int = 900, **fields: Any) -> PlanView:
        """A new plan, of all courses unless said otherwise."""
        draft = {"plan_name": "All of it", "amount": amount, "currency": "USD", **fields}
        return await self.plans.create(ADMIN, read_model(PlanDraft, draft))

    async def begin(self, plan: PlanView, who: Actor = STUDENT, **fields: Any) -> SubscriptionStartedView:
        """Ask for a checkout."""
        await self.account(who)
        draft = read_model(SubscriptionDraft, {"plan_id": plan.id, "gateway": "stripe", **fields})
        return (await self.subscription_checkouts.start(who, draft)).view

    async def subscribed(self, plan: PlanView, who: Actor = STUDENT) -> tuple[str, str]:
        """A subscription that was paid, and is settled: its id, and the gateway's."""
        started = await self.begin(plan, who)
        gateway_id = self.renewing.goes_through(f"cs_{started.subscription_id}-1", self)
        await self.subscriptions.settle("stripe", gateway_id)
        return started.subscription_id, gateway_id

    async def row(self, subscription_id: str) -> Row:
        """As it stands."""
        found = await PlanSubscription.find_row(subscription_id)
        assert found is not None
        return found

    async def carry_out(self) -> list[str]:
        """Do the jobs about access; the templates of all mails that were asked for so far, in their order."""
        await self.relay.sweep(minimum_age_ms=0)
        jobs = await Job.rows().find({}).sort("_id", 1).to_list(200)
        for job in jobs:
            if job["task"] == "subscriptions.access":
                await self.subscriptions.derive_access(job["args"]["subscription_id"])
        return [job["args"]["template"] for job in jobs if job["task"] == "mail.send"]
