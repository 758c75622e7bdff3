"""What was paid back and comes home again: seen by the gateway's own word, and each night though nobody tells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.settings import Settings
from documents.base import Row
from documents.refund import Refund
from lms_rt.contracts.gateways import GatewayRefund, Hint, PaidBack, Subject
from lms_rt.services.payments import reconcile_lists
from lms_rt.services.payments.incoming import Incoming
from lms_rt.storage.mongo import OpenDatabase
from tests.services.test_payment_refunds import EMBEDDED, open_findings, states
from tests.services.till import Till

DAY = 24 * 3600


@pytest.fixture
def till(database: OpenDatabase, settings: Settings) -> Till:
    return Till(settings)


async def paid_back(till: Till, amount: int = 1000) -> tuple[Row, Row]:
    """A payment, and what was paid back of it."""
    payment = await till.paid(1000)
    view = await till.refund(payment, amount)
    await till.work()
    assert (await till.sums(payment))[1] == amount
    row = await Refund.find_row(view.id)
    assert row is not None
    return payment, row


def bounces(till: Till, payment: Row, refund: Row) -> None:
    """The bank sends it home, and nobody tells."""
    gateway, intent_id = till.gateway, payment["intent_id"]
    if gateway.names_refunds:
        gateway.moves(intent_id, refund["gateway_refund_id"], PaidBack.FAILED)
        return
    read = gateway.payments[intent_id]
    name = refund["gateway_refund_id"]
    gateway.one_by_one[name] = GatewayRefund(name, refund["amount"], PaidBack.FAILED)
    gateway.payments[intent_id] = replace(read, refunded=read.refunded - refund["amount"])


@EMBEDDED
@pytest.mark.parametrize("names", [True, False], ids=["by name", "by sum"])
async def test_what_a_bank_sends_home_weeks_later_is_found_though_nobody_tells(till: Till, *, names: bool) -> None:
    till.gateway.names_refunds = till.gateway.keeps_keys = names
    payment, refund = await paid_back(till)
    till.clock.advance(30 * DAY)  # no list goes back so far, and it is no day on which a payment of its age is read
    await till.comparison.compare_all()
    assert await till.sums(payment) == ("refunded", 1000, 0)
    bounces(till, payment, refund)
    await till.comparison.compare_all()
    assert await till.sums(payment) == ("completed", 0, 0)
    assert await states(payment) == [(1000, "failed")]
    assert await open_findings() == {"refund_failed"}
    assert (await till.refund(payment)).amount == 1000, "it can be paid back again"


@EMBEDDED
async def test_the_refunds_of_a_time_are_read_page_by_page_and_no_older_ones(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_lists, "PAGE", 2)
    old = await paid_back(till, 100)
    till.clock.advance(20 * DAY)
    both = [await paid_back(till, 100) for _ in range(5)]
    till.clock.advance(30 * DAY)
    for payment, refund in [old, *both]:
        bounces(till, payment, refund)
    await till.comparison.compare_all()
    assert {(await till.sums(payment))[1] for payment, _ in both} == {0}
    assert (await till.sums(old[0]))[1] == 100


@EMBEDDED
async def test_its_own_word_settles_a_refund_that_only_its_number_tells_of(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.gateway.names_refunds = till.gateway.keeps_keys = False
    payment, refund = await paid_back(till)
    words = Incoming(
        clock=till.clock, relay=till.relay, gateways=till.gateways, settling=till.settling, findings=till.findings
    )
    words.refunds_by(till.refunds.looking.look_at_each)
    bounces(till, payment, refund)

    async def tells(**_: object) -> list[Hint]:
        return [Hint("evt_back", "TRANSACTION", Subject.REFUND, payment["intent_id"])]

    monkeypatch.setattr(till.gateway, "read_hints", tells)
    assert await words.receive("stripe", headers={}, query={}, body=b"{}") == 1
    await words.settle("stripe:evt_back")
    assert await till.sums(payment) == ("completed", 0, 0)
    assert await states(payment) == [(1000, "failed")]
    assert await open_findings() == {"refund_failed"}
