"""Words of the pages in both languages, from one catalogue that scripts share. Not for API errors, which are English.

`messages/<language>/<group>.json` holds a flat object: name → words, or name → plural forms (`one`, `other` …; Arabic
has six, chosen by CLDR's rules here and by `Intl.PluralRules` in the browser). The key of a name is `group.name`.
`{name}` in the words stands for a value; `count` chooses the form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, cast

from babel import Locale

Language = Literal["en", "ar"]
Entry = str | dict[str, str]

LANGUAGES: tuple[tuple[Language, str], ...] = (("en", "English"), ("ar", "العربية"))
DIRECTIONS: Mapping[str, Literal["ltr", "rtl"]] = {"en": "ltr", "ar": "rtl"}
MESSAGES = Path(__file__).parent / "messages"

_PLACE = re.compile(r"\{(\w+)\}")
_ARABIC = re.compile("[\u0590-\u08ff\ufb1d-\ufeff]")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
_ARABIC_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def load_catalogue(folder: Path) -> dict[str, Entry]:
    """All groups of one language as one mapping of keys."""
    entries: dict[str, Entry] = {}
    for path in sorted(folder.glob("*.json")):
        group = json.loads(path.read_text(encoding="utf-8"))
        entries.update({f"{path.stem}.{name}": words for name, words in group.items()})
    return entries


@cache
def catalogue(language: Language) -> Mapping[str, Entry]:
    """The catalogue of a language, read once per process."""
    return load_catalogue(MESSAGES / language)


@cache
def _plural_of(language: Language) -> Locale:
    return Locale.parse(language)


def plural_form(language: Language, count: float) -> str:
    """CLDR's category of a count: zero, one, two, few, many or other."""
    return str(_plural_of(language).plural_form(count))


def chosen_language(wish: str, cookie: str, accepted: str) -> Language:
    """The language of a page: what its URL asks for, else the cookie, else the browser's first that we speak."""
    for name in (wish, cookie, *(part.split(";")[0].strip()[:2].lower() for part in accepted.split(","))):
        if name in DIRECTIONS:
            return cast("Language", name)
    return "en"


@dataclass(frozen=True, slots=True)
class Translator:
    """Says things in one language. `digits` are 0–9 ("latn") unless the profile asks for ٠–٩ ("arab")."""

    language: Language
    digits: Literal["latn", "arab"] = "latn"

    def __call__(self, key: str, **values: object) -> str:
        """The words of a key with its values; an unknown key is a fault of ours and raises KeyError."""
        entry = catalogue(self.language)[key]
        if isinstance(entry, dict):
            entry = entry.get(plural_form(self.language, _count(values))) or entry["other"]
        return _PLACE.sub(lambda place: self._value(values, place.group(1), place.group(0)), entry)

    def knows(self, key: str) -> bool:
        """Is there such a key?"""
        return key in catalogue(self.language)

    def numerals(self, text: object) -> str:
        """The text with the digits that the reader wants."""
        return str(text).translate(_ARABIC_DIGITS) if self.digits == "arab" else str(text)

    def groups(self, names: tuple[str, ...]) -> dict[str, Entry]:
        """The entries of some groups: what a page gives its scripts."""
        return {key: words for key, words in catalogue(self.language).items() if key.split(".", 1)[0] in names}

    def _value(self, values: Mapping[str, object], name: str, whole: str) -> str:
        if name not in values:
            return whole
        value = values[name]
        if isinstance(value, int | float):
            return self.numerals(f"{value:.10g}")
        text = str(value)
        is_foreign = _LATIN.search(text) if self.language == "ar" else _ARABIC.search(text)
        # First Strong Isolate … Pop: a name of the other script must not turn the sentence around it.
        return f"\u2068{text}\u2069" if is_foreign else text


def _count(values: Mapping[str, object]) -> float:
    count = values.get("count", 0)
    return count if isinstance(count, int | float) else 0
