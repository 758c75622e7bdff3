"""Lines as a PDF wants them: from left to right. For words of one line; breaking lines is done before.

PDFs draw signs in the order in which they come. What the line means is lost in it: nothing of this is ever stored.
`pieces` are for HarfBuzz to set. `drawn` joins letters by itself, as on all sheets of the forms before.
"""

from __future__ import annotations

import re
import unicodedata

from arabic_reshaper import ArabicReshaper
from bidi import get_display
from bidi.mirror import MIRRORED

_RESHAPER = ArabicReshaper({"delete_harakat": True, "use_unshaped_instead_of_isolated": True})
"""Marks of vowels are left out: without the font's own tables they would lie beside their letters."""
_BACKWARDS = re.compile("(?:(?<![Lm])m+)?R[Rm]*")
"""In a line of kinds: words from right to left, with the marks that lie on the left of their last letter."""
_STEERING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What tells a line's direction and is not seen. In words of people it would turn what is around them."""
_TAG = "\ufe00"
"""Has the direction of the sign before it, whatever that is."""
_TAGGED = re.compile(f"{_TAG}(.)|([{re.escape(''.join(sorted(MIRRORED)))}]){_TAG}")
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_KINDS = {"R": "R", "AL": "R", "NSM": "m", "BN": "m", "L": "L", "EN": "L", "AN": "L"}
_PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">", "«": "»", "‹": "›"}
_OPENERS = {closing: opening for opening, closing in _PAIRS.items()}

Piece = tuple[str, bool]
"""A word, or the room between two, in the order of its meaning; True: it runs from right to left."""


def is_right_to_left(text: str) -> bool:
    """Does its first letter that has a direction run from right to left?"""
    for sign in text:
        direction = unicodedata.bidirectional(sign)
        if direction in _RIGHT_TO_LEFT:
            return True
        if direction == "L":
            return False
    return False


def pieces(text: str, *, is_back: bool) -> list[Piece]:
    """One line as it is drawn: its words from left to right. `is_back`: what it is part of runs from right to left."""
    line = _mirrored(_plain(text).replace(_TAG, ""), "R" if is_back else "L")
    found: list[Piece] = []
    at = 0
    for match in _BACKWARDS.finditer("".join(_KINDS.get(unicodedata.bidirectional(sign), ".") for sign in line)):
        found += _forwards(line[at : match.start()])
        found.append((line[match.start() : match.end()][::-1], True))
        at = match.end()
    return [*found, *_forwards(line[at:])]


def drawn(text: str) -> str:
    """One line as it is drawn: the signs of `text` from left to right, Arabic letters in the forms that join."""
    plain = _plain(text)
    if not any(unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT for sign in plain):
        return plain
    base = "R" if is_right_to_left(plain) else "L"
    return _with_brackets_turned(str(get_display(_RESHAPER.reshape(plain), base_dir=base)))


def _plain(text: str) -> str:
    return _STEERING.sub("", unicodedata.normalize("NFC", text))


def _mirrored(line: str, base: str) -> str:
    """From left to right, brackets turned where they are read from right to left: there a tag comes out before its sign."""
    tagged = "".join(sign + _TAG if sign in MIRRORED else sign for sign in line)
    ordered = str(get_display(tagged, base_dir=base))
    return _TAGGED.sub(lambda match: match[2] or MIRRORED[match[1]], ordered)


def _forwards(part: str) -> list[Piece]:
    return [(word, False) for word in re.findall(r"\s+|\S+", part)]


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
