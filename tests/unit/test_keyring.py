"""Keys: what a former one signed is read, what another purpose or another school signed is not."""

from __future__ import annotations

import pytest

from lms_rt.security.keyring import Keyring

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
