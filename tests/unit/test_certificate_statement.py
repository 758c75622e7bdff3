"""What is signed of a certificate: by the vectors that W3C publishes, and as the documentation says."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from lms_rt.clock import FakeClock
from lms_rt.security.signing import SigningKey
from lms_rt.services.certificate_statement import (
    base58,
    canonical,
    did_of,
    from_base58,
    holds,
    proof_holds,
    secured,
    signed_fields,
)

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "tests/data/openbadges/achievement_credential.schema.json").read_text())
# Data Integrity EdDSA Cryptosuites 1.0, "Representation: eddsa-jcs-2022"
SECRET = "3u2en7t5LR2WtQH5PfFqMqwVHBeXouLzo6haApm8XHqvjxq"
PUBLIC = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
PROOF_VALUE = "z2HnFSSPPBzR36zdDgK8PbEHeXbR56YF24jwMpt3R1eHXQzJDMWS93FCzpvJpwTWd3GAVFuUfjoJdcnTMuVor51aX"
ALUMNI: dict[str, Any] = {
    "@context": ["https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/examples/v2"],
    "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
    "type": ["VerifiableCredential", "AlumniCredential"],
    "name": "Alumni Credential",
    "description": "A minimum viable example of an Alumni Credential.",
    "issuer": "https://vc.example/issuers/5678",
    "validFrom": "2023-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:abcdefgh", "alumniOf": "The School of Examples"},
}
ROW: dict[str, Any] = {
    "certificate_number": "CERT-2026-000001", "student_id": "usr_1", "student_name": "سارة – Sara",
    "course_id": "crs_1", "course_name": "Algebra 1", "instructor_name": "Tariq", "completion_date": "2026-01-05",
    "issued_at": FakeClock().now(), "issuer_name": "lms_rt", "verify_url": "https://x.org/verify/CERT-2026-000001",
}  # fmt: skip
KEY = SigningKey(bytes(range(32)))


def test_the_vector_of_the_specification_is_signed_to_the_letter_and_holds() -> None:
    key = SigningKey(from_base58(SECRET)[2:])
    assert did_of(key.public_key) == f"did:key:{PUBLIC}"
    signed = secured(ALUMNI, key, created="2023-02-24T23:36:38Z")
    assert signed["proof"]["proofValue"] == PROOF_VALUE
    assert proof_holds(signed)
    for path in (("name",), ("proof", "created"), ("credentialSubject", "alumniOf"), ("proof", "proofPurpose")):
        changed = copy.deepcopy(signed)
        place = changed
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = "another"
        assert not proof_holds(changed), path


@pytest.mark.parametrize("raw", [b"", b"\0\0a", bytes(range(34)), b"\xff" * 64])
def test_base58_there_and_back(raw: bytes) -> None:
    assert from_base58(base58(raw)) == raw
    assert from_base58("0OIl") == b""


def test_our_own_keep_to_the_rules_of_open_badges_and_hold() -> None:
    stored = signed_fields(ROW, KEY)
    credential = orjson.loads(stored["credential"])
    jsonschema.validate(credential, SCHEMA)
    assert proof_holds(credential)
    assert holds(stored["statement"], stored["signature"], KEY.public_key)
    assert not holds(stored["statement"], stored["signature"], SigningKey(bytes(32)).public_key)
    assert stored["statement"].encode() == canonical(json.loads(stored["statement"]))
    for missing in ("issuer", "credentialSubject", "proof", "validFrom", "@context"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({name: one for name, one in credential.items() if name != missing}, SCHEMA)


def test_the_documentation_shows_a_statement_as_it_is_signed() -> None:
    text = (ROOT / "docs/certificates.md").read_text()
    shown = re.search(r"```json certificate\n(.+)\n```", text)
    assert shown is not None
    statement = json.loads(shown[1])
    assert shown[1].encode() == canonical(statement)
    assert set(statement) == set(json.loads(signed_fields(ROW, KEY)["statement"]))
    program = re.search(r"```python\n(.+?)```", text, re.DOTALL)
    assert program is not None
    compile(program[1], "docs/certificates.md", "exec")
