"""Subscriptions at Paymob: a plan of theirs for each price, a first payment by the card's owner, the others drawn by Paymob.

A month is 30 of its days and a year 360. Stopping at the end of the period is its "suspend", after which nothing more is drawn.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from lms_rt.clock import Clock
from lms_rt.contracts.gateways import (
    PERIOD_DAYS,
    GatewayName,
    GatewayRefused,
    GatewaySubscription,
    GatewayUnavailable,
    Money,
    OlderPayments,
    RecurringPrice,
    Renewing,
)
from lms_rt.gateways.payments.http import part, whole, words_of
from lms_rt.gateways.payments.paymob_calls import MAX_PAGES, PaymobAccount, PaymobCalls, rows_of
from lms_rt.gateways.payments.paymob_reading import is_paid, is_period_unpaid, order_of, period_of, renewing_of

FREQUENCY_DAYS = PERIOD_DAYS[GatewayName.PAYMOB]
_PLANS, _ONES = "api/acceptance/subscription-plans", "api/acceptance/subscriptions"
_MAX_PLANS_KEPT = 200


class PaymobSubscriptions:
    """Plans and subscriptions of one account."""

    def __init__(self, account: PaymobAccount, calls: PaymobCalls, clock: Clock) -> None:
        self._account, self._calls, self._clock = account, calls, clock
        self._plans: dict[str, int] = {}

    async def plan_of(self, price: RecurringPrice, webhook_url: str) -> int:
        """Their plan for a price, made when there is none. Two at once may make two: either does."""
        if price.interval not in FREQUENCY_DAYS:
            raise GatewayRefused("no such interval", code="interval")
        name = f"{price.plan_id} {price.interval} {price.money.amount} {price.money.currency}"
        if name not in self._plans:
            found = await self._plan_named(name)
            if len(self._plans) >= _MAX_PLANS_KEPT:
                self._plans.clear()
            self._plans[name] = found or await self._new_plan(name, price, webhook_url)
        return self._plans[name]

    async def read(self, subscription_id: str) -> GatewaySubscription:
        """How one stands, with its newest payments."""
        path = f"{_ONES}/{quote(subscription_id, safe='')}"
        one = await self._calls.read(path)
        listed = await self._calls.read(f"{path}/transactions")
        return await self._told(one, rows_of(listed), "2" if part(listed, "next") else None)

    async def older(self, subscription_id: str, place: str) -> OlderPayments:
        """Payments on a further page of its transactions; behind the last one is the first payment, which began it."""
        path = f"{_ONES}/{quote(subscription_id, safe='')}"
        listed = await self._calls.read(f"{path}/transactions?page={place}")
        tries = _newest_first(rows_of(listed))
        if part(listed, "next"):
            return OlderPayments(_orders_of(tries), str(int(place) + 1))
        first_id = words_of(part(await self._calls.read(path), "initial_transaction"))
        first = [] if first_id is None else [await self._calls.transaction(first_id)]
        return OlderPayments(_orders_of([*tries, *first]))

    async def of_transaction(self, transaction_id: str) -> GatewaySubscription | None:
        """The one that a first payment began."""
        found = rows_of(await self._calls.read(f"{_ONES}?transaction={quote(transaction_id, safe='')}"))
        begun = [one for one in found if words_of(one.get("initial_transaction")) == transaction_id]
        own_id = words_of(begun[0].get("id")) if begun else None
        return await self.read(own_id) if own_id else None

    async def change(self, subscription_id: str, price: RecurringPrice) -> GatewaySubscription:
        """Another amount from the next period on; the interval stays what it is."""
        path = f"{_ONES}/{quote(subscription_id, safe='')}"
        one = await self._calls.read(path)
        if whole(part(one, "frequency")) != FREQUENCY_DAYS.get(price.interval):
            raise GatewayRefused("the interval of a subscription stays", code="interval")
        if whole(part(one, "amount_cents")) != price.money.amount:
            await self._calls.change("PUT", path, {"amount_cents": price.money.amount})
        return await self.read(subscription_id)

    async def cancel(self, subscription_id: str, *, at_period_end: bool) -> GatewaySubscription:
        """End it. What has ended already stays as it is."""
        path = f"{_ONES}/{quote(subscription_id, safe='')}"
        word = str(part(await self._calls.read(path), "state")).lower()
        verb = "suspend" if at_period_end else "cancel"
        if word == "active" or (word == "suspended" and not at_period_end):
            await self._calls.change("POST", f"{path}/{verb}", {})
        return await self.read(subscription_id)

    async def resume(self, subscription_id: str) -> GatewaySubscription:
        """Draw again for one that is suspended; where what was paid for is over it stays so, since it would be drawn at once."""
        there = await self.read(subscription_id)
        if there.state is Renewing.ACTIVE and there.cancel_at_period_end:
            await self._calls.change("POST", f"{_ONES}/{quote(subscription_id, safe='')}/resume", {})
            return await self.read(subscription_id)
        return there

    async def _told(self, one: Any, tries: list[dict[str, Any]], older: str | None) -> GatewaySubscription:
        subscription_id, first_id = words_of(part(one, "id")), words_of(part(one, "initial_transaction"))
        if subscription_id is None or first_id is None:
            raise GatewayUnavailable("a subscription without its number")
        tries, first = _newest_first(tries), await self._calls.transaction(first_id)
        renewals = [row for row in tries if words_of(row.get("id")) != first_id]
        newest = renewals[0] if renewals else None
        state, is_ending = renewing_of(one, newest, self._clock.now())
        start, end = period_of(one)
        if state is Renewing.CANCELLED and is_period_unpaid(newest, end):
            end = start
        amount, currency = whole(one.get("amount_cents")), words_of(part(first, "currency"))
        return GatewaySubscription(
            subscription_id=subscription_id,
            state=state,
            key=words_of(part(first, "order", "merchant_order_id")),
            period_start=start,
            period_end=end,
            cancel_at_period_end=is_ending,
            money=Money(amount, currency.upper()) if amount is not None and currency else None,
            intent_ids=_orders_of(tries if older else [*tries, first]),
            older=older,
        )

    async def _plan_named(self, name: str) -> int | None:
        async for plan in self._all_plans():
            if plan.get("name") == name and plan.get("is_active") is not False:
                return whole(plan.get("id"))
        return None

    async def _all_plans(self) -> AsyncIterator[dict[str, Any]]:
        for page in range(1, MAX_PAGES + 1):
            answer = await self._calls.read(_PLANS if page == 1 else f"{_PLANS}?page={page}")
            for row in rows_of(answer):
                yield row
            if not part(answer, "next"):
                return

    async def _new_plan(self, name: str, price: RecurringPrice, webhook_url: str) -> int:
        body = {
            "frequency": FREQUENCY_DAYS[price.interval],
            "name": name,
            "amount_cents": price.money.amount,
            "plan_type": "rent",
            "integration": self._account.moto,
            "reminder_days": None,
            "retrial_days": 1,
            "number_of_deductions": None,
            "use_transaction_amount": False,
            "is_active": True,
            "webhook_url": webhook_url,
        }
        number = whole(part(await self._calls.change("POST", _PLANS, body), "id"))
        if number is None:
            raise GatewayUnavailable("a plan without its number")
        return number


def _newest_first(tries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(tries, key=lambda row: whole(row.get("id")) or 0, reverse=True)


def _orders_of(tries: list[dict[str, Any]]) -> tuple[str, ...]:
    """The orders that were paid, or are being paid, each once."""
    orders = (order_of(row) for row in tries if is_paid(row) or row.get("pending"))
    return tuple(dict.fromkeys(order for order in orders if order))
