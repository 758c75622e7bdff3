"""Checking a certificate without anybody's help but a public key's: its PDF, its credential, or what the verify page told.

What comes in is anybody's file: nothing is believed of it before its shape is known. Pure. Whether it was revoked since, the
signature cannot say: that is the revocation list's, if one is at hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from lms_rt.security.signing import key_id_of
from lms_rt.services.certificate_statement import SUITE, canonical, did_of, holds, key_of_proof, proof_holds
from lms_rt.services.receipt_check import unwrapped

Kind = Literal[
    "not_certificate", "key_unknown", "signature", "proof", "issuer_differs", "differs", "other_certificate", "revoked"
]
ENCLOSED_FORMAT = "lms-certificate-file/1"
_STREAM = b"stream\n{"
_MOST_STREAMS = 20
_FORMATS = ("lms-certificate/1", "lms-certificate/2")
_TOLD = ("certificate_number", "completion_date", "issued_at", "issuer", "verify_url")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold; `place` is what it is about."""

    kind: Kind
    place: str = ""


@dataclass(frozen=True, slots=True)
class Signed:
    """What a file holds that was signed: a statement with its signature, a credential, or both."""

    statement: str | None = None
    signature: str = ""
    credential: Mapping[str, Any] | None = None


def enclosed(row: Mapping[str, Any]) -> bytes:
    """What goes into the PDF of a certificate, so that it can be checked without the school."""
    return canonical(
        {
            "format": ENCLOSED_FORMAT,
            "statement": row["statement"],
            "signature": row["signature"],
            "credential": row["credential"],
        }
    )


def signed_in(content: bytes) -> Signed | None:
    """What a file holds: a PDF of ours, a credential, or the reply of `/certificates/verify/{number}`. None: nothing of these."""
    document = _within(content) if content.startswith(b"%PDF") else _json(content)
    document = unwrapped(document)
    if not isinstance(document, dict):
        return None
    if isinstance(document.get("proof"), dict):
        return Signed(credential=document)
    statement, signature, credential = (document.get(name) for name in ("statement", "signature", "credential"))
    if not isinstance(statement, str) or not isinstance(signature, str):
        return None
    within = _json(credential.encode()) if isinstance(credential, str) else None
    return Signed(statement, signature, within if isinstance(within, dict) else None)


def findings_of(
    signed: Signed | None, keys: Mapping[str, bytes], *, number: str | None = None, revoked: Any = None
) -> list[Finding]:
    """Everything that does not hold; nothing: it is as the school signed it, by a key that is known.

    With `number`, it also has to be that certificate; `revoked` is a revocation list, in which it must not stand.
    """
    if signed is None:
        return [Finding("not_certificate")]
    try:
        found = _of_statement(signed, keys) + _of_credential(signed.credential, keys)
        facts = facts_of(signed)
        found += _of_both(signed)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):  # a member is missing, or of another kind
        return [Finding("not_certificate")]
    given = facts["verify_url"].rpartition("/")[2]
    if number is not None and number != given:
        found.append(Finding("other_certificate", given))
    return found + _of_list(facts["verify_url"], revoked)


def facts_of(signed: Signed) -> dict[str, str]:
    """What is certified, of whom and by whom."""
    if signed.statement is not None:
        said = orjson.loads(signed.statement)
        told = {name: str(said[name]) for name in _TOLD}
        return told | {"student": str(said["student"]["full_name"]), "course": str(said["course"]["title"])}
    badge: Any = signed.credential
    subject = badge["credentialSubject"]
    url = str(badge["id"])
    return {
        "certificate_number": url.rpartition("/")[2],
        "verify_url": url,
        "student": str(subject["identifier"][0]["identityHash"]),
        "course": str(subject["achievement"]["name"]),
        "completion_date": str(badge["awardedDate"])[:10],
        "issued_at": str(badge["validFrom"]),
        "issuer": str(badge["issuer"]["name"]),
    }


def _of_statement(signed: Signed, keys: Mapping[str, bytes]) -> list[Finding]:
    if signed.statement is None:
        return []
    said = orjson.loads(signed.statement)
    if said["format"] not in _FORMATS or canonical(said).decode() != signed.statement:
        return [Finding("not_certificate", "statement")]
    key = keys.get(said["key_id"])
    if key is None:
        return [Finding("key_unknown", said["key_id"])]
    return [] if holds(signed.statement, signed.signature, key) else [Finding("signature")]


def _of_credential(credential: Mapping[str, Any] | None, keys: Mapping[str, bytes]) -> list[Finding]:
    if credential is None:
        return []
    key = key_of_proof(credential)
    if credential["proof"]["cryptosuite"] != SUITE or "OpenBadgeCredential" not in credential["type"]:
        return [Finding("not_certificate", "credential")]
    if keys.get(key_id_of(key)) != key:
        return [Finding("key_unknown", key_id_of(key))]
    if credential["issuer"]["id"] != did_of(key):
        return [Finding("issuer_differs", str(credential["issuer"]["id"]))]
    return [] if proof_holds(credential) else [Finding("proof")]


def _of_both(signed: Signed) -> list[Finding]:
    """The two tell of the same."""
    if signed.statement is None or signed.credential is None:
        return []
    one, other = facts_of(signed), facts_of(Signed(credential=signed.credential))
    return [
        Finding("differs", name) for name in ("verify_url", "student", "course", "issuer") if one[name] != other[name]
    ]


def _of_list(url: str, revoked: Any) -> list[Finding]:
    if revoked is None:
        return []
    listed = unwrapped(revoked)["revokedCredential"]
    return [Finding("revoked", url)] if any(one["id"] == url for one in listed) else []


def _within(content: bytes) -> Any:
    """The first document of ours that lies in a PDF: our own writes it as it is, neither packed nor in pieces."""
    place = -1
    for _ in range(_MOST_STREAMS):
        place = content.find(_STREAM, place + 1)
        if place < 0:
            return None
        begin = place + len(_STREAM) - 1
        document = _json(content[begin : content.find(b"endstream", begin)])
        if isinstance(document, dict) and document.get("format") == ENCLOSED_FORMAT:
            return document
    return None


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
