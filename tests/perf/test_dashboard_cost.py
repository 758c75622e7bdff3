"""A change on the dashboard costs the same among 2,000 students as among 20: a ratio of CPU time in one run."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import pytest

from lms_rt.services.live_picture import LivePicture
from tests.perf.scenarios.dashboard import answers, cost, looks, picture_of

_FEW, _MANY, _CHANGES, _ROUNDS = 20, 2_000, 400, 7
_MOST = 1.6
"""The product's goal is 1.2; the rest is room for neighbours of the test. One look at every row would make it some 20."""


@pytest.mark.parametrize("step", [answers, looks], ids=["answers", "looks"])
def test_a_change_costs_the_same_among_many(step: Callable[[LivePicture, int, int, int], None]) -> None:
    few, many = picture_of(_FEW), picture_of(_MANY)
    ratios = [
        cost(step, many, _MANY, round_, changes=_CHANGES) / cost(step, few, _FEW, round_, changes=_CHANGES)
        for round_ in range(_ROUNDS)
    ]
    assert median(ratios) < _MOST, ratios
