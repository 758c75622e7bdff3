"""Mails as their readers see them: every template in both languages, escaped, in their timezone, with the right numbers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from jinja2 import UndefinedError

from lms_rt.contracts.mails import MAIL_TEMPLATES, MASK, mail_template, masked_data
from lms_rt.contracts.notifications import ALL_KINDS, KINDS
from lms_rt.mails.rendering import TEMPLATES, Reader, Rendered, Renderer, zone_of
from lms_rt.mails.wording import WORDS, Language, catalogue, language_of, seen
from tests.unit.mail_samples import SAMPLES

NAMES = [template.name for template in MAIL_TEMPLATES]
LANGUAGES: tuple[Language, ...] = get_args(Language)
PLACE = re.compile(r"\{(\w+)\}")
UNSUBSCRIBE = "https://lms.example/unsubscribe/abc"
READERS = {
    "en": Reader("Ali Hassan", "ali@example.org", "en", ZoneInfo("Africa/Cairo")),
    "ar": Reader("علي حسن", "ali@example.org", "ar", ZoneInfo("Africa/Cairo")),
}
SCRIPT = "<script>alert(1)</script>{{ 7*7 }}{% raw %}&amp;"
NAME = "<b onload=1>Ali {{ 7*7 }}"


def rendered(name: str, language: str = "en", **changes: Any) -> Rendered:
    renderer = Renderer(site_name="Night School", site_url="https://lms.example/")
    template = mail_template(name)
    data = template.data.model_validate({**SAMPLES[name], **changes})
    return renderer.render(name, data, READERS[language], unsubscribe_url=UNSUBSCRIBE if template.kind else None)


class Page(HTMLParser):
    """What a mail program makes of the HTML: its words, its links, its elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words = ""
        self.links: list[str | None] = []
        self.tags: list[str] = []
        self.root: dict[str, str | None] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "html":
            self.root = dict(attrs)
        if tag == "a":
            self.links.append(dict(attrs)["href"])

    def handle_data(self, data: str) -> None:
        self.words += data


# --- every template ---


def test_every_mail_of_the_catalogue_has_a_template_words_and_a_sample() -> None:
    named = {path.stem for path in (TEMPLATES / "mails").glob("*.j2")}
    assert named == set(NAMES) == set(SAMPLES)
    for language in LANGUAGES:
        assert set(catalogue(language)) == {*NAMES, "common"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_a_mail_says_the_same_as_text_and_as_html(name: str, language: str) -> None:
    mail = rendered(name, language)
    page = Page(mail.html)
    assert page.root == {"lang": language, "dir": "rtl" if language == "ar" else "ltr"}
    assert mail.subject
    assert "\n" not in mail.subject
    for words in (mail.text, page.words):
        assert READERS[language].full_name in words
        assert "Night School" in words
        assert "{" not in words
    assert [link for link in page.links if str(link) not in mail.text and link != "https://lms.example"] == []
    assert all(str(link).startswith("https://lms.example") for link in page.links)


@pytest.mark.parametrize("name", NAMES)
def test_what_can_be_switched_off_says_where_and_nothing_else_does(name: str) -> None:
    mail = rendered(name)
    is_optional = mail_template(name).kind is not None
    assert (UNSUBSCRIBE in mail.text) == is_optional
    assert (UNSUBSCRIBE in Page(mail.html).links) == is_optional


def _spiked(value: Any) -> Any:
    """The same data with markup in everything that people write."""
    if isinstance(value, dict):
        return {key: _spiked(inner) if _is_free(key, inner) else inner for key, inner in value.items()}
    return [_spiked(inner) for inner in value] if isinstance(value, list) else SCRIPT


def _is_free(key: str, value: Any) -> bool:
    fixed = {
        "link",
        "reset_url",
        "reset_token",
        "verify_url",
        "accept_url",
        "score",
        "grade",
        "points",
        "currency",
        "role",
        "kind",
    }
    fixed |= {"at", "until", "closed_at", "expires_at", "erase_at", "since", "first_day", "last_day"}
    return isinstance(value, str | list) and key not in fixed and "percentage" not in key


@pytest.mark.parametrize("name", NAMES)
def test_what_people_write_is_only_ever_words(name: str) -> None:
    spiked = _spiked(SAMPLES[name])
    reader = Reader(NAME, "ali@example.org", "en", ZoneInfo("UTC"))
    renderer = Renderer(site_name="Night School", site_url="https://lms.example")
    mail = renderer.render(name, mail_template(name).data.model_validate(spiked), reader)
    page = Page(mail.html)
    assert "script" not in page.tags
    assert "b" not in page.tags
    for words in (page.words, mail.text):
        assert NAME in words
        assert SCRIPT in words or not any(_is_free(key, value) for key, value in spiked.items())
    assert "49" not in page.words


def test_a_template_that_asks_for_what_is_not_there_is_a_fault() -> None:
    renderer = Renderer(site_name="Night School", site_url="https://lms.example")
    with pytest.raises(UndefinedError):
        renderer.render("payment_failed", mail_template("welcome").data(), READERS["en"])


def test_kinds_are_those_of_the_preferences() -> None:
    assert {template.kind for template in MAIL_TEMPLATES if template.kind} <= {*KINDS, ALL_KINDS}


def test_the_documentation_tells_of_every_mail() -> None:
    told = (Path(__file__).parents[2] / "docs" / "mail.md").read_text(encoding="utf-8")
    rows = {name: row for row in told.splitlines() if row.startswith("| `") for name in re.findall(r"`(\w+)`", row)}
    for template in MAIL_TEMPLATES:
        assert template.name in rows
        if template.kind not in {None, ALL_KINDS}:
            assert f"`{template.kind}`" in rows[template.name]


# --- values ---


def test_times_are_the_readers_own() -> None:
    assert "6 January 2026, 00:30 (UTC+2)" in rendered("password_changed").text
    assert "6 يناير 2026، 00:30 (UTC+2)" in rendered("password_changed", "ar").text


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("UTC", "5 January 2026, 22:30 (UTC)"),
        ("Asia/Kolkata", "6 January 2026, 04:00 (UTC+5:30)"),
        ("America/St_Johns", "5 January 2026, 19:00 (UTC-3:30)"),
        ("Mars/Olympus", "5 January 2026, 22:30 (UTC)"),
    ],
)
def test_every_zone_says_its_distance(zone: str, shown: str) -> None:
    renderer = Renderer(site_name="Night School", site_url="https://lms.example")
    data = mail_template("password_changed").data.model_validate(SAMPLES["password_changed"])
    mail = renderer.render("password_changed", data, Reader("Ali", "ali@example.org", "en", zone_of(zone)))
    assert shown in mail.text


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [(19_990, "KWD", "KWD19.990"), (123_456, "USD", "$1,234.56"), (5, "USD", "$0.05"), (700, "JPY", "¥700")],
)
def test_money_has_the_places_of_its_currency(amount: int, currency: str, shown: str) -> None:
    text = rendered("payment_confirmation", amount=amount, currency=currency).text.replace("\u00a0", "")
    assert f"Amount: {shown}\n" in text
    assert "Net:" not in text


@pytest.mark.parametrize(("language", "shown"), [("en", "0 of 0"), ("ar", "0 من 0")])
def test_where_there_are_no_points_no_grade_is_named(language: str, shown: str) -> None:
    text = rendered("assignment_graded", language, grade="0.00", points="0.00").text
    assert shown not in text
    assert shown.replace("0", "8") in rendered("assignment_graded", language, grade="8.00", points="8.00").text


def test_a_receipt_tells_the_tax_in_what_came() -> None:
    taxed: dict[str, Any] = {"amount": 1_140, "currency": "USD", "tax_amount": 140, "tax_label": "VAT, 14%"}
    text = rendered("payment_confirmation", **taxed).text.replace("\u00a0", "")
    assert "Amount: $11.40\nNet: $10.00\nVAT, 14%: $1.40\n" in text


@pytest.mark.parametrize(
    ("minutes", "shown"), [(1, "1 minute"), (30, "30 minutes"), (1440, "1 day"), (10_080, "1 week")]
)
def test_how_long_a_link_is_valid_is_said_in_words(minutes: int, shown: str) -> None:
    assert f"It is valid for {shown}." in rendered("email_verification", expires_minutes=minutes).text


@pytest.mark.parametrize(
    ("count", "shown"), [(1, "أتممت درسًا واحدًا."), (2, "أتممت درسين."), (3, "أتممت 3 دروس."), (11, "أتممت 11 درسًا.")]
)
def test_arabic_counts_as_arabic_does(count: int, shown: str) -> None:
    assert shown in rendered("weekly_progress", "ar", lessons_completed=count).text


def test_a_name_of_the_other_script_does_not_turn_its_sentence() -> None:
    assert "\u2068Linear Algebra\u2069" in rendered("course_completion", "ar").text
    assert "\u2068الجبر\u2069" in rendered("course_completion", "en", course_title="الجبر").text
    assert "<bdi>الجبر</bdi>" in rendered("course_completion", "en", course_title="الجبر").html


def test_what_cannot_be_seen_is_left_out() -> None:
    mail = rendered("announcement", title="Free\u202emoney\r\nBcc: all@example.org", body="one\u202e\ntwo\x00")
    assert mail.subject == "Freemoney Bcc: all@example.org"
    assert "one\ntwo" in mail.text
    assert "one<br>two" in mail.html


FORGED = "Algebra\n\nSign in again: //evil.example\r\u2028\x85Bye"
ON_ONE_LINE = "Algebra Sign in again: //evil.example Bye"


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("course_completion", {"course_title": FORGED}),
        ("announcement", {"author_name": FORGED}),
        ("weekly_progress", {"courses": [{**SAMPLES["weekly_progress"]["courses"][0], "title": FORGED}]}),
        ("digest", {"items": [{**SAMPLES["digest"]["items"][0], "title": FORGED}]}),
        ("new_device", {"device": FORGED}),
    ],
)
def test_a_title_makes_no_paragraph_of_its_own(name: str, changes: dict[str, Any]) -> None:
    mail = rendered(name, **changes)
    assert ON_ONE_LINE in mail.text
    assert "\nSign in again" not in mail.text


def test_what_turns_words_without_being_seen_is_left_out() -> None:
    turning = "".join(map(chr, (0x061C, 0x200E, 0x202E, *range(0x2066, 0x2070))))
    assert seen(f"Ali{turning}Hassan") == "AliHassan"


@pytest.mark.parametrize(
    "name", ["Win at evil.example", "http:evil", "see https://evil.example", "write to a@b.org", "a/b"]
)
def test_a_name_that_is_an_advertisement_is_not_sent_to_strangers(name: str) -> None:
    renderer = Renderer(site_name="Night School", site_url="https://lms.example")
    mail = renderer.render("welcome", mail_template("welcome").data(), replace(READERS["en"], full_name=name))
    assert "Hello,\n" in mail.text
    assert name not in mail.text + mail.html


@pytest.mark.parametrize("name", ["J. R. Smith", "Anne-Marie O'Brien", "د. علي", "Ann (Annie) Lee, Jr."])
def test_everybody_else_is_greeted_by_name(name: str) -> None:
    renderer = Renderer(site_name="Night School", site_url="https://lms.example")
    mail = renderer.render("welcome", mail_template("welcome").data(), replace(READERS["en"], full_name=name))
    assert name in mail.text


def test_the_words_of_mails_are_escaped_too() -> None:
    assert 'way of "Forgot your password?"' in rendered("password_changed").text
    assert "way of &#34;Forgot your password?&#34;" in rendered("password_changed").html


def test_the_lines_of_an_announcement_stay_lines() -> None:
    mail = rendered("announcement")
    assert "We meet again\nnext week." in mail.text
    assert "We meet again<br>next week." in mail.html


def test_a_result_without_a_score_shows_none() -> None:
    assert "Score" not in rendered("quiz_results", score=None, is_passed=None).text
    assert "Score: 0%" in rendered("quiz_results", score="0.00", is_passed=False).text


@pytest.mark.parametrize(
    ("locale", "language"), [("ar", "ar"), ("ar-EG", "ar"), ("AR", "ar"), ("en-GB", "en"), ("fr", "en"), ("arn", "en")]
)
def test_a_locale_chooses_the_language(locale: str, language: str) -> None:
    assert language_of(locale) == language


# --- the catalogue ---


def test_links_lead_to_this_site_or_to_the_web() -> None:
    for bad in ("javascript:alert(1)", "data:text/html,x", "ftp://x", "/a b", '/a"b', "", "//x\n"):
        with pytest.raises(ValueError, match="link"):
            rendered("course_completion", link=bad)


def test_secrets_are_masked_for_whoever_looks_at_jobs() -> None:
    shown = masked_data("password_reset", SAMPLES["password_reset"])
    assert shown == {"reset_token": MASK, "reset_url": MASK}
    assert masked_data("course_completion", SAMPLES["course_completion"]) == SAMPLES["course_completion"]
    assert masked_data("of a newer version", {"a": "b"}) == {"a": MASK}


# --- the words ---


def entries(language: Language) -> dict[str, Any]:
    return {
        f"{section}.{name}": entry for section, words in catalogue(language).items() for name, entry in words.items()
    }


def forms(entry: str | dict[str, str]) -> list[str]:
    return [entry] if isinstance(entry, str) else list(entry.values())


def test_both_languages_say_the_same_things() -> None:
    english, arabic = entries("en"), entries("ar")
    assert set(english) == set(arabic)
    for key, entry in english.items():
        assert isinstance(entry, dict) == isinstance(arabic[key], dict), key
        asked = set(PLACE.findall(" ".join(forms(entry))))
        for form in forms(arabic[key]):
            assert asked - {"count"} <= set(PLACE.findall(form)) <= asked, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_plurals_have_every_form_of_the_language(language: Language) -> None:
    wanted = set(Locale.parse(language).plural_form.tags) | {"other"}
    assert [key for key, entry in entries(language).items() if isinstance(entry, dict) and set(entry) != wanted] == []


def test_arabic_is_written_in_arabic() -> None:
    foreign = re.compile(r"[A-Za-z]")
    assert [
        key for key, entry in entries("ar").items() for form in forms(entry) if foreign.search(PLACE.sub("", form))
    ] == []


def test_every_word_is_used() -> None:
    asked = {name for path in TEMPLATES.rglob("*.j2") for name in re.findall(r't\("(\w+)"', path.read_text())}
    asked |= {"subject", "role_student", "role_instructor", "role_admin"}
    assert {key.partition(".")[2] for key in entries("en")} - asked == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_are_written_as_the_formatter_would(language: Language) -> None:
    text = (WORDS / f"{language}.json").read_text(encoding="utf-8")
    names: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in pairs}) == len(pairs), [name for name, _ in pairs]
        names.extend(name for name, _ in pairs)
        return dict(pairs)

    json.loads(text, object_pairs_hook=note)
    assert names
    assert "\\u" not in text
