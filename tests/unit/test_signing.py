"""Ed25519 as RFC 8032 has it (section 7.1), and what is no key or no signature."""

from __future__ import annotations

import base64

import pytest

from lms_rt.security.signing import SigningKey, from_text, is_signed, key_id_of, to_text

RFC_8032 = """
seed 9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60
public d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a
message
signature e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155
signature 5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b

seed 4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb
public 3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c
message 72
signature 92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
signature 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00

seed c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7
public fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025
message af82
signature 6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac
signature 18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a

seed 833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42
public ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf
message ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
message 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f
signature dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589
signature 09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704
"""
KEY = SigningKey(b"0123456789abcdefghijklmnopqrstuv")


def vectors() -> list[tuple[str, ...]]:
    """Seed, public key, message and signature of each example, in hex."""
    rows = []
    for example in RFC_8032.strip().split("\n\n"):
        fields = dict.fromkeys(("seed", "public", "message", "signature"), "")
        for name, _, part in (line.partition(" ") for line in example.splitlines()):
            fields[name] += part
        rows.append(tuple(fields.values()))
    return rows


@pytest.mark.parametrize(("seed", "public", "message", "signature"), vectors())
def test_signatures_are_those_of_the_standard(seed: str, public: str, message: str, signature: str) -> None:
    key = SigningKey(bytes.fromhex(seed))
    assert key.public_key.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert is_signed(key.public_key, bytes.fromhex(message), bytes.fromhex(signature))
    assert not is_signed(key.public_key, bytes.fromhex(message) + b"\0", bytes.fromhex(signature))


def test_what_is_no_key_and_no_signature_signs_nothing() -> None:
    signature = KEY.sign(b"said")
    assert is_signed(KEY.public_key, b"said", signature)
    for public, sent in (
        (b"", signature),
        (KEY.public_key[:-1], signature),
        (KEY.public_key, b""),
        (b"\xff" * 32, signature),
    ):
        assert not is_signed(public, b"said", sent)
    order = 2**252 + 27742317777372353535851937790883648493
    raised = int.from_bytes(signature[32:], "little") + order
    assert not is_signed(KEY.public_key, b"said", signature[:32] + raised.to_bytes(32, "little")), "S beyond the order"


def test_a_key_is_named_by_its_public_half_and_never_shown() -> None:
    assert KEY.key_id == key_id_of(KEY.public_key)
    assert repr(KEY) == f"SigningKey({KEY.key_id})"


@pytest.mark.parametrize("raw", [b"", b"\0", b"\xff\xee", bytes(range(64))])
def test_bytes_have_one_text(raw: bytes) -> None:
    text = to_text(raw)
    assert from_text(text) == raw
    assert "=" not in text
    for other in (f"{text}=", f"{text}\n", text + "+", base64.b64encode(raw).decode() + "!"):
        assert from_text(other) == b"", other
