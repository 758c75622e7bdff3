"""What of a text is seen, and of which scripts its letters are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
