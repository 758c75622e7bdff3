"""`python3 run.py verify-certificate FILE`: does a certificate hold? Needs the file and the school's public keys, and nothing else."""

from __future__ import annotations

import argparse
import hashlib
from typing import Any

from lms_rt.console.school_keys import Unreadable, add_key_arguments, content_of, json_of, school_keys
from lms_rt.console.store import run_command
from lms_rt.services.certificate_check import Finding, Kind, Signed, facts_of, findings_of, signed_in
from lms_rt.services.receipt_check import unwrapped

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_LIST_BYTES = 64 * 1024 * 1024

_WORDS: dict[Kind, str] = {
    "not_certificate": "nothing of a certificate that was signed is in it",
    "key_unknown": "it is signed by a key that is not among the school's",
    "signature": "the statement was changed, or its signature was",
    "proof": "the credential was changed, or its proof was",
    "issuer_differs": "the credential names another issuer than whose key signed it",
    "differs": "the statement and the credential say different things",
    "other_certificate": "this is another certificate",
    "revoked": "it was revoked or replaced",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to check, by which keys, and what it is held against."""
    parser.add_argument(
        "file", metavar="FILE", help="its PDF, its credential, or what /certificates/verify/{number} replied"
    )
    parser.add_argument("--number", metavar="NUMBER", help="it has to be this certificate")
    parser.add_argument(
        "--revoked", metavar="FILE", help="hold this list against it, as the credential's credentialStatus gives it"
    )
    add_key_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Check, and say what was found."""
    return run_command(lambda: _verify(args))


async def _verify(args: argparse.Namespace) -> int:
    try:
        content = content_of(args.file, MAX_FILE_BYTES, named="certificate")
        revoked = None if args.revoked is None else _listed(args.revoked)
        signed = signed_in(content)
        found = findings_of(signed, await school_keys(args.keys, args.data), number=args.number, revoked=revoked)
    except Unreadable as fault:
        return fault.told()
    for finding in found:
        print(_line(finding))
    if found or signed is None:
        print("the certificate does NOT hold")
        return 2
    _print_facts(signed, content, is_listed=revoked is not None)
    return 0


def _listed(path: str) -> Any:
    found = unwrapped(json_of(content_of(path, MAX_LIST_BYTES, named="list"), path))
    rows = found.get("revokedCredential") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
        raise Unreadable(f"{path}: this is no list of revoked credentials")
    return found


def _line(finding: Finding) -> str:
    return f"CERTIFICATE {_WORDS[finding.kind]}{f': {finding.place}' if finding.place else ''}"


def _print_facts(signed: Signed, content: bytes, *, is_listed: bool) -> None:
    facts = facts_of(signed)
    print(f"certificate {facts['certificate_number']} of {facts['student']!r}")
    print(f"course {facts['course']!r}, completed on {facts['completion_date']}")
    print(f"given out by {facts['issuer']!r} at {facts['issued_at']}")
    if content.startswith(b"%PDF"):
        print("this is what was signed; what the sheet shows is to be held against it")
        print(f"SHA-256 of the file {hashlib.sha256(content).hexdigest()}")
    if not is_listed:
        print(f"whether it was revoked since: {facts['verify_url']}")
    print("the certificate holds")
