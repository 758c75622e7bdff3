"""The arithmetic of learning: percentages half up, watched ranges that only tell seconds that were there."""

from __future__ import annotations

import itertools
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_rt.contracts.base import hundredths_text
from lms_rt.services.learning import (
    MAX_KEPT_RANGES,
    clean_ranges,
    first_seconds,
    merge_ranges,
    minutes_left,
    percentage,
    seconds_in,
)

RANGES = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=30)


@given(total=st.integers(1, 500), share=st.integers(0, 500))
def test_percentages_are_rounded_half_up_to_two_places(total: int, share: int) -> None:
    done = min(share, total)
    exact = (Decimal(done) * 100 / Decimal(total)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert hundredths_text(percentage(done, total)) == str(exact)


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [(0, 0, "0.00"), (1, 3, "33.33"), (2, 3, "66.67"), (1, 8, "12.50"), (1, 32, "3.13"), (7, 7, "100.00")],
)
def test_some_percentages(done: int, total: int, text: str) -> None:
    assert hundredths_text(percentage(done, total)) == text


@given(RANGES)
def test_merging_keeps_exactly_the_same_seconds(ranges: list[tuple[int, int]]) -> None:
    merged = merge_ranges(ranges)
    assert {s for start, stop in merged for s in range(start, stop)} == {s for a, b in ranges for s in range(a, b)}
    assert all(first[1] < second[0] for first, second in itertools.pairwise(merged))
    assert merge_ranges(merged) == merged
    assert seconds_in(merged) == len({s for a, b in ranges for s in range(a, b)})


@given(RANGES, st.integers(-5, 400))
def test_the_first_seconds_are_the_first_ones(ranges: list[tuple[int, int]], limit: int) -> None:
    merged = merge_ranges(ranges)
    seconds = [s for start, stop in merged for s in range(start, stop)]
    taken = first_seconds(merged, limit)
    assert [s for start, stop in taken for s in range(start, stop)] == seconds[: max(0, limit)]


def test_what_a_player_claims_lies_within_the_video() -> None:
    assert clean_ranges([[5.4, 9.6], [9, 50], [40, 30]], 20) == [[5, 20]]
    assert clean_ranges([[5, 1e6]], None) == [[5, 1_000_000]]
    assert clean_ranges([], None) == []


def test_of_too_many_holes_the_longest_ranges_are_kept() -> None:
    ranges = [[10 * n, 10 * n + 1 + (n % 2)] for n in range(2 * MAX_KEPT_RANGES)]
    merged = merge_ranges(ranges)
    assert len(merged) == MAX_KEPT_RANGES
    assert all(stop - start == 2 for start, stop in merged)
    assert merged == sorted(merged)


@pytest.mark.parametrize(
    ("minimum", "spent", "left"),
    [(None, 0, 0), (0, 0, 0), (2, 0, 2), (2, 61, 1), (2, 119, 1), (2, 120, 0), (2, 500, 0)],
)
def test_minutes_left_are_rounded_up(minimum: int | None, spent: int, left: int) -> None:
    assert minutes_left(minimum, spent) == left
