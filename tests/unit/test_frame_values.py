"""How much one frame may hold: so many values and brackets, wherever its texts have commas and brackets of their own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_rt.contracts.frames import MAX_FRAME_BRACKETS, MAX_FRAME_VALUES, BadFrame, read_command
from lms_rt.contracts.json_reader import has_too_many
from lms_rt.errors import Code

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a,"\\[]{}:é', max_size=12),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text('a,"\\[{', max_size=4), inner, max_size=6),
    max_leaves=60,
)


def counted(value: Any) -> tuple[int, int]:
    """How many commas a value is written with, and how many opening brackets."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return 0, 0
    inner = [counted(one) for one in value]
    return sum(n for n, _ in inner) + max(0, len(value) - 1), sum(n for _, n in inner) + 1


@given(value=_JSON, values=st.integers(1, 40), brackets=st.integers(0, 10))
def test_only_what_stands_outside_of_texts_counts(value: Any, values: int, brackets: int) -> None:
    commas, opened = counted(value)
    raw = json.dumps(value, ensure_ascii=False).encode()
    assert has_too_many(raw, values=values, brackets=brackets) is (commas >= values or opened > brackets)


def a_ping(extra: Any) -> bytes:
    return json.dumps({"id": 1, "type": "ping", "x": extra}).encode()


@pytest.mark.parametrize(
    "raw",
    [
        a_ping("one, two [three] {four} " * 2_000),
        a_ping('"' * 20_000),
        a_ping(["x" * 20] * (MAX_FRAME_VALUES - 3)),
        a_ping([{}] * (MAX_FRAME_BRACKETS - 2)),
    ],
    ids=["an essay full of commas", "an essay full of quotes", "as many values", "as many objects"],
)
def test_what_a_client_may_need_is_read(raw: bytes) -> None:
    assert read_command(raw).type == "ping"


@pytest.mark.parametrize(
    "raw",
    [
        a_ping(["x" * 20] * (MAX_FRAME_VALUES - 1)),
        a_ping([{}] * MAX_FRAME_BRACKETS),
        b'{"id":1,"type":"ping","x":[' + b"{}," * 21_000 + b"1]}",
        b'{"id":1,"type":"ping","x":[' + b'"",' * 20_000 + b"1]}",
    ],
    ids=["too many values", "too many objects", "64 KiB of objects", "64 KiB of empty texts"],
)
def test_what_would_hold_everybody_up_is_a_bad_frame(raw: bytes) -> None:
    with pytest.raises(BadFrame) as caught:
        read_command(raw)
    assert caught.value.refused.code is Code.BAD_FRAME
    assert "holds more than" in caught.value.refused.detail
