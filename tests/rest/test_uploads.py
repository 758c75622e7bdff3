"""Uploading files over HTTP: what is kept, what is refused, and that nothing stays of what broke off."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest
from PIL import Image, ImageSequence

from documents.stored_file import StoredFile
from handlers.rest import incoming, streaming
from handlers.rest.incoming import Incoming
from lms_rt.services import image_drawing
from lms_rt.services.images import DRAW_SECONDS
from lms_rt.services.jobs import Failed
from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.rest.uploading import (
    FORM,
    PDF,
    bomb_of,
    content_of,
    film,
    form,
    held_by,
    office,
    phone_photo,
    photo,
    unnamed_bytes,
    until,
    upload,
)
from tests.working import PATIENCE_SECONDS, working

NOTHING = (0, 0, 0)
HTML = b"<!DOCTYPE html><script>alert(1)</script>"
LONG = PDF * 12
"""Longer than what is read at once: what stands after it in a form is not there yet when the file begins."""
FILE = ("file", "paper.pdf", LONG)


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school that takes small files. Stores have a suite of their own."""
    settings = settings_on("embedded", request, tmp_path_factory.mktemp("house"), max_upload_mb=1)
    async with open_house(settings) as made:
        yield made


async def test_an_uploaded_file_is_kept_as_it_was_sent(house: House) -> None:
    student = await house.student()
    response = await student.call(
        "POST",
        "/files/upload",
        files={"file": ("../secret/خطّة\u202e.PDF", PDF, "text/html")},
        data={"folder": "maths/week-1"},
    )
    assert response.status_code == 201
    file = response.json()
    assert response.headers["Location"] == f"/api/v1/files/{file['id']}"
    assert file["original_filename"] == "خطّة_.pdf"
    told = (file["mime_type"], file["file_type"], file["file_size"], file["folder"], file["is_public"])
    assert told == ("application/pdf", "document", len(PDF), "maths/week-1", False)
    assert file["sha256"] == hashlib.sha256(PDF).hexdigest()
    assert await content_of(house, file["id"]) == PDF
    assert await held_by(house, student) == (1, 0, len(PDF))


async def test_fields_count_wherever_they_stand(house: House) -> None:
    teacher = await house.teacher()
    course = await factories.course(teacher)
    said = [("folder", None, b"week-1"), ("is_public", None, b"true"), ("course_id", None, course["id"].encode())]
    for parts in ([*said, FILE], [FILE, *said], [said[0], FILE, *said[1:]]):
        file = await teacher.ok("POST", "/files/upload", content=form(*parts), headers=FORM)
        assert (file["folder"], file["is_public"], file["course_id"]) == ("week-1", True, course["id"])
    quotas = house.services.files.quotas
    assert (await quotas.of_user(teacher.user_id)).used_bytes == 3 * len(LONG)
    assert (await upload(teacher, "letter.docx", office("word/document.xml")))["file_type"] == "document"
    row = await StoredFile.find_row(file["id"])
    assert row is not None
    assert row["reserved_bytes"] == 0


REFUSED = {
    "a kind that is not taken": (422, form(("file", "run.exe", b"MZ"))),
    "a page": (422, form(("file", "page.html", HTML))),
    "a page called a text": (422, form(("file", "page.txt", HTML))),
    "a page behind the head of a picture": (422, form(("file", "dot.gif", b"GIF89a" + HTML))),
    "a text called a picture": (422, form(("file", "photo.png", b"hello"))),
    "a letter called a table": (422, form(("file", "table.xlsx", office("word/document.xml")))),
    "a name without a kind": (422, form(("file", "pdf", PDF))),
    "a name that is all path": (422, form(("file", "../..", PDF))),
    "nothing in it": (422, form(("file", "paper.pdf", b""))),
    "no file": (422, form(("folder", None, b"week-1"))),
    "a file without a name": (422, form(("file", None, PDF))),
    "two files": (422, form(FILE, FILE)),
    "a field nobody knows": (422, form(FILE, ("uploader_id", None, b"usr_1"))),
    "a field twice": (422, form(("folder", None, b"a"), ("folder", None, b"b"), FILE)),
    "a folder that climbs": (422, form(FILE, ("folder", None, b"../up"))),
    "a course of others": (404, form(FILE, ("course_id", None, b"crs_none"))),
    "a course of others first": (404, form(("course_id", None, b"crs_none"), FILE)),
    "a field that is a novel": (422, form(("folder", None, b"a" * 200_000), FILE)),
    "too many fields": (422, form(*[(f"f{n}", None, b"") for n in range(12)])),
    "no end": (400, form(FILE, end=False)),
    "no form": (400, b"hello"),
    "a header that is a novel": (400, form(("file", "a" * 9000 + ".pdf", PDF))),
    "another encoding": (
        400,
        form(FILE).replace(b'"paper.pdf"', b'"paper.pdf"\r\nContent-Transfer-Encoding: base64'),
    ),
}


async def test_what_is_refused_leaves_nothing(house: House) -> None:
    teacher = await house.teacher()
    for what, (status, body) in REFUSED.items():
        response = await teacher.call("POST", "/files/upload", content=body, headers=FORM)
        assert (what, response.status_code) == (what, status), response.text
        assert (what, await held_by(house, teacher)) == (what, NOTHING)
    await teacher.refused(415, "POST", "/files/upload", json={"file": "paper.pdf"})
    await teacher.refused(400, "POST", "/files/upload", content=b"", headers={"Content-Type": "multipart/form-data"})
    assert await unnamed_bytes(house) == []


async def test_what_is_too_large_is_refused_before_and_while_it_comes(house: House) -> None:
    student = await house.student()
    large = PDF + bytes(1 << 20)

    async def unannounced() -> AsyncIterator[bytes]:
        body = form(("file", "large.pdf", large))
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    announced = await student.call("POST", "/files/upload", content=form(("file", "a.pdf", large * 2)), headers=FORM)
    streamed = await student.call("POST", "/files/upload", content=unannounced(), headers=FORM)
    for response in (announced, streamed):
        assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert await held_by(house, student) == NOTHING
    assert await unnamed_bytes(house) == []


async def test_who_has_no_room_left_is_told(house: House) -> None:
    student, quotas = await house.student(), house.services.files.quotas
    everything = (await quotas.of_user(student.user_id)).limit_bytes - 1000
    await quotas.take(everything, user_id=student.user_id, course_id=None)
    problem = await student.refused(413, "POST", "/files/upload", files={"file": ("paper.pdf", PDF)})
    assert (problem["quota"], problem["limit_bytes"]) == ("user", everything + 1000)
    assert await held_by(house, student) == (0, 0, everything)


async def test_strangers_are_told_before_they_send_anything(house: House) -> None:
    visitor = await house.visitor()
    await visitor.refused(401, "POST", "/files/upload", files={"file": ("paper.pdf", PDF)})
    head = b"POST /api/v1/files/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\nExpect: 100-continue\r\n\r\n"
    student = await house.student()
    large = _head(student, 9_000_000).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    for asked, status in ((head, b"401"), (large, b"413")):
        async with _line(house) as (reader, writer):
            writer.write(asked)
            assert (await reader.readline()).startswith(b"HTTP/1.1 " + status)


async def test_who_was_refused_cannot_keep_the_line(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "REFUSED_SECONDS", 0.2)
    student = await house.student()
    named = form(("file", "run.exe", PDF))[:200]
    tus = b"PATCH /api/v1/files/tus/upl_none HTTP/1.1\r\n" + _head(student, 100_000).partition(b"\r\n")[2]
    stranger = b"POST /api/v1/files/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
    for sent, status in ((stranger, b"401"), (_head(student, 100_000) + named, b"422"), (tus, b"404")):
        async with _line(house) as (reader, writer):
            writer.write(sent)
            async with asyncio.timeout(10):
                assert (await reader.read()).startswith(b"HTTP/1.1 " + status)  # and the line has ended


async def test_a_line_that_is_cut_leaves_nothing(house: House) -> None:
    student = await house.student()
    body = form(("file", "paper.pdf", PDF * 20))
    async with _line(house) as (_, writer):
        writer.write(_head(student, len(body)) + body[:200_000])
        await writer.drain()
        await until(lambda: _holds(house, student, something=True))
    await until(lambda: _holds(house, student, something=False))
    assert await unnamed_bytes(house) == []


async def test_who_falls_silent_is_cut_off(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    student, body = await house.student(), form(FILE)
    monkeypatch.setattr(incoming, "IDLE_SECONDS", 0.05)
    async with _line(house) as (reader, writer):
        writer.write(_head(student, len(body)) + body[:300])
        assert await _nothing_more(reader)
    await until(lambda: _holds(house, student, something=False))


async def test_who_only_keeps_the_line_busy_is_cut_off(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    student, body = await house.student(), form(FILE)
    monkeypatch.setattr(incoming, "FREE_SECONDS", 0.0)
    monkeypatch.setattr(incoming, "LEAST_BYTES_PER_SECOND", 1e9)
    async with _line(house) as (reader, writer):
        writer.write(_head(student, len(body)) + body[:300])
        async with _dripping(writer, monkeypatch):
            assert await _nothing_more(reader)
    await until(lambda: _holds(house, student, something=False))


async def test_uploads_have_a_limit_of_their_own(house: House) -> None:
    student = await house.student()
    limit = house.services.settings.rate_limit_uploads_per_hour
    assert limit == 100
    response = await student.call("POST", "/files/upload", content=b"", headers=FORM)
    assert response.status_code == 400
    from handlers.routes import ROUTES

    counted = {row.path: row.counts_as for row in ROUTES if row.is_streamed}
    assert counted == {"/files/upload": "uploads", "/files/tus": "uploads", "/files/tus/{upload_id}": "upload_pieces"}


async def is_small_and_kept(reader: Visitor, path: str) -> None:
    """A small picture, which its reader need not fetch again."""
    small = await reader.call("GET", path)
    assert (small.status_code, small.headers["Content-Type"]) == (200, "image/webp")
    assert (small.headers["X-Content-Type-Options"], small.headers["Content-Disposition"]) == ("nosniff", "inline")
    assert small.headers["Cache-Control"] == "private, max-age=3600"
    known = {"If-None-Match": small.headers["ETag"]}
    again = await reader.call("GET", path, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    with Image.open(io.BytesIO(small.content)) as image:
        assert max(image.size) == 320


async def test_an_image_is_its_uploaders_alone_until_it_is_clean(house: House) -> None:
    student, other = await house.teacher(), await house.student()
    file = await upload(student, "photo.jpg", photo(), is_public="true")
    assert (file["status"], file["file_type"], file["thumbnail_url"]) == ("processing", "image", None)
    await other.refused(404, "GET", f"/files/{file['id']}/thumbnail")
    await student.refused(404, "GET", f"/files/{file['id']}/thumbnail")
    bomb = await upload(student, "bomb.png", bomb_of(40_000, 40_000), is_public="true")
    torn = await upload(student, "torn.jpg", photo()[:2000])
    drawing = await upload(student, "drawing.png", photo("PNG"))
    async with working(house, "progress"):
        for one in (file, bomb, torn, drawing):
            await until(partial(_is_cleaned, one["id"]))
    for undrawn, because in ((bomb, "too_large"), (torn, "unreadable")):
        seen = await student.ok("GET", f"/files/{undrawn['id']}")
        assert (seen["status"], seen["refused_because"], seen["thumbnail_url"]) == ("refused", because, None)
        await other.refused(404, "GET", f"/files/{undrawn['id']}/download")
        await student.ok("DELETE", f"/files/{undrawn['id']}")
    told = (await student.ok("GET", "/notifications"))["items"]
    assert {(one["kind"], one["data"]["filename"]) for one in told} == {
        ("file.refused", "bomb.png"),
        ("file.refused", "torn.jpg"),
    }
    for kept in (file, drawing):
        clean = await content_of(house, kept["id"])
        assert b"Secret" not in clean
        with Image.open(io.BytesIO(clean)) as image:
            assert (image.size, dict(image.getexif())) == ((480, 640), {})
        row = await StoredFile.find_row(kept["id"])
        assert row is not None
        assert (row["width"], row["height"], row["file_size"]) == (480, 640, len(clean))
    await is_small_and_kept(other, f"/files/{file['id']}/thumbnail")
    await other.refused(404, "GET", f"/files/{drawing['id']}/thumbnail")
    assert await unnamed_bytes(house) == []
    kept_bytes = sum([len(await content_of(house, one["id"])) for one in (file, drawing)])
    assert await held_by(house, student) == (2, 0, kept_bytes)


async def test_what_the_machine_is_at_fault_for_costs_nobody_an_image(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    student, images = await house.student(), house.services.images
    fine, killed = await upload(student, "a.jpg", photo()), await upload(student, "b.jpg", photo())
    for cpu, memory in ((0, 1 << 40), (60, 1 << 20)):
        words = ("-c", f"import resource as r; r.setrlimit(r.RLIMIT_CPU, ({cpu},) * 2); bytes({memory})\nwhile 1: pass")
        with monkeypatch.context() as patched:
            patched.setattr("lms_rt.services.images.PROGRAM", words)
            patched.setattr("lms_rt.services.images.DRAW_SECONDS", 0.5)
            with pytest.raises(Failed):
                await images.clean(fine["id"])
            await images.clean(killed["id"], is_last_try=True)
    await images.clean(fine["id"])
    assert (await student.ok("GET", f"/files/{fine['id']}"))["status"] == "ready"
    seen = await student.ok("GET", f"/files/{killed['id']}")
    assert (seen["status"], seen["refused_because"]) == ("refused", "not_drawn")
    assert (await student.call("GET", f"/files/{killed['id']}/download")).content == photo()


async def test_pictures_of_phones_and_films_are_drawn_as_one_sees_them(house: House) -> None:
    student, drawn = await house.student(), {}
    for name, content in (("phone.jpg", phone_photo()), ("film.gif", film("GIF")), ("film.png", film("PNG"))):
        file = await upload(student, name, content)
        await house.services.images.clean(file["id"])
        drawn[name] = Image.open(io.BytesIO(await content_of(house, file["id"])))
    assert (drawn["phone.jpg"].format, drawn["phone.jpg"].size) == ("JPEG", (48, 64))
    for name in ("film.gif", "film.png"):
        times = [(frame.load(), frame.info["duration"])[1] for frame in ImageSequence.Iterator(drawn[name])]
        assert (name, times) == (name, [100, 700, 40])


def test_a_decoder_that_stumbles_refuses_and_bounds_grow_with_the_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "photo.jpg"
    source.write_bytes(photo())
    paths = (str(source), str(tmp_path / "clean"), str(tmp_path / "small"), 40_000_000)
    for fault in (struct.error("x"), KeyError("x"), IndexError(), zlib.error(), OSError("cut short"), SyntaxError()):
        monkeypatch.setattr(Image, "open", Mock(side_effect=fault))
        with pytest.raises(image_drawing.NoImage):
            image_drawing.draw(*paths)
    for error in (OSError(errno.ENOSPC, "full"), MemoryError()):
        monkeypatch.setattr(Image, "open", Mock(side_effect=error))
        with pytest.raises(type(error)):
            image_drawing.draw(*paths)
    assert image_drawing.cpu_seconds(40_000_000) >= 60
    assert image_drawing.memory_bytes(40_000_000) >= 1900 << 20
    assert image_drawing.cpu_seconds(80_000_000) < DRAW_SECONDS


async def _is_cleaned(file_id: str) -> bool:
    """Was the image drawn, or refused?"""
    row = await StoredFile.find_any(file_id)
    return row is None or row["state"] != "processing"


async def _holds(house: House, visitor: Visitor, *, something: bool) -> bool:
    return (await held_by(house, visitor) != NOTHING) == something


@asynccontextmanager
async def _line(house: House) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection by hand, cut at the end of the block."""
    parts = urlsplit(house.address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


def _head(visitor: Visitor, length: int) -> bytes:
    lines = {
        "Host": "localhost",
        "Authorization": str(visitor.http.headers["Authorization"]),
        "Content-Length": str(length),
        **FORM,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST /api/v1/files/upload HTTP/1.1\r\n{head}\r\n".encode()


async def _nothing_more(reader: asyncio.StreamReader) -> bool:
    """Did the school hang up, without an answer?"""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await reader.read() == b""
    except ConnectionResetError:
        return True


@asynccontextmanager
async def _dripping(writer: asyncio.StreamWriter, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """A byte more is sent each time the school asks for a piece."""
    asked, take = asyncio.Event(), Incoming.__anext__

    async def noted(body: Incoming) -> bytes:
        asked.set()
        return await take(body)

    async def drip() -> None:
        while True:
            await asked.wait()
            asked.clear()
            writer.write(b"x")

    with monkeypatch.context() as patched:
        patched.setattr(Incoming, "__anext__", noted)
        dripping = asyncio.create_task(drip())
        try:
            yield
        finally:
            dripping.cancel()
