"""What looks like a secret is taken out of words: by its name, by its shape, however deep it lies, and in bounded time."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import scrubbing
from config.scrubbing import MAX_LENGTH, looks_secret, redacted, scrubbed
from lms_rt.ids import new_id, random_token
from lms_rt.security.mfa import new_recovery_codes, new_totp_secret

MADE = {
    "a random token": random_token(),
    "a recovery code": new_recovery_codes()[0],
    "an app's key": new_totp_secret(),
    "a webhook's key": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "a key of Stripe": "sk_test_51H8abcDEF",
    "a key of Paymob": "egy_sk_test_0a1b2c3d4e5f",
    "what a browser pays by": "pi_3MtwBwLkdIwHu7ix_secret_YrKJUKribcBjcG8H",
    "a token of Vault": "hvs.CAESIJlWrs6gKqKqQ_TzLP",
    "a signed token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c3IifQ.c2lnbmF0dXJl",
    "a DSN": "https://0123456789abcdef@sentry.example/7",
    "an address of an app's key": "otpauth://totp/School:ada?secret=ABC",
    "a mail address": "ada.lovelace+school@mail.example.org",
    "an Arabic mail address": "ليلى@مدرسة.example",
    "a quoted mail address": "ada%40example.org",
}


@pytest.mark.parametrize("what", MADE)
@pytest.mark.parametrize("place", ["{}", "saw {} twice", "GET /x/{}?y=1", "<{}>", '{{"a": "{}"}}', "x={}&y=2"])
def test_what_has_the_shape_of_a_secret_is_taken_out(what: str, place: str) -> None:
    shown = redacted(place.format(MADE[what]))
    for part in (MADE[what], "0123456789abcdef", "lovelace", "ada", "ليلى"):
        assert part not in shown


@pytest.mark.parametrize(
    "name",
    [
        "token", "refresh_token", "X-Vault-Token", "ticket", "new_password", "client_secret", "secret_id", "pepper",
        "api_key", "SENTRY_DSN", "authorization", "cookie", "Set-Cookie", "otp", "credentials", "recovery_codes",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "form", ["{}=s3cret-value", "{}: s3cret-value", "{{'{}': 's3cret-value'}}", '{{"{}":"s3cret-value"}}']
)
def test_what_is_called_a_secret_is_taken_out(name: str, form: str) -> None:
    assert "s3cret" not in redacted(form.format(name))


@pytest.mark.parametrize(
    "text",
    [
        "{'password': ['hunter2']}", '{"password":{"value":"hunter2"}}', '{"tokens": ["abc]def","hunter2"]}', "tokens=[hunter2 hunter2]",
        json.dumps(json.dumps({"password": ["hunter2", "x"]})), 'secrets: {"a": "x", "b": "hunter2"', "Authorization: Token abc hunter2",
        'Authorization: Digest username="ali", response="hunter2"', "{'password': ['a', 'hunter2'], 'n': 1}",
    ],
)  # fmt: skip
def test_what_lies_in_a_secret_list_or_object_is_taken_out(text: str) -> None:
    shown = redacted(text)
    assert "hunter2" not in shown
    assert redacted(shown) == shown
    if "'n': 1" in text:
        assert "'n': 1" in shown


VALUE = 'ab"cd SECRET\\x\'q, "e"'


def in_json(levels: int) -> str:
    text = json.dumps({"password": VALUE, "n": 1})
    for _ in range(levels):
        text = json.dumps({"body": text, "n": 2})
    return text


@pytest.mark.parametrize(
    "text",
    [
        *(in_json(levels) for levels in range(4)),
        repr(in_json(0)),
        str({"password": VALUE, "n": 1}),
        repr({"body": in_json(0)}),
        'password="half of it, SECRET',
        "token='SECRET",
    ],
)
def test_quotes_within_a_secret_do_not_end_it(text: str) -> None:
    shown = redacted(text)
    assert "SECRET" not in shown
    assert "[secret]" in shown


def test_what_stands_behind_a_quoted_secret_stays() -> None:
    assert redacted('saw token="abc" and "cd", {"secret": "x", "n": 1}') == (
        'saw token=[secret] and "cd", {"secret": [secret], "n": 1}'
    )


@pytest.mark.parametrize(
    "text", ["code=123456", '"code": "123 456"', "otp: 123456", "mfa_code='١٢٣٤٥٦'", "pin=12345678"]
)
def test_codes_of_a_second_step_are_taken_out(text: str) -> None:
    assert not any(sign.isdigit() for sign in redacted(text))


@pytest.mark.parametrize(
    "text",
    [
        "GET /api/v1/quizzes/{quiz_id} status=200 ms=3.1",
        "the socket was closed, code=4003",
        "node 0b7c1c5e-7b1a-4a4e-9d0f-0123456789ab",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736",
        "weekly:usr_01jq:2026-11-21",
        "job job_01m7zzm06pm3mxj37gxktfv7t5 failed at 10:11:12.345",
        "lms_rt.services.attempts.AttemptClockOfTheWholeSchoolAndMore",
    ],
)  # fmt: skip
def test_other_words_stay(text: str) -> None:
    assert redacted(text) == text


def test_facts_are_looked_through_however_deep_they_lie() -> None:
    facts: dict[str, Any] = {
        "note": "mail to ada@example.org",
        "sent": [{"password": "open sesame", "n": 3}, ("token=abc", b"ticket=def")],
        "deep": {"a": {"b": {"c": {"d": {"e": {"f": {"g": "hidden"}}}}}}},
        "count": 7,
        "none": None,
        "was": ValueError("whsec_abcdef"),
    }
    shown = scrubbed(facts)
    for word in ("ada@", "open sesame", "abc", "def", "hidden"):
        assert word not in str(shown)
    assert (shown["count"], shown["none"], shown["sent"][0]["n"]) == (7, None, 3)


def test_a_fact_that_is_called_a_secret_is_never_shown() -> None:
    assert scrubbed("plain", name="lms_refresh") == "[secret]"
    assert scrubbed("plain", name="course") == "plain"
    assert scrubbed(3, name="tokens") == 3


@given(
    st.text(alphabet="aA1_-.@=:/ %'\"e", max_size=60).map(lambda text: text + "eyJ=@"), st.sampled_from(sorted(MADE))
)
def test_nothing_is_missed_by_the_short_look(before: str, what: str) -> None:
    """Most lines are only looked at for a sign of any pattern: none of the patterns may need less than that sign."""
    text = f"{before} {MADE[what]}"
    for pattern, _ in scrubbing._PATTERNS:
        if match := pattern.search(text):
            assert scrubbing._SUSPECT.search(match.group())


RUNS = (
    'token="a"', "token='x' '", "\\", "token=\\", 'token\\"=\\"a\\\\', '"password": "\\', "a", "A1a", "1-", "AB12-", "-", ".", "a.", "@", "a@", "%40", "://", "a://a", " ", "\n", "cookie:", "'token'", "eyJ", "eyJa.",
)  # fmt: skip
_OTHERS = {"code", "pin", "bearer", "basic", "whsec_", "hvs.", "sk_live_", "_secret_"}
WORDS = sorted(_OTHERS.union(re.findall(r"[a-z_]{3,}", scrubbing._NAMES.replace(r"\w", ""))))
"""Each is tried alone and with what may follow it, again and again: a pattern must not begin anew at every place."""


def test_all_names_of_secrets_are_among_the_words() -> None:
    assert {"secret", "tokens", "password", "cookie", "dsn", "credentials"} <= set(WORDS)


@pytest.mark.parametrize("tail", ["", "_", " ", '="'])
@pytest.mark.parametrize("run", [*RUNS, *WORDS])
def test_a_hostile_line_costs_no_more_than_a_long_one(run: str, tail: str) -> None:
    def seconds(length: int) -> float:
        begun = time.thread_time()
        redacted(("x=" + (run + tail) * length)[:length])
        return time.thread_time() - begun

    short = max(min(seconds(2_000) for _ in range(2)), 0.0005)
    assert seconds(16_000) < short * 8 * 6  # eight times as long: far from the 64 times of a pattern that looks back


def test_the_name_of_a_fact_costs_no_more_than_a_long_one() -> None:
    """Measured against a name of the same length that no pattern follows: `secret` again and again was its square."""

    def seconds(name: str) -> float:
        begun = time.thread_time()
        scrubbed("plain", name=name)
        return time.thread_time() - begun

    plain = max(min(seconds("course" * 5_000 + "-") for _ in range(3)), 0.0005)
    assert seconds("secret" * 5_000 + "-") < plain * 50


def test_endless_words_are_cut() -> None:
    assert len(redacted("x y" * MAX_LENGTH)) == MAX_LENGTH + 1


def test_an_id_of_a_request_is_no_secret() -> None:
    assert not looks_secret(new_id("req"))
    assert not looks_secret("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    assert looks_secret(random_token())
