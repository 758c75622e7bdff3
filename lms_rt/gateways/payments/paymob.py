"""Paymob (Egypt, the Emirates, Saudi Arabia, Oman, Pakistan): intentions and their checkout page, refunds and voids, callbacks.

It keeps no idempotency keys: our own reference, taken once, and the sum that was paid back stand for them. The order's
number at Paymob is the intent's id: it is what callbacks name. An order can be paid again by another means: such a payment goes
by "<order>:<transaction>". It has no lists of payments, and tells of no disputes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
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
    PaidBack,
    RecurringPrice,
    RefundWish,
    SubscriptionWish,
)
from lms_rt.contracts.money import exponent, is_known
from lms_rt.gateways.payments.apart_ids import ids_of
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.gateways.payments.http import ALL_SECONDS, part, whole, words_of
from lms_rt.gateways.payments.paymob_calls import PaymobAccount, PaymobCalls
from lms_rt.gateways.payments.paymob_checkout import PaymobCheckout, Sale
from lms_rt.gateways.payments.paymob_reading import (
    amount_of,
    apart_of,
    hints_of,
    is_paid,
    order_of,
    parent_of,
    payment_of,
    refund_state,
    refunded_of,
    took_money,
)
from lms_rt.gateways.payments.paymob_subscriptions import PaymobSubscriptions

_CURRENCIES = {"egy": ("EGP",), "are": ("AED",), "uae": ("AED",), "ksa": ("SAR",), "omn": ("OMR",), "pak": ("PKR",)}
"""By the beginning of the keys, which names the country."""
_NAMES = {
    "card": {"en": "Card", "ar": "بطاقة"},
    "wallet": {"en": "Mobile wallet", "ar": "محفظة إلكترونية"},
}
_MAX_STEPS_UP = 3
_MOST_PAYMENTS = 10
"""So many times is one order paid at most, as far as it is looked at."""
_UNDER_WAY_SECONDS = 60.0
_REFUND, _VOID = "api/acceptance/void_refund/refund", "api/acceptance/void_refund/void"


class Paymob(PaymentGateway):
    """One account at Paymob."""

    name = GatewayName.PAYMOB

    def __init__(
        self,
        account: PaymobAccount,
        clock: Clock,
        *,
        currencies: Sequence[str] = (),
        all_seconds: float = ALL_SECONDS,
    ) -> None:
        self._account = account
        country = account.secret_key.get_secret_value()[:3]
        self._currencies = frozenset(currencies or _CURRENCIES.get(country) or ("EGP", "AED", "SAR", "OMR", "PKR"))
        self._calls = PaymobCalls(account, clock, all_seconds=all_seconds)
        self._checkout = PaymobCheckout(account, self._calls, clock)
        self._subscriptions = PaymobSubscriptions(account, self._calls, clock)
        self.has_subscriptions = bool(account.subscription and account.moto and account.public_key)

    async def methods(self, money: Money) -> Sequence[Method]:
        """Cards and wallets, whichever have an integration. The payer bears no fee."""
        if money.currency not in self._currencies or not is_known(money.currency) or exponent(money.currency) < 2:
            return ()
        has = {"card": self._account.card, "wallet": self._account.wallet}
        return tuple(Method(word, _NAMES[word]) for word, number in has.items() if number)

    async def start_checkout(self, checkout: Checkout) -> CheckoutStarted:
        """An intention and the address of its page. Paymob takes a reference once: the same key again is refused."""
        offered = {"card": self._account.card, "wallet": self._account.wallet}
        if not await self.methods(checkout.money) or checkout.method not in {None, *offered}:
            raise GatewayRefused("not this currency or method", code="currency")
        chosen = [number for word, number in offered.items() if number and checkout.method in {None, word}]
        if not chosen:
            raise GatewayRefused("no such method", code="method")
        sale = Sale(
            checkout.key, checkout.order_id, checkout.title, checkout.money, checkout.payer, checkout.places, chosen
        )
        return await self._checkout.start(sale, checkout.expires_at)

    async def find_payment(self, key: str) -> GatewayPayment | None:
        """By our reference; only what somebody began to pay can be found."""
        newest = await self._calls.newest_transaction(merchant_order_id=key)
        return None if newest is None else await self._paid(newest)

    async def read_payment(self, intent_id: str) -> GatewayPayment:
        """By their order; nobody knows an amount before somebody began to pay it."""
        order_id, transaction_id = ids_of(intent_id)
        if transaction_id:
            return await self._read_apart(intent_id)
        newest = await self._calls.newest_transaction(order_id=order_id)
        if newest is None:
            return _unbegun(intent_id)
        return await self._paid(newest, intent_id)

    async def belongs(self, object_id: str, facts: Mapping[str, str]) -> bool:
        """Is the transaction that a word names one of the order that it names? Its signature alone does not say so."""
        if not (transaction_id := facts.get("transaction_id")):
            return True
        found = await self._calls.transaction(transaction_id)
        return isinstance(found, dict) and order_of(found) == object_id

    async def cancel_checkout(self, intent_id: str) -> None:
        """Paymob cannot; the intention ends by its own time."""

    async def refund(self, wish: RefundWish) -> GatewayRefund:
        """Pay back, unless it was done before; all of what a card paid and no bank has settled is undone instead (void)."""
        order_id, own_id = ids_of(wish.intent_id)
        newest = await self._calls.newest_transaction(order_id=order_id)
        paid = await self._paying(newest) if newest is not None else None
        meant = own_id or wish.transaction_id
        if meant is not None and (paid is None or words_of(paid.get("id")) != meant):
            paid = await self._calls.transaction(meant)
        if paid is None or not is_paid(paid) or amount_of(paid).currency != wish.money.currency:
            raise GatewayRefused("nothing was paid that could be paid back", code="not_paid")
        if newest is not None and newest.get("is_refund") and newest.get("pending"):
            raise GatewayUnavailable("a refund is under way", retry_after_seconds=_UNDER_WAY_SECONDS)
        done = refunded_of(paid)
        if wish.refunded_before is not None and done == wish.refunded_before + wish.money.amount:
            return _made_before(wish, newest, paid)
        if wish.refunded_before not in {None, done}:
            raise GatewayRefused("another sum was paid back than is known", code="state_differs")
        if wish.money.amount > amount_of(paid).amount - done:
            raise GatewayRefused("more than is left", code="amount")
        return await self._pay_back(wish, paid, is_all=not done and wish.money.amount == amount_of(paid).amount)

    async def read_refund(self, refund_id: str) -> GatewayRefund | None:
        """By its own transaction: the payment's tells a sum, of which one that failed is no part."""
        child = await self._calls.transaction(refund_id)
        if parent_of(child) is None or words_of(child.get("id")) != refund_id:
            raise GatewayRefused("not a refund", code="not_found")
        return GatewayRefund(refund_id, amount_of(child).amount, refund_state(child))

    async def read_hints(self, *, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> Sequence[Hint]:
        """Callbacks about transactions, cards and subscriptions; without a body, the address by which a payer comes back."""
        del headers
        secret = self._account.hmac_secret.get_secret_value()
        return hints_of(body, query, secret=secret, integrations=self._account.integrations)

    async def start_subscription(self, wish: SubscriptionWish) -> CheckoutStarted:
        """A plan for the price, and an intention for the first payment, with 3-D Secure."""
        if not self.has_subscriptions or wish.price.money.currency not in self._currencies:
            raise GatewayRefused("no subscriptions here", code="currency")
        plan = await self._subscriptions.plan_of(wish.price, wish.places.webhook_url)
        sale = Sale(
            wish.key,
            wish.subscription_id,
            wish.price.title,
            wish.price.money,
            wish.payer,
            wish.places,
            [self._account.subscription],
        )
        return await self._checkout.start(sale, None, plan=plan)

    async def find_subscription(self, key: str, intent_id: str) -> GatewaySubscription | None:
        """By the first payment."""
        read = await self.read_payment(intent_id)
        if read.state is not Charged.COMPLETED or read.key != key:
            return None
        for one in (read, *read.others):
            found = await self._subscriptions.of_transaction(one.transaction_id) if one.transaction_id else None
            if found is not None:
                return found
        return None

    async def read_subscription(self, subscription_id: str) -> GatewaySubscription:
        """How it stands."""
        return await self._subscriptions.read(subscription_id)

    async def older_payments(self, subscription_id: str, place: str) -> OlderPayments:
        """Those before its newest ones."""
        return await self._subscriptions.older(subscription_id, place)

    async def change_subscription(
        self, subscription_id: str, price: RecurringPrice, *, key: str
    ) -> GatewaySubscription:
        """Another amount from the next payment on; nothing is counted against what was paid."""
        del key  # it changes nothing that is so already
        return await self._subscriptions.change(subscription_id, price)

    async def cancel_subscription(self, subscription_id: str, *, at_period_end: bool, key: str) -> GatewaySubscription:
        """End it."""
        del key  # it ends nothing that has ended already
        return await self._subscriptions.cancel(subscription_id, at_period_end=at_period_end)

    async def resume_subscription(self, subscription_id: str, *, key: str) -> GatewaySubscription:
        """Draw for it again."""
        del key  # it resumes nothing that goes on already
        return await self._subscriptions.resume(subscription_id)

    def payments_between(self, since: datetime, until: datetime) -> AsyncIterator[GatewayPayment]:
        """Paymob has no list."""
        del since, until
        raise LookupError(self.name)

    async def close(self) -> None:
        """Close what is open."""
        await self._calls.close()

    async def _paid(self, transaction: Any, intent_id: str | None = None) -> GatewayPayment:
        """The payment of an order, and those that came on top of it: the first transaction that took money is it."""
        paid = await self._paying(transaction)
        own_id = order_of(paid)
        if own_id is None or (intent_id is not None and own_id != intent_id):
            raise GatewayRefused("not of this order", code="not_found")
        told = payment_of(paid, own_id)
        if told.state is not Charged.COMPLETED:
            return told
        taken, is_whole = await self._taken(own_id, paid)
        if not taken:
            return replace(told, is_whole=is_whole)
        first, *others = [apart_of(one, own_id) for one in taken]
        return replace(first, others=tuple(replace(one, is_again=True) for one in others), is_whole=is_whole)

    async def _taken(self, order_id: str, paid: Any) -> tuple[list[Any], bool]:
        """All transactions that took money for an order, the oldest first: the one that is known, and what the list has.

        And whether these are all. A list that has others, or not the one that is known, is another list than was asked for.
        """
        known = {whole(paid.get("id")): paid} if took_money(paid, order_id) else {}
        rows, is_whole = await self._calls.listed_of(order_id)
        is_asked = all(order_of(row) == order_id for row in rows) and paid.get("id") in [row.get("id") for row in rows]
        listed = [whole(row.get("id")) for row in rows if took_money(row, order_id)]
        for number in listed[:_MOST_PAYMENTS]:
            if number is not None and number not in known:
                known[number] = await self._calls.transaction(str(number))
        all_taken = [one for _, one in sorted(known.items()) if took_money(one, order_id)]
        return all_taken, is_whole and is_asked and len(listed) <= _MOST_PAYMENTS

    async def _read_apart(self, intent_id: str) -> GatewayPayment:
        """One that came on top of another one of the same order."""
        order_id, transaction_id = ids_of(intent_id)
        found = await self._calls.transaction(transaction_id)
        if not isinstance(found, dict) or not took_money(found, order_id):
            raise GatewayRefused("not a payment of this order", code="not_found")
        return replace(payment_of(found, intent_id), is_again=True)

    async def _paying(self, transaction: Any) -> Any:
        """The one that took the money, where this one gave of it back."""
        for _ in range(_MAX_STEPS_UP):
            parent = parent_of(transaction)
            if parent is None:
                break
            transaction = await self._calls.transaction(parent)
        return transaction

    async def _pay_back(self, wish: RefundWish, paid: Any, *, is_all: bool) -> GatewayRefund:
        transaction_id = whole(paid.get("id"))
        is_card = isinstance(paid.get("source_data"), dict) and paid["source_data"].get("type") == "card"
        if is_all and is_card and paid.get("is_settled") is False:
            try:
                undone = await self._calls.write(_VOID, {"transaction_id": transaction_id})
            except GatewayRefused:
                undone = None  # too late for it: paid back below
            if undone is not None and _state_of(undone) is not PaidBack.FAILED:
                return _told(wish, undone)
        body = {"transaction_id": transaction_id, "amount_cents": wish.money.amount}
        return _told(wish, await self._calls.write(_REFUND, body))


def _told(wish: RefundWish, child: Any) -> GatewayRefund:
    state = _state_of(child)
    return GatewayRefund(words_of(child["id"]) or "", wish.money.amount, state, wish.refund_id)


def _state_of(child: Any) -> PaidBack:
    """How giving back went. What cannot be read may stand for anything: it is no "no"."""
    if words_of(part(child, "id")) is None:
        raise GatewayUnavailable("a refund without its number", may_have_happened=True)
    return refund_state(child)


def _made_before(wish: RefundWish, newest: Any, paid: Any) -> GatewayRefund:
    """It is there: the last word about the order is it, or else it has a name of our making."""
    if newest is not None and parent_of(newest) == words_of(paid.get("id")):
        return _told(wish, newest)
    state = refund_state({"success": True})
    return GatewayRefund(f"{words_of(paid.get('id'))}-{refunded_of(paid)}", wish.money.amount, state, wish.refund_id)


def _unbegun(intent_id: str) -> GatewayPayment:
    return GatewayPayment(intent_id, Charged.PENDING, Money(0, ""))


def opened_paymob(settings: Settings, clock: Clock) -> PaymentGateway:
    """The account of the settings, which say themselves what is missing."""
    account = PaymobAccount(
        base=settings.paymob_base_url,
        secret_key=settings.paymob_secret_key,
        api_key=settings.paymob_api_key,
        hmac_secret=settings.paymob_hmac_secret,
        public_key=settings.paymob_public_key,
        card=settings.paymob_integration_id_card,
        wallet=settings.paymob_integration_id_wallet,
        subscription=settings.paymob_integration_id_subscription,
        moto=settings.paymob_integration_id_moto,
        iframe=settings.paymob_iframe_id,
    )
    return Paymob(account, clock, currencies=settings.paymob_currencies)
