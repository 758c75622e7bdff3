"""How subscriptions move, by the word of their gateway and by time alone: told twice, late or out of order, it is the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_rt.contracts.gateways import GatewaySubscription, Renewing
from lms_rt.services.payments.subscription_moves import Move, Told, by_gateway, by_time, next_check, paid_before_end

GRACE = timedelta(days=3)
START = datetime(2026, 1, 1, tzinfo=UTC)
MONTH = timedelta(days=30)
Row = dict[str, Any]


def row(**fields: Any) -> Row:
    return {"_id": "sub_1", "status": "pending", "created_at": START, "attempt": 1, **fields}


def read(state: Renewing, period: int = 0, **fields: Any) -> GatewaySubscription:
    begin = START + MONTH * period
    return GatewaySubscription("gs_1", state, "sub_1-1", begin, begin + MONTH, **fields)


def moved(before: Row, move: Move) -> Row:
    after = {**before, **move.fields}
    return {name: value for name, value in after.items() if value is not None}


def told(before: Row, read_: GatewaySubscription, *, after_days: float) -> tuple[Row, tuple[Told, ...]]:
    move = by_gateway(before, read_, now=START + timedelta(days=after_days), grace=GRACE)
    return moved(before, move), move.told


def test_a_subscription_lives_from_its_first_payment_to_the_end_of_its_last() -> None:
    one, hears = told(row(open_key="k"), read(Renewing.ACTIVE), after_days=0)
    assert (one["status"], one["start_date"], one["end_date"]) == ("active", START, START + MONTH)
    assert hears == (Told.CREATED, Told.ACCESS)
    assert told(one, read(Renewing.ACTIVE), after_days=1)[1] == ()
    renewed, hears = told(one, read(Renewing.ACTIVE, 1), after_days=30)
    assert (renewed["end_date"], hears) == (START + 2 * MONTH, (Told.RENEWED, Told.ACCESS))
    ending, hears = told(renewed, read(Renewing.ACTIVE, 1, cancel_at_period_end=True), after_days=31)
    assert (ending["status"], ending["cancel_at_period_end"], hears) == ("active", True, (Told.CANCELLED,))
    over, hears = told(ending, read(Renewing.CANCELLED, 1), after_days=60)
    assert (over["status"], over["end_date"], hears) == ("cancelled", START + 2 * MONTH, (Told.ACCESS,))
    assert by_time(over, now=START + 2 * MONTH + timedelta(days=2), grace=GRACE) == Move()
    assert by_time(over, now=START + 2 * MONTH + GRACE, grace=GRACE).fields["status"] == "expired"
    resumed, hears = told(ending, read(Renewing.ACTIVE, 1), after_days=32)
    assert ("cancelled_at" in resumed, resumed["cancel_at_period_end"], hears) == (False, False, (Told.RESUMED,))
    assert told(resumed, read(Renewing.ACTIVE, 1), after_days=32)[1] == ()


def test_one_whose_first_payment_failed_has_not_begun() -> None:
    one, hears = told(row(), read(Renewing.PAST_DUE), after_days=0)
    assert (one["status"], one.get("start_date"), one.get("end_date"), hears) == ("pending", None, None, ())
    paid, hears = told(one, read(Renewing.ACTIVE), after_days=1)
    assert (paid["status"], paid["end_date"], hears) == ("active", START + MONTH, (Told.CREATED, Told.ACCESS))


def test_one_whose_renewal_fails_is_reminded_ends_by_its_date_and_comes_back_with_the_money() -> None:
    active = told(row(), read(Renewing.ACTIVE), after_days=0)[0]
    due, hears = told(active, read(Renewing.PAST_DUE, 1), after_days=30)
    assert (due["status"], due["end_date"], due["reminded"], hears) == (
        "past_due",
        START + MONTH,
        [0],
        (Told.PAST_DUE, Told.ACCESS),
    ), "the period that was not paid counts for nothing"
    assert told(due, read(Renewing.PAST_DUE, 1), after_days=31)[1] == ()
    since = START + MONTH
    assert by_time(due, now=since + timedelta(days=2), grace=GRACE) == Move()
    over = moved(due, first := by_time(due, now=since + GRACE, grace=GRACE))
    assert (over["status"], first.told) == ("expired", (Told.ACCESS,))
    reminded = moved(over, second := by_time(over, now=since + GRACE, grace=GRACE))
    assert (reminded["reminded"], second.told) == ([0, 3], (Told.PAST_DUE,))
    last = moved(reminded, by_time(reminded, now=since + timedelta(days=9), grace=GRACE))
    assert last["reminded"] == [0, 3, 7]
    assert by_time(last, now=since + timedelta(days=20), grace=GRACE) == Move()
    assert told(last, read(Renewing.PAST_DUE, 1), after_days=50)[0]["status"] == "expired"
    back, hears = told(last, read(Renewing.ACTIVE, 1), after_days=51)
    assert (back["status"], "past_due_since" in back, hears) == ("active", False, (Told.RENEWED, Told.ACCESS))


def test_a_gateway_that_says_active_of_what_is_long_over_brings_nothing_back() -> None:
    over = row(status="expired", start_date=START, end_date=START + MONTH, gateway_subscription_id="gs_1")
    assert told(over, read(Renewing.ACTIVE), after_days=40) == (over, ())


def test_a_checkout_that_nobody_pays_is_over_in_a_day_and_still_counts_when_paid_late() -> None:
    assert told(row(), read(Renewing.PENDING), after_days=0)[0]["status"] == "pending"
    assert by_time(row(), now=START + timedelta(hours=22), grace=GRACE) == Move()
    over = moved(row(), by_time(row(), now=START + timedelta(hours=23), grace=GRACE))
    assert over["status"] == "expired"
    assert told(over, read(Renewing.ACTIVE), after_days=2)[0]["status"] == "active"
    never, hears = told(row(), read(Renewing.CANCELLED), after_days=1)
    assert (never["status"], never.get("end_date"), hears) == ("cancelled", None, ())


@pytest.mark.parametrize("status", ["pending", "active", "past_due", "cancelled"])
def test_whoever_may_still_change_is_looked_at_again(status: str) -> None:
    one = row(status=status, start_date=START, end_date=START + MONTH)
    for days in (0.0, 29.9, 30.5, 40.0):
        now = START + timedelta(days=days)
        due = next_check(one, now=now, grace=GRACE)
        assert due is not None
        assert now < due <= now + max(timedelta(days=1), START + MONTH + GRACE - now)
    over = row(status="expired", start_date=START, end_date=START + MONTH, gateway_subscription_id="gs_1")
    later = START + MONTH * 2
    assert next_check(over, now=later, grace=GRACE) == later + timedelta(days=1), "it may be drawn for"
    assert next_check({**over, "is_ended_there": True}, now=later, grace=GRACE) is None
    left = row(status="expired", former=[{"gateway": "paymob", "intent_id": "1", "attempt": 1}])
    assert next_check(left, now=START + timedelta(days=2), grace=GRACE) is not None, "it may have been paid"
    at = START + timedelta(days=5)
    assert next_check(left, now=at, grace=GRACE) is not None, "nobody has asked since its time was over"
    assert next_check({**left, "asked_at": at}, now=at, grace=GRACE) is None
    assert next_check(row(status="expired"), now=START, grace=GRACE) is None


def paid(at: float, amount: int = 900) -> Row:
    return {"completed_at": START + timedelta(days=at), "amount": amount}


@pytest.mark.parametrize(
    ("payments", "changed_on", "until"),
    [
        ([], None, None),
        ([paid(0)], None, 1),
        ([paid(30.1)], None, 2),
        ([paid(28)], None, 2),
        ([paid(28, 40), paid(0)], 28, 1),
        ([paid(28, 940), paid(0)], 28, 1),
        ([paid(28, 40), paid(0)], None, 1),
        ([paid(29, 900), paid(0)], 3, 2),
        ([paid(30, 500), paid(0)], 30, 2),
    ],
    ids=[
        "nothing", "before", "in it", "a little early", "for the rest", "much for the rest", "its answer was lost",
        "changed long before", "begun by the change",
    ],
)  # fmt: skip
def test_what_has_ended_is_paid_for_by_the_money_of_a_whole_period_and_by_no_change(
    payments: list[Row], changed_on: float | None, until: int | None
) -> None:
    is_changed = any(one["amount"] != 900 for one in payments) or changed_on is not None
    changed_at = None if changed_on is None else START + timedelta(days=changed_on)
    one = row(changes=int(is_changed), amount=900, changed_at=changed_at, interval="month")
    end = paid_before_end(one, read(Renewing.CANCELLED, 1), payments)
    assert end == (None if until is None else START + until * MONTH)


@pytest.mark.parametrize(
    ("paid_on", "until"),
    [
        ([88, 29, 0], 3),
        ([88, 59, 29, 0], 4),
        ([88, 58, 0], 3),
        ([88, 58, 28, 0], 4),
        ([90.1, 58, 0], 4),
        ([88, 62], 4),
    ],
    ids=["late", "early", "late, and so was the one before", "all early", "in it", "beside one of the month before"],
)
def test_what_was_drawn_late_is_for_the_period_that_was_owed_and_not_for_the_next_one(
    paid_on: list[float], until: int
) -> None:
    one = row(amount=900, interval="month", gateway="paymob", start_date=START)
    end = paid_before_end(one, read(Renewing.CANCELLED, 3), [paid(at) for at in paid_on])
    assert end == START + until * MONTH


WORDS = st.lists(
    st.tuples(st.sampled_from([Renewing.ACTIVE, Renewing.PAST_DUE, Renewing.CANCELLED]), st.integers(0, 3)), max_size=8
)


@settings(max_examples=30, deadline=None)
@given(WORDS, st.integers(0, 100))
def test_whatever_is_told_in_whatever_order_time_that_was_paid_stays_and_the_same_twice_is_nothing(
    words: list[tuple[Renewing, int]], days: int
) -> None:
    one = row()
    for state, period in words:
        before, now = one, START + timedelta(days=days)
        move = by_gateway(one, read(state, period), now=now, grace=GRACE)
        one = moved(one, move)
        assert one.get("end_date", START) >= before.get("end_date", START)
        assert by_gateway(one, read(state, period), now=now, grace=GRACE).told == ()
