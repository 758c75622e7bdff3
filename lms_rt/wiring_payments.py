"""What payments need, wired: gateways, orders, what gateways tell, and what follows. `bootstrap.py` does the rest.

No rules. Each service of payments is a field of `PaymentServices`, and is made in `wired_payments`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from config.settings import Settings
from documents.gateway_event import GatewayEvent
from lms_rt.afterwards import Afterwards
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.gateways.payments.myfatoorah import opened_myfatoorah
from lms_rt.gateways.payments.paymob import opened_paymob
from lms_rt.gateways.payments.sandbox import SandboxGateway
from lms_rt.gateways.payments.stripe_opening import opened_stripe
from lms_rt.security.keyring import keyring_of
from lms_rt.security.sealing import Sealer
from lms_rt.services.enrollments import Enrollments
from lms_rt.services.payments.access import Access
from lms_rt.services.payments.checkout_starting import Starting
from lms_rt.services.payments.checkouts import Checkouts
from lms_rt.services.payments.comparison_state import ComparisonState
from lms_rt.services.payments.coupon_uses import CouponUses
from lms_rt.services.payments.coupons import Coupons
from lms_rt.services.payments.disputing import Disputing
from lms_rt.services.payments.entitlements import AccessRules, Entitlements
from lms_rt.services.payments.findings import Findings
from lms_rt.services.payments.gateways import Gateways
from lms_rt.services.payments.incoming import Incoming
from lms_rt.services.payments.invoice_following import invoices_of
from lms_rt.services.payments.invoices import Invoices
from lms_rt.services.payments.journal import Journal
from lms_rt.services.payments.looking import LookingAgain
from lms_rt.services.payments.order_traces import OrderTraces
from lms_rt.services.payments.orders import Orders
from lms_rt.services.payments.own_payments import OwnPayments
from lms_rt.services.payments.payment_alarms import alarms_of
from lms_rt.services.payments.payment_desk import PaymentDesk
from lms_rt.services.payments.payment_effects import access_of, journal_of, told_of
from lms_rt.services.payments.plan_subscriptions import PlanSubscriptions
from lms_rt.services.payments.plans import Plans
from lms_rt.services.payments.pricing import Pricing
from lms_rt.services.payments.quotes import Quotes
from lms_rt.services.payments.reconcile_books import Books
from lms_rt.services.payments.reconcile_lists import Comparison
from lms_rt.services.payments.reconcile_open import OpenPayments
from lms_rt.services.payments.refund_book import RefundBook
from lms_rt.services.payments.refund_cancelling import RefundCancelling
from lms_rt.services.payments.refunds import Refunds
from lms_rt.services.payments.releasing import Releasing
from lms_rt.services.payments.renewals import Renewals
from lms_rt.services.payments.revenue import Revenue
from lms_rt.services.payments.sandbox_desk import SandboxDesk
from lms_rt.services.payments.settling import Settling
from lms_rt.services.payments.subscription_book import SubscriptionBook
from lms_rt.services.payments.subscription_changes import SubscriptionChanges
from lms_rt.services.payments.subscription_checkouts import SubscriptionCheckouts
from lms_rt.services.payments.subscription_refunds import SubscriptionRefunds, paid_back_of
from lms_rt.services.payments.tax_rates import TaxRates
from lms_rt.services.relay import Relay
from lms_rt.wiring_accounts import AccountServices
from lms_rt.wiring_learning import LearningServices


@dataclass(frozen=True)
class PaymentServices:
    """The services of payments."""

    payment_gateways: Gateways
    orders: Orders
    checkouts: Checkouts
    settling: Settling
    gateway_words: Incoming
    sandbox_desk: SandboxDesk
    own_payments: OwnPayments
    findings: Findings
    refunds: Refunds
    refund_cancelling: RefundCancelling
    releasing: Releasing
    disputing: Disputing
    payment_desk: PaymentDesk
    open_payments: OpenPayments
    payment_comparison: Comparison
    comparison_state: ComparisonState
    payment_books: Books
    invoices: Invoices
    looking_again: LookingAgain
    access: Access
    journal: Journal
    order_traces: OrderTraces
    revenue: Revenue
    pricing: Pricing
    quotes: Quotes
    plans: Plans
    coupons: Coupons
    tax_rates: TaxRates
    plan_subscriptions: PlanSubscriptions
    subscription_checkouts: SubscriptionCheckouts
    subscription_changes: SubscriptionChanges


@dataclass(frozen=True, slots=True)
class PaymentGround:
    """What payments are wired to. What is open ends with the stack."""

    after: Afterwards
    accounts: AccountServices
    learning: LearningServices
    bus: Bus
    enrollments: Enrollments
    stack: AsyncExitStack


def _opened_sandbox(settings: Settings, clock: Clock) -> PaymentGateway:
    """Our own, whose words are signed by the keys of this installation."""
    keys = keyring_of(settings)
    return SandboxGateway(clock=clock, sign=partial(keys.sign, _SANDBOX), is_signed=partial(keys.is_signed, _SANDBOX))


_SANDBOX = "sandbox webhooks"
_MAKERS: dict[str, Callable[[Settings, Clock], PaymentGateway]] = {
    "paymob": opened_paymob,
    "myfatoorah": opened_myfatoorah,
    "stripe": opened_stripe,
    "sandbox": _opened_sandbox,
}
"""How each gateway that is on is made."""


def wired_payments(settings: Settings, clock: Clock, ground: PaymentGround) -> PaymentServices:
    """All of them."""
    gateways = _gateways(settings, clock, ground.stack)
    access, journal = _access(settings, clock, ground), _journal(ground)
    ground.after.retention.add_rule(
        "gateway events", settings.retention_gateway_events_days, GatewayEvent.forget_before
    )
    priced = _priced(settings, clock, ground.after)
    core = _core(settings, clock, ground, gateways=gateways, pricing=priced["pricing"])
    book = SubscriptionBook(settings=settings, clock=clock, relay=ground.after.relay)
    subscriptions = PlanSubscriptions(
        clock=clock, gateways=gateways, book=book, settling=core["settling"], access=access
    )
    refunded = SubscriptionRefunds(clock=clock, book=book, rules=AccessRules.of(settings))
    for name, handler in refunded.effects().items():
        ground.after.relay.register_effect(name, handler)
    core["gateway_words"].subscriptions_by(subscriptions.settle, subscriptions.look_begun)
    core["gateway_words"].refunds_by(core["refunds"].looking.look_at_order)
    return PaymentServices(
        payment_gateways=gateways,
        **core,
        plan_subscriptions=subscriptions,
        subscription_checkouts=SubscriptionCheckouts(
            settings=settings,
            clock=clock,
            gateways=gateways,
            pricing=priced["pricing"],
            sealer=Sealer(keyring_of(settings), purpose="subscription checkouts"),
        ),
        subscription_changes=SubscriptionChanges(
            clock=clock, gateways=gateways, pricing=priced["pricing"], book=book, subscriptions=subscriptions
        ),
        comparison_state=ComparisonState(clock=clock, gateways=gateways),
        invoices=Invoices(settings=settings, clock=clock, files=ground.learning.files),
        looking_again=LookingAgain(clock=clock, orders=core["orders"], settling=core["settling"]),
        access=access,
        journal=journal,
        payment_books=Books(clock=clock, access=access, journal=journal, findings=core["findings"]),
        order_traces=OrderTraces(access=access, journal=journal),
        revenue=Revenue(clock=clock),
        **priced,
    )


def _core(
    settings: Settings, clock: Clock, ground: PaymentGround, *, gateways: Gateways, pricing: Pricing
) -> dict[str, Any]:
    """Orders, checkouts, and what gateways tell of them."""
    relay = ground.after.relay
    findings, book = Findings(clock=clock, relay=relay), RefundBook(clock=clock, relay=relay)
    findings.register()
    settling = _settling(clock, relay, gateways=gateways, book=book)
    orders = Orders(settings=settings, clock=clock, relay=relay, pricing=pricing, settling=settling)
    sealer = Sealer(keyring_of(settings), purpose="checkouts")
    starting = Starting(settings=settings, clock=clock, gateways=gateways, settling=settling, sealer=sealer)
    words = Incoming(
        clock=clock,
        relay=relay,
        gateways=gateways,
        settling=settling,
        findings=findings,
        limiter=ground.accounts.limiter,
    )
    return {
        "orders": orders,
        "checkouts": Checkouts(clock=clock, relay=relay, gateways=gateways, orders=orders, starting=starting),
        "settling": settling,
        "gateway_words": words,
        "sandbox_desk": SandboxDesk(clock=clock, relay=relay, gateways=gateways, incoming=words),
        "own_payments": OwnPayments(),
        "findings": findings,
        **_cared_for(clock, ground.after, gateways=gateways, settling=settling, book=book, findings=findings),
    }


def _settling(clock: Clock, relay: Relay, *, gateways: Gateways, book: RefundBook) -> Settling:
    """Payments as their gateways say they are, with all that follows."""
    settling = Settling(clock=clock, relay=relay, gateways=gateways, refunds=book)
    for follower in (journal_of, access_of, told_of, invoices_of, alarms_of, paid_back_of):
        settling.follow(follower)
    renewals = Renewals(clock=clock, gateways=gateways)
    settling.renew_by(renewals.adopt, renewals.is_ours)
    return settling


def _cared_for(
    clock: Clock, after: Afterwards, *, gateways: Gateways, settling: Settling, book: RefundBook, findings: Findings
) -> dict[str, Any]:
    """What those do who look after payments, and what is looked at again without anybody."""
    refunds = Refunds(clock=clock, relay=after.relay, gateways=gateways, settling=settling, book=book)
    refunds.register()
    cancelling = RefundCancelling(clock=clock, relay=after.relay, settling=settling)
    cancelling.register()
    return {
        "refunds": refunds,
        "refund_cancelling": cancelling,
        "releasing": Releasing(audit=after.audit, settling=settling),
        "disputing": Disputing(audit=after.audit, settling=settling),
        "payment_desk": PaymentDesk(),
        "open_payments": OpenPayments(clock=clock, jobs=after.jobs, settling=settling, findings=findings),
        "payment_comparison": Comparison(
            clock=clock, gateways=gateways, settling=settling, findings=findings, looking=refunds.looking
        ),
    }


def _priced(settings: Settings, clock: Clock, after: Afterwards) -> dict[str, Any]:
    """What things cost, and what that hangs on."""
    uses = CouponUses(clock=clock)
    after.retention.add_rule("uses of coupons that were broken off", 0, uses.forget_lost)
    pricing = Pricing(settings=settings, clock=clock, uses=uses)
    return {
        "pricing": pricing,
        "quotes": Quotes(pricing=pricing),
        "plans": Plans(clock=clock, relay=after.relay),
        "coupons": Coupons(clock=clock, relay=after.relay),
        "tax_rates": TaxRates(clock=clock, relay=after.relay),
    }


def _access(settings: Settings, clock: Clock, ground: PaymentGround) -> Access:
    """Enrolments in line with payments."""
    entitlements = Entitlements(clock=clock, rules=AccessRules.of(settings))
    access = Access(clock=clock, relay=ground.after.relay, bus=ground.bus, entitlements=entitlements)
    for name, handler in access.effects().items():
        ground.after.relay.register_effect(name, handler)
    return access


def _journal(ground: PaymentGround) -> Journal:
    """The book, and who enters into it."""
    journal = Journal()
    for name, handler in journal.effects().items():
        ground.after.relay.register_effect(name, handler)
    return journal


def _gateways(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Gateways:
    """The gateways that the settings name."""
    gateways = Gateways(settings)
    for name in settings.payment_gateways_on:
        if (make := _MAKERS.get(name)) is not None:
            gateways.add(make(settings, clock))
    stack.push_async_callback(gateways.close)
    return gateways
