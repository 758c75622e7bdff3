"""`python3 run.py verify-certificate`: a PDF, a credential or a reply, by a file of keys alone; what it prints, and how it ends."""

from __future__ import annotations

import argparse
import copy
import io
from pathlib import Path
from typing import Any

import orjson
import pypdf
import pytest

from lms_rt.console import verify_certificate
from lms_rt.printing.certificate import print_certificate
from lms_rt.security.signing import SigningKey, to_text
from lms_rt.services.certificate_statement import signed_fields
from lms_rt.services.certificate_words import SHEET_FORMAT, printed
from tests.unit.test_certificate_statement import KEY, ROW

LOOK = {"accent_color": "#0B5F66", "ink_color": "#17211F", "paper_color": "#FFFFFF"}
OTHER = SigningKey(bytes(32))


def keys(key: SigningKey = KEY) -> dict[str, Any]:
    row = {"key_id": key.key_id, "algorithm": "Ed25519", "public_key": to_text(key.public_key)}
    return {"format": "lms-receipt-keys/1", "keys": [row]}


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command on a file, by keys in another: (status, lines, complaint)."""

    def written(name: str, document: Any) -> str:
        raw = document if isinstance(document, bytes) else orjson.dumps(document)
        (tmp_path / name).write_bytes(raw)
        return str(tmp_path / name)

    def command(document: Any, *, by: Any = None, number: str | None = None, revoked: Any = None) -> Any:
        given = argparse.Namespace(
            file=written("file", document),
            keys=written("keys", by or keys()),
            number=number,
            revoked=None if revoked is None else written("revoked", revoked),
            data=None,
        )
        status = verify_certificate.main(given)
        said = capsys.readouterr()
        return status, said.out.splitlines(), said.err

    return command


@pytest.fixture(scope="module")
def row() -> dict[str, Any]:
    given = {**ROW, "language": "en", "look": LOOK, "sheet_format": SHEET_FORMAT}
    return given | signed_fields(given, KEY)


def sheet(row: dict[str, Any]) -> bytes:
    return print_certificate(printed(row, None))


def test_the_pdf_the_credential_and_the_reply_each_hold_by_the_keys_alone(run: Any, row: dict[str, Any]) -> None:
    pdf, reply = sheet(row), {name: row[name] for name in ("statement", "signature")}
    for document in (pdf, orjson.loads(row["credential"]), reply, {"success": True, "data": reply}):
        status, lines, _ = run(document, number="CERT-2026-000001")
        assert (status, lines[0]) == (0, "certificate CERT-2026-000001 of 'سارة – Sara'")
        assert lines[1] == "course 'Algebra 1', completed on 2026-01-05" or document == orjson.loads(row["credential"])
        assert lines[-1] == "the certificate holds"
    attached = pypdf.PdfReader(io.BytesIO(pdf)).attachments["certificate.json"][0]
    assert orjson.loads(attached)["credential"] == row["credential"]
    assert pdf == sheet(row)
    assert b"certificate.json" not in sheet(row | {"sheet_format": 1})
    forms = [printed(row | {"sheet_format": form}, None) for form in (1, 2, 3)]
    assert [(one.enclosed is not None, one.is_shaped) for one in forms] == [(False, False), (True, False), (True, True)]


def test_what_was_changed_is_named(run: Any, row: dict[str, Any]) -> None:
    pdf, badge = sheet(row), orjson.loads(row["credential"])
    other = row | signed_fields({**row, "student_name": "Omar Other"}, KEY)
    renamed = copy.deepcopy(badge)
    renamed["credentialSubject"]["achievement"]["name"] = "Algebra 9"
    posing = orjson.loads(signed_fields(row, OTHER)["credential"]) | {"issuer": badge["issuer"]}
    for document, named in (
        (pdf.replace("سارة".encode(), "سالم".encode()), ["statement was changed", "credential was changed"]),
        (sheet(row | {"credential": other["credential"]}), ["say different things: student"]),
        (sheet(row | {"signature": other["signature"]}), ["statement was changed"]),
        (sheet(row | {"sheet_format": 1}), ["nothing of a certificate"]),
        (renamed, ["credential was changed"]),
        (posing, [f"not among the school's: {OTHER.key_id}"]),
        ({"proof": {}}, ["nothing of a certificate"]),
        (badge | {"credentialSubject": []}, ["nothing of a certificate"]),
        (b"{", ["nothing of a certificate"]),
        ([], ["nothing of a certificate"]),
    ):
        status, lines, _ = run(document)
        assert (status, lines[-1]) == (2, "the certificate does NOT hold"), named
        assert len(lines) == len(named) + 1, lines
        assert all(words in line for words, line in zip(named, lines, strict=False)), lines
    assert run(posing, by=keys(OTHER))[1][0].startswith("CERTIFICATE the credential names another issuer")
    assert "not among the school's" in run(pdf, by=keys(OTHER))[1][0]
    assert run(pdf, number="CERT-2026-000002")[1][0] == "CERTIFICATE this is another certificate: CERT-2026-000001"


def test_a_list_of_what_was_revoked_is_held_against_it(run: Any, row: dict[str, Any]) -> None:
    listed = {"revokedCredential": [{"id": row["verify_url"], "revoked": True}]}
    assert run(sheet(row), revoked=listed)[:2] == (
        2,
        [f"CERTIFICATE it was revoked or replaced: {row['verify_url']}", "the certificate does NOT hold"],
    )
    status, lines, _ = run(sheet(row), revoked={"revokedCredential": []})
    assert (status, any("revoked since" in line for line in lines)) == (0, False)
    assert (run(sheet(row), revoked=[])[0], run(sheet(row), by=["x"])[0]) == (1, 1)
