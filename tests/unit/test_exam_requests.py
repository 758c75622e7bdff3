"""What the reference of an exam allows a node to answer."""

from __future__ import annotations

import pytest

from tests.live.exam_reference import CLOSED, OPEN, Sheet
from tests.live.exam_requests import Circumstances, HandOut, Screen

NOBODY_BEGINS, ANYBODY = Circumstances(is_for_nobody=True), Circumstances()


@pytest.mark.parametrize(
    ("status", "code", "now", "is_allowed"),
    [
        (CLOSED, "attempts_exhausted", ANYBODY, True),
        (CLOSED, "quiz_closed", ANYBODY, True),
        (CLOSED, "quiz_paused", NOBODY_BEGINS, True),
        (CLOSED, "quiz_paused", ANYBODY, False),
        (OPEN, "quiz_paused", NOBODY_BEGINS, False),
        (OPEN, "attempts_exhausted", NOBODY_BEGINS, False),
    ],
)
def test_who_has_handed_in_and_asks_to_start_again_is_told_why_not(
    status: str, code: str, now: Circumstances, is_allowed: bool
) -> None:
    sheet = Sheet(status, 3, None, None, {}, {})
    asked = HandOut(Screen([]), {"code": code})
    assert list(asked.outcomes(sheet, now)) == ([sheet] if is_allowed else [])
