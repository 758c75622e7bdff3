"""What of a text is seen, and of which scripts its letters are."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lms_rt.contracts.accounts import FullName
from lms_rt.contracts.writing import has_unseen, is_blank, is_of_one_script, parted_by_script

WRITTEN = [
    "Mona",
    "منى فاروق",
    "فاطمه\u200cها",
    "क\u094d\u200dष",
    "❤\ufe0f Mona",
    "👩\u200d👧",
    "李",
    "Zoë O'Neill-Łuk",
    "",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_what_is_written_so_stays(text: str) -> None:
    assert not has_unseen(text)


@pytest.mark.parametrize(
    "text",
    [
        "Mona\u200b",
        "Mo\u200dna",
        "\u200cMona",
        "فاطمه\u200c",
        "x\ufe0f",
        "\u3164",
        "Mo\u200ena",
        "a\U000e0061",
        "\u202ea",
    ],
)
def test_what_nobody_sees_is_noticed(text: str) -> None:
    assert has_unseen(text)


NAME: TypeAdapter[str] = TypeAdapter(FullName)
NAMES = [
    "രാജന്\u200d",  # an older chillu
    "കൃഷ്ണന്\u200d നായര്\u200d",
    "শরত্\u200d চন্দ্র",
    "র\u200d্যাম",
    "क्\u200c",
    "ශ්\u200dරී",
    "محمّد\u200cرضا",
    "渡邉\U000e0100",
    "葛\U000e0100城",
    "ᠠ\u180b\u180eᠠ",
    "សុ\u200cខ",
    "3\ufe0f\u20e3",
    "Mona \u203c\ufe0f",
    "Mona \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "🏳\ufe0f\u200d🌈",
]


@pytest.mark.parametrize("name", NAMES + [text for text in WRITTEN if text])
def test_a_name_is_kept_as_its_script_writes_it(name: str) -> None:
    assert NAME.validate_python(name) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("خانه\u200c", "خانه"),
        ("علی\u200c۲", "علی۲"),
        ("می\u200c\u200cشود", "می\u200cشود"),
        ("علی\u200c\u200f رضا", "علی رضا"),
        ("\u200fمنى فاروق\u200f", "منى فاروق"),
        ("דוד\u200e כהן\u061c", "דוד כהן"),
        ("\ufeffMona", "Mona"),
        ("Mona\u00ad \u200e", "Mona"),
        ("សុខ\u200bសាន", "សុខសាន"),
        ("李\u200b明", "李明"),
    ],
)
def test_what_changes_nothing_in_a_name_and_came_along_is_not_kept(typed: str, kept: str) -> None:
    assert NAME.validate_python(typed) == kept


@pytest.mark.parametrize(
    "name",
    [
        "A\ufff9dmin",
        "Ad\u200bmin",
        "Ad\u200d\u200cmin",
        "Ad\u200emin",
        "e\u0301\u200c\u0301",
        "Mona\ufe0f",
        "Mona\U000e0101",
        "a\U000e0061",
        "\u3164Mona",
        "منى\u202eفاروق",
        "\u2067Mona\u2069",
        "\u202aMona",
        "\u200f",
        "\u200d\ufeff ",
    ],
)
def test_what_makes_a_name_look_like_another_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        NAME.validate_python(name)


@given(st.text(max_size=40))
def test_a_name_that_is_kept_is_kept_as_it_is(name: str) -> None:
    try:
        kept = NAME.validate_python(name)
    except ValidationError:
        return
    assert NAME.validate_python(kept) == kept


@pytest.mark.parametrize(
    ("text", "blank"), [("", True), (" \t", True), ("\u0301", True), ("\u2800", True), ("…", False), ("٣", False)]
)
def test_blank_is_what_shows_nothing(text: str, blank: bool) -> None:
    assert is_blank(text) is blank


@pytest.mark.parametrize("word", ["paypal", "日本語abc", "한국abc", "αβγ", "x1٣", "mona_f-2", "łódź", "مُنى", "123", ""])
def test_letters_of_one_language_stand_together(word: str) -> None:
    assert is_of_one_script(word)


@pytest.mark.parametrize("word", ["p\u0430ypal", "βeta", "abcد", "日本ко", "ひらがな한"])
def test_letters_of_two_scripts_do_not(word: str) -> None:
    assert not is_of_one_script(word)


@given(st.text(alphabet=st.characters(exclude_characters="-"), max_size=60))
def test_what_was_parted_is_whole_in_each_part(text: str) -> None:
    parted = parted_by_script(text, "-")
    assert all(is_of_one_script(part) for part in parted.split("-"))
    assert parted.replace("-", "") == text
