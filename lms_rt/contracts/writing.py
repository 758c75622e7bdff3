"""How a text is written: what of it nobody sees, and letters of which scripts stand together. Pure, by Unicode's tables.

For words by which people and places are known: names, addresses, slugs. What they may be is said where they are read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""What shows nothing of itself, as the inside of a pattern's set: Unicode's default ignorables, and the empty braille cell."""
_UNSEEN = re.compile(f"[{UNSEEN}]")
_JOINERS = frozenset("\u200c\u200d")
_LOOKS = frozenset("\ufe0e\ufe0f")
"""Whether a sign is shown as a letter or as a picture."""
_TOGETHER = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)
"""Scripts that one word of one language is written in (Unicode's UTS 39, highly restrictive)."""


def is_blank(text: str) -> bool:
    """Is there nothing in it that shows?"""
    return not any(_shows(sign) for sign in text)


def _shows(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "LNPS" and not _UNSEEN.match(sign)


def has_unseen(text: str) -> bool:
    """Does it hold what nobody sees? Joiners count where they change nothing: beyond the scripts that are written with them."""
    return any(not _is_at_work(text, found.start()) for found in _UNSEEN.finditer(text))


def _is_at_work(text: str, at: int) -> bool:
    """Does the unseen sign at this place change how its neighbours look, as Persian words and pictures of families need it?"""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if text[at] in _LOOKS:
        return _is_picture(before)
    return text[at] in _JOINERS and ((_joins(before) and _joins(after)) or (_is_picture(before) and _is_picture(after)))


def _is_picture(sign: str) -> bool:
    return sign != "" and (unicodedata.category(sign) in {"So", "Sk"} or sign in _LOOKS)


def _joins(sign: str) -> bool:
    """Arabic letters, and marks as the scripts of India have them."""
    return sign != "" and (unicodedata.bidirectional(sign) in {"AL", "NSM"} or _script_of(sign) in _OF_INDIA)


_OF_INDIA = frozenset(
    {"DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "SINHALA"}
)


def _script_of(sign: str) -> str:
    """The script of a letter, as Unicode's name of it begins; empty for what all scripts have."""
    return (
        unicodedata.name(sign, "").partition(" ")[0] if unicodedata.category(sign) in {"Lu", "Ll", "Lt", "Lo"} else ""
    )


def is_of_one_script(word: str) -> bool:
    """Are its letters of one script, or of those that one language is written in? Digits and marks are everybody's."""
    return len(list(_stretches(word))) <= 1


def parted_by_script(text: str, mark: str) -> str:
    """Words with this mark between them, and with one more wherever letters of another script begin."""
    return mark.join(part for word in text.split(mark) for part in _stretches(word))


def _stretches(text: str) -> Iterator[str]:
    begin, scripts = 0, frozenset[str]()
    for at, sign in enumerate(text):
        script = "" if sign.isascii() and not sign.isalpha() else _script_of(sign)
        together = scripts | {script} if script else scripts
        if len(together) > 1 and not any(together <= allowed for allowed in _TOGETHER):
            yield text[begin:at]
            begin, together = at, frozenset({script})
        scripts = together
    if begin < len(text):
        yield text[begin:]
