"""Refunds: never more than was paid, never twice, whatever is lost on the way; and what gateways did on their own is followed."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from config.settings import Settings
from documents.base import Row
from documents.payment import Payment
from documents.payment_finding import PaymentFinding
from documents.refund import Refund
from lms_rt.contracts.gateways import Disputed, PaidBack
from lms_rt.contracts.refunds import RefundView
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id
from lms_rt.storage.mongo import OpenDatabase
from tests.services.school import STUDENT
from tests.services.till import Till

A_WHILE = 31 * 60
"""Longer than a gateway without keys is waited for."""
EMBEDDED = pytest.mark.parametrize("engine", ["embedded"])


@pytest.fixture
def till(database: OpenDatabase, settings: Settings) -> Till:
    return Till(settings)


async def refused(asking: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        await asking
    return caught.value


async def open_findings() -> set[str]:
    """What is shown to people, by kind."""
    return {row["kind"] for row in await PaymentFinding.rows().find({"status": "open"}).to_list(100)}


async def states(payment: Row) -> list[tuple[int, str]]:
    return [(row["amount"], row["status"]) for row in await Refund.find_of_payment(payment["_id"])]


async def test_however_many_ask_at_once_no_more_is_paid_back_than_was_paid(till: Till) -> None:
    payment = await till.paid(1000)
    asked = await asyncio.gather(*(till.refund(payment, 400) for _ in range(6)), return_exceptions=True)
    made = [one for one in asked if isinstance(one, RefundView)]
    assert len(made) == 2
    no = next(one for one in asked if isinstance(one, Refused))
    assert (no.code, no.data["refundable_amount"], no.fields[0].field) == (Code.VALIDATION_FAILED, 200, "amount")
    same = await asyncio.gather(*(till.refund(payment, 100, seed="click") for _ in range(4)))
    assert {one.id for one in same} == {derived_id("rfd", payment["_id"], "click")}
    assert await till.sums(payment) == ("refund_pending", 0, 900)
    while await till.work():
        pass
    assert await till.sums(payment) == ("partially_refunded", 900, 0)
    rest = await till.refund(payment)
    assert (rest.amount, rest.status, rest.requested_by, rest.reason) == (100, "requested", "usr_admin", "Sick")
    await till.work()
    assert await till.sums(payment) == ("refunded", 1000, 0)
    assert (await refused(till.refund(payment, 1))).code is Code.CONFLICT
    assert [wish.money.amount for wish in till.gateway.asked] == [400, 400, 100, 100] or sorted(
        wish.money.amount for wish in till.gateway.asked
    ) == [100, 100, 400, 400]
    assert not await open_findings()


@EMBEDDED
@pytest.mark.parametrize("names", [True, False], ids=["by name", "by sum"])
async def test_an_answer_that_is_lost_is_looked_for_and_nothing_is_paid_back_twice(till: Till, *, names: bool) -> None:
    till.gateway.names_refunds = till.gateway.keeps_keys = names
    payment = await till.paid(1000)
    till.gateway.answers = ["down", "lost", "done"]
    first, second = await till.refund(payment, 300), await till.refund(payment, 300)
    assert sorted(await till.work()) == ["Failed", "NotYet"], "the second waits for the first"
    till.clock.advance(A_WHILE)
    assert sorted(await till.work()) == ["Failed", "NotYet"], "it went through, and nobody heard of it"
    assert await till.sums(payment) == ("refund_pending", 0, 600)
    while await till.work():
        pass
    assert await till.sums(payment) == ("partially_refunded", 600, 0)
    assert [wish.refund_id for wish in till.gateway.asked] == [first.id, first.id, second.id]
    assert till.gateway.payments[payment["intent_id"]].refunded == 600
    till.clock.advance(A_WHILE)
    till.gateway.answers = ["lost"]  # and at the same time somebody pays back at the gateway's own desk
    third = await till.refund(payment, 200)
    assert await till.work() == ["Failed"]
    till.gateway.pays_back(payment["intent_id"], 50)
    assert await till.work() == []
    assert await till.sums(payment) == ("partially_refunded", 850, 0)
    assert sorted(await states(payment)) == [
        (50, "completed"),
        (200, "completed"),
        (300, "completed"),
        (300, "completed"),
    ]
    assert till.gateway.asked[-1].refund_id == third.id
    till.gateway.answers = ["denies"]
    await till.refund(payment)
    assert await till.work() == []
    assert await till.sums(payment) == ("refunded", 1000, 0)
    assert not await open_findings()


@EMBEDDED
async def test_what_dies_between_two_writes_goes_on(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = await till.paid(1000)

    async def dies(*_: Any) -> None:
        """The process is gone before anything followed."""

    with monkeypatch.context() as broken:
        broken.setattr(till.relay, "hand_over", dies)
        assert (await refused(till.refund(payment, 300))).code is Code.BUSY
    assert await till.sums(payment) == ("refund_pending", 0, 300)
    assert (await refused(till.refund(payment, 800))).fields[0].code == "too_much"
    await till.settling.settle("stripe", payment["intent_id"])  # whoever looks meanwhile takes nothing away
    assert await till.sums(payment) == ("refund_pending", 0, 300)
    await till.relay.sweep(minimum_age_ms=0)
    assert await states(payment) == [(300, "requested")]
    await till.work()
    assert await till.sums(payment) == ("partially_refunded", 300, 0)


@EMBEDDED
async def test_what_a_gateway_refuses_or_takes_back_later_is_shown_and_can_be_paid_back_again(till: Till) -> None:
    payment, gateway = await till.paid(1000), till.gateway
    gateway.answers = ["refuse"]
    first = await till.refund(payment, 700)
    await till.work()
    assert await till.sums(payment) == ("completed", 0, 0)
    assert await open_findings() == {"refund_failed"}
    shown = await till.refunds.list_of(STUDENT, payment["_id"])
    assert (shown.refundable_amount, shown.items[0].status) == (1000, "failed")
    assert (shown.items[0].reason, shown.items[0].requested_by, shown.items[0].failure) == ("", None, None)
    gateway.answers = ["pending"]
    second = await till.refund(payment)
    await till.work()
    assert await till.sums(payment) == ("refund_pending", 0, 1000)
    their_id = next(one.refund_id for one in gateway.payments[payment["intent_id"]].refunds)
    for state, status in ((PaidBack.COMPLETED, "refunded"), (PaidBack.FAILED, "completed")):
        gateway.moves(payment["intent_id"], their_id, state)
        await till.settling.settle("stripe", payment["intent_id"])
        assert (await till.sums(payment))[0] == status
    assert await till.sums(payment) == ("completed", 0, 0)
    row = await Refund.find_row(second.id)
    assert row is not None
    assert (row["status"], row["was_completed"], row["gateway_refund_id"]) == ("failed", True, their_id)
    gateway.moves(payment["intent_id"], their_id, PaidBack.COMPLETED)  # a word that comes late takes nothing back
    await till.settling.settle("stripe", payment["intent_id"])
    assert await till.sums(payment) == ("completed", 0, 0)
    assert first.id != second.id


@EMBEDDED
@pytest.mark.parametrize("names", [True, False], ids=["by name", "by sum"])
async def test_what_is_paid_back_at_the_gateways_own_desk_is_followed(till: Till, *, names: bool) -> None:
    till.gateway.names_refunds = till.gateway.keeps_keys = names
    payment = await till.paid(1000)
    till.gateway.pays_back(payment["intent_id"], 250)
    for _ in range(2):
        await till.settling.settle("stripe", payment["intent_id"])
    assert await till.sums(payment) == ("partially_refunded", 250, 0)
    assert (await refused(till.refund(payment, 800))).data["refundable_amount"] == 750
    till.clock.advance(60)
    await till.refund(payment)
    await till.work()
    assert await till.sums(payment) == ("refunded", 1000, 0)
    shown = (await till.refunds.list_of(STUDENT, payment["_id"])).items
    assert [(one.amount, one.is_from_gateway) for one in shown] == [(250, True), (750, False)]


@EMBEDDED
async def test_a_payment_in_dispute_is_not_paid_back_and_shown_until_it_is_won(till: Till) -> None:
    payment, gateway = await till.paid(1000), till.gateway
    await till.refund(payment, 400)
    gateway.disputes(payment["intent_id"], Disputed.OPEN, 1000)
    await till.work()  # both at the same time: the bank came first
    assert not gateway.asked, "nobody is paid by two"
    assert await till.sums(payment) == ("completed", 0, 0)
    assert await open_findings() == {"refund_failed", "dispute"}
    no = await refused(till.refund(payment, 100))
    assert (no.code, no.data["dispute"]) == (Code.CONFLICT, "open")
    assert (await till.refunds.list_of(STUDENT, payment["_id"])).refundable_amount == 0
    gateway.disputes(payment["intent_id"], Disputed.WON, 1000)
    await till.settling.settle("stripe", payment["intent_id"])
    assert await open_findings() == {"refund_failed"}
    await till.refund(payment, 100)
    await till.work()
    assert await till.sums(payment) == ("partially_refunded", 100, 0)
    lost = await till.paid(500)
    gateway.disputes(lost["intent_id"], Disputed.LOST, 500)
    await till.settling.settle("stripe", lost["intent_id"])
    assert (await till.payment(lost["_id"]))["dispute"] == "lost"
    assert "dispute" in await open_findings()
    assert (await refused(till.refund(lost))).code is Code.CONFLICT


@EMBEDDED
async def test_what_happened_at_a_gateway_weeks_later_is_found_though_nothing_was_heard_of_it(till: Till) -> None:
    payment, day = await till.paid(1000), 24 * 3600
    till.clock.advance(7.5 * day)
    till.gateway.pays_back(payment["intent_id"], 250)
    assert await till.comparison.compare_all() == 0, "no list goes back so far, and it is not its day"
    till.clock.advance(day)
    till.gateway.is_away = True
    assert await till.comparison.compare_all() == 0
    till.gateway.is_away = False
    assert await till.comparison.compare_all() == 1
    assert await till.sums(payment) == ("partially_refunded", 250, 0)
    refund = await till.refund(payment, 100)
    till.gateway.answers = ["down"] * 3
    assert await till.work() == ["Failed"]
    till.clock.advance(1.1 * day)
    await till.open_payments.look()
    assert await open_findings() == {"refund_failed"}, "nothing was heard of it for a day"
    row = await PaymentFinding.find_row(f"refund_failed:{refund.id}")
    assert row is not None
    assert row["facts"]["status"] == "requested"
    till.gateway.answers = []
    assert await till.work() == [], "asked for again, by a job of its own"
    assert await till.sums(payment) == ("partially_refunded", 350, 0)


@EMBEDDED
async def test_one_of_ours_that_was_taken_for_the_gateways_own_counts_once(till: Till) -> None:
    payment, gateway = await till.paid(1000), till.gateway
    refund = await till.refund(payment, 300)
    gateway.answers = ["lost"]
    await till.work()
    read = gateway.payments[payment["intent_id"]]
    nameless = replace(read.refunds[0], reference=None, amount=290)  # it keeps no reference, and took its fee
    gateway.payments[payment["intent_id"]] = replace(read, refunds=(nameless,), refunded=290)
    await till.settling.settle("stripe", payment["intent_id"])
    await till.book.note(refund.id, replace(nameless, reference=refund.id))
    await till.settling.settle("stripe", payment["intent_id"])
    assert await till.sums(payment) == ("partially_refunded", 290, 0)
    assert sorted(await states(payment)) == [(290, "completed"), (300, "cancelled")]
    assert await open_findings() == {"refund_failed"}


@EMBEDDED
async def test_in_any_order_of_events_the_payment_ends_as_its_gateway_says(till: Till) -> None:
    for seed in range(16):
        chance = random.Random(seed)  # noqa: S311 - the same each time
        till.gateway.names_refunds = till.gateway.keeps_keys = by_name = chance.random() < 0.6
        payment = await till.paid(1000)
        for _ in range(12):
            await a_step(till, payment, chance, by_name=by_name)
            assert till.gateway.payments[payment["intent_id"]].refunded <= 1000, seed
        till.gateway.answers = []
        for _ in range(12):
            till.clock.advance(A_WHILE)
            await till.work()
        await till.settling.settle("stripe", payment["intent_id"])
        read = till.gateway.payments[payment["intent_id"]]
        done = sum(one.amount for one in read.refunds if one.state is PaidBack.COMPLETED) if by_name else read.refunded
        pending = sum(one.amount for one in read.refunds if one.state is PaidBack.PENDING)
        status, refunded, held = await till.sums(payment)
        assert (refunded, held) == (done, pending), seed
        assert status == (
            "refunded" if done == 1000 else "refund_pending" if held else "partially_refunded" if done else "completed"
        )
        references = [one.reference for one in read.refunds if one.reference is not None]
        assert len(references) == len(set(references)), seed
    assert await Payment.rows().count_documents({"outbox_at": {"$exists": True}}) == 0


async def a_step(till: Till, payment: Row, chance: random.Random, *, by_name: bool) -> None:
    """Something happens."""
    intent_id, gateway = payment["intent_id"], till.gateway
    match chance.choice(["ask", "ask", "work", "work", "desk", "settle", "move"]):
        case "ask":
            with suppress(Refused):
                await till.refund(payment, chance.choice([100, 200, 300]))
        case "work":
            more = ["refuse", "pending"] if by_name else []
            gateway.answers = [chance.choice(["done", "lost", "down", *more])]
            await till.work()
            gateway.answers = []
            till.clock.advance(chance.choice([0, A_WHILE]))
        case "desk":
            if by_name and gateway.payments[intent_id].refunded <= 500 and chance.random() < 0.4:
                gateway.pays_back(intent_id, 150)
        case "settle":
            await till.settling.settle("stripe", intent_id)
        case _:
            move_one(till, intent_id, chance)


def move_one(till: Till, intent_id: str, chance: random.Random) -> None:
    """A refund of the gateway goes on, or comes back."""
    refunds = till.gateway.payments[intent_id].refunds
    one = chance.choice(refunds) if refunds else None
    if one is not None and one.state is PaidBack.PENDING:
        till.gateway.moves(intent_id, one.refund_id, chance.choice([PaidBack.COMPLETED, PaidBack.CANCELLED]))
    elif one is not None and one.state is PaidBack.COMPLETED and chance.random() < 0.3:
        till.gateway.moves(intent_id, one.refund_id, PaidBack.FAILED)
