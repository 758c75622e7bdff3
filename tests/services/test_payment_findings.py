"""Findings that relays tell of twice, late, or in another order than they were meant."""

from __future__ import annotations

from typing import Any, Final

import pytest

from documents.payment_finding import MENDED, OPEN, PaymentFinding
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.outbox import Intent, Write
from lms_rt.services.payments.findings import Findings, found_intent, mended_intent
from tests.services.relaying import relay_over

pytestmark = pytest.mark.usefixtures("database")
KIND: Final = "state_differs"
REF = "pay_1"


class Desk:
    """Findings, and intents about one of them that are carried out as a relay would."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        relay = relay_over(memory_bus(self.clock).fan_out, self.clock, [])
        Findings(clock=self.clock, relay=relay).register()
        self._effects = relay._effects
        self.write = Write(1, self.clock.now())

    def found(self, **facts: Any) -> Intent:
        return found_intent(self.write, KIND, REF, refs={}, facts=facts)

    def mended(self) -> Intent:
        return mended_intent(self.write, KIND, REF)

    async def carry_out(self, *intents: Intent) -> str:
        """Do these; the finding's status then."""
        for intent in intents:
            self.clock.advance(1)
            await self._effects[intent["effect"]](intent["id"], intent["data"])
        row = await PaymentFinding.find_row(f"{KIND}:{REF}")
        assert row is not None
        return str(row["status"])


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_what_a_slow_relay_tells_after_another_mended_it_stays_mended(desk: Desk) -> None:
    found, mended = desk.found(amount=1), desk.mended()
    assert await desk.carry_out(found, mended, found) == MENDED
    other = desk.found(amount=2)
    assert await desk.carry_out(other) == OPEN, "what is found anew is open"
    assert await desk.carry_out(desk.mended(), found, other) == MENDED


async def test_what_was_mended_before_it_was_found_again_is_not_mended_by_that(desk: Desk) -> None:
    mended = desk.mended()
    assert await desk.carry_out(desk.found(), mended, desk.found(), mended) == OPEN


async def test_what_is_found_without_an_intent_is_found_each_time(desk: Desk) -> None:
    findings = Findings(clock=desk.clock, relay=relay_over(memory_bus(desk.clock).fan_out, desk.clock, []))
    for _ in range(2):
        await findings.found(KIND, REF, refs={}, facts={})
        assert await desk.carry_out() == OPEN
        assert await findings.mended(KIND, REF)
        assert await desk.carry_out() == MENDED
