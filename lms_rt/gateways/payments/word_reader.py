"""Reading the word of a gateway that signs values instead of bytes: it has to be read before anybody knows whose it is.

So whoever calls has looked first whether there is a signature that could be one. What is read then is bounded: so long
(`incoming.py`), so deep and so many values, whatever it says. Numbers stay as they were written, since so they were signed.

It is UTF-8, as what is counted beforehand takes it to be. Halves of letters are read as whoever signs texts writes them: as U+FFFD.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from lms_rt.contracts.gateways import BadSignature
from lms_rt.contracts.json_reader import has_too_many, is_deeper

MAX_DEPTH = 24
"""Three times as deep as any word that the gateways document."""
MAX_VALUES, MAX_BRACKETS = 4_000, 1_000
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


def read_word(body: bytes) -> dict[str, Any]:
    """The object that a body is. Raises `BadSignature`: what cannot be read was signed by nobody."""
    try:
        text = body.decode()  # left to `json`, its encoding would be guessed
    except UnicodeDecodeError as error:
        raise BadSignature from error
    if has_too_many(body, values=MAX_VALUES, brackets=MAX_BRACKETS) or is_deeper(body, MAX_DEPTH):
        raise BadSignature
    try:
        told = json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadSignature from error
    if not isinstance(told, dict):
        raise BadSignature
    cleaned: dict[str, Any] = _writable(told)
    return cleaned


def _writable(value: Any) -> Any:
    """The same without what no text that is signed or kept can hold. It lies no deeper than `MAX_DEPTH`."""
    if isinstance(value, str):
        return _UNWRITABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_writable(name): _writable(child) for name, child in value.items()}
    return [_writable(child) for child in value] if isinstance(value, list) else value


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)
