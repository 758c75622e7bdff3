"""Making what a payer pays by at Paymob: an intention with its page, or an iframe for accounts that have no public key.

What a form of Paymob's asks of a person and we never asked is "NA". No card is ever seen here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from lms_rt.clock import Clock
from lms_rt.contracts.gateways import CheckoutStarted, GatewayRefused, GatewayUnavailable, Money, Payer, Places
from lms_rt.gateways.payments.http import part, whole, words_of
from lms_rt.gateways.payments.paymob_calls import PaymobAccount, PaymobCalls

LEAST_SECONDS, MOST_SECONDS = 60, 86_400
_USUAL_SECONDS = 3_600
_NAME_LETTERS = 50
_NOT_ASKED = dict.fromkeys(
    ("apartment", "floor", "street", "building", "shipping_method", "postal_code", "city", "state"), "NA"
)


@dataclass(frozen=True, slots=True)
class Sale:
    """What is sold to whom, once or for the first time. `key` is our reference, `subject_id` the order's or subscription's."""

    key: str
    subject_id: str
    title: str
    money: Money
    payer: Payer
    places: Places
    integrations: Sequence[int]


class PaymobCheckout:
    """Begins payments of one account."""

    def __init__(self, account: PaymobAccount, calls: PaymobCalls, clock: Clock) -> None:
        self._account, self._calls, self._clock = account, calls, clock

    async def start(self, sale: Sale, expires_at: datetime | None, *, plan: int | None = None) -> CheckoutStarted:
        """What the payer's browser needs."""
        seconds = _USUAL_SECONDS
        if expires_at is not None:
            left = int((expires_at - self._clock.now()).total_seconds())
            seconds = min(max(left, LEAST_SECONDS), MOST_SECONDS)
        if self._account.public_key:
            return await self._intention(sale, seconds, plan)
        return await self._iframe(sale, seconds)

    async def _intention(self, sale: Sale, seconds: int, plan: int | None) -> CheckoutStarted:
        amount, billing = sale.money.amount, _billing(sale.payer)
        title = sale.title[:_NAME_LETTERS]
        body: dict[str, Any] = {
            "amount": amount,
            "currency": sale.money.currency,
            "payment_methods": list(sale.integrations),
            "items": [{"name": title, "amount": amount, "description": title, "quantity": 1}],
            "billing_data": billing,
            "customer": {name: billing[name] for name in ("first_name", "last_name", "email")},
            "special_reference": sale.key,
            "expiration": seconds,
            "notification_url": sale.places.webhook_url,
            "redirection_url": sale.places.return_url,
            "extras": {"order_id": sale.subject_id},
        }
        if plan is not None:
            body["subscription_plan_id"] = plan
        made = await self._calls.write("v1/intention/", body)
        order_id, secret = words_of(part(made, "intention_order_id")), words_of(part(made, "client_secret"), 500)
        if order_id is None or secret is None or whole(part(made, "intention_detail", "amount")) not in {None, amount}:
            raise GatewayUnavailable("an intention that says not what to do", may_have_happened=True)
        query = urlencode({"publicKey": self._account.public_key, "clientSecret": secret})
        client = {
            "redirect_url": f"{self._account.base.rstrip('/')}/unifiedcheckout/?{query}",
            "client_secret": secret,
            "publishable_key": self._account.public_key,
        }
        return CheckoutStarted(order_id, client)

    async def _iframe(self, sale: Sale, seconds: int) -> CheckoutStarted:
        """The older way, in three steps. Whoever dies between them left an order that nobody can pay."""
        if not self._account.iframe:
            raise GatewayRefused("neither a public key nor an iframe", code="not_set_up")
        token, amount = await self._calls.token(), sale.money.amount
        order = await self._calls.write(
            "api/ecommerce/orders",
            {
                "auth_token": token,
                "delivery_needed": False,
                "amount_cents": amount,
                "currency": sale.money.currency,
                "merchant_order_id": sale.key,
                "items": [],
            },
        )
        order_id = words_of(part(order, "id"))
        keyed = await self._calls.write(
            "api/acceptance/payment_keys",
            {
                "auth_token": token,
                "amount_cents": amount,
                "expiration": seconds,
                "order_id": order_id,
                "billing_data": _billing(sale.payer),
                "currency": sale.money.currency,
                "integration_id": sale.integrations[0],
            },
        )
        payment_token = words_of(part(keyed, "token"), 2_000)
        if order_id is None or payment_token is None:
            raise GatewayUnavailable("an order that says not what to do", may_have_happened=True)
        query = urlencode({"payment_token": payment_token})
        place = f"{self._account.base.rstrip('/')}/api/acceptance/iframes/{self._account.iframe}?{query}"
        return CheckoutStarted(order_id, {"iframe_url": place})


def _billing(payer: Payer) -> Mapping[str, str]:
    first, _, last = payer.full_name.strip().partition(" ")
    return {
        **_NOT_ASKED,
        "first_name": (first or "NA")[:_NAME_LETTERS],
        "last_name": (last.strip() or "NA")[:_NAME_LETTERS],
        "email": payer.email,
        "phone_number": payer.phone or "NA",
        "country": payer.country or "NA",
    }
