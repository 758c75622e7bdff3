"""What the tests of one gateway after another ask of it: something to buy, money back, and what a word says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lms_rt.clock import Clock
from lms_rt.contracts.gateways import Checkout, GatewayPayment, Hint, Money, Payer, Places, RefundWish
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.ids import new_id
from tests.servers.gateway_desk import Word

CLOCK = Clock()
BACK = "https://school.example/back"


def places_of(gateway: str) -> Places:
    """Where a gateway sends browsers and words."""
    return Places(BACK, BACK, f"https://school.example/hooks/{gateway}")


@dataclass(frozen=True)
class Purchase:
    """What somebody buys, again and again."""

    payer: Payer
    places: Places
    price: Money
    title: str

    def checkout(self, key: str = "ord_1-1", **facts: Any) -> Checkout:
        """A checkout of it, as `facts` say otherwise."""
        asked: dict[str, Any] = {"key": key, "order_id": "ord_1", "money": self.price, "title": self.title}
        asked |= {"payer": self.payer, "places": self.places, "expires_at": CLOCK.now() + timedelta(minutes=30)}
        return Checkout(**{**asked, **facts})


def wish(payment: GatewayPayment, amount: int, *, before: int = 0, name: str | None = None) -> RefundWish:
    """So much of a payment back, of which so much was paid back before; under a name of its own."""
    money = Money(amount, payment.money.currency)
    return RefundWish(name or new_id("rfd"), payment.intent_id, payment.transaction_id, money, refunded_before=before)


async def heard(gateway: PaymentGateway, word: Word) -> Hint:
    """What a word is taken for."""
    (hint,) = await gateway.read_hints(headers=word.headers, query=word.query, body=word.body)
    return hint
