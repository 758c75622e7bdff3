"""Secrets at rest: opened only by the same key, for the same owner and purpose; and signatures as the standard has them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from lms_rt.security.keyring import Keyring
from lms_rt.security.sealing import Sealer, Unsealable
from lms_rt.security.webhook_signatures import new_webhook_secret, webhook_signature

KEY = "0123456789abcdefghijklmnopqrstuv"


def test_what_was_sealed_opens_again() -> None:
    sealer = Sealer(Keyring(KEY), purpose="webhooks")
    sealed = sealer.seal("whsec_سرّ", owner="whk_1")
    assert "whsec" not in sealed
    assert sealed != sealer.seal("whsec_سرّ", owner="whk_1")
    assert Sealer(Keyring(KEY), purpose="webhooks").unseal(sealed, owner="whk_1") == "whsec_سرّ"


@pytest.mark.parametrize(
    ("key", "purpose", "owner"),
    [(KEY[::-1], "webhooks", "whk_1"), (KEY, "mfa", "whk_1"), (KEY, "webhooks", "whk_2")],
)
def test_another_key_purpose_or_owner_does_not_open_it(key: str, purpose: str, owner: str) -> None:
    sealed = Sealer(Keyring(KEY), purpose="webhooks").seal("secret", owner="whk_1")
    with pytest.raises(Unsealable):
        Sealer(Keyring(key), purpose=purpose).unseal(sealed, owner=owner)


def test_what_a_former_key_sealed_is_sealed_anew_once() -> None:
    rotated = Sealer(Keyring(KEY[::-1], (KEY,)), purpose="webhooks")
    sealed = Sealer(Keyring(KEY), purpose="webhooks").seal("secret", owner="whk_1")
    anew = rotated.resealed(sealed, owner="whk_1")
    assert anew is not None
    assert Sealer(Keyring(KEY[::-1]), purpose="webhooks").unseal(anew, owner="whk_1") == "secret"
    assert rotated.resealed(anew, owner="whk_1") is None
    with pytest.raises(Unsealable):
        rotated.resealed(sealed, owner="whk_2")


@pytest.mark.parametrize(("start", "end", "tail"), [("", -4, "AAAA"), ("v2.", -1, ""), ("", 9, ""), ("", 0, "v1.@@@")])
def test_a_damaged_one_does_not_open(start: str, end: int, tail: str) -> None:
    sealer = Sealer(Keyring(KEY), purpose="webhooks")
    with pytest.raises(Unsealable):
        sealer.unseal(start + sealer.seal("secret", owner="whk_1")[:end] + tail, owner="whk_1")


def test_the_vector_of_the_standard() -> None:
    made = webhook_signature(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_public_library_signs_the_same_with_secrets_of_ours() -> None:
    first, second, at = new_webhook_secret(), new_webhook_secret(), datetime(2026, 3, 1, 12, tzinfo=UTC)
    made = webhook_signature(
        [first, second], message_id="evt_1", timestamp=int(at.timestamp()), body='{"a":"ب"}'.encode()
    )
    assert made == " ".join(Webhook(one).sign("evt_1", at, '{"a":"ب"}') for one in (first, second))
