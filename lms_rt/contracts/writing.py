"""How a text is written: what of it nobody sees, and letters of which scripts stand together. Pure, by Unicode's tables.

For words by which people and places are known: names, addresses, slugs. What they may be is said where they are read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""What shows nothing of itself, as the inside of a pattern's set: Unicode's default ignorables, annotations, and the empty braille cell."""
_UNSEEN = re.compile(f"[{UNSEEN}]")
_JOINERS = frozenset("\u200c\u200d")
_SLIPS = re.compile("[\u00ad\u034f\u061c\u17b4\u17b5\u200b-\u200f\u2060-\u2064\ufeff]+")
"""What keyboards, phones and word processors leave in a text: joiners, marks of a direction, places to break a line."""
_LOOKS = frozenset("\ufe0e\ufe0f")
"""Whether a sign is shown as a letter or as a picture."""
_SHAPES = re.compile("[\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Which of its shapes a letter has: in the official form of many Japanese names, in Mongolian; or that a sign is a picture."""
_FLAGS = re.compile("\U0001f3f4[\U000e0030-\U000e007a]{1,6}\U000e007f")
"""The flags of England, Scotland and Wales."""
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
    return any(not _is_at_work(text, found.start(), found.end()) for found in _UNSEEN.finditer(text))


def tidied(text: str) -> str:
    """A name as it is kept: without what changes nothing and comes along unnoticed, but for within words of Western letters.

    There nobody's keyboard puts it: it stays, to be refused.
    """
    return _SLIPS.sub(_without_slips, text).strip()


def has_unseen_in_name(text: str) -> bool:
    """As `has_unseen`, of a tidied name, where signs may say which shape a letter or a flag has."""
    text = _FLAGS.sub("", text)
    return has_unseen(_SHAPES.sub(lambda found: "" if _is_shaped(text, found.start()) else found[0], text))


def _without_slips(found: re.Match[str]) -> str:
    """Of some unseen signs in a row, the first that is at work between what is seen beside them."""
    text, begin, end = found.string, found.start(), found.end()
    needed = [
        text[at] for at in range(begin, end) if _is_at_work(text[:begin] + text[at] + text[end:], begin, begin + 1)
    ]
    if needed:
        return needed[0]
    is_within = _letter_before(text, begin) in _WESTERN and _of_mark(text[end : end + 1]) in _WESTERN | {"COMBINING"}
    return found[0] if is_within else ""


def _is_at_work(text: str, begin: int, end: int) -> bool:
    """Does the unseen sign at this place change how its neighbours look, as Persian words and pictures of families need it?"""
    sign, before, after = text[begin], text[begin - 1 : begin], text[end : end + 1]
    if sign in _LOOKS:
        return _is_picture(before)
    if sign not in _JOINERS:
        return False
    if _is_picture(before) and _is_picture(after):
        return True
    return _is_virama(before) or _is_virama(after) or (_joins(_letter_before(text, begin)) and _joins(_of_mark(after)))


def _is_picture(sign: str) -> bool:
    return sign != "" and (unicodedata.category(sign) in {"So", "Sk"} or sign in _LOOKS)


def _is_shaped(text: str, at: int) -> bool:
    """Letters that have several shapes, and signs that are pictures too: exclamation marks in one, keys of a telephone."""
    sign, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    if sign in _OF_MONGOLIA:
        return _letter_before(text, at) == "MONGOLIAN"
    if sign in _LOOKS and after == "\u20e3":
        return before != "" and before in "0123456789#*"
    if sign in _LOOKS and before != "" and not before.isascii():
        return unicodedata.category(before) in {"Po", "Pd", "Sm"} or _script_of(before) in _OF_SHAPES
    return _script_of(before) in _OF_SHAPES


def _is_virama(sign: str) -> bool:
    """Does it take a letter's vowel away, so that a joiner beside it tells how the letter is written?"""
    return sign != "" and unicodedata.combining(sign) == 9


def _letter_before(text: str, end: int) -> str:
    """The script of the last letter before this place, whatever marks it has."""
    while end > 0 and unicodedata.category(text[end - 1])[0] == "M":
        end -= 1
    return _script_of(text[end - 1 : end])


def _of_mark(sign: str) -> str:
    """The script of a letter, or of a mark that is one script's own."""
    is_mark = sign != "" and unicodedata.category(sign)[0] == "M"
    return unicodedata.name(sign, "").partition(" ")[0] if is_mark else _script_of(sign)


def _joins(script: str) -> bool:
    return script in _JOINED


_OF_MONGOLIA = frozenset("\u180b\u180c\u180d\u180e\u180f")
_OF_SHAPES = frozenset({"CJK", "MYANMAR", "PHAGS-PA"})
_WESTERN = frozenset({"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "COPTIC", "CHEROKEE"})
_JOINED = frozenset(
    {"DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "SINHALA"}
    | {"ARABIC", "SYRIAC", "THAANA", "NKO", "MANDAIC", "ADLAM", "HANIFI", "MONGOLIAN", "PHAGS-PA"}
    | {"KHMER", "MYANMAR", "TIBETAN", "JAVANESE", "BALINESE", "SUNDANESE", "TAI"}
)
"""Scripts whose letters a joiner makes look otherwise, as Unicode's names of them begin."""


def _script_of(sign: str) -> str:
    """The script of a letter, as Unicode's name of it begins; empty for what all scripts have, and for no sign."""
    is_letter = sign != "" and unicodedata.category(sign) in {"Lu", "Ll", "Lt", "Lo"}
    return unicodedata.name(sign, "").partition(" ")[0] if is_letter else ""


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
