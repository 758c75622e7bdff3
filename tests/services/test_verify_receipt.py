"""`python3 run.py verify-receipt`: by a file, by an address, by the keys of an installation; what it prints, and how it ends."""

from __future__ import annotations

import argparse
import asyncio
import copy
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from lms_rt.bootstrap import open_services
from lms_rt.console import verify_receipt
from lms_rt.console.store import settings_for
from lms_rt.contracts.base import encode
from lms_rt.security.signing import to_text
from tests.unit.test_receipts import FORGER, KEY, receipt

KEYS = {
    "format": "lms-receipt-keys/1",
    "keys": [{"key_id": KEY.key_id, "algorithm": "Ed25519", "public_key": to_text(KEY.public_key)}],
}
ANSWERS = {"q0": "١٢٫٥", "q1": ["a", "d"], "q2": True}


def written(path: Path, document: Any) -> str:
    path.write_bytes(document if isinstance(document, bytes) else orjson.dumps(document))
    return str(path)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command on a document, by keys in a file unless others are named: (status, lines, complaint)."""

    def command(document: Any, **options: str | None) -> tuple[int, list[str], str]:
        given: dict[str, Any] = {
            "keys": written(tmp_path / "keys.json", KEYS),
            "attempt": None,
            "answers": None,
            "data": None,
        }
        file = written(tmp_path / "receipt.json", document)
        status = verify_receipt.main(argparse.Namespace(file=file, **given | options))
        printed = capsys.readouterr()
        return status, printed.out.splitlines(), printed.err

    return command


def test_a_whole_receipt_tells_whose_it_is(run: Any) -> None:
    status, lines, _ = run(receipt())
    assert status == 0
    assert lines[0] == "attempt att_1 (number 2) of 'سلمى حدّاد' (usr_1)"
    assert lines[1] == "quiz 'Midterm' (qiz_1, version 3)"
    assert lines[2] == "closed 2026-06-21T09:00:00.000Z by deadline, 8 saved answers"
    assert lines[3] == "last saved 1970-01-01T00:00:01.007Z"
    assert lines[-1] == "the receipt holds"
    assert run({"success": True, "message": "", "data": receipt()}, attempt="att_1")[0] == 0
    assert (
        run(b"\xef\xbb\xbf" + orjson.dumps(receipt()))[0] == 0
    )  # as an editor may have saved it; a browser takes it, too


def test_damage_is_named_with_its_place(run: Any) -> None:
    changed, cut = copy.deepcopy(receipt()), copy.deepcopy(receipt())
    changed["operations"][2]["saved_at_ms"] += 1
    del cut["operations"][5:]
    for document, said in (
        (changed, "OPERATION 3 was changed, or does not follow the one before it"),
        (cut, "OPERATIONS 6-8 were cut off at the end"),
        (receipt(key=FORGER), f"RECEIPT it is signed by a key that is not among the school's: {FORGER.key_id}"),
        (receipt() | {"points": 100}, "RECEIPT this is no receipt: points"),
        (b'{"format": "lms-receipt/1",\n nothing}', "RECEIPT this is no receipt: not JSON at line 2, column 2"),
    ):
        status, lines, _ = run(document)
        assert (status, lines) == (2, [said, "the receipt does NOT hold"])
    status, lines, _ = run(receipt("att_2"), attempt="att_1")
    assert (status, lines[0]) == (2, "RECEIPT this is the receipt of another attempt: att_2")


def test_answers_are_held_against_it(run: Any, tmp_path: Path) -> None:
    attempt: dict[str, Any] = {"id": "att_1", "answers": {one: {"value": value} for one, value in ANSWERS.items()}}
    assert run(receipt(count=4), answers=written(tmp_path / "attempt.json", attempt))[0] == 0
    attempt["answers"]["q2"] = {"value": False}
    status, lines, _ = run(receipt(count=4), answers=written(tmp_path / "attempt.json", attempt))
    assert (status, lines[0]) == (2, "QUESTION q2 is answered otherwise than the receipt says")


def test_what_cannot_be_looked_at_ends_with_1(run: Any, tmp_path: Path) -> None:
    nothing = str(tmp_path / "nothing")
    for options, said in (
        ({"keys": nothing}, nothing),
        ({"keys": written(tmp_path / "a", b"[")}, "not JSON"),
        ({"keys": written(tmp_path / "b", {"keys": 1})}, "these are no keys of receipts"),
        ({"keys": "http://127.0.0.1:9"}, "http://127.0.0.1:9/.well-known/lms-receipt-keys.json: "),
        ({"answers": written(tmp_path / "c", {"answers": 1})}, "no attempt"),
    ):
        status, lines, complaint = run(receipt(), **options)
        assert (status, lines, said in complaint) == (1, [], True), complaint


@pytest.fixture
def address() -> Iterator[str]:
    """A school that hands out its keys."""

    class School(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_there = self.path == "/.well-known/lms-receipt-keys.json"
            self.send_response(200 if is_there else 404)
            self.end_headers()
            self.wfile.write(orjson.dumps(KEYS) if is_there else b"{}")

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    with HTTPServer(("127.0.0.1", 0), School) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_keys_are_fetched_from_the_school(run: Any, address: str) -> None:
    for keys in (address, f"{address}/", f"{address}/.well-known/lms-receipt-keys.json"):
        assert run(receipt(), keys=keys)[0] == 0
    status, _, complaint = run(receipt(), keys=f"{address}/else.json")
    assert (status, "Not Found" in complaint) == (1, True)


def test_without_keys_those_of_the_installation_are_taken(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MONGODB_URL", "REDIS_URL", "SECRET_KEY", "SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
    data = str(tmp_path / "data")

    async def open_once() -> bytes:
        async with open_services(settings_for(data)) as services:
            return encode(await services.receipts.keys())

    made = orjson.loads(asyncio.run(open_once()))
    assert len(made["keys"]) == 1, "the embedded store made a key at its first start"
    status, lines, _ = run(receipt(), keys=None, data=data)
    assert (status, lines[0]) == (2, f"RECEIPT it is signed by a key that is not among the school's: {KEY.key_id}")
