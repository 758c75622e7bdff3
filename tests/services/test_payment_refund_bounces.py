"""What was paid back and comes home again: seen by the gateway's own word, and each night though nobody tells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.settings import Settings
from documents.base import Row
from documents.payment import Payment
from documents.refund import Refund
from lms_rt.contracts.gateways import GatewayRefund, Hint, PaidBack, Subject
from lms_rt.services.payments import reconcile_lists
from lms_rt.services.payments.incoming import Incoming
from lms_rt.storage.mongo import OpenDatabase
from tests.services.test_payment_refunds import A_WHILE, EMBEDDED, open_findings, states
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
    words.refunds_by(till.refunds.looking.look_at_order)
    bounces(till, payment, refund)

    async def tells(**_: object) -> list[Hint]:
        return [Hint("evt_back", "TRANSACTION", Subject.REFUND, payment["intent_id"])]

    monkeypatch.setattr(till.gateway, "read_hints", tells)
    assert await words.receive("stripe", headers={}, query={}, body=b"{}") == 1
    await words.settle("stripe:evt_back")
    assert await till.sums(payment) == ("completed", 0, 0)
    assert await states(payment) == [(1000, "failed")]
    assert await open_findings() == {"refund_failed"}


@EMBEDDED
@pytest.mark.parametrize("names", [True, False], ids=["by name", "by sum"])
async def test_who_dies_between_a_refund_that_came_home_and_its_payment_leaves_a_job_that_sees_to_it(
    till: Till, *, names: bool
) -> None:
    till.gateway.names_refunds = till.gateway.keeps_keys = names
    payment, refund = await paid_back(till)
    bounces(till, payment, refund)
    await till.book.note(refund["_id"], GatewayRefund(refund["gateway_refund_id"], 1000, PaidBack.FAILED))
    assert await till.sums(payment) == ("refunded", 1000, 0), "nobody settled it yet"
    till.gateway.is_away = True
    assert await till.work() == ["Failed"]
    till.gateway.is_away = False
    assert await till.work() == []
    assert await till.sums(payment) == ("completed", 0, 0)
    assert await till.work() == []


def lags(till: Till, payment: Row, refund: Row) -> None:
    """The refund is known to have come home, and the sum of all does not say so."""
    name = refund["gateway_refund_id"]
    till.gateway.one_by_one[name] = GatewayRefund(name, refund["amount"], PaidBack.FAILED)


def sum_is(till: Till, payment: Row, amount: int) -> None:
    read = till.gateway.payments[payment["intent_id"]]
    till.gateway.payments[payment["intent_id"]] = replace(read, refunded=amount)


@EMBEDDED
async def test_a_sum_that_holds_still_what_came_home_is_no_new_refund(till: Till) -> None:
    till.gateway.names_refunds = till.gateway.keeps_keys = False
    payment, refund = await paid_back(till, 400)
    lags(till, payment, refund)
    for _ in range(3):
        await till.refunds.looking.look_back("stripe", payment["intent_id"], payment["_id"])
        assert await till.sums(payment) == ("completed", 0, 0)
        assert await states(payment) == [(400, "failed")]
    till.clock.advance(3 * DAY)
    await till.comparison.compare_all()
    assert "amount_differs" in await open_findings(), "somebody is to look"
    sum_is(till, payment, 700)  # and 300 more at its own desk
    await till.settling.settle("stripe", payment["intent_id"])
    assert await states(payment) == [(400, "failed"), (300, "completed")]
    sum_is(till, payment, 300)  # the bank's return is seen at last
    await till.settling.settle("stripe", payment["intent_id"])
    sum_is(till, payment, 700)  # so that this is another one
    await till.settling.settle("stripe", payment["intent_id"])
    assert sorted(await states(payment)) == [(300, "completed"), (400, "completed"), (400, "failed")]
    assert await till.sums(payment) == ("partially_refunded", 700, 0)


@EMBEDDED
async def test_a_refund_that_goes_again_is_not_taken_for_the_one_that_came_home(till: Till) -> None:
    till.gateway.names_refunds = till.gateway.keeps_keys = False
    payment, refund = await paid_back(till, 400)
    lags(till, payment, refund)
    await till.refunds.looking.look_back("stripe", payment["intent_id"], payment["_id"])
    again = await till.refund(payment, 400)
    till.gateway.answers = ["down"]
    assert await till.work() == ["Failed"]
    await till.settling.settle("stripe", payment["intent_id"])
    assert await till.sums(payment) == ("refund_pending", 0, 400)
    assert [wish.refunded_before for wish in till.gateway.asked if wish.refund_id == again.id] == [400]
    sum_is(till, payment, 0)
    till.clock.advance(A_WHILE)
    while await till.work():
        till.clock.advance(A_WHILE)
    assert await states(payment) == [(400, "failed"), (400, "completed")]
    assert till.gateway.payments[payment["intent_id"]].refunded == 400
    assert await till.sums(payment) == ("partially_refunded", 400, 0)


@EMBEDDED
async def test_the_oldest_of_very_many_is_looked_at_too_and_those_of_a_second_payment_of_the_order(till: Till) -> None:
    till.gateway.names_refunds = till.gateway.keeps_keys = False
    payment, _ = await paid_back(till, 10)
    for _ in range(24):
        await till.refund(payment, 10)
        await till.work()
    till.clock.advance(3 * DAY)
    bounces(till, payment, (await Refund.find_of_payment(payment["_id"]))[0])
    await till.comparison.compare_all()
    assert await till.sums(payment) == ("partially_refunded", 240, 0)
    second, refund = await paid_back(till)
    await Payment.rows().update_one({"_id": second["_id"]}, {"$set": {"order_id": payment["order_id"]}})
    bounces(till, second, refund)
    await till.refunds.looking.look_at_order("stripe", payment["_id"])
    await till.work()
    assert await states(second) == [(1000, "failed")]
