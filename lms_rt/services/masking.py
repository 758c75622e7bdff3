"""What may be a secret is not shown: links that let somebody in, tokens, codes, passwords. For what people look at, not for logs."""

from __future__ import annotations

import re
from typing import Any

from lms_rt.ids import looks_like_id

MASK = "•••"
MAX_TEXT = 500
MAX_ITEMS = 50

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:token|secret|password|passphrase|code|otp|pin|url|link|href|key|signature|authorization|cookie|ticket)s?(?:$|_)",
    re.IGNORECASE,
)
_LINK = re.compile(r"\b([a-z][a-z0-9+.-]*)://\S+", re.IGNORECASE)
_QUERY = re.compile(r"(?<=[\w/])\?\S+=\S*")
_INPUT = re.compile(r"input_value=.*?(?=, input_type=|\Z)", re.DOTALL)
_LONG_WORD = re.compile(r"[A-Za-z0-9_.~+/=-]{20,}")
_PLAIN_PART = re.compile(r"[A-Z]?[a-z]{2,}(?:[A-Z][a-z]{2,})*|[A-Z]+|[a-z]|\d+")
"""Each run of small letters in one piece: cut up in every way there is, one of fifty would take for ever."""


def masked(value: Any, name: str = "") -> Any:
    """A JSON value of so many items at most, without what is called a secret or looks like one."""
    if _SECRET_NAME.search(name) and value is not None and not isinstance(value, bool):
        return MASK
    if isinstance(value, dict):
        return {key: masked(inner, key) for key, inner in list(value.items())[:MAX_ITEMS]}
    if isinstance(value, list):
        return [masked(inner, name) for inner in value[:MAX_ITEMS]]
    return masked_text(value) if isinstance(value, str) else value


def masked_text(text: str) -> str:
    """Words without links, queries, and whatever is long and random. Ids and plain words stay."""
    text = _INPUT.sub(f"input_value={MASK}", text[: 4 * MAX_TEXT])
    text = _LINK.sub(rf"\1://{MASK}", text)
    text = _QUERY.sub(f"?{MASK}", text)
    return _LONG_WORD.sub(lambda found: found[0] if _is_plain(found[0]) else MASK, text)[:MAX_TEXT]


def _is_plain(word: str) -> bool:
    """An id, or words and numbers that are strung together: nothing that was drawn at random."""
    parts = [part for part in re.split(r"[_.~+/=-]", word) if part]
    return looks_like_id(word) or all(_PLAIN_PART.fullmatch(part) for part in parts)
