"""Lines as a PDF wants them: letters joined, signs from left to right. For words of one line; breaking lines is done before.

PDFs draw signs in the order in which they come. What the line means is lost in it: nothing of this is ever stored.
"""

from __future__ import annotations

import re
import unicodedata

from arabic_reshaper import ArabicReshaper
from bidi import get_display

_RESHAPER = ArabicReshaper({"delete_harakat": True, "use_unshaped_instead_of_isolated": True})
"""Marks of vowels are left out: without the font's own tables they would lie beside their letters."""
_STEERING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What tells a line's direction and is not seen. In words of people it would turn what is around them."""
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">", "«": "»", "‹": "›"}
_OPENERS = {closing: opening for opening, closing in _PAIRS.items()}


def is_right_to_left(text: str) -> bool:
    """Does its first letter that has a direction run from right to left?"""
    for sign in text:
        direction = unicodedata.bidirectional(sign)
        if direction in _RIGHT_TO_LEFT:
            return True
        if direction == "L":
            return False
    return False


def drawn(text: str) -> str:
    """One line as it is drawn: the signs of `text` from left to right, Arabic letters in the forms that join."""
    plain = _STEERING.sub("", unicodedata.normalize("NFC", text))
    if not any(unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT for sign in plain):
        return plain
    base = "R" if is_right_to_left(plain) else "L"
    return _with_brackets_turned(str(get_display(_RESHAPER.reshape(plain), base_dir=base)))


def _with_brackets_turned(line: str) -> str:
    """Brackets around what runs from right to left come closing first: each is drawn as its counterpart."""
    turned: list[str] = []
    waiting: dict[str, list[bool]] = {}
    for sign in line:
        opening = sign if sign in _PAIRS else _OPENERS.get(sign)
        if opening is None:
            turned.append(sign)
            continue
        row, is_opening = waiting.setdefault(opening, []), sign == opening
        if row and row[-1] != is_opening:
            is_turned = not row.pop()
        else:
            row.append(is_opening)
            is_turned = not is_opening
        turned.append((_PAIRS[sign] if is_opening else opening) if is_turned else sign)
    return "".join(turned)
