"""Codes of second steps by themselves: the published vectors, what drifts, how they are typed, what pictures them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from lms_rt.security.keyring import Keyring
from lms_rt.security.mfa import (
    STEP_MS,
    MailedCodes,
    find_totp_step,
    folded_code,
    new_recovery_codes,
    new_totp_secret,
    otpauth_uri,
    qr_svg,
    recovery_hash,
)

RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # "12345678901234567890"
RFC_6238 = {  # seconds: the last six digits of the table's eight
    59: "287082",
    1_111_111_109: "081804",
    1_111_111_111: "050471",
    1_234_567_890: "005924",
    2_000_000_000: "279037",
    20_000_000_000: "353130",
}


@pytest.mark.parametrize(("seconds", "code"), RFC_6238.items())
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert find_totp_step(RFC_SECRET, code, now_ms=seconds * 1000, after=0) == seconds // 30


@pytest.mark.parametrize(("steps", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_one_step_of_drift_is_forgiven(steps: int, is_taken: bool) -> None:
    now_ms = 1_700_000_000_000
    code = pyotp.TOTP(RFC_SECRET).generate_otp(now_ms // STEP_MS + steps)
    found = find_totp_step(RFC_SECRET, code, now_ms=now_ms, after=0)
    assert found == (now_ms // STEP_MS + steps if is_taken else None)


def test_a_step_that_was_taken_is_not_taken_again() -> None:
    now_ms = 59_000
    assert find_totp_step(RFC_SECRET, "287082", now_ms=now_ms, after=0) == 1
    assert find_totp_step(RFC_SECRET, "287082", now_ms=now_ms, after=1) is None


@pytest.mark.parametrize("typed", ["", " ", "28708", "2870822", "28708a", "²87082x", "287082" * 30])
def test_what_is_no_code_opens_nothing(typed: str) -> None:
    assert find_totp_step(RFC_SECRET, typed, now_ms=59_000, after=0) is None


@pytest.mark.parametrize(
    "typed",
    ["287082", " 287 082 ", "287-082", "٢٨٧٠٨٢", "۲۸۷۰۸۲", "２８７０８２", "\u200f٢٨٧ ٠٨٢\u200e", "287\u00a0082\n"],
)
def test_digits_are_read_in_every_script(typed: str) -> None:
    assert folded_code(typed) == "287082"


def test_an_app_is_told_whose_secret_it_is() -> None:
    secret = new_totp_secret()
    assert re.fullmatch(r"[A-Z2-7]{32}", secret)
    parts = urlsplit(otpauth_uri(secret, account="mona@example.org", issuer="مدرسة: LMS"))
    asked = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert asked["secret"] == [secret]
    assert asked["issuer"] == ["مدرسة: LMS"]


def test_the_picture_needs_no_styles_and_no_scripts() -> None:
    picture = qr_svg(otpauth_uri(new_totp_secret(), account="mona@example.org", issuer="LMS"))
    root = ET.fromstring(picture)  # noqa: S314 - made here
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {child.tag.rpartition("}")[2] for child in root} == {"path"}
    assert [child.get("fill") or child.get("stroke") for child in root] == ["#fff", "#000"]
    assert "style" not in picture
    assert qr_svg("another") != picture


def test_each_occasion_has_a_code_of_its_own() -> None:
    codes = MailedCodes(Keyring("k" * 32))
    made = [codes.code_of(f"occasion {number}") for number in range(200)]
    assert all(re.fullmatch(r"\d{6}", code) for code in made)
    assert len(set(made)) > 190
    assert made[0] == codes.code_of("occasion 0")
    assert codes.is_right("occasion 0", made[0])
    assert not codes.is_right("occasion 1", made[0])
    assert not codes.is_right("occasion 0", "")


def test_a_code_that_was_mailed_holds_across_a_change_of_keys() -> None:
    code = MailedCodes(Keyring("k" * 32)).code_of("occasion")
    assert MailedCodes(Keyring("n" * 32, ("k" * 32,))).is_right("occasion", code)
    assert MailedCodes(Keyring("n" * 32)).code_of("occasion") != code


def test_recovery_codes_are_long_and_all_different() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", code) for code in codes)


def test_recovery_codes_are_read_as_people_write_them_down() -> None:
    kept = recovery_hash("0A1B-C2D3-E4F5-G6H7")
    assert kept is not None
    for typed in ("0a1b c2d3 e4f5 g6h7", "OAIBC2D3E4F5G6H7", " oalb-c2d3-e4f5-g6h7\n", "٠A١B-C٢D٣-E٤F٥-G٦H٧"):
        assert recovery_hash(typed) == kept
    for typed in ("", "287082", "0A1B-C2D3-E4F5", "0A1B-C2D3-E4F5-G6HU", "0A1B-C2D3-E4F5-G6H7-0"):
        assert recovery_hash(typed) is None
