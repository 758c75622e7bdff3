"""The words of mails in both languages, with their values put in: escaped for HTML, or plain. Pages have words of their own.

`words/<language>.json` holds a section for each template, and `common`; an entry is words, or plural forms as CLDR names
them. `{name}` in the words stands for a value; `count` chooses the form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from babel import Locale
from markupsafe import Markup, escape

Language = Literal["en", "ar"]
Entry = str | dict[str, str]
Say = Callable[..., str]

LANGUAGES: tuple[Language, ...] = ("en", "ar")
DIRECTIONS: Mapping[str, Literal["ltr", "rtl"]] = {"en": "ltr", "ar": "rtl"}
WORDS = Path(__file__).parent / "words"

_PLACE = re.compile(r"\{(\w+)\}")
_ARABIC = re.compile("[\u0590-\u08ff\ufb1d-\ufeff]")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff]")
"""What is not seen and turns or cuts the text around it."""


def language_of(locale: str) -> Language:
    """The language of mails for somebody with this locale: ar-EG reads Arabic, who reads neither reads English."""
    return "ar" if locale.partition("-")[0].lower() == "ar" else "en"


@cache
def catalogue(language: Language) -> Mapping[str, Mapping[str, Entry]]:
    """Section → name → words, read once per process."""
    sections: dict[str, dict[str, Entry]] = json.loads((WORDS / f"{language}.json").read_text(encoding="utf-8"))
    return sections


@cache
def _plural_of(language: Language) -> Locale:
    return Locale.parse(language)


def seen(text: str) -> str:
    """The text without what cannot be seen."""
    return _UNSEEN.sub("", text)


def one_line(text: str) -> str:
    """The text on one line: for names, titles and subjects, which must make no paragraph of their own."""
    return " ".join(seen(" ".join(text.split())).split())


def speaker(language: Language, section: str, *, is_html: bool) -> Say:
    """What templates call to say something: `t("intro", course=…)`. An unknown name is a fault of ours: `KeyError`."""
    words, common = catalogue(language)[section], catalogue(language)["common"]
    put_in = _markup if is_html else _plain

    def say(entry_name: str, /, **values: object) -> str:
        entry = words.get(entry_name) or common[entry_name]
        if isinstance(entry, dict):
            count = values["count"]
            form = str(_plural_of(language).plural_form(count if isinstance(count, int | float) else 0))
            entry = entry.get(form) or entry["other"]
        return put_in(language, entry, values)

    return say


def _markup(_: Language, entry: str, values: Mapping[str, object]) -> Markup:
    """Everything is escaped; each value keeps its own direction to itself."""

    def value(place: re.Match[str]) -> str:
        given = values[place.group(1)]
        return str(escape(given)) if isinstance(given, int) else f"<bdi>{escape(seen(str(given)))}</bdi>"

    return Markup(_PLACE.sub(value, str(escape(entry))))  # noqa: S704 - words and values are escaped here


def _plain(language: Language, entry: str, values: Mapping[str, object]) -> str:
    """A value of the other script stands between First Strong Isolate and Pop: it must not turn its sentence."""
    foreign = _LATIN if language == "ar" else _ARABIC

    def value(place: re.Match[str]) -> str:
        text = one_line(str(values[place.group(1)]))
        return f"\u2068{text}\u2069" if foreign.search(text) else text

    return _PLACE.sub(value, entry)
