"""The strict reader of JSON: what it refuses, where it says so, and that no body costs more than its length."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_rt.contracts import json_reader
from lms_rt.contracts.json_reader import MAX_DEPTH, decode_json, decode_plain, parse_json, refuse_unstorable
from lms_rt.errors import Code, Refused


def _refused(raw: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        parse_json(raw)
    return caught.value


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b"[-Infinity]", b"\xff", b"\xef\xbb\xbf{}", b"1 2", b"[" * 10_000],
)
def test_what_is_no_json_or_ambiguous_is_malformed(raw: bytes) -> None:
    """Also names given twice, numbers that are none, a byte order mark, and what is nested too deep."""
    assert _refused(raw).code is Code.MALFORMED_JSON


@pytest.mark.parametrize(
    ("raw", "position"),
    [
        (b'{"a":1,"a":2}', 7),
        (b'{"a":{"a":1},"b":[{"c":"\\"a\\":","\\u0063" : 2}]}', 32),
        (b'{"text":"NaN","a":[1, NaN]}', 22),
        (b"[-Infinity]", 1),
        (b'{"a":NaN,"a":1', 5),
    ],
)
def test_ambiguity_is_named_with_its_place(raw: bytes, position: int) -> None:
    """The first of them, although the decoder's hooks are not told where they are."""
    refused = _refused(raw)
    assert (refused.code, refused.data.get("position")) == (Code.MALFORMED_JSON, position)
    assert f"at byte {position}:" in refused.detail


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'["a\\u0000"]', "nul_character"),
        (b'{"a\\u0000": 1}', "nul_character"),
        (b'["\\ud800"]', "lone_surrogate"),
        (b"[9223372036854775808]", "integer_range"),
        (b"[-9223372036854775809]", "integer_range"),
        (b"[" + b"9" * 3_000 + b"]", "integer_range"),
        (b"[" + b"9" * 100_000 + b"]", "integer_range"),
        (b'["' + b"x" * 100_000 + b'", 10000000000000000000]', "integer_range"),
        (b"[1e999]", "number_range"),
        (b"[-1E+999]", "number_range"),
        (b"[" + b"9" * 400 + b".5]", "number_range"),
    ],
)
def test_what_no_engine_keeps_is_not_valid(raw: bytes, code: str) -> None:
    """It is JSON, so it is 422 and names the place."""
    assert [fault.code for fault in _refused(raw).fields] == [code]


def test_depth_counts_brackets_outside_of_texts_alone() -> None:
    """A text may hold any number of them, escaped quotes before them or not."""
    deepest: Any = json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert parse_json(json.dumps(deepest).encode()) == deepest
    assert parse_json(json.dumps(["[{" * 500, '\\"[' * 500]).encode()) == ["[{" * 500, '\\"[' * 500]
    assert _refused(b'["\\"",' + b"[" * MAX_DEPTH + b"]" * (MAX_DEPTH + 1)).data["position"] == 105


@pytest.mark.parametrize("unit", [b'\\"', b'"', b"\\\\"])
def test_an_unterminated_text_is_looked_at_once(unit: bytes) -> None:
    """Each of its escaped quotes would else begin a text of its own: 1 MiB of them once took more than an hour."""
    body = b'"' + unit * 20_000 + b"[" * (MAX_DEPTH + 1)
    pattern: re.Pattern[bytes] = json_reader._NESTING
    covered = sum(found.end() - found.start() for found in pattern.finditer(body))
    assert covered >= len(body) - 1
    assert _refused(body).code is Code.MALFORMED_JSON


PARTS = ['"a"', '"b"', '":x"', '"\\":"', '"\\u0000"', '"\\ud800"', '"é"', "1", "-0", "1.5", "1e400", "9" * 19, "9" * 30]
PARTS += ["NaN", "null", "[", "]", "{", "}", "{", "}", ",", ",", ":", ":", ":", " ", "\t", "\x00"]


@given(
    st.lists(st.sampled_from(PARTS), max_size=12).map("".join)
    | st.from_regex(r'\{("[ab]" ?:[0-9"ab],?){0,3}\}', fullmatch=True)
)
@settings(max_examples=1_000, deadline=None)
def test_the_fast_reader_never_differs_from_the_strict_one(text: str) -> None:
    """Whatever it is sure of, the strict one reads the same way, and finds nothing to refuse in."""
    quick = decode_plain(text.encode())
    if quick is not None:
        strict = decode_json(text.encode())
        refuse_unstorable(strict)
        assert json.dumps(quick) == json.dumps(strict)


LEAVES = [
    None,
    True,
    "",
    "é",
    "\x00",
    "\ud800",
    0,
    2**63 - 1,
    2**63,
    -(2**63),
    -(2**63) - 1,
    1.5,
    float("inf"),
    -float("inf"),
]
UNSTORABLE = {"\x00", "\ud800", 2**63, -(2**63) - 1, float("inf"), -float("inf")}


def _holds_unstorable(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_unstorable(part) for pair in value.items() for part in pair)
    return any(map(_holds_unstorable, value)) if isinstance(value, list) else value in UNSTORABLE


@given(
    st.recursive(
        st.sampled_from(LEAVES),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "é", "\x00", "\ud800"]), inner)
        ),
        max_leaves=8,
    )
)
@settings(max_examples=500, deadline=None)
def test_what_cannot_be_stored_is_refused_wherever_it_stands(value: Any) -> None:
    if _holds_unstorable(value):
        with pytest.raises(Refused):
            refuse_unstorable(value)
    else:
        refuse_unstorable(value)


@pytest.mark.parametrize("raw", [b"{}", b'{"id":1,"type":"ping"}', b' { "id" : 1 , "watched" : [[0, 1.5]] } '])
def test_plain_objects_are_read_fast(raw: bytes) -> None:
    assert decode_plain(raw) == json.loads(raw)


def test_the_fast_reader_goes_no_deeper_than_the_strict_one() -> None:
    for depth in (MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1):
        raw = b'{"x":' + b"[" * depth + b"]" * depth + b"}"
        if depth < MAX_DEPTH:
            assert parse_json(raw) == json.loads(raw)
        else:
            assert _refused(raw).code is Code.MALFORMED_JSON
