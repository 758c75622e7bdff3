"""Cursors: what was a place comes back as that place, and nothing else is one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_rt.clock import from_ms
from lms_rt.errors import Refused
from lms_rt.services.cursors import cursor_of, place_of


@given(st.integers(0, 2**42), st.from_regex(r"[a-z]{3}_[0-9a-z]{26}", fullmatch=True))
def test_a_place_comes_back(at_ms: int, row_id: str) -> None:
    cursor = cursor_of(from_ms(at_ms), row_id)
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert place_of(cursor) == (from_ms(at_ms), row_id)


def test_no_cursor_is_the_beginning() -> None:
    assert place_of(None) is None


@pytest.mark.parametrize(
    "cursor", ["", "x", "nonsense", "é", "MSAyIDM", "eCB5", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OSB4", "A" * 300]
)
def test_what_names_no_place_is_refused(cursor: str) -> None:
    with pytest.raises(Refused) as refused:
        place_of(cursor)
    assert [(fault.field, fault.code) for fault in refused.value.fields] == [("after", "invalid_cursor")]


def test_time_is_cut_to_what_the_database_keeps() -> None:
    at = datetime(2026, 1, 5, 9, 0, 0, 123_999, tzinfo=UTC)
    assert place_of(cursor_of(at, "ntf_1")) == (at.replace(microsecond=123_000), "ntf_1")
