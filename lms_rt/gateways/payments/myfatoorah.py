"""MyFatoorah (Kuwait, the Gulf, Jordan, Egypt) by its API v2: invoices and their pages, refunds, what is drawn monthly, webhooks.

It keeps no idempotency keys: our reference on an invoice, and on a refund, is looked for first. Refunds are requests that
its staff may look at, so they are pending until it says otherwise. An invoice can be paid several times: a payment that came on
top goes by "<invoice>:<payment>". It has no lists of payments.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from config.settings import Settings
from lms_rt.clock import Clock
from lms_rt.contracts.gateways import (
    BadSignature,
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
    RecurringPrice,
    RefundWish,
    SubscriptionWish,
)
from lms_rt.gateways.payments.apart_ids import ids_of, parted
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.gateways.payments.http import ALL_SECONDS, is_page, part, words_of
from lms_rt.gateways.payments.myfatoorah_calls import MyFatoorahAccount, MyFatoorahCalls, exactly
from lms_rt.gateways.payments.myfatoorah_checkout import MyFatoorahMethods, Sale, invoice_body
from lms_rt.gateways.payments.myfatoorah_reading import hints_of, is_paid_for, payment_of, refund_of, to_base
from lms_rt.gateways.payments.myfatoorah_subscriptions import EACH_MONTH, MyFatoorahSubscriptions

_CURRENCIES = ("KWD", "BHD", "SAR", "AED", "QAR", "OMR", "JOD", "EGP", "USD", "EUR", "GBP")
_FIRST_PAYMENT_HOURS = 24


class MyFatoorah(PaymentGateway):
    """One account at MyFatoorah."""

    name = GatewayName.MYFATOORAH
    has_subscriptions = True

    def __init__(
        self,
        account: MyFatoorahAccount,
        clock: Clock,
        *,
        currencies: Sequence[str] = (),
        all_seconds: float = ALL_SECONDS,
    ) -> None:
        self._account, self._clock = account, clock
        self._currencies = frozenset(currencies or _CURRENCIES)
        self._calls = MyFatoorahCalls(account, all_seconds=all_seconds)
        self._methods = MyFatoorahMethods(self._calls, clock)
        self._subscriptions = MyFatoorahSubscriptions(self._calls, clock, account.zone)

    async def methods(self, money: Money) -> Sequence[Method]:
        """What the account offers for this amount, with the fee that the payer bears; asked once in ten minutes."""
        if money.currency not in self._currencies:
            return ()
        return tuple(offer.method for offer in await self._methods.offers(money))

    async def start_checkout(self, checkout: Checkout) -> CheckoutStarted:
        """An invoice and the address of its page. The same key again is refused: its page's address cannot be had again."""
        sale = Sale(checkout.key, checkout.order_id, checkout.title, checkout.money, checkout.payer, checkout.places)
        return await self._start(sale, checkout.expires_at, method=checkout.method)

    async def find_payment(self, key: str) -> GatewayPayment | None:
        """By our reference."""
        invoice = await self._invoice(key, "CustomerReference")
        if invoice is None or words_of(invoice.get("CustomerReference")) != key:
            return None
        return payment_of(invoice, await self._refunds(invoice))

    async def read_payment(self, intent_id: str) -> GatewayPayment:
        """By their invoice, also one that came on top of another."""
        invoice = await self._invoice_of(ids_of(intent_id)[0])
        return payment_of(invoice, await self._refunds(invoice))

    async def cancel_checkout(self, intent_id: str) -> None:
        """It cannot; the invoice ends by its own time."""

    async def refund(self, wish: RefundWish) -> GatewayRefund:
        """Ask for paying back, unless that was asked before."""
        invoice_id, own_id = ids_of(wish.intent_id)
        invoice = await self._invoice_of(invoice_id)
        payment = payment_of(invoice)
        if not is_paid_for(invoice) or payment.money.currency != wish.money.currency:
            raise GatewayRefused("nothing was paid that could be paid back", code="not_paid")
        told = await self._refunds(invoice)
        told = parted(told, payment.money.amount) if payment.others else told
        known = [one for one in told if one.refund_id not in wish.of_others]
        for one in known:
            if one.reference == wish.refund_id:
                return GatewayRefund(one.refund_id, wish.money.amount, one.state, wish.refund_id)
        found = _made_before(wish, known)
        if found is not None:
            return found
        body = {
            **_which(payment, wish, own_id or wish.transaction_id),
            "Amount": exactly(to_base(wish.money.amount, invoice)),
            "ServiceChargeOnCustomer": False,
            "RefundChargeOnCustomer": False,
            "Comment": wish.refund_id,
            "ExternalIdentifier": wish.refund_id,
        }
        refund_id = words_of(part(await self._calls.ask("MakeRefund", body, is_change=True), "RefundId"))
        if refund_id is None:
            raise GatewayUnavailable("a refund without its number", may_have_happened=True)
        return GatewayRefund(refund_id, wish.money.amount, PaidBack.PENDING, wish.refund_id)

    async def read_hints(self, *, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> Sequence[Hint]:
        """Webhooks of both versions, which a header tells apart."""
        del query
        heads = {name.lower(): value for name, value in headers.items()}
        signature, version = heads.get("myfatoorah-signature"), heads.get("myfatoorah-webhook-version")
        if not signature or not version:
            raise BadSignature
        secret = self._account.webhook_secret.get_secret_value()
        return hints_of(body, version=version.strip(), signature=signature.strip(), secret=secret)

    async def start_subscription(self, wish: SubscriptionWish) -> CheckoutStarted:
        """An invoice for the first payment, after which it draws the same each month; cards only."""
        if wish.price.interval != "month":
            raise GatewayRefused("nothing is drawn by the year", code="interval")
        money = wish.price.money
        sale = Sale(wish.key, wish.subscription_id, wish.price.title, money, wish.payer, wish.places)
        until = self._clock.now() + timedelta(hours=_FIRST_PAYMENT_HOURS)
        card = await self._methods.card(money)
        return await self._start(sale, until, method=card, extra={"RecurringModel": EACH_MONTH})

    async def find_subscription(self, key: str, intent_id: str) -> GatewaySubscription | None:
        """By the first payment."""
        return await self._subscriptions.of_invoice(intent_id, key)

    async def read_subscription(self, subscription_id: str) -> GatewaySubscription:
        """How it stands."""
        return await self._subscriptions.read(subscription_id)

    async def older_payments(self, subscription_id: str, place: str) -> OlderPayments:
        """Those before its newest ones."""
        return await self._subscriptions.older(subscription_id, place)

    async def change_subscription(
        self, subscription_id: str, price: RecurringPrice, *, key: str
    ) -> GatewaySubscription:
        """The amount stays for ever: another price is another subscription."""
        del subscription_id, price, key
        raise GatewayRefused("what is drawn stays the same", code="unchangeable")

    async def cancel_subscription(self, subscription_id: str, *, at_period_end: bool, key: str) -> GatewaySubscription:
        """Nothing more is drawn, from now on; what is paid for stays paid."""
        del at_period_end, key
        return await self._subscriptions.cancel(subscription_id)

    async def resume_subscription(self, subscription_id: str, *, key: str) -> GatewaySubscription:
        """What was ended there stays ended."""
        del key
        raise GatewayRefused(f"{subscription_id} cannot go on", code="not_supported")

    def payments_between(self, since: datetime, until: datetime) -> AsyncIterator[GatewayPayment]:
        """It has no list."""
        del since, until
        raise LookupError(self.name)

    async def close(self) -> None:
        """Close what is open."""
        await self._calls.close()

    async def _start(
        self, sale: Sale, until: datetime, *, method: str | None, extra: Mapping[str, Any] | None = None
    ) -> CheckoutStarted:
        if sale.money.currency not in self._currencies:
            raise GatewayRefused("not this currency", code="currency")
        body = {**invoice_body(sale, until.astimezone(self._account.zone)), **(extra or {})}
        chosen = None if method is None else await self._methods.number_of(method, sale.money)
        if await self._invoice(sale.key, "CustomerReference") is not None:
            raise GatewayRefused("there is an invoice of this reference", code="exists")
        if chosen is None:
            made = await self._calls.ask("SendPayment", {**body, "NotificationOption": "LNK"}, is_change=True)
        else:
            made = await self._calls.ask("ExecutePayment", {**body, "PaymentMethodId": chosen}, is_change=True)
        intent_id, place = words_of(part(made, "InvoiceId")), part(made, "PaymentURL") or part(made, "InvoiceURL")
        if intent_id is None or not is_page(place, self._account.base):
            raise GatewayUnavailable("an invoice that says not where to pay", may_have_happened=True)
        return CheckoutStarted(intent_id, {"redirect_url": place})

    async def _invoice(self, key: str, key_type: str) -> dict[str, Any] | None:
        with suppress(_NoSuch):
            return await self._status(key, key_type)
        return None

    async def _invoice_of(self, intent_id: str) -> dict[str, Any]:
        invoice = await self._invoice(intent_id, "InvoiceId")
        if invoice is None or words_of(invoice.get("InvoiceId")) != intent_id:
            raise GatewayRefused("no such invoice", code="not_found")
        return invoice

    async def _status(self, key: str, key_type: str) -> dict[str, Any]:
        try:
            found = await self._calls.ask("GetPaymentStatus", {"Key": key, "KeyType": key_type})
        except GatewayRefused as error:
            if error.code == "not_found":
                raise _NoSuch from None
            raise _not_read(error) from error
        if not isinstance(found, dict):
            raise _NoSuch
        return found

    async def _refunds(self, invoice: dict[str, Any]) -> list[GatewayRefund]:
        """All of an invoice's; there are none of one that was never paid."""
        if not is_paid_for(invoice):
            return []
        try:
            answer = await self._calls.ask(
                "GetRefundStatus", {"Key": words_of(invoice.get("InvoiceId")), "KeyType": "InvoiceId"}
            )
        except GatewayRefused as error:
            if error.code == "not_found":
                return []
            raise _not_read(error) from error
        rows = part(answer, "RefundStatusResult")
        told = [refund_of(row, invoice) for row in (rows if isinstance(rows, list) else ()) if isinstance(row, dict)]
        return [one for one in told if one is not None]


def _not_read(error: GatewayRefused) -> GatewayUnavailable:
    """That it cannot say now how something stands is no word about the thing: it is asked again."""
    return GatewayUnavailable(error.reason)


def _which(payment: GatewayPayment, wish: RefundWish, transaction_id: str | None) -> dict[str, str]:
    """What is to be paid back: of an invoice that was paid several times one payment, by its own number.

    What was written down as one payment of several is paid back by the invoice, or the next of them, as far as one goes.
    """
    each, amount = payment.money.amount, wish.money.amount
    if not payment.others or amount > each:
        return {"KeyType": "InvoiceId", "Key": payment.intent_id}
    numbers = [one.transaction_id for one in (payment, *payment.others)]
    if transaction_id not in numbers:
        raise GatewayRefused("not a payment of this invoice", code="not_paid")
    if (wish.paid_amount or 0) > each:
        transaction_id = numbers[min(((wish.refunded_before or 0) + amount - 1) // each, len(numbers) - 1)]
    return {"KeyType": "PaymentId", "Key": str(transaction_id)}


class _NoSuch(Exception):
    """There is no such invoice."""


def _made_before(wish: RefundWish, known: list[GatewayRefund]) -> GatewayRefund | None:
    """Where it keeps no name of ours, the sum tells whether this one is among them."""
    done = sum(one.amount for one in known if one.state is PaidBack.COMPLETED)
    if wish.refunded_before is None or wish.refunded_before == done:
        return None
    same = [one for one in known if one.reference is None and one.amount == wish.money.amount]
    if same and done == wish.refunded_before + wish.money.amount:
        return GatewayRefund(same[-1].refund_id, wish.money.amount, same[-1].state, wish.refund_id)
    raise GatewayRefused("another sum was paid back than is known", code="state_differs")


def opened_myfatoorah(settings: Settings, clock: Clock) -> PaymentGateway:
    """The account of the settings, which say themselves what is missing."""
    account = MyFatoorahAccount(
        settings.myfatoorah_base_url, settings.myfatoorah_api_key, settings.myfatoorah_webhook_secret
    )
    return MyFatoorah(account, clock, currencies=settings.myfatoorah_currencies)
