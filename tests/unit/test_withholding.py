"""Taking a person out of what speaks of them: names and addresses go wherever they stand, everything else stays."""

from __future__ import annotations

from typing import Any

import pytest

from lms_rt.services.withholding import WITHHELD, Leaving, erased_address, withheld

MONA = Leaving("usr_mona", "Mona Farouk", "Mona@Example.org", "mona@example.org", frozenset({"ann_hers"}))
GONE = erased_address("usr_mona")

CASES: list[tuple[str, Any, Any]] = [
    (
        "her own account",
        {
            "id": "usr_mona",
            "email": "Mona@Example.org",
            "full_name": "Mona Farouk",
            "metadata": {"a": 1},
            "role": "student",
        },
        {"id": "usr_mona", "email": GONE, "full_name": WITHHELD, "metadata": {}, "role": "student"},
    ),
    (
        "a name that she had before",
        {"student_id": "usr_mona", "student_name": "Mona Saleh", "score": "1.00"},
        {"student_id": "usr_mona", "student_name": WITHHELD, "score": "1.00"},
    ),
    (
        "what she handed in",
        {"student_id": "usr_mona", "content": "My brother is ill.", "feedback": "Take your time.", "grade": None},
        {"student_id": "usr_mona", "content": "", "feedback": None, "grade": None},
    ),
    (
        "her course, whose own words stay",
        {
            "id": "crs_1",
            "instructor_id": "usr_mona",
            "instructor_name": "Mona",
            "metadata": {"a": 1},
            "title": "Algebra",
        },
        {
            "id": "crs_1",
            "instructor_id": "usr_mona",
            "instructor_name": WITHHELD,
            "metadata": {"a": 1},
            "title": "Algebra",
        },
    ),
    (
        "what she announced",
        {"announcement_id": "ann_hers", "author_name": "M. Farouk", "text": "No lesson."},
        {"announcement_id": "ann_hers", "author_name": WITHHELD, "text": "No lesson."},
    ),
    (
        "somebody else of the same kind",
        {"student_id": "usr_omar", "student_name": "Omar", "metadata": {"a": 1}},
        {"student_id": "usr_omar", "student_name": "Omar", "metadata": {"a": 1}},
    ),
    (
        "a text that names her, however it is written",
        {"items": [{"title": "MONA FAROUK enrolled"}, "550 <mona@EXAMPLE.org>: no such mailbox"], "n": 3, "ok": None},
        {"items": [{"title": f"{WITHHELD} enrolled"}, f"550 <{WITHHELD}>: no such mailbox"], "n": 3, "ok": None},
    ),
]


@pytest.mark.parametrize(("said", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_withheld(said: Any, wanted: Any) -> None:
    assert withheld(said, MONA) == wanted


def test_again_changes_nothing() -> None:
    for _, said, _ in CASES:
        once = withheld(said, MONA)
        assert withheld(once, MONA) == once


def test_a_short_name_stays_in_other_words_and_goes_where_an_id_says_whose_it_is() -> None:
    al = Leaving("usr_al", "Al", "al@example.org", "al@example.org")
    said = {"text": "Algebra", "who": {"user_id": "usr_al", "full_name": "Al"}}
    assert withheld(said, al) == {"text": "Algebra", "who": {"user_id": "usr_al", "full_name": WITHHELD}}


def test_signs_in_a_name_are_only_signs() -> None:
    odd = Leaving("usr_odd", "A.+(B)*[", "a+b@example.org", "a+b@example.org")
    assert withheld("from A.+(B)*[ to aab@example.org", odd) == f"from {WITHHELD} to aab@example.org"


def test_who_was_erased_before_names_nobody() -> None:
    gone = Leaving("usr_mona", WITHHELD, GONE, GONE)
    assert withheld({"text": f"{WITHHELD} and so on"}, gone) == {"text": f"{WITHHELD} and so on"}


@pytest.mark.parametrize(
    ("called", "address", "text"),
    [
        ("Anna", "a@b.co", "Johanna and Annabel wrote"),
        ("Nobody", "a@b.co", "aa@b.co, x.a@b.co, a@b.com and a@b.co.uk"),
    ],
)
def test_others_whose_name_or_address_holds_theirs_keep_it(called: str, address: str, text: str) -> None:
    leaving = Leaving("usr_x", called, address, address)
    assert withheld(text, leaving) == text
    assert not leaving.is_named_in(text)
    assert withheld(f"{called}, <{address}>.", leaving) == f"{WITHHELD}, <{WITHHELD}>."


@pytest.mark.parametrize("called", ["https", "/courses", "student"])
def test_nobody_breaks_the_links_of_others_by_what_they_are_called(called: str) -> None:
    said = {"link": "/courses/1", "accept_url": "https://school/invite", "role": "student", "student_name": called}
    leaving = Leaving("usr_x", called, "x@example.org", "x@example.org")
    assert withheld(said, leaving) == {**said, "student_name": WITHHELD}
