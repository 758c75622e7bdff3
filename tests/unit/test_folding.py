"""Folding, search tokens, slugs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_rt.services.folding import MAX_TOKENS, fold, query_tokens, search_tokens, slug


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("  Straße ", "STRASSE"),
        ("naïve café", "NAIVE\u00a0cafe\u0301"),
        ("don’t", "don't"),
        ("مَدْرَسَة", "مدرسة"),
        ("ﻻ", "لا"),
        ("שָׁלוֹם", "שלום"),
        ("ab\u200fc", "abc"),
    ],
)
def test_folds_together(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("أحمد", "احمد"), ("مدرسة", "مدرسه"), ("على", "علي"), ("عـــلم", "علم"), ("١٢٣", "123"), ("آن", "ان")],
)
def test_arabic_letters_fold_only_when_asked(one: str, other: str) -> None:
    assert fold(one) != fold(other)
    assert fold(one, fold_arabic=True) == fold(other, fold_arabic=True)


@pytest.mark.parametrize(("one", "other"), [("กา", "กี"), ("कि", "का"), ("が", "か"), ("й", "l")])
def test_marks_that_make_another_letter_stay(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_case_stays_when_asked() -> None:
    assert fold("Été", ignore_case=False) == "Ete"


@given(st.text(max_size=60), st.booleans(), st.booleans())
def test_folding_twice_changes_nothing(text: str, ignore_case: bool, fold_arabic: bool) -> None:
    once = fold(text, ignore_case=ignore_case, fold_arabic=fold_arabic)
    assert fold(once, ignore_case=ignore_case, fold_arabic=fold_arabic) == once


def is_found(query: str, *texts: str) -> bool:
    wanted = query_tokens(query)
    return bool(wanted) and set(wanted) <= set(search_tokens(texts))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("intro", "Introduction to Algebra"),
        ("ALGÈBRE intro", "Intro à l'algèbre"),
        ("كتاب", "الكتاب الأول"),
        ("الكتاب", "كتاب"),
        ("احمد", "أحمد"),
        ("مدرسه", "المَدْرسة"),
        ("lodz", "Łódź"),
        ("2026", "عام ٢٠٢٦"),
        ("antidisestablishmentarianism", "Antidisestablishmentarianism today"),
    ],
)
def test_finds(query: str, text: str) -> None:
    assert is_found(query, text)


def test_finds_nothing_else() -> None:
    assert not is_found("physics", "Introduction to Algebra")
    assert not is_found("intro physics", "Introduction to Algebra")
    assert not is_found("!!!", "anything")


def test_tokens_are_bounded() -> None:
    many = " ".join(f"word{n}word" for n in range(5_000))
    assert len(search_tokens([many])) == MAX_TOKENS
    assert is_found("word17word", many)
    assert len(query_tokens(many)) == 8


@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        ("Introduction to  Algebra!", "introduction-to-algebra"),
        ("Café & Crème", "café-crème"),
        ("مقدمة في الجبر", "مقدمة-في-الجبر"),
        ("数学 101", "数学-101"),
        ("—", "untitled"),
        ("x" * 200, "x" * 80),
        ("ab " * 60, "-".join(["ab"] * 27)),
    ],
)
def test_slug(title: str, wanted: str) -> None:
    assert slug(title) == wanted


@given(st.text(max_size=300))
def test_a_slug_is_a_slug_of_itself(title: str) -> None:
    made = slug(title)
    assert slug(made) == made
    assert 1 <= len(made) <= 80
    assert made.strip("-") == made
