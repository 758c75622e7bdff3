"""Of a payment so many disputes are kept, always the same ones, and first those of which the bank has the money."""

from __future__ import annotations

from documents.base import Row
from lms_rt.contracts.gateways import Charged, Disputed, GatewayDispute, GatewayPayment, Money
from lms_rt.services.payments.payment_facts import MOST_DISPUTES, dispute_facts, knows_disputes


def read(*disputes: GatewayDispute) -> GatewayPayment:
    return GatewayPayment("pi_1", Charged.COMPLETED, Money(1000, "USD"), disputes=disputes)


def test_a_list_of_disputes_has_an_end_and_stays_as_it_is() -> None:
    won = [GatewayDispute(f"dp_{number:03}", 5, Disputed.WON) for number in range(MOST_DISPUTES + 20)]
    told = read(*won, GatewayDispute("dp_z", 700, Disputed.OPEN))
    facts = dispute_facts({}, told)
    assert len(facts["disputes"]) == MOST_DISPUTES
    assert (facts["dispute"], facts["dispute_id"], facts["dispute_amount"]) == ("open", "dp_z", 700)
    assert dispute_facts(facts, told) == facts, "the same again is nothing new"
    few = dispute_facts({}, read(*won[:2]))
    assert [one["id"] for one in few["disputes"]] == ["dp_000", "dp_001"]


def test_what_there_is_no_room_for_counts_all_the_same_and_is_no_difference() -> None:
    lost = [GatewayDispute(f"dp_{number:03}", 5, Disputed.LOST) for number in range(MOST_DISPUTES + 10)]
    told = read(*reversed(lost))
    row: Row = {"disputes": [], "refunded_amount": 0}
    assert not knows_disputes(row, told)
    row |= dispute_facts(row, told)
    assert (len(row["disputes"]), row["dispute_amount"]) == (MOST_DISPUTES, 5 * (MOST_DISPUTES + 10))
    assert dispute_facts(row, told).items() <= row.items(), "the same again is nothing new"
    assert knows_disputes(row, told)
    assert not knows_disputes(row, read(*lost, GatewayDispute("dp_z", 5, Disputed.LOST))), "one more is one"
    assert not knows_disputes(row, read(GatewayDispute("dp_000", 5, Disputed.WON), *lost[1:]))
