"""The words of notifications, and the page that says who is told of what."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lms_rt.contracts.mails import MAIL_TEMPLATES
from lms_rt.contracts.notifications import KINDS
from lms_rt.services.notification_rules import RULES
from lms_rt.services.notification_texts import TEXTS, words_of

PAGE = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
_PLACE = re.compile(r"\{(\w+)\}")


def test_the_page_names_every_kind_and_only_mails_that_there_are() -> None:
    table = PAGE.partition("| --- |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+(?:\.\w+)?)`", table))
    assert set(KINDS) <= named
    assert named - set(KINDS) <= {template.name for template in MAIL_TEMPLATES}
    assert set(RULES) <= set(KINDS)


@pytest.mark.parametrize("text", TEXTS["en"])
def test_both_languages_tell_of_the_same_facts(text: str) -> None:
    english, arabic = (set(_PLACE.findall(" ".join(TEXTS[language][text]))) for language in ("en", "ar"))
    assert english == arabic


@pytest.mark.parametrize(
    ("locale", "title"), [("ar", "إعلان في"), ("ar-EG", "إعلان في"), ("en-GB", "An"), ("fr", "An")]
)
def test_a_reader_without_our_languages_reads_english(locale: str, title: str) -> None:
    assert words_of("announcement.plain", {"course_title": "X", "text": "y"}, locale)[0].startswith(title)


def test_what_somebody_wrote_stays_as_it_is() -> None:
    """It fills a place of its own: nothing in it is a place, and a whole text of theirs is not isolated."""
    data = {"course_title": "Algebra {text}", "text": "سطر\n{course_title}"}
    assert words_of("announcement.plain", data, "en") == (
        "An announcement in Algebra {text}",
        "سطر\n{course_title}",
    )


def test_a_fact_in_the_other_script_does_not_turn_the_sentence() -> None:
    title, _ = words_of("enrollment.created", {"course_title": "الجبر"}, "en")
    assert title == "You’re enrolled in \u2068الجبر\u2069"


@pytest.mark.parametrize("code", [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x2070)], ids=hex)
@pytest.mark.parametrize("written", ["Algebra", "الجبر"])
def test_nothing_unseen_in_a_fact_turns_the_words_after_it(code: int, written: str) -> None:
    plain = words_of("enrollment.created.staff", {"student_name": written, "course_title": "X"}, "en")
    given = f"{written[:2]}{chr(code)}{written[2:]}{chr(code)}"
    assert words_of("enrollment.created.staff", {"student_name": given, "course_title": "X"}, "en") == plain
    assert words_of("announcement", {"course_title": "X", "title": "T", "text": given}, "en")[1] == written


def test_a_text_of_a_newer_version_is_told_by_its_name() -> None:
    assert words_of("badge.earned", {}, "en") == ("badge.earned", "")
