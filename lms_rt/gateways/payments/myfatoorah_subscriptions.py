"""Subscriptions at MyFatoorah: what is drawn each month in the same amount, after a first payment by the card's owner.

It draws at most every 180 days, so nothing by the year, and the amount stays. Ending is at once: nothing more is drawn.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from lms_rt.clock import Clock
from lms_rt.contracts.gateways import GatewayRefused, GatewaySubscription, GatewayUnavailable, OlderPayments, Renewing
from lms_rt.gateways.payments.http import part, whole, words_of
from lms_rt.gateways.payments.myfatoorah_calls import MyFatoorahCalls
from lms_rt.gateways.payments.myfatoorah_reading import is_paid_for, moment, payment_of, renewing_of

EACH_MONTH = {"RecurringType": "Monthly", "IntervalDays": None, "Iteration": 0, "RetryCount": 3}
_NEWEST = 10
_ENDED = frozenset({Renewing.CANCELLED, Renewing.EXPIRED})


class MyFatoorahSubscriptions:
    """Subscriptions of one account."""

    def __init__(self, calls: MyFatoorahCalls, clock: Clock, zone: ZoneInfo) -> None:
        self._calls, self._clock, self._zone = calls, clock, zone

    async def read(self, subscription_id: str) -> GatewaySubscription:
        """How one stands, with its newest payments."""
        return await self._told(await self._row(subscription_id))

    async def older(self, subscription_id: str, place: str) -> OlderPayments:
        """Payments behind so many of the newest ones."""
        intents, begin = _invoices_of(await self._row(subscription_id)), int(place)
        return OlderPayments(tuple(intents[begin : begin + _NEWEST]), _place_after(intents, begin + _NEWEST))

    async def of_invoice(self, intent_id: str, key: str) -> GatewaySubscription | None:
        """The one that a first payment began; None before it is paid. Refused only where there is no such invoice."""
        try:
            invoice = await self._calls.ask("GetPaymentStatus", {"Key": intent_id, "KeyType": "InvoiceId"})
        except GatewayRefused as error:
            if error.code == "not_found":
                raise
            raise GatewayUnavailable(error.reason) from error
        if not is_paid_for(invoice) or words_of(invoice.get("CustomerReference")) != key:
            return None
        recurring_id = words_of(part(invoice, "RecurringId"))
        try:
            if recurring_id is not None:
                return await self.read(recurring_id)
            # the list of all may know what the invoice does not say
            row = next((one for one in await self._rows() if intent_id in _invoices_of(one)), None)
            return None if row is None else await self._told(row)
        except GatewayRefused as error:  # it was paid: the list of all has it not yet
            raise GatewayUnavailable(error.reason) from error

    async def cancel(self, subscription_id: str) -> GatewaySubscription:
        """Nothing more is drawn. What has ended stays as it is."""
        if renewing_of(await self._row(subscription_id)) not in _ENDED:
            await self._calls.end(subscription_id)
        return await self.read(subscription_id)

    async def _row(self, subscription_id: str) -> dict[str, Any]:
        """There is a list of all, and no way to ask for one."""
        for row in await self._rows():
            if words_of(row.get("RecurringId")) == subscription_id:
                return row
        raise GatewayRefused("no such subscription", code="not_found")

    async def _rows(self) -> list[dict[str, Any]]:
        rows = part(await self._calls.look("GetRecurringPayment"), "RecurringPayment")
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    async def _told(self, row: dict[str, Any]) -> GatewaySubscription:
        intents, first = _invoices_of(row), None
        if intents:  # the first invoice carries our reference and the currency that the payer sees
            body = {"Key": intents[-1], "KeyType": "InvoiceId"}
            first = payment_of(await self._calls.ask("GetPaymentStatus", body))
        state, end = renewing_of(row), moment(row.get("NextPayDate"), self._zone)
        started = moment(row.get("LastPayDate"), self._zone) or moment(row.get("CreationDate"), self._zone)
        return GatewaySubscription(
            subscription_id=str(row["RecurringId"]),
            state=state,
            key=first.key if first is not None else None,
            period_start=started,
            period_end=end,
            cancel_at_period_end=state is Renewing.CANCELLED and end is not None and end > self._clock.now(),
            money=first.money if first is not None else None,
            intent_ids=tuple(intents[:_NEWEST]),
            older=_place_after(intents, _NEWEST),
        )


def _invoices_of(row: dict[str, Any]) -> list[str]:
    """The numbers of all its invoices, the newest first."""
    invoices = row.get("RecurringInvoices")
    numbers = [words_of(part(one, "InvoiceId")) for one in (invoices if isinstance(invoices, list) else ())]
    return sorted((number for number in numbers if number), key=lambda text: whole(text) or 0, reverse=True)


def _place_after(invoices: list[str], number: int) -> str | None:
    """Where those behind so many are asked for."""
    return str(number) if len(invoices) > number else None
