"""Folding texts so that what people mean alike compares alike: answers, search tokens, slugs. Pure and bounded.

Not for showing: a folded text is only ever compared.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from lms_rt.contracts.writing import UNSEEN, parted_by_script

MAX_TOKENS = 3_000
MAX_QUERY_WORDS = 8
_MAX_WORD = 20
_MAX_SEARCHED = 200_000
_MAX_SLUG = 80

_COMPATIBLE = re.compile(r"[\uFB50-\uFDFF\uFE70-\uFEFC\uFF01-\uFFEE]+")
"""Arabic presentation forms and full-width forms: shapes of letters, not letters."""
_MARKS = re.compile(
    r"[\u0300-\u036F\u1AB0-\u1AFF\u1DC0-\u1DFF\u20D0-\u20FF\uFE20-\uFE2F"  # Latin, Greek, Cyrillic and the like
    r"\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7"  # Hebrew points
    r"\u0610-\u061A\u064B-\u0652\u0656-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E4\u06E7\u06E8\u06EA-\u06ED]+"  # harakat
)
_HAMZA_MARKS = re.compile(r"[\u0653-\u0655]+")
_INVISIBLE = re.compile(f"[{UNSEEN}]+")
_QUOTES = str.maketrans("‘’ʼ“”„«»", '\'\'\'"""""')
_ARABIC = str.maketrans("ٱةىکیؤئ٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "اهيكيوي01234567890123456789", "\u0640")
_STROKES = str.maketrans("łøđħıŋ", "lodhin")
_ARTICLE = re.compile(r"^(?:وال|بال|فال|كال|ال|لل)(?=\w{3})")
_WORD = re.compile(r"\w+")


def fold(text: str, *, ignore_case: bool = True, fold_arabic: bool = False) -> str:
    """White space, diacritics, quotation marks and invisible characters folded; case and Arabic letters when asked.

    Arabic folding makes one of alef with and without hamza or madda, of ta marbuta and ha, of alef maqsura and ya, drops
    tatweel, and reads Arabic-Indic and Persian digits as Western ones. Harakat are diacritics: they always go.
    """
    text = _COMPATIBLE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    text = _INVISIBLE.sub("", text).translate(_QUOTES)
    if ignore_case:
        text = text.casefold()
    text = _MARKS.sub("", unicodedata.normalize("NFD", text))
    if fold_arabic:
        text = _HAMZA_MARKS.sub("", text).translate(_ARABIC)
    return " ".join(unicodedata.normalize("NFC", text).split())


def _words(text: str) -> Iterator[str]:
    folded = fold(unicodedata.normalize("NFKC", text[:_MAX_SEARCHED]), fold_arabic=True).translate(_STROKES)
    for found in _WORD.finditer(folded.replace("_", " ")):
        yield found[0]


def search_tokens(texts: Iterable[str | None]) -> list[str]:
    """The tokens under which these texts are found: folded words and their beginnings, at most `MAX_TOKENS`.

    Arabic words also go without their article. Whole words come first: a long text loses beginnings, not words.
    """
    words: dict[str, None] = {}
    for text in texts:
        for word in _words(text or ""):
            words[word[:_MAX_WORD]] = None
            words[_ARTICLE.sub("", word)[:_MAX_WORD]] = None
            if len(words) >= MAX_TOKENS:
                return list(words)[:MAX_TOKENS]
    tokens = dict(words)
    for word in words:
        for length in range(1, len(word)):
            tokens[word[:length]] = None
        if len(tokens) >= MAX_TOKENS:
            break
    return list(tokens)[:MAX_TOKENS]


def query_tokens(query: str) -> list[str]:
    """The tokens that a text must all have to be found by `query`; none when there is no word in it."""
    found: dict[str, None] = {}
    for word in _words(query[:500]):
        found[_ARTICLE.sub("", word)[:_MAX_WORD]] = None
        if len(found) == MAX_QUERY_WORDS:
            break
    return list(found)


def slug(title: str, fallback: str = "untitled") -> str:
    """A word for addresses: letters and digits of any script, lower case, hyphens between, at most 80 characters.

    Between letters of two scripts, which may look alike, a hyphen stands as well; what nobody sees is left out.
    """
    text = _INVISIBLE.sub(_gap, unicodedata.normalize("NFKC", title[:1_000]).lower())
    text = unicodedata.normalize("NFC", text)
    kept = ("" if one == "\u0640" else one if unicodedata.category(one)[0] in "LNM" else "-" for one in text)
    made = re.sub(r"-+", "-", parted_by_script("".join(kept), "-")).strip("-")
    if len(made) > _MAX_SLUG:
        cut = made[: _MAX_SLUG + 1].rpartition("-")[0]
        made = (cut if len(cut) >= _MAX_SLUG // 2 else made[:_MAX_SLUG]).strip("-")
    return made or fallback


def _gap(found: re.Match[str]) -> str:
    """What stands for unseen signs: Persian words are written with a gap of no width."""
    return "-" if "\u200c" in found[0] else ""
