"""What is signed of a certificate: a statement in canonical JSON, and an Open Badges 3.0 credential beside it. Pure.

`docs/certificates.md` publishes these rules; whoever changes them needs another `FORMAT`, since what is out there stays.
The credential is secured by a Data Integrity proof of the cryptosuite `eddsa-jcs-2022` (W3C), whose key is a `did:key`: the
same Ed25519 key that `/.well-known/lms-receipt-keys.json` publishes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from documents.base import Row
from lms_rt.clock import rfc3339
from lms_rt.security.signing import SigningKey, from_text, is_signed, to_text

FORMAT = "lms-certificate/2"
CONTEXTS = ("https://www.w3.org/ns/credentials/v2", "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json")
SUITE = "eddsa-jcs-2022"
VOID_PATH = "/api/v1/certificates/revocations"
"""Where the credentials are listed that hold no longer: `?list=2026-0` has those of the year's first 10,000 numbers."""
LISTED_TOGETHER = 10_000
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ED25519_PUBLIC = b"\xed\x01"
"""What a multikey of an Ed25519 public key begins with."""


def canonical(value: Any) -> bytes:
    """RFC 8785 for what is signed here, which holds texts, lists and objects with ASCII names alone, and no numbers."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def signed_fields(row: Row, key: SigningKey) -> Row:
    """What signing a certificate stores: both documents as they were signed, to the byte."""
    statement = canonical(statement_of(row, key.key_id))
    return {
        "key_id": key.key_id,
        "statement": statement.decode(),
        "signature": to_text(key.sign(statement)),
        "credential": canonical(secured(credential_of(row, key), key, created=rfc3339(row["issued_at"]))).decode(),
    }


def statement_of(row: Row, key_id: str) -> dict[str, Any]:
    """Who completed what, when, and who says so. Anybody who has the number is shown it: it names no account."""
    return {
        "format": FORMAT,
        "certificate_number": row["certificate_number"],
        "student": {"full_name": row["student_name"]},
        "course": {"id": row["course_id"], "title": row["course_name"]},
        "instructor_name": row["instructor_name"],
        "completion_date": row["completion_date"],
        "issued_at": rfc3339(row["issued_at"]),
        "issuer": row["issuer_name"],
        "verify_url": row["verify_url"],
        "replaces_number": row.get("replaces_number"),
        "key_id": key_id,
    }


def holds(statement: str, signature: str, public_key: bytes) -> bool:
    """Did the owner of this key sign exactly this?"""
    return is_signed(public_key, statement.encode(), from_text(signature))


# --- Open Badges 3.0 ---


def credential_of(row: Row, key: SigningKey) -> dict[str, Any]:
    """The credential without its proof."""
    base = row["verify_url"].rpartition("/verify/")[0]
    return {
        "@context": list(CONTEXTS),
        "id": row["verify_url"],
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": row["course_name"],
        "issuer": {"id": did_of(key.public_key), "type": ["Profile"], "name": row["issuer_name"], "url": base},
        "validFrom": rfc3339(row["issued_at"]),
        "awardedDate": rfc3339(row["issued_at"]),
        "credentialSubject": {
            "type": ["AchievementSubject"],
            "identifier": [
                {
                    "type": "IdentityObject",
                    "identityType": "name",
                    "identityHash": row["student_name"],
                    "hashed": False,
                }
            ],
            "achievement": {
                "id": f"{base}/courses/{row['course_id']}",
                "type": ["Achievement"],
                "achievementType": "Course",
                "name": row["course_name"],
                "description": row["course_name"],
                "criteria": {"narrative": "Every published lesson of the course was completed."},
            },
        },
        "credentialStatus": {
            "id": f"{base}{VOID_PATH}?list={list_of(row['certificate_number'])}",
            "type": "1EdTechRevocationList",
        },
    }


def secured(credential: Mapping[str, Any], key: SigningKey, *, created: str) -> dict[str, Any]:
    """The credential with its proof."""
    did = did_of(key.public_key)
    options = {
        "@context": credential["@context"],  # as the cryptosuite has it: part of the proof, and of what is hashed
        "type": "DataIntegrityProof",
        "cryptosuite": SUITE,
        "created": created,
        "verificationMethod": f"{did}#{did.rpartition(':')[2]}",
        "proofPurpose": "assertionMethod",
    }
    proof_value = "z" + base58(key.sign(_hashed(credential, options)))
    return {**credential, "proof": {**options, "proofValue": proof_value}}


def list_of(number: str) -> str:
    """The revocation list in which a certificate would stand."""
    _, year, sequence = number.split("-")
    return f"{year}-{int(sequence) // LISTED_TOGETHER}"


def key_of_proof(credential: Mapping[str, Any]) -> bytes:
    """The public key that the proof's method names."""
    return from_base58(str(credential["proof"]["verificationMethod"]).rpartition("#z")[2]).removeprefix(_ED25519_PUBLIC)


def proof_holds(credential: Mapping[str, Any]) -> bool:
    """Does the proof stand over this credential, by the key that its method names?"""
    proof = dict(credential["proof"])
    signature = from_base58(str(proof.pop("proofValue"))[1:])
    unsecured = {name: value for name, value in credential.items() if name != "proof"}
    return is_signed(key_of_proof(credential), _hashed(unsecured, proof), signature)


def _hashed(credential: Mapping[str, Any], options: Mapping[str, Any]) -> bytes:
    """What is signed: SHA-256 of the proof's options, then that of the document."""
    return hashlib.sha256(canonical(options)).digest() + hashlib.sha256(canonical(credential)).digest()


def did_of(public_key: bytes) -> str:
    """The key as a `did:key`."""
    return f"did:key:z{base58(_ED25519_PUBLIC + public_key)}"


def base58(raw: bytes) -> str:
    """Bytes in the alphabet of base58btc."""
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, place = divmod(number, 58)
        text = _BASE58[place] + text
    return _BASE58[0] * (len(raw) - len(raw.lstrip(b"\0"))) + text


def from_base58(text: str) -> bytes:
    """The bytes again; none for what is not in that alphabet."""
    number = 0
    for sign in text:
        place = _BASE58.find(sign)
        if place < 0:
            return b""
        number = number * 58 + place
    zeros = len(text) - len(text.lstrip(_BASE58[0]))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
