"""Reading the word of a gateway that signs values instead of bytes: it has to be read before anybody knows whose it is.

So whoever calls has looked first whether there is a signature that could be one. What is read then is bounded: so long
(`incoming.py`), so deep and so many values, whatever it says. Numbers stay as they were written, since so they were signed.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from lms_rt.contracts.gateways import BadSignature
from lms_rt.contracts.json_reader import has_too_many, is_deeper

MAX_DEPTH = 24
"""Three times as deep as any word that the gateways document."""
MAX_VALUES, MAX_BRACKETS = 4_000, 1_000


def read_word(body: bytes) -> dict[str, Any]:
    """The object that a body is. Raises `BadSignature`: what cannot be read was signed by nobody."""
    if has_too_many(body, values=MAX_VALUES, brackets=MAX_BRACKETS) or is_deeper(body, MAX_DEPTH):
        raise BadSignature
    try:
        told = json.loads(body, parse_int=str, parse_float=str, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadSignature from error
    if not isinstance(told, dict):
        raise BadSignature
    return told


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)
