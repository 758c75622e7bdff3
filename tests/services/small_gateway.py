"""A gateway in memory for tests of orders and checkouts: it keeps keys, can be steered, and tells signed words."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from lms_rt.contracts.gateways import (
    BadSignature,
    Charged,
    Checkout,
    CheckoutStarted,
    GatewayName,
    GatewayPayment,
    GatewayRefused,
    GatewayUnavailable,
    Hint,
    Method,
    Money,
    Subject,
)
from tests.services.till import TillGateway

SECRET = b"small-gateway-secret"
_PATIENCE_SECONDS = 30.0
ORIGIN = datetime(2020, 1, 1, tzinfo=UTC)


class Word(NamedTuple):
    """One webhook as it is delivered."""

    headers: dict[str, str]
    body: bytes


def signed(body: bytes, secret: bytes = SECRET) -> Word:
    """A word that its gateway signed over these bytes."""
    return Word({"X-Signature": hmac.new(secret, body, hashlib.sha256).hexdigest()}, body)


def word(event_id: str, intent_id: str, *, subject: str = "payment", key: str | None = None) -> Word:
    """What it tells of a payment: that there is something to read."""
    told = {"id": event_id, "type": f"{subject}.moved", "subject": subject, "object": intent_id, "key": key}
    return signed(json.dumps(told).encode())


class SmallGateway(TillGateway):
    """Takes the place of a real one. `faults` are how the next checkouts go: slow (until `may_answer`), down, lost, refuse, die."""

    def __init__(self, name: GatewayName = GatewayName.STRIPE, currencies: Sequence[str] = ("USD", "KWD")) -> None:
        super().__init__()
        self.name, self.currencies = name, currencies
        self.checkouts: dict[str, Checkout] = {}
        self.begun: list[str] = []
        self.faults: list[str] = []
        self.may_answer = asyncio.Event()
        self.reads = 0

    async def methods(self, money: Money) -> Sequence[Method]:
        """Cards, and a wallet with a fee."""
        if money.currency not in self.currencies:
            return []
        return [
            Method("card", {"en": "Card", "ar": "بطاقة"}),
            Method("wallet", {"en": "Wallet", "ar": "محفظة"}, fee=25),
        ]

    async def start_checkout(self, checkout: Checkout) -> CheckoutStarted:
        """The same key gives the same one."""
        fault = self.faults.pop(0) if self.faults else ""
        self.begun.append(checkout.key)
        if fault == "slow":
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self.may_answer.wait()
        if fault == "die":
            raise RuntimeError("a fault of ours")
        if fault == "down":
            raise GatewayUnavailable("no answer")
        if fault == "refuse":
            raise GatewayRefused("too little", code="amount_too_small")
        intent_id = f"{self.name.value}_{checkout.key}"
        self.checkouts.setdefault(intent_id, checkout)
        if intent_id not in self.payments:
            self.payments[intent_id] = GatewayPayment(intent_id, Charged.PENDING, checkout.money, key=checkout.key)
            self.made_at[intent_id] = ORIGIN
        if fault == "lost":
            raise GatewayUnavailable("the answer was lost", may_have_happened=True)
        return CheckoutStarted(intent_id, {"client_secret": f"secret_{intent_id}"}, customer_id="cus_1")

    def move(self, intent_id: str, state: Charged = Charged.COMPLETED, **fields: Any) -> None:
        """Somebody pays, or the card is declined for good."""
        read = replace(self.payments[intent_id], state=state, transaction_id=f"ch_{intent_id}", method="card")
        self.payments[intent_id] = replace(read, **fields)

    async def read_payment(self, intent_id: str) -> GatewayPayment:
        """As it stands."""
        self.reads += 1
        return await super().read_payment(intent_id)

    async def cancel_checkout(self, intent_id: str) -> None:
        """One that is open is closed."""
        if self.payments[intent_id].state is Charged.PENDING:
            self.move(intent_id, Charged.CANCELLED)

    async def read_hints(self, *, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> Sequence[Hint]:  # noqa: ARG002
        """One word, if it is signed."""
        return hints_of(headers, body)


def hints_of(headers: Mapping[str, str], body: bytes) -> Sequence[Hint]:
    """What a word says, if it is signed."""
    wanted = signed(body).headers["X-Signature"]
    if not hmac.compare_digest(headers.get("X-Signature", ""), wanted):
        raise BadSignature
    told = json.loads(body)
    return [Hint(told["id"], told["type"], Subject(told["subject"]), told["object"], key=told.get("key"))]
