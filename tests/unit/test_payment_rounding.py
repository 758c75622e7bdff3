"""Parts of money sum up to the whole, whatever the amounts, rates and number of refunds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lms_rt.services.payments.rounding import divided, part_of, share_of, step_of, tax_within

AMOUNTS = st.integers(0, 10**12)
RATES = st.integers(0, 10_000)


@settings(max_examples=30, deadline=None)
@given(AMOUNTS, st.lists(st.integers(0, 10**6), min_size=1, max_size=8))
def test_a_whole_that_is_divided_stays_whole_and_each_part_is_near_its_share(amount: int, weights: list[int]) -> None:
    parts = divided(amount, weights)
    assert sum(parts) == amount
    if sum(weights):
        assert all(
            abs(part * sum(weights) - amount * weight) < sum(weights)
            for part, weight in zip(parts, weights, strict=True)
        )


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 10**9), RATES, st.lists(st.integers(1, 10**6), max_size=8))
def test_the_tax_of_all_refunds_is_the_tax_that_was_paid(amount: int, rate: int, wishes: list[int]) -> None:
    tax, before, back = tax_within(amount, rate), 0, 0
    for wish in [*wishes, amount]:
        refund = min(wish, amount - before)
        part = part_of(tax, before + refund, amount) - part_of(tax, before, amount)
        assert 0 <= part <= refund
        before, back = before + refund, back + part
    assert (before, back) == (amount, tax)


@settings(max_examples=30, deadline=None)
@given(AMOUNTS, RATES, st.sampled_from([1, 10]))
def test_a_share_is_rounded_half_up_to_its_step(amount: int, rate: int, step: int) -> None:
    share = share_of(amount, rate, step=step)
    assert share % step == 0
    assert -step * 10_000 < 2 * (share * 10_000 - amount * rate) <= step * 10_000


def test_the_rules_in_numbers() -> None:
    assert divided(100, (1, 1, 1)) == [34, 33, 33]
    assert divided(7, (0, 0)) == [7, 0]
    assert (part_of(13, 50, 100), part_of(13, 100, 100), part_of(13, 0, 0)) == (7, 13, 0)
    assert (tax_within(11_400, 1_400), tax_within(1, 5_000)) == (1_400, 0)
    assert (share_of(1_999, 1_400), share_of(25, 200), share_of(24, 200)) == (280, 1, 0)
    assert (step_of(12_340, "KWD"), step_of(12_345, "KWD"), step_of(1_990, "USD"), step_of(10, "XYZ")) == (10, 1, 1, 1)
