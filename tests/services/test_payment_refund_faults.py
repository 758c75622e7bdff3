"""Refunds and findings when things go wrong at once: workers, answers, desks and banks that come between."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from config.settings import Settings
from documents.refund import Refund
from lms_rt.contracts.base import read_model
from lms_rt.contracts.gateways import Disputed, GatewayDispute, GatewayRefund, PaidBack
from lms_rt.contracts.payment_findings import FindingResolution
from lms_rt.contracts.refunds import RefundView
from lms_rt.errors import Code, Refused
from lms_rt.services.payments.settling import Settled
from lms_rt.storage.mongo import OpenDatabase
from tests.services.school import ADMIN
from tests.services.test_payment_refunds import EMBEDDED, open_findings, refused, states
from tests.services.till import Till


@pytest.fixture
def till(database: OpenDatabase, settings: Settings) -> Till:
    return Till(settings)


@EMBEDDED
async def test_two_workers_at_once_and_what_is_carried_out_late_pay_nothing_back_twice(till: Till) -> None:
    gateway = till.gateway
    gateway.names_refunds = gateway.keeps_keys = False
    payment = await till.paid(1000)
    refund = await till.refund(payment, 300)
    gateway.answers = ["slow", "slow"]
    both = await asyncio.gather(*(till.refunds.carry_out(refund.id) for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in both) == ["NoneType", "NotYet"]
    assert gateway.payments[payment["intent_id"]].refunded == 300
    await till.work()
    gateway.answers = ["late"]
    await till.refund(payment, 200)
    assert await till.work() == ["Failed"]
    till.clock.advance(5 * 60)
    assert await till.work() == ["NotYet"], "it may be under way"
    gateway.lands()
    assert await till.work() == []
    assert await till.sums(payment) == ("partially_refunded", 500, 0)
    assert (gateway.payments[payment["intent_id"]].refunded, len(gateway.asked)) == (500, 2)


@EMBEDDED
async def test_a_refund_that_fails_unseen_in_a_sum_holds_nothing_for_ever(till: Till) -> None:
    gateway = till.gateway
    gateway.names_refunds = gateway.keeps_keys = False
    payment = await till.paid(1000)
    intent_id = payment["intent_id"]

    async def comes_to_nothing(refund: RefundView) -> None:
        row = await Refund.find_row(refund.id)
        assert row is not None
        gateway.one_by_one[row["gateway_refund_id"]] = GatewayRefund(
            row["gateway_refund_id"], refund.amount, PaidBack.FAILED
        )
        gateway.payments[intent_id] = replace(gateway.payments[intent_id], refunded=0)

    gateway.answers = ["pending"]
    waits = await till.refund(payment, 1000)
    await till.work()
    assert await till.sums(payment) == ("refund_pending", 0, 1000)
    await comes_to_nothing(waits)
    await till.open_payments.look()
    await till.refunds.carry_out(waits.id)
    assert await till.sums(payment) == ("completed", 0, 0)
    came_back = await till.refund(payment, 300)
    await till.work()
    assert await till.sums(payment) == ("partially_refunded", 300, 0)
    await comes_to_nothing(came_back)
    await till.refund(payment, 200)
    assert await till.work() == ["Failed"], "another sum was paid back than is known"
    assert await till.work() == []
    assert await till.sums(payment) == ("partially_refunded", 200, 0)
    assert await states(payment) == [(1000, "failed"), (300, "failed"), (200, "completed")]
    assert await open_findings() == {"refund_failed"}


@EMBEDDED
async def test_what_was_given_up_and_is_carried_out_after_all_counts(till: Till) -> None:
    payment, gateway = await till.paid(1000), till.gateway
    gateway.answers = ["refuse"]
    first = await till.refund(payment, 700)
    await till.work()
    assert await states(payment) == [(700, "failed")]
    theirs = gateway.pays_back(payment["intent_id"], 700, state=PaidBack.PENDING, ours=first.id)
    for state, sums in ((None, ("refund_pending", 0, 700)), (PaidBack.COMPLETED, ("partially_refunded", 700, 0))):
        if state is not None:
            gateway.moves(payment["intent_id"], theirs, state)
        await till.settling.settle("stripe", payment["intent_id"])
        assert await till.sums(payment) == sums
    assert (await refused(till.refund(payment, 400))).data["refundable_amount"] == 300
    await till.book.give_up(first.id, "refused")  # a worker that was slow
    assert await states(payment) == [(700, "completed")]


@EMBEDDED
async def test_the_desks_refund_of_the_same_amount_and_ours_both_count(till: Till) -> None:
    payment, gateway = await till.paid(1000), till.gateway
    gateway.answers = ["late"]
    await till.refund(payment, 300)
    assert await till.work() == ["Failed"]
    gateway.pays_back(payment["intent_id"], 300)  # a colleague, who does not wait
    await till.settling.settle("stripe", payment["intent_id"])
    gateway.lands()
    await till.settling.settle("stripe", payment["intent_id"])
    await till.work()
    assert await till.sums(payment) == ("partially_refunded", 600, 0)


@EMBEDDED
async def test_one_payment_that_cannot_be_compared_keeps_no_other_from_it(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, lost = [await till.begun(1000) for _ in range(2)]
    for row in (broken, lost):
        till.gateway.pays(row, at=till.clock.now())
    till.clock.advance(3600)
    settle = till.settling.settle

    async def fails_for_one(gateway: str, intent_id: str, *, key: str | None = None) -> Settled:
        if intent_id == broken["intent_id"]:
            raise Refused(Code.BUSY)
        return await settle(gateway, intent_id, key=key)

    monkeypatch.setattr(till.settling, "settle", fails_for_one)
    assert await till.comparison.compare_all() == 1
    assert (await till.payment(lost["_id"]))["status"] == "completed"
    assert (await till.payment(broken["_id"]))["status"] == "pending"


@EMBEDDED
async def test_what_somebody_looked_into_is_open_again_when_it_is_another_thing(
    till: Till, caplog: pytest.LogCaptureFixture
) -> None:
    payment, gateway = await till.paid(1000), till.gateway
    intent_id, finding_id = payment["intent_id"], f"dispute:{payment['_id']}"
    gateway.disputes(intent_id, Disputed.OPEN, 400)
    await till.settling.settle("stripe", intent_id)
    note = read_model(FindingResolution, {"note": "Answered"})
    await till.findings.resolve(ADMIN, finding_id, note)
    gateway.disputes(intent_id, Disputed.WON, 400)
    await till.settling.settle("stripe", intent_id)
    assert (await till.findings.show(ADMIN, finding_id)).status == "resolved"
    caplog.clear()
    first = gateway.payments[intent_id].disputes
    second = GatewayDispute("dp_2", 400, Disputed.OPEN)
    gateway.payments[intent_id] = replace(gateway.payments[intent_id], disputes=(*first, second))
    await till.settling.settle("stripe", intent_id)
    seen = await till.findings.show(ADMIN, finding_id)
    assert (seen.status, seen.facts["dispute_id"], len(caplog.records)) == ("open", "dp_2", 1)
    await till.findings.resolve(ADMIN, finding_id, note, expected_version=seen.version)
    await till.findings.found("dispute", payment["_id"], refs=seen.refs, facts=seen.facts)
    assert (await till.findings.show(ADMIN, finding_id)).status == "resolved", "the same again is nothing new"
