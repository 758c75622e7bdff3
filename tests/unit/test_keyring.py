"""Keys: what a former one signed is read, what another purpose or another school signed is not."""

from __future__ import annotations

import base64
import hmac

import pytest

from lms_rt.ids import new_id
from lms_rt.security.csrf import CsrfTokens
from lms_rt.security.keyring import Keyring
from lms_rt.security.sealing import Sealer, Unsealable
from lms_rt.security.tokens import RefreshTokens
from lms_rt.security.unsubscribing import UnsubscribeTokens

OLD, NEW, OTHER = "old-" * 10, "new-" * 10, "oth-" * 10


def test_what_a_former_key_signed_is_read() -> None:
    signature = Keyring(OLD).sign("links", b"text")
    assert Keyring(NEW, (OLD,)).is_signed("links", b"text", signature)
    assert not Keyring(NEW).is_signed("links", b"text", signature)


@pytest.mark.parametrize(("purpose", "message"), [("seals", b"text"), ("links", b"texts"), ("links", b"")])
def test_another_purpose_or_text_is_not_signed(purpose: str, message: bytes) -> None:
    keys = Keyring(NEW, (OLD,))
    assert not keys.is_signed(purpose, message, keys.sign("links", b"text"))


def test_the_current_key_signs() -> None:
    keys = Keyring(NEW, (OLD,))
    assert Keyring(NEW).is_signed("links", b"text", keys.sign("links", b"text"))
    assert [key.secret for key in keys] == [NEW, OLD]


def test_a_key_is_found_by_its_name_alone() -> None:
    keys = Keyring(NEW, (OLD,))
    assert keys.find(Keyring(OLD).current.key_id) is not None
    assert keys.find(Keyring(OTHER).current.key_id) is None
    assert keys.find("") is None
    assert keys.current.key_id not in NEW


# --- what a rotation must not break ---

ROTATED = Keyring(NEW, (OLD,))
ENDED = Keyring(NEW)


def test_a_refresh_token_of_a_former_key_is_read_and_the_next_is_by_the_new_one() -> None:
    family = new_id("fam")
    assert RefreshTokens(ROTATED).read(RefreshTokens(Keyring(OLD)).write(family, 3)) == (family, 3)
    assert RefreshTokens(ENDED).read(RefreshTokens(ROTATED).write(family, 4)) == (family, 4)


def test_a_form_that_was_open_during_a_rotation_can_be_sent() -> None:
    token = CsrfTokens(Keyring(OLD)).issue("fam_1")
    assert CsrfTokens(ROTATED).is_valid("fam_1", cookie=token, sent=token)
    assert not CsrfTokens(ENDED).is_valid("fam_1", cookie=token, sent=token)
    fresh = CsrfTokens(ROTATED).issue("fam_1")
    assert CsrfTokens(ENDED).is_valid("fam_1", cookie=fresh, sent=fresh)


def test_an_old_mail_keeps_its_link() -> None:
    token = UnsubscribeTokens(Keyring(OLD)).issue("usr_1", "digest")
    assert UnsubscribeTokens(ROTATED).read(token) == ("usr_1", "digest")
    assert UnsubscribeTokens(ENDED).read(token) is None
    assert UnsubscribeTokens(ENDED).read(UnsubscribeTokens(ROTATED).issue("usr_1", "digest")) == ("usr_1", "digest")


def test_what_a_former_key_sealed_opens_while_it_is_named() -> None:
    sealed = Sealer(Keyring(OLD), purpose="webhooks").seal("secret", owner="whk_1")
    assert Sealer(ROTATED, purpose="webhooks").unseal(sealed, owner="whk_1") == "secret"
    with pytest.raises(Unsealable):
        Sealer(ENDED, purpose="webhooks").unseal(sealed, owner="whk_1")
    fresh = Sealer(ROTATED, purpose="webhooks").seal("secret", owner="whk_1")
    assert Sealer(ENDED, purpose="webhooks").unseal(fresh, owner="whk_1") == "secret"


def test_what_releases_before_keys_had_names_made_still_holds() -> None:
    """Tokens that release 0.1 made under this key."""
    family = "fam_01kaj3m5q8vxr2n7t4w6y9zbcd"
    signature = hmac.digest(hmac.digest(OLD.encode(), b"lms_rt refresh", "sha256"), f"{family}.2".encode(), "sha256")
    token = f"{family}.2.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert RefreshTokens(Keyring(OLD)).read(token) == (family, 2)
