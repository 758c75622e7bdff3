"""The one strict reader of JSON from outside: what is ambiguous or cannot be stored is refused here, with its place.

400 `malformed_json` (with the position) for what is no JSON, deeper than 100, names a member twice or holds NaN or
Infinity; 422 for NUL, lone surrogates and integers beyond 64 bits, which are JSON but can be kept by no engine.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any, NoReturn

import orjson

from lms_rt.errors import Code, FieldError, Refused

MAX_DEPTH = 100
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""One without its end runs to the body's: tried anew from each of its quotes it would take the square of its length."""
_NESTING = re.compile(_STRING.pattern + rb"|[\[{]|[\]}]", re.DOTALL)
"""Strings, to be passed over, and brackets."""
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""A bracket as the signed byte that it adds to the depth."""
_MARKS = re.compile(rb'"[ \t\r\n]*:|\\u|[0-9]{19}|[0-9][eE]')
"""The ends of names, and what stands in every text whose value cannot be stored."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_INFINITE, _HARMLESS = float("inf"), frozenset({bool, type(None)})


_PARTS = re.compile(rb'("(?:[^"\\]|\\.)*+")(\s*:)?|([\[{])|([\]}])|(NaN|-?Infinity)', re.DOTALL)
"""Strings and whether they are names, opening brackets, closing brackets, numbers that are none."""


_SHAPES = bytes.maketrans(b"123456789E", b"000000000e")
_ESCAPE, _EXPONENT, _LONG_NUMBER = b"\\u", b"0e", b"0" * 19
"""What stands in every text whose value cannot be stored, and in few others.

Looked for one by one, with every digit for a nought: a pattern would go through the text twenty times as slowly."""


class _Malformed(ValueError):
    """Raised inside the decoder's hooks, which are not told where they are."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Malformed
    return made


def _constant(word: str) -> NoReturn:
    raise _Malformed(word)


def _integer(digits: str) -> int:
    # a longer one is refused below; int() of many thousands of digits would cost time or raise
    return int(digits) if len(digits) <= 20 else 2**64


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
_SHORT_BYTES = 4_000
"""No number in a text that is shorter is too much for `int`."""
_DECODER_IN_DOUBT = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer)


def has_too_many(raw: bytes, *, values: int, brackets: int) -> bool:
    """Does a text hold more values, or more objects and lists, than that? Said without reading it, however it is made."""
    if raw.count(b",") < values and raw.count(b"{") + raw.count(b"[") <= brackets:
        return False
    if raw.count(b'"') - raw.count(b'\\"') > 4 * (values + brackets):  # two to a text, and a name to each value
        return True
    bare = _STRING.sub(b"", raw)
    return bare.count(b",") >= values or bare.count(b"{") + bare.count(b"[") > brackets


def is_deeper(raw: bytes, depth: int) -> bool:
    """Do objects and lists lie in each other deeper than that? Said without reading the text, however it is made."""
    brackets = _STRING.sub(b"", raw).translate(_STEPS, _NOT_BRACKETS)
    return max(accumulate(memoryview(brackets).cast("b")), default=0) > depth


def _refuse_depth(raw: bytes) -> None:
    if is_deeper(raw, MAX_DEPTH):
        raise _too_deep(raw)


def _too_deep(raw: bytes) -> Refused:
    """With the place of the first bracket that goes too far, which takes longer to find than that there is one."""
    depth, place = 0, 0
    for match in _NESTING.finditer(raw):
        first = raw[match.start()]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                place = match.start()
                break
        elif first in b"]}":
            depth -= 1
    return _malformed(f"it is nested deeper than {MAX_DEPTH}", place)


def _malformed(why: str, position: int | None = None) -> Refused:
    where = "" if position is None else f" at byte {position}"
    refused = Refused(Code.MALFORMED_JSON, f"The body is not well-formed JSON{where}: {why}.")
    if position is not None:
        refused.data["position"] = position
    return refused


def _ambiguous(raw: bytes) -> Refused:
    """The first name given twice, or number that is none; up to there the text is well-formed."""
    names: list[set[str]] = []
    for part in _PARTS.finditer(raw):
        text, colon, opening, closing, word = part.groups()
        if word is not None:
            return _malformed(f"{word.decode()} is not a JSON value", part.start())
        if opening is not None:
            names.append(set())
        elif closing is not None:
            names.pop()
        elif colon is not None:
            name: str = json.loads(text)
            if name in names[-1]:
                return _malformed(f"the name {json.dumps(name)} is given twice", part.start())
            names[-1].add(name)
    return _malformed("it is ambiguous")


def parse_json(raw: bytes) -> Any:
    """The value of a JSON text in UTF-8. Raises `Refused` as the module says."""
    value = decode_plain(raw)
    if value is None:
        value = decode_json(raw)
        if is_doubtful(raw):
            refuse_unstorable(value)
    return value


def decode_plain(raw: bytes) -> dict[str, Any] | None:
    """The value of a short object in order that holds no other, as most commands do; None: not sure, look closer.

    The fast reader behind this keeps the last of two members of one name, comes near to a number that it cannot hold,
    and goes deeper. Every name leaves a mark in the text, and so does what cannot be stored: with no more marks than members,
    neither was there.
    """
    if len(raw) >= _SHORT_BYTES or raw.count(b"[") >= MAX_DEPTH:
        return None
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) and len(value) == len(_MARKS.findall(raw)) else None


def is_doubtful(raw: bytes) -> bool:
    """Does it take a look at the value of this JSON text to see whether it can be stored? Seldom."""
    shape = raw.translate(_SHAPES)
    return _ESCAPE in shape or _EXPONENT in shape or _LONG_NUMBER in shape


def decode_json(raw: bytes) -> Any:
    """The same before the look at what cannot be stored: for a border that must know of whom to refuse it."""
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        _refuse_depth(raw)
    try:
        text = raw.decode()
        is_quick = len(raw) < _SHORT_BYTES or not is_doubtful(raw)
        value = (_DECODER if is_quick else _DECODER_IN_DOUBT).decode(text)
    except UnicodeDecodeError as error:
        raise _malformed("it is not UTF-8", error.start) from None
    except json.JSONDecodeError as error:
        raise _malformed(error.msg, len(text[: error.pos].encode("utf-8", "replace"))) from None
    except _Malformed:
        raise _ambiguous(raw) from None
    return value


def refuse_unstorable(value: Any, path: str = "") -> None:
    """422 for what no engine keeps: NUL and lone surrogates in texts and names, integers beyond 64 bits."""
    if not _is_storable(value):
        _refuse_where(value, path)


def _refuse_where(value: Any, path: str) -> None:
    pending = [(value, path)]
    while pending:
        node, at = pending.pop()
        if isinstance(node, str):
            _refuse_text(node, at)
        elif isinstance(node, dict):
            for name, child in node.items():
                _refuse_text(name, at)
                pending.append((child, f"{at}.{name}" if at else name))
        elif isinstance(node, list):
            pending.extend((child, f"{at}.{index}" if at else str(index)) for index, child in enumerate(node))
        elif isinstance(node, int) and not -(2**63) <= node < 2**63:
            raise _unstorable(at, "The integer does not fit into 64 bits.", "integer_range")
        elif isinstance(node, float) and node in (float("inf"), float("-inf")):
            raise _unstorable(at, "The number is too large.", "number_range")


def _is_storable(value: Any) -> bool:
    """Is there nothing to refuse? Said in a third of the time that it takes to say where; False when not sure."""
    pending, texts = [value], []
    for node in pending:  # which grows meanwhile
        kind = type(node)
        if kind is float or kind is int:
            if not (-(2**63) <= node < 2**63 if kind is int else abs(node) < _INFINITE):
                return False
        elif kind is str:
            texts.append(node)
        elif kind is dict:
            texts.extend(node)
            pending.extend(node.values())
        elif kind is list:
            pending.extend(node)
        elif kind not in _HARMLESS:
            return False
    text = "".join(texts)
    return "\x00" not in text and (text.isascii() or not _SURROGATE.search(text))


def _refuse_text(text: str, path: str) -> None:
    if "\x00" in text:
        raise _unstorable(path, "The text holds a NUL character.", "nul_character")
    if _SURROGATE.search(text):
        raise _unstorable(path, "The text holds half of a surrogate pair.", "lone_surrogate")


def _unstorable(path: str, message: str, code: str) -> Refused:
    safe = path.encode("utf-8", "replace").decode().replace("\x00", "?")
    return Refused(Code.VALIDATION_FAILED, fields=(FieldError(safe, message, code),))
