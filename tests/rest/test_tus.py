"""Uploads that go on after a break, by a public tus client and by hand."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest
from tusclient.client import TusClient

from documents.base import Row
from documents.stored_file import StoredFile
from documents.upload_session import UploadSession
from lms_rt.services import upload_sessions
from lms_rt.services.upload_sessions import UploadSessions
from tests.clients import Visitor
from tests.conftest import _ENGINES, settings_on
from tests.house import House, open_house
from tests.rest.uploading import PDF, content_of, held_by, unnamed_bytes, until
from tests.servers.tcp_proxy import Link, tcp_proxy
from tests.working import PATIENCE_SECONDS

VERSION = {"Tus-Resumable": "1.0.0"}
PIECE = {**VERSION, "Content-Type": "application/offset+octet-stream"}
TEXT = "".join(f"{n}\n" for n in range(60_000)).encode()


@pytest.fixture(scope="module", params=_ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    settings = settings_on(str(request.param), request, tmp_path_factory.mktemp("house"), max_upload_mb=1)
    async with open_house(settings) as made:
        yield made


def named(filename: str, **more: str) -> dict[str, str]:
    """The metadata of an upload."""
    pairs = {"filename": filename, **more}.items()
    return {"Upload-Metadata": ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in pairs)}


async def begin(
    visitor: Visitor, length: int, filename: str = "paper.pdf", piece: bytes | None = None, **headers: str
) -> str:
    """Where a new upload is, below the API."""
    sent = {**(VERSION if piece is None else PIECE), "Upload-Length": str(length), **named(filename), **headers}
    response = await visitor.call("POST", "/files/tus", headers=sent, content=piece or b"")
    assert response.status_code == 201, response.text
    return response.headers["Location"].removeprefix("/api/v1")


async def write(visitor: Visitor, path: str, offset: int, piece: bytes, **headers: str) -> httpx.Response:
    sent = {**PIECE, "Upload-Offset": str(offset), **headers}
    return await visitor.call("PATCH", path, headers=sent, content=piece)


async def test_a_public_client_goes_on_where_its_line_was_cut(house: House) -> None:
    student, cut_at = await house.student(), set[int]()

    def cut_once(place: int) -> Callable[[Link], None]:
        def cut(link: Link) -> None:
            if place not in cut_at:
                cut_at.add(place)
                link.cut()

        return cut

    async with tcp_proxy(house.address) as proxy:
        for place in (20_000, 45_000):
            for line in (place, place + 10, place + 20):  # one of them is not torn by the pieces that the proxy reads
                proxy.when_asked(f"\n{line}\n".encode(), cut_once(place))
        client = TusClient(f"{proxy.url(house.address)}/api/v1/files/tus", headers=_bearer(student))
        uploader = client.uploader(
            file_stream=io.BytesIO(TEXT),
            chunk_size=len(TEXT),
            metadata={"filename": "numbers.txt", "folder": "week-1"},
            retries=5,
            retry_delay=0.05,
        )
        await asyncio.to_thread(uploader.upload)
    assert cut_at == {20_000, 45_000}
    upload = await student.ok("GET", f"/files/tus/{str(uploader.url).rpartition('/')[2]}")
    file = upload["file"]
    assert (file["original_filename"], file["folder"], file["file_size"]) == ("numbers.txt", "week-1", len(TEXT))
    assert file["sha256"] == hashlib.sha256(TEXT).hexdigest()
    assert await content_of(house, file["id"]) == TEXT
    assert await held_by(house, student) == (1, 1, len(TEXT))
    assert await unnamed_bytes(house) == []


async def test_a_client_is_told_what_there_is(house: House) -> None:
    stranger, student = await house.visitor(), await house.student()
    for path in ("/files/tus", "/files/tus/upl_1"):
        told = (await stranger.call("OPTIONS", path)).headers
        assert (told["Tus-Resumable"], told["Tus-Version"], told["Tus-Max-Size"]) == ("1.0.0", "1.0.0", str(1 << 20))
        assert told["Tus-Extension"] == "creation,creation-with-upload,expiration,checksum,termination"
        assert told["Tus-Checksum-Algorithm"] == "sha1,sha256"
    path = await begin(student, len(PDF))
    head = await student.call("HEAD", path, headers=VERSION)
    assert (head.status_code, head.headers["Cache-Control"], head.content) == (200, "no-store", b"")
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("0", str(len(PDF)))
    assert head.headers["Upload-Metadata"] == named("paper.pdf")["Upload-Metadata"]
    assert head.headers["Upload-Expires"].endswith("GMT")
    assert (await student.call("HEAD", path)).status_code == 412
    refused = await student.call("PATCH", path, headers={**PIECE, "Upload-Offset": "0", "Tus-Resumable": "0.2.2"})
    assert (refused.status_code, refused.headers["Tus-Version"]) == (412, "1.0.0")
    assert refused.headers["Tus-Resumable"] == "1.0.0"


async def test_an_upload_comes_piece_by_piece(house: House) -> None:
    student = await house.student()
    path = await begin(student, len(PDF))
    before = house.services.clock.now() - timedelta(days=3)
    await StoredFile.rows().update_one({"uploader_id": student.user_id}, {"$set": {"updated_at": before}})
    assert (await write(student, path, 0, PDF[:1000])).status_code == 204
    row = await StoredFile.rows().find_one({"uploader_id": student.user_id})
    assert row is not None
    assert row["updated_at"] > before  # the clean-up takes it for no leftover
    assert await held_by(house, student) == (1, 1, len(PDF))
    for start, end in ((1000, 5000), (5000, len(PDF))):
        done = await write(student, path, start, PDF[start:end])
        assert (done.status_code, done.headers["Upload-Offset"]) == (204, str(end))
    assert (await write(student, path, len(PDF), b"")).status_code == 409
    file = (await student.ok("GET", path))["file"]
    assert await content_of(house, file["id"]) == PDF
    whole = await begin(student, len(PDF), piece=PDF)
    assert (await student.ok("GET", whole))["file"]["sha256"] == file["sha256"]
    await student.call("DELETE", path, headers=VERSION)
    assert await content_of(house, file["id"]) == PDF
    assert await unnamed_bytes(house) == []


async def test_what_a_piece_may_not_be(house: House) -> None:
    student, other = await house.student(), await house.student()
    path = await begin(student, len(PDF))
    sums = {name: base64.b64encode(hashlib.new(name, PDF[:9000]).digest()).decode() for name in ("sha1", "sha256")}
    cases: list[tuple[int, dict[str, str], bytes]] = [
        (409, {"Upload-Offset": "5"}, PDF),
        (400, {"Upload-Offset": "-1"}, PDF),
        (400, {"Upload-Offset": ""}, PDF),
        (413, {}, PDF + b"more"),
        (415, {"Content-Type": "application/octet-stream"}, PDF),
        (422, {}, b"<html>" + bytes(9000)),
        (460, {"Upload-Checksum": f"sha1 {sums['sha1']}"}, PDF[:8999]),
        (400, {"Upload-Checksum": f"md5 {sums['sha1']}"}, PDF[:9000]),
        (400, {"Upload-Checksum": "sha1 ???"}, PDF[:9000]),
    ]
    for status, headers, piece in cases:
        refused = await write(student, path, 0, piece, **headers)
        assert (refused.status_code, headers) == (status, headers)
        assert (await student.call("HEAD", path, headers=VERSION)).headers["Upload-Offset"] == "0"
    for method, headers in (("HEAD", {}), ("PATCH", {**PIECE, "Upload-Offset": "0"}), ("DELETE", VERSION)):
        assert (await other.call(method, path, headers=headers)).status_code == 404
    assert (await write(student, path, 0, PDF[:9000], **{"Upload-Checksum": f"sha256 {sums['sha256']}"})).is_success
    assert await unnamed_bytes(house) == []


async def test_what_an_upload_may_not_be(house: House) -> None:
    student = await house.student()
    cases: list[tuple[int, dict[str, str]]] = [
        (400, named("paper.pdf")),
        (413, {"Upload-Length": str(2 << 20), **named("paper.pdf")}),
        (422, {"Upload-Length": "10", **named("run.exe")}),
        (422, {"Upload-Length": "0", **named("paper.pdf")}),
        (422, {"Upload-Length": "10"}),
        (400, {"Upload-Length": "10", "Upload-Metadata": "filename ???"}),
        (404, {"Upload-Length": "10", **named("paper.pdf", course_id="crs_none")}),
    ]
    for status, headers in cases:
        reply = await student.call("POST", "/files/tus", headers={**VERSION, **headers})
        assert (reply.status_code, headers) == (status, headers)
    refused = {**PIECE, "Upload-Length": "6", **named("paper.pdf")}
    assert (await student.call("POST", "/files/tus", headers=refused, content=b"<html>")).status_code == 422
    assert await held_by(house, student) == (0, 0, 0)


async def test_of_many_who_write_one_does(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    student, writing, has_company = await house.student(), list[int](), asyncio.Event()
    saved, claim = UploadSessions._saved, UploadSessions._claim

    async def watched(self: UploadSessions, row: Row, *rest: Any) -> Any:
        writing.append(1)
        if len(writing) > 1:
            has_company.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await has_company.wait()
        return await saved(self, row, *rest)

    async def claimed(self: UploadSessions, row: Row, lease: str) -> Row | None:
        found = await claim(self, row, lease)
        if found is None:  # while one writes
            has_company.set()
        return found

    monkeypatch.setattr(UploadSessions, "_saved", watched)
    monkeypatch.setattr(UploadSessions, "_claim", claimed)
    path = await begin(student, len(PDF))
    replies = await asyncio.gather(*[write(student, path, 0, PDF) for _ in range(4)])
    assert len(writing) == 1  # the others wait, and have nothing in the store meanwhile
    assert sorted({reply.status_code for reply in replies}) == [204, 409]
    assert sum(reply.status_code == 204 for reply in replies) == 1
    file = (await student.ok("GET", path))["file"]
    assert await content_of(house, file["id"]) == PDF
    assert await held_by(house, student) == (1, 1, len(PDF))
    assert await unnamed_bytes(house) == []


async def test_a_crash_before_the_join_is_mended_by_whoever_looks(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = await house.student()

    async def crash(*_: object) -> None:
        raise OSError("the machine is gone")

    for lost in ("_whole", "_join"):
        path = await begin(student, len(PDF), piece=PDF[:9000])
        with monkeypatch.context() as patched:
            patched.setattr(UploadSessions, lost, crash)
            assert (await write(student, path, 9000, PDF[9000:])).status_code == 500
        head = await student.call("HEAD", path, headers=VERSION)
        assert head.headers["Upload-Offset"] == str(len(PDF))
        file = (await student.ok("GET", path))["file"]
        assert await content_of(house, file["id"]) == PDF
    assert await unnamed_bytes(house) == []


async def test_of_many_who_look_one_joins(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    student, join, joins, goes_on = await house.student(), UploadSessions._join, list[str](), asyncio.Event()

    async def slow(self: UploadSessions, row: Row, *rest: Any) -> None:
        joins.append(row["_id"])
        await goes_on.wait()
        await join(self, row, *rest)

    monkeypatch.setattr(UploadSessions, "_join", slow)
    monkeypatch.setattr(upload_sessions, "WAIT_SECONDS", 0.2)
    path = await begin(student, len(PDF), piece=PDF[:9000])
    last = asyncio.create_task(write(student, path, 9000, PDF[9000:]))
    await until(lambda: _so(joins))
    looks = await asyncio.gather(*[student.ok("GET", path) for _ in range(4)])
    assert [(one["upload_offset"], one["file"]) for one in looks] == [(len(PDF), None)] * 4
    session = UploadSession.rows()
    over = house.services.clock.now() - timedelta(seconds=1)
    await session.update_one({"_id": path.rpartition("/")[2]}, {"$set": {"expires_at": over}})
    assert await house.services.upload_sessions.forget(house.services.clock.now(), limit=10) == 1  # and yet it stays
    await session.update_one({"_id": path.rpartition("/")[2]}, {"$set": {"expires_at": over + timedelta(hours=1)}})
    goes_on.set()
    assert (await last).status_code == 204
    assert len(joins) == 1
    assert await content_of(house, (await student.ok("GET", path))["file"]["id"]) == PDF
    assert await unnamed_bytes(house) == []


async def test_what_cannot_begin_takes_no_room(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    student = await house.student()
    monkeypatch.setattr(UploadSession, "add", AsyncMock(side_effect=OSError("the store is away")))
    head = {**VERSION, "Upload-Length": str(len(PDF)), **named("paper.pdf")}
    assert (await student.call("POST", "/files/tus", headers=head)).status_code >= 500
    assert await held_by(house, student) == (0, 0, 0)


async def _so(found: list[str]) -> bool:
    return bool(found)


async def test_who_gives_up_and_who_never_comes_back_leave_nothing(house: House) -> None:
    student, sessions = await house.student(), house.services.upload_sessions
    path = await begin(student, len(PDF), piece=PDF[:9000])
    override = {**VERSION, "X-HTTP-Method-Override": "DELETE"}
    refused = await student.call("POST", "/files/tus", headers={**override, "Upload-Length": "9", **named("a.pdf")})
    assert (refused.status_code, refused.headers["Allow"]) == (405, "OPTIONS, POST")
    assert await held_by(house, student) == (1, 1, len(PDF))
    assert (await student.call("POST", path, headers=override)).status_code == 204
    assert (await student.call("HEAD", path, headers=VERSION)).status_code == 404
    assert await held_by(house, student) == (0, 0, 0)
    left = await begin(student, len(PDF), piece=PDF[:9000])
    over = house.services.clock.now() - timedelta(seconds=1)
    await UploadSession.rows().update_one({"_id": left.rpartition("/")[2]}, {"$set": {"expires_at": over}})
    assert (await student.call("HEAD", left, headers=VERSION)).status_code == 404
    assert await sessions.forget(house.services.clock.now(), limit=10) == 1
    assert await held_by(house, student) == (0, 0, 0)
    assert await unnamed_bytes(house) == []


def _bearer(visitor: Visitor) -> dict[str, str]:
    return {"Authorization": str(visitor.http.headers["Authorization"])}
