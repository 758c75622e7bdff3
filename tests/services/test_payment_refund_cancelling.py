"""Calling off a refund: it is never asked for, or it is on its way, whoever else writes; and a payment has only so many of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from config.settings import Settings
from documents.payment import Payment
from documents.payment_finding import PaymentFinding
from documents.refund import Refund
from lms_rt.contracts.base import read_model
from lms_rt.contracts.gateways import GatewayUnavailable, PaidBack
from lms_rt.contracts.refunds import RefundCancelDraft, RefundView
from lms_rt.errors import Code, Refused
from lms_rt.services.payments import refunds
from lms_rt.services.payments.finding_mending import _went_through
from lms_rt.storage.mongo import OpenDatabase
from tests.services.school import ADMIN, STUDENT
from tests.services.test_payment_refunds import EMBEDDED, open_findings, refused, states
from tests.services.till import Till

WHY = read_model(RefundCancelDraft, {"reason": "Asked by mistake"})


@pytest.fixture
def till(database: OpenDatabase, settings: Settings) -> Till:
    return Till(settings)


async def called_off(till: Till, refund: RefundView) -> RefundView:
    return await till.cancelling.cancel(ADMIN, refund.payment_id, refund.id, WHY)


async def ended(doing: Awaitable[Any]) -> Any:
    """What came of it, a fault too."""
    outcomes: Any = await asyncio.gather(doing, return_exceptions=True)
    return outcomes[0]


async def after_turns(turns: int, doing: Awaitable[Any]) -> Any:
    """Do it when the others had so many turns."""
    for _ in range(turns):
        await asyncio.sleep(0)
    return await doing


async def test_a_refund_that_waits_is_called_off_and_the_rest_goes_back(till: Till) -> None:
    payment = await till.paid(1000)
    kept, wrong = await till.refund(payment, 300), await till.refund(payment, 700)
    assert (wrong.is_cancellable, wrong.cancelled_by) == (True, None)
    for _ in range(2):
        view = await called_off(till, wrong)
        assert (view.status, view.is_cancellable, view.cancelled_by) == ("cancelled", False, ADMIN.user_id)
    assert await till.sums(payment) == ("refund_pending", 0, 300)
    while await till.work():
        pass
    assert [wish.refund_id for wish in till.gateway.asked] == [kept.id]
    assert await till.sums(payment) == ("partially_refunded", 300, 0)
    assert (await till.refunds.list_of(ADMIN, payment["_id"])).refundable_amount == 700
    (own,) = [one for one in (await till.refunds.list_of(STUDENT, payment["_id"])).items if one.id == wrong.id]
    assert (own.status, own.cancelled_by, own.is_cancellable) == ("cancelled", None, False)
    assert (await refused(called_off(till, kept))).code is Code.REFUND_UNDER_WAY
    assert not await open_findings()


async def test_a_worker_and_who_calls_off_never_both_have_their_way(till: Till) -> None:
    outcomes = set[str]()
    for late in range(8):
        payment = await till.paid(1000)
        refund = await till.refund(payment, 400)
        asked, till.gateway.answers = len(till.gateway.asked), ["slow"]
        worker, desk = (
            after_turns(15, till.refunds.carry_out(refund.id)),
            after_turns(late * 9, called_off(till, refund)),
        )
        if late == 0:  # at either end one has ended before the other begins
            told, _ = await ended(desk), await ended(worker)
        elif late == 7:
            _, told = await ended(worker), await ended(desk)
        else:
            told, _ = await asyncio.gather(ended(desk), ended(worker))
        went_out = len(till.gateway.asked) > asked
        if isinstance(told, Refused):
            assert (told.code, went_out) == (Code.REFUND_UNDER_WAY, True)
            assert await till.sums(payment) == ("partially_refunded", 400, 0)
        else:
            assert isinstance(told, RefundView)
            assert not went_out, "what was called off was asked for"
            assert await till.sums(payment) == ("completed", 0, 0)
        outcomes.add("asked" if went_out else "called off")
        till.gateway.answers = []
    assert outcomes == {"asked", "called off"}


@EMBEDDED
async def test_what_may_be_there_is_not_called_off_and_what_certainly_is_not_can_be(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await till.paid(1000)
    lost = await till.refund(payment, 300)
    till.gateway.answers = ["lost"]
    assert await till.work() == ["Failed"]
    assert (await refused(called_off(till, lost))).code is Code.REFUND_UNDER_WAY
    await till.work()
    assert await till.sums(payment) == ("partially_refunded", 300, 0)
    never = await till.refund(payment, 200)

    async def is_closed(*_: Any) -> None:
        raise GatewayUnavailable("no connection")

    with monkeypatch.context() as closed:
        closed.setattr(till.gateway, "refund", is_closed)
        assert await till.work() == ["Failed"]
    assert (await called_off(till, never)).status == "cancelled"
    assert await till.work() == []
    assert await states(payment) == [(300, "completed"), (200, "cancelled")]
    assert await till.sums(payment) == ("partially_refunded", 300, 0)


@EMBEDDED
async def test_what_dies_after_it_was_called_off_lets_go_later_and_what_is_not_there_yet_is_waited_for(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await till.paid(1000)

    async def dies(*_: Any) -> None:
        """The process is gone before anything followed."""

    with monkeypatch.context() as broken:
        broken.setattr(till.relay, "hand_over", dies)
        await refused(till.refund(payment, 300))
        held = next(iter((await till.payment(payment["_id"]))["refund_holds"]))
        assert (await refused(till.cancelling.cancel(ADMIN, payment["_id"], held, WHY))).code is Code.BUSY
    await till.relay.sweep(minimum_age_ms=0)
    with monkeypatch.context() as broken:
        broken.setattr(till.relay, "hand_over", dies)
        await till.cancelling.cancel(ADMIN, payment["_id"], held, WHY)
    assert await till.sums(payment) == ("refund_pending", 0, 300)
    await till.work()
    await till.relay.sweep(minimum_age_ms=0)
    assert await till.sums(payment) == ("completed", 0, 0)
    assert not till.gateway.asked
    other = await till.paid(500)
    for payment_id, refund_id in ((other["_id"], held), (payment["_id"], "rfd_none"), ("pay_none", held)):
        assert (await refused(till.cancelling.cancel(ADMIN, payment_id, refund_id, WHY))).code is Code.NOT_FOUND
    assert (await refused(till.cancelling.cancel(STUDENT, payment["_id"], held, WHY))).code is Code.FORBIDDEN


@EMBEDDED
async def test_one_that_waited_for_a_day_and_is_called_off_is_nobodys_concern_any_more(till: Till) -> None:
    payment = await till.paid(1000)
    refund = await till.refund(payment, 300)
    till.clock.advance(26 * 3600)
    await till.open_payments.look()
    assert await open_findings() == {"refund_failed"}
    await called_off(till, refund)
    assert not await open_findings()
    assert "check_at" not in await till.payment(payment["_id"])


@EMBEDDED
async def test_a_payment_is_paid_back_in_so_many_parts_at_most(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refunds, "MOST_REFUNDS", 3)
    payment = await till.paid(1000)
    for _ in range(3):
        await till.refund(payment, 100)
    no = await refused(till.refund(payment, 100))
    assert (no.code, no.data["limit"]) == (Code.CONFLICT, 3)
    assert await Refund.count_of_payment(payment["_id"]) == 3
    assert len((await till.payment(payment["_id"]))["refund_holds"]) == 3
    assert await Payment.rows().count_documents({"outbox_at": {"$exists": True}}) == 0


@EMBEDDED
@pytest.mark.parametrize("state", [PaidBack.COMPLETED, PaidBack.PENDING])
async def test_one_that_was_called_off_and_was_made_all_the_same_counts_and_is_shown(
    till: Till, state: PaidBack
) -> None:
    payment = await till.paid(1000)
    refund = await till.refund(payment, 400)
    await called_off(till, refund)
    assert await till.sums(payment) == ("completed", 0, 0)
    name = till.gateway.pays_back(payment["intent_id"], 400, state=state, ours=refund.id)
    for _ in range(2):
        await till.settling.settle("stripe", payment["intent_id"])
        assert await states(payment) == [(400, state.value)]
    if state is PaidBack.PENDING:
        assert await till.sums(payment) == ("refund_pending", 0, 400)
        till.gateway.moves(payment["intent_id"], name, PaidBack.COMPLETED)
        await till.settling.settle("stripe", payment["intent_id"])
    assert await till.sums(payment) == ("partially_refunded", 400, 0)
    (row,) = await PaymentFinding.rows().find({"status": "open"}).to_list(2)
    assert (row["kind"], row["facts"]["was_called_off"], row["refs"]["refund_id"]) == ("refund_failed", True, refund.id)
    assert not await _went_through(row), "it waits for somebody to look"
    assert (await refused(called_off(till, refund))).code is Code.REFUND_UNDER_WAY
    assert (await till.refunds.list_of(ADMIN, payment["_id"])).refundable_amount == 600
    till.gateway.moves(payment["intent_id"], name, PaidBack.FAILED)
    await till.settling.settle("stripe", payment["intent_id"])
    assert await till.sums(payment) == ("completed", 0, 0)
