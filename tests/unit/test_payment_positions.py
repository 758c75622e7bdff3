"""What the journal says of a payment: it balances whatever happens, in any order, in every currency, with taxes and disputes."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from lms_rt.contracts.outbox import Write
from lms_rt.services.local_days import local_date
from lms_rt.services.payments.entitlements import AccessRules, is_valid
from lms_rt.services.payments.journal import entries_between, journaled
from lms_rt.services.payments.positions import position_of
from lms_rt.services.payments.revenue import stretches
from lms_rt.services.payments.rounding import part_of

AT = datetime(2026, 3, 1, tzinfo=UTC)
ORDER = {"_id": "ord_1", "amount": 11_400, "tax_amount": 1_400, "tax_country": "EG"}
PAYMENT: dict[str, Any] = {
    "_id": "pay_1", "order_id": "ord_1", "course_id": "crs_1", "gateway": "paymob", "amount": 11_400, "currency": "EGP",
    "status": "completed", "refunded_amount": 0,
}  # fmt: skip

_STATES = st.fixed_dictionaries(
    {
        "status": st.sampled_from(
            ["pending", "failed", "completed", "partially_refunded", "refund_pending", "refunded"]
        ),
        "refunded_amount": st.integers(0, 11_400),
        "held": st.sampled_from([None, None, "amount_mismatch"]),
        "dispute": st.sampled_from([None, None, "open", "won", "lost"]),
        "dispute_amount": st.sampled_from([0, 500, 11_400]),
        "paid_amount": st.sampled_from([None, 11_400, 1]),
        "paid_currency": st.sampled_from([None, "EGP", "USD"]),
    }
)


def test_a_sale_is_revenue_tax_and_what_the_gateway_owes_us() -> None:
    assert position_of(PAYMENT, ORDER) == {
        ("EGP", "receivable:paymob"): 11_400,
        ("EGP", "revenue:crs_1"): -10_000,
        ("EGP", "tax:EG"): -1_400,
    }
    part = {**PAYMENT, "status": "partially_refunded", "refunded_amount": 5_700}
    assert position_of(part, ORDER)["EGP", "refunds:crs_1"] == 5_000
    assert position_of(part, ORDER)["EGP", "tax:EG"] == -700
    held = {**PAYMENT, "held": "amount_mismatch", "paid_amount": 100}
    assert position_of(held, ORDER) == {("EGP", "receivable:paymob"): 100, ("EGP", "held:paymob"): -100}
    disputed = {**PAYMENT, "dispute": "open", "dispute_amount": 11_400}
    assert position_of(disputed, ORDER)["EGP", "disputes:paymob"] == 11_400
    assert ("EGP", "receivable:paymob") not in position_of(disputed, ORDER)
    assert position_of({**PAYMENT, "dispute": "won", "dispute_amount": 11_400}, ORDER) == position_of(PAYMENT, ORDER)


@given(st.lists(_STATES, max_size=8))
@profile(max_examples=30, deadline=None)
def test_entries_sum_to_zero_each_and_to_how_the_payment_stands(states: list[dict[str, Any]]) -> None:
    before: dict[str, Any] = {**PAYMENT, "status": "pending"}
    book: Counter[tuple[str, str]] = Counter()
    keys = []
    for version, state in enumerate(states, start=2):
        after = {**PAYMENT, **state}
        for entry in entries_between(Write(version, AT), before, after, order=ORDER):
            assert sum(line["amount"] for line in entry["lines"]) == 0
            assert all(line["amount"] for line in entry["lines"])
            keys.append(entry["_id"])
            for line in entry["lines"]:
                book[entry["currency"], line["account"]] += line["amount"]
        before = after
    assert {key: amount for key, amount in book.items() if amount} == dict(position_of(before, ORDER))
    assert len(keys) == len(set(keys))


@given(st.integers(0, 10**12), st.integers(1, 10**12), st.data())
@profile(max_examples=30, deadline=None)
def test_a_share_is_exact_at_both_ends_and_never_more_than_the_whole(whole: int, of: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, of))
    assert part_of(whole, 0, of) == 0
    assert part_of(whole, of, of) == whole
    assert 0 <= part_of(whole, part, of) <= whole
    assert abs(2 * part_of(whole, part, of) * of - 2 * whole * part) <= of


def test_a_write_that_moves_no_money_enters_nothing() -> None:
    write = Write(3, AT + timedelta(days=1))
    assert journaled(write, before=PAYMENT, after={**PAYMENT, "enrollment_id": "e"}, order=ORDER) == []
    assert journaled(write, before=None, after={**PAYMENT, "status": "pending"}, order=ORDER) == []
    assert [one["data"]["kind"] for one in journaled(write, before=None, after=PAYMENT, order=ORDER)] == ["charge"]


@pytest.mark.parametrize(
    ("fields", "full", "any_part", "never"),
    [
        ({}, True, True, True),
        ({"status": "pending"}, False, False, False),
        ({"status": "refund_pending"}, True, True, True),
        ({"status": "partially_refunded", "refunded_amount": 1}, True, False, True),
        ({"status": "refunded", "refunded_amount": 11_400}, False, False, True),
        ({"held": "duplicate"}, False, False, False),
        ({"dispute": "open"}, False, False, False),
        ({"dispute": "won"}, True, True, True),
        ({"dispute": "lost"}, False, False, False),
    ],
)
def test_which_payments_open_what_was_bought(
    fields: dict[str, Any], *, full: bool, any_part: bool, never: bool
) -> None:
    payment = {**PAYMENT, **fields}
    said = [is_valid(payment, AccessRules(refund_ends_access=rule)) for rule in ("full", "any", "never")]
    assert said == [full, any_part, never]
    if fields.get("dispute") == "open":
        assert is_valid(payment, AccessRules(dispute_ends_access=False))


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        ("UTC", date(2026, 2, 27), date(2026, 3, 2)),
        ("Africa/Cairo", date(2026, 4, 22), date(2026, 4, 26)),  # midnight does not exist on the 24th
        ("America/New_York", date(2026, 3, 6), date(2026, 3, 10)),
        ("America/New_York", date(2026, 10, 30), date(2026, 11, 3)),  # an hour comes twice
        ("Asia/Kathmandu", date(2026, 1, 1), date(2026, 1, 1)),
    ],
)
def test_every_hour_counts_on_the_day_that_it_is_there(zone: str, first: date, last: date) -> None:
    seen = []
    for begin, end, days in stretches(zone, first, last):
        moment = begin
        while moment < end:
            counted = days[min(int((moment - begin) / timedelta(days=1)), len(days) - 1)]
            assert counted == local_date(zone, moment)
            moment += timedelta(minutes=30)
        seen += days
    assert seen == [first + timedelta(days=n) for n in range((last - first).days + 1)]
