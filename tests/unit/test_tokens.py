"""Access tokens, refresh tokens and CSRF tokens: only ours are taken, and only for what they are."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.enums import Role
from lms_rt.clock import FakeClock
from lms_rt.errors import Code, Refused
from lms_rt.ids import new_id
from lms_rt.security.csrf import STRANGERS, CsrfTokens
from lms_rt.security.keyring import Keyring
from lms_rt.security.tokens import AccessTokens, Impersonator, RefreshTokens

KEY = "a-key-of-the-tests-with-enough-bytes-in-it"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tokens(clock: FakeClock) -> AccessTokens:
    return AccessTokens(keys=Keyring(KEY), clock=clock, issuer="lms_rt", lifetime_seconds=900)


def refusal(tokens: AccessTokens, token: str) -> Code | None:
    try:
        tokens.verify(token)
    except Refused as refused:
        return refused.code
    return None


def forged(
    clock: FakeClock,
    *,
    key: str = KEY,
    algorithm: str = "HS256",
    without: str = "",
    headers: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    now = clock.now_ms() // 1000
    claims: dict[str, Any] = {
        "sub": "usr_1",
        "role": "student",
        "typ": "access",
        "jti": "j",
        "sid": "fam_1",
        "iat": now,
        "exp": now + 900,
        "iss": "lms_rt",
        "aud": "lms_rt:api",
    } | changes
    claims.pop(without, None)
    return jwt.encode(claims, key, algorithm, headers=headers)


def test_a_token_says_whose_it_is(tokens: AccessTokens, clock: FakeClock) -> None:
    claims = tokens.verify(tokens.issue("usr_1", Role.INSTRUCTOR, "fam_1"))
    assert (claims.user_id, claims.role, claims.session_id) == ("usr_1", Role.INSTRUCTOR, "fam_1")
    assert claims.expires_at_ms == clock.now_ms() // 1000 * 1000 + 900_000


def test_it_carries_exactly_the_claims_of_the_contract(tokens: AccessTokens) -> None:
    payload = tokens.issue("usr_1", Role.STUDENT, "fam_1").split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert set(claims) == {"sub", "role", "typ", "jti", "sid", "iat", "exp", "iss", "aud"}


def test_two_tokens_of_one_moment_differ(tokens: AccessTokens) -> None:
    assert tokens.issue("usr_1", Role.STUDENT, "fam_1") != tokens.issue("usr_1", Role.STUDENT, "fam_1")


def test_the_forgery_of_these_tests_is_otherwise_right(tokens: AccessTokens, clock: FakeClock) -> None:
    assert refusal(tokens, forged(clock)) is None


def test_it_expires_to_the_second_even_when_it_is_known(tokens: AccessTokens, clock: FakeClock) -> None:
    token = tokens.issue("usr_1", Role.STUDENT, "fam_1")
    clock.advance(899.9)
    assert refusal(tokens, token) is None
    clock.advance(0.1)
    assert refusal(tokens, token) is Code.TOKEN_EXPIRED
    assert refusal(tokens, token) is Code.TOKEN_EXPIRED


@pytest.mark.parametrize("claim", ["sub", "role", "typ", "jti", "sid", "iat", "exp", "iss", "aud"])
def test_no_claim_may_be_missing(tokens: AccessTokens, clock: FakeClock, claim: str) -> None:
    assert refusal(tokens, forged(clock, without=claim)) is Code.INVALID_TOKEN


@pytest.mark.parametrize(
    "changes",
    [
        {"typ": "refresh"},
        {"aud": "another"},
        {"iss": "another"},
        {"role": "owner"},
        {"sid": ""},
        {"sid": 7},
        {"exp": True},
        {"exp": "soon"},
        {"iat": 1.5},
        {"iat": 4_000_000_000, "exp": 4_000_000_900},
    ],
)
def test_no_claim_may_be_another(tokens: AccessTokens, clock: FakeClock, changes: dict[str, Any]) -> None:
    assert refusal(tokens, forged(clock, **changes)) is Code.INVALID_TOKEN


def test_another_key_is_refused(tokens: AccessTokens, clock: FakeClock) -> None:
    assert refusal(tokens, forged(clock, key="another-key-of-the-tests-with-enough-bytes")) is Code.INVALID_TOKEN


def test_another_algorithm_with_our_key_is_refused(tokens: AccessTokens, clock: FakeClock) -> None:
    assert refusal(tokens, forged(clock, key=KEY * 2, algorithm="HS512")) is Code.INVALID_TOKEN


# --- keys ---

OLD = "the-key-of-last-year-with-enough-bytes-in-it"


def of_keys(clock: FakeClock, current: str, *former: str) -> AccessTokens:
    return AccessTokens(keys=Keyring(current, former), clock=clock, issuer="lms_rt", lifetime_seconds=900)


def test_a_token_names_the_key_that_signed_it(tokens: AccessTokens) -> None:
    header = jwt.get_unverified_header(tokens.issue("usr_1", Role.STUDENT, "fam_1"))
    assert header == {"alg": "HS256", "typ": "JWT", "kid": Keyring(KEY).current.key_id}


def test_a_token_of_a_former_key_holds_to_its_end_and_new_ones_are_by_the_new_key(clock: FakeClock) -> None:
    before = of_keys(clock, OLD).issue("usr_1", Role.STUDENT, "fam_1")
    after = of_keys(clock, KEY, OLD)
    assert refusal(after, before) is None
    assert refusal(of_keys(clock, KEY), after.issue("usr_1", Role.STUDENT, "fam_1")) is None
    clock.advance(900)
    assert refusal(after, before) is Code.TOKEN_EXPIRED


def test_a_key_that_is_named_no_more_opens_nothing(clock: FakeClock) -> None:
    before = of_keys(clock, OLD).issue("usr_1", Role.STUDENT, "fam_1")
    assert refusal(of_keys(clock, KEY), before) is Code.INVALID_TOKEN


def test_a_token_from_before_keys_had_names_is_by_the_current_one(clock: FakeClock) -> None:
    tokens = of_keys(clock, KEY, OLD)
    assert refusal(tokens, forged(clock)) is None
    assert refusal(tokens, forged(clock, key=OLD)) is Code.INVALID_TOKEN


@pytest.mark.parametrize(
    "kid", ["", "0" * 12, "../../etc/passwd", "' or 1=1 --", "https://evil.example/key", KEY, 7, None, ["a"], {"a": 1}]
)
def test_a_key_that_is_none_of_ours_is_refused(tokens: AccessTokens, clock: FakeClock, kid: Any) -> None:
    header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "typ": "JWT", "kid": kid}).encode()).decode()
    _, claims, _ = forged(clock).split(".")
    signed = f"{header.rstrip('=')}.{claims}"
    signature = base64.urlsafe_b64encode(hmac.digest(KEY.encode(), signed.encode(), "sha256")).decode().rstrip("=")
    assert refusal(tokens, f"{signed}.{signature}") is Code.INVALID_TOKEN


@pytest.mark.parametrize(
    "headers",
    [
        {"jku": "https://evil.example/keys.json"},
        {"x5u": "https://evil.example/cert.pem"},
        {"jwk": {"kty": "oct", "k": "ZXZpbC1rZXktd2l0aC1lbm91Z2gtYnl0ZXMtaW4taXQtMTIz"}},
    ],
)
def test_a_token_does_not_bring_its_own_key(tokens: AccessTokens, clock: FakeClock, headers: dict[str, Any]) -> None:
    theirs = forged(clock, key="evil-key-with-enough-bytes-in-it-123", headers=headers)
    assert refusal(tokens, theirs) is Code.INVALID_TOKEN


def test_a_header_that_is_too_deep_is_refused(tokens: AccessTokens) -> None:
    header = base64.urlsafe_b64encode(b"[" * 2_900).decode()
    assert refusal(tokens, f"{header}.e30.AA") is Code.INVALID_TOKEN


def test_a_former_key_that_is_short_is_refused_too(clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        of_keys(clock, KEY, "short")


# --- in somebody else's place ---


def test_a_token_in_somebody_elses_place_says_who_acts(tokens: AccessTokens) -> None:
    token = tokens.issue("usr_1", Role.STUDENT, "fam_1", impersonator=Impersonator("usr_admin", "fam_admin"))
    claims = tokens.verify(token)
    assert (claims.user_id, claims.acting) == ("usr_1", ("usr_admin", "fam_admin"))
    assert tokens.verify(tokens.issue("usr_1", Role.STUDENT, "fam_1")).acting == ("", "")


@pytest.mark.parametrize(
    "act",
    [
        None,
        "",
        "usr_admin",
        [],
        {},
        {"sub": "usr_admin"},
        {"sid": "fam_1"},
        {"sub": "", "sid": "fam_1"},
        {"sub": 1, "sid": "f"},
    ],
)
def test_a_mark_that_names_nobody_is_no_mark(tokens: AccessTokens, clock: FakeClock, act: Any) -> None:
    assert refusal(tokens, forged(clock, act=act)) is Code.INVALID_TOKEN


def test_a_token_without_signature_is_refused(tokens: AccessTokens, clock: FakeClock) -> None:
    assert refusal(tokens, forged(clock, key="", algorithm="none")) is Code.INVALID_TOKEN


@given(st.text(max_size=200))
def test_any_text_is_refused(text: str) -> None:
    tokens = AccessTokens(keys=Keyring(KEY), clock=FakeClock(), issuer="lms_rt", lifetime_seconds=900)
    assert refusal(tokens, text) is Code.INVALID_TOKEN


def test_a_huge_token_is_refused_unread(tokens: AccessTokens) -> None:
    assert refusal(tokens, "a" * 1_000_000) is Code.INVALID_TOKEN


def test_a_short_key_is_refused(clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        AccessTokens(keys=Keyring("short"), clock=clock, issuer="lms_rt", lifetime_seconds=900)


def test_a_known_token_is_not_decoded_again(tokens: AccessTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tokens.issue("usr_1", Role.STUDENT, "fam_1")
    first = tokens.verify(token)
    monkeypatch.setattr(tokens, "_read", lambda _token: pytest.fail("decoded again"))
    assert tokens.verify(token) is first


def test_what_is_known_has_a_bound(tokens: AccessTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lms_rt.security.tokens._MOST_KNOWN", 3)
    for number in range(5):
        tokens.verify(tokens.issue(f"usr_{number}", Role.STUDENT, "fam_1"))
    assert len(tokens._verified) == 3


# --- refresh tokens ---


def test_a_refresh_token_names_family_and_generation() -> None:
    refresh, family = RefreshTokens(Keyring(KEY)), new_id("fam")
    token = refresh.write(family, 12)
    assert token == refresh.write(family, 12)  # it can be made again
    assert refresh.read(token) == (family, 12)


@pytest.mark.parametrize("change", ["generation", "family", "signature", "empty", "more"])
def test_a_changed_refresh_token_is_refused(change: str) -> None:
    refresh, family = RefreshTokens(Keyring(KEY)), new_id("fam")
    _, _, signature = refresh.write(family, 12).split(".")
    changed = {
        "generation": f"{family}.13.{signature}",
        "family": f"{new_id('fam')}.12.{signature}",
        "signature": f"{family}.12.{'A' * len(signature)}",
        "empty": "",
        "more": f"{family}.12.{signature}\n",
    }[change]
    with pytest.raises(Refused) as refused:
        refresh.read(changed)
    assert refused.value.code is Code.INVALID_TOKEN


def test_a_refresh_token_under_another_key_is_refused() -> None:
    token = RefreshTokens(Keyring("another" * 8)).write(new_id("fam"), 1)
    with pytest.raises(Refused):
        RefreshTokens(Keyring(KEY)).read(token)


# --- CSRF tokens ---


def test_a_csrf_token_holds_for_its_session_when_sent_back() -> None:
    csrf = CsrfTokens(Keyring(KEY))
    token = csrf.issue("fam_1")
    assert csrf.is_valid("fam_1", cookie=token, sent=token)
    assert not csrf.is_valid("fam_2", cookie=token, sent=token)
    assert not csrf.is_valid("fam_1", cookie=token, sent=csrf.issue("fam_1"))
    assert not csrf.is_valid("fam_1", cookie=token, sent=None)
    assert not csrf.is_valid("fam_1", cookie=None, sent=token)


def test_a_cookie_that_was_tossed_in_is_refused() -> None:
    csrf = CsrfTokens(Keyring(KEY))
    for tossed in ("a", "a.b", ".", "é.ü", csrf.issue(STRANGERS), CsrfTokens(Keyring("another" * 8)).issue("fam_1")):
        assert not csrf.is_valid("fam_1", cookie=tossed, sent=tossed)
