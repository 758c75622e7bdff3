"""The catalogue: both languages say the same things, in all forms that their plurals have, and pages ask for no other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest
from babel import Locale

from handlers.web.translation import Language, Translator, catalogue, chosen_language, plural_form

WEB = Path(__file__).parents[2] / "handlers" / "web"
GROUPS = sorted(path.stem for path in (WEB / "messages" / "en").glob("*.json"))
EN, AR = catalogue("en"), catalogue("ar")
PLACE = re.compile(r"\{(\w+)\}")
LETTERS = re.compile(r"[A-Za-z]{3,}")
LATIN_IN_ARABIC = {
    "Markdown",
    "GIFT",
    "CSV",
    "XLSX",
    "Moodle",
    "UTF",
    "USD",
    "EGP",
    "English",
    "Stripe",
    "Paymob",
    "MyFatoorah",
}


def forms(entry: str | dict[str, str]) -> list[str]:
    return [entry] if isinstance(entry, str) else list(entry.values())


def test_both_languages_have_the_same_groups_and_keys() -> None:
    assert sorted(path.stem for path in (WEB / "messages" / "ar").glob("*.json")) == GROUPS
    assert set(EN) == set(AR)


@pytest.mark.parametrize("language", get_args(Language))
def test_plurals_have_every_form_of_the_language(language: Language) -> None:
    wanted = set(Locale.parse(language).plural_form.tags) | {"other"}
    for key, entry in catalogue(language).items():
        if isinstance(entry, dict):
            assert set(entry) == wanted, key


def test_arabic_has_six_forms() -> None:
    assert [plural_form("ar", count) for count in (0, 1, 2, 3, 11, 100)] == [
        "zero",
        "one",
        "two",
        "few",
        "many",
        "other",
    ]


def test_a_message_that_counts_does_so_in_both_languages() -> None:
    assert {key for key, entry in EN.items() if isinstance(entry, dict)} == {
        key for key, entry in AR.items() if isinstance(entry, dict)
    }


def test_values_have_the_same_names() -> None:
    """An Arabic form may leave the number to its word ("two lessons" is one word), never another value."""
    for key, entry in EN.items():
        english = set(PLACE.findall(" ".join(forms(entry))))
        for form in forms(AR[key]):
            assert english - {"count"} <= set(PLACE.findall(form)) <= english, key


def test_arabic_is_written_in_arabic() -> None:
    for key, entry in AR.items():
        for form in forms(entry):
            foreign = set(LETTERS.findall(PLACE.sub("", form))) - LATIN_IN_ARABIC
            assert not foreign, (key, foreign)


def test_no_score_is_written_with_a_slash() -> None:
    for language in (EN, AR):
        for key, entry in language.items():
            for form in forms(entry):
                assert "}/{" not in form.replace(" ", ""), key


# --- what pages ask for ---

ASKED = re.compile(r"""(?<![\w.])(?:t|hasWords)\(\s*["'](\w+\.\w+)["']\s*[,)]""")
BEGUN = re.compile(r"""(?<![\w.])t\(\s*(?:["'](\w+\.\w*)["']\s*~|[`f]+["`]?(\w+\.\w*)[$\{])""")


def sources() -> list[Path]:
    return [*WEB.glob("*.py"), *(WEB / "templates").rglob("*.html"), *(WEB / "static").glob("*.js")]


@pytest.mark.parametrize("source", sources(), ids=lambda path: path.name)
def test_every_key_that_is_asked_for_is_there(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    assert not {key for key in ASKED.findall(text) if key not in EN}
    for plain, computed in BEGUN.findall(text):
        begun = plain or computed
        assert any(key.startswith(begun) for key in EN), begun


def test_files_are_written_as_the_formatter_would() -> None:
    """One key once, two spaces, letters as they are: a diff shows what changed."""
    for path in WEB.glob("messages/*/*.json"):
        text = path.read_text(encoding="utf-8")
        pairs = json.loads(text, object_pairs_hook=list)
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), path
        assert "\\u" not in text, path


# --- the translator ---


def test_counts_choose_the_form() -> None:
    english, arabic = Translator("en"), Translator("ar")
    assert english("courses.lessons", count=1) == "1 lesson"
    assert english("courses.lessons", count=3) == "3 lessons"
    assert arabic("courses.lessons", count=2) == "درسان"
    assert arabic("courses.lessons", count=3) == "3 دروس"
    assert arabic("courses.lessons", count=11) == "11 درسًا"


def test_digits_are_western_unless_the_profile_says_otherwise() -> None:
    assert Translator("ar", "arab")("courses.lessons", count=11) == "١١ درسًا"


def test_names_of_the_other_script_are_isolated() -> None:
    assert Translator("ar")("home.hello", name="Amal") == "مرحبًا، \u2068Amal\u2069"
    assert Translator("en")("home.hello", name="ليلى") == "Hello, \u2068ليلى\u2069"
    assert Translator("en")("home.hello", name="Amal") == "Hello, Amal"


def test_an_unknown_key_is_a_fault_of_ours() -> None:
    with pytest.raises(KeyError):
        Translator("en")("home.no_such_words")


@pytest.mark.parametrize(
    ("wish", "cookie", "accepted", "language"),
    [
        ("ar", "en", "en", "ar"),
        ("", "ar", "en", "ar"),
        ("xx", "yy", "ar-EG,en;q=0.5", "ar"),
        ("", "", "fr-FR, en-GB;q=0.8", "en"),
        ("", "", "", "en"),
    ],
)
def test_the_language_of_a_page(wish: str, cookie: str, accepted: str, language: str) -> None:
    assert chosen_language(wish, cookie, accepted) == language
