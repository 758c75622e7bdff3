"""What may be a secret is masked, and what people need to understand a fault is not."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from lms_rt.ids import derived_id, new_id, random_token
from lms_rt.services.masking import MASK, MAX_ITEMS, MAX_TEXT, masked, masked_text


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "reset_token",
        "code",
        "mfa_code",
        "password",
        "secret",
        "signing_secret",
        "url",
        "reset_url",
        "link",
        "key",
    ],
)
@pytest.mark.parametrize("value", ["493817", 493817, ["a", "b"], {"a": "b"}])
def test_what_is_called_a_secret_is_masked_whatever_it_holds(name: str, value: Any) -> None:
    assert masked({"data": {name: value}}) == {"data": {name: MASK}}


@pytest.mark.parametrize("name", ["full_name", "course_title", "keyword", "encoded", "decode", "template", "user_id"])
def test_other_names_stay(name: str) -> None:
    assert masked({name: "Ada"}) == {name: "Ada"}


@pytest.mark.parametrize("make", [random_token, lambda: secrets.token_hex(16), lambda: f"whsec_{random_token(24)}"])
def test_random_words_are_masked_wherever_they_stand(make: Any) -> None:
    for _ in range(200):
        word = make()
        assert word not in masked_text(f"It said {word} and went.")
        assert word not in str(masked({"note": [word], "more": {"deep": f"x {word}"}}))


@pytest.mark.parametrize(
    "words",
    [
        "ConnectionRefusedError: [Errno 111] Connect call failed ('127.0.0.1', 2525)",
        "550 5.1.1 <ada.lovelace@mail.example.org>: Recipient address rejected",
        "TimeoutError: no answer of hooks.example.org within 15 seconds",
        "lms_rt.services.webhook_delivery.WebhookDelivery did not end",
        "weekly-progress-report:Africa/Cairo:2026-11-23T09:00:00Z",
        "لا يوجد خادم بهذا الاسم",
    ],
)
def test_words_about_a_fault_stay(words: str) -> None:
    assert masked_text(words) == words


def test_ids_stay() -> None:
    for id_ in (new_id("usr"), derived_id("ntf", "a", "b")):
        assert masked({"user": id_}) == {"user": id_}


@pytest.mark.parametrize("link", ["https://lms.example/reset/abc", "mongodb://me:pass@host/db", "see /reset?token=abc"])
def test_links_lose_what_lets_somebody_in(link: str) -> None:
    assert not {"abc", "pass"} & set(masked_text(link).replace("/", " ").replace("@", " ").replace("=", " ").split())


def test_what_is_long_is_cut() -> None:
    assert len(masked_text("word " * 10_000)) == MAX_TEXT
    assert len(masked({"rows": list(range(1_000))})["rows"]) == MAX_ITEMS


def test_what_a_validator_was_given_is_masked_though_its_end_was_cut_off() -> None:
    told = masked_text("1 validation error: input_value='my own words" + " and more" * 1_000)
    assert told == f"1 validation error: input_value={MASK}"


@pytest.mark.parametrize("word", ["a" * 2_000 + "1", "Aa" * 900 + "-" + "b" * 60 + "2c", "aB" * 40 + "_"])
def test_a_long_word_is_read_once(word: str) -> None:
    """Cut up in every way there is, as it once was, the first alone would take for ever."""
    assert masked_text(f"It said {word}")
