"""Files as people have them over HTTP: who is given which, in parts, by links, within attempts, and how much of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from documents.stored_file import FileUse, StoredFile
from lms_rt.ids import new_id
from lms_rt.security.file_links import FileLinks, Linked
from lms_rt.security.keyring import keyring_of
from lms_rt.services.files import FileKind, Produced
from lms_rt.storage.files.base import CHUNK_BYTES
from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.rest.uploading import PDF, held_by, photo, upload
from tests.servers.s3_server import BUCKET, KEY, KEY_ID, REGION, S3Server

ROOM_MB = 1


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school with little room."""
    room = {"max_storage_mb_per_user": ROOM_MB, "max_storage_mb_per_course": ROOM_MB}
    settings = settings_on("embedded", request, tmp_path_factory.mktemp("house"), **room)
    async with open_house(settings) as made:
        yield made


async def fetched(visitor: Visitor, file: dict[str, Any], **headers: str) -> httpx.Response:
    return await visitor.call("GET", urlsplit(file["file_url"]).path.removeprefix("/api/v1"), headers=headers)


# --- what is sent ---


async def test_a_file_is_given_as_it_is_under_its_name_and_runs_nowhere(house: House) -> None:
    student = await house.student()
    file = await upload(student, "Übung; (1) — خطّة.pdf")
    response = await fetched(student, file)
    assert (response.status_code, response.content) == (200, PDF)
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.headers["Content-Length"] == str(len(PDF))
    assert response.headers["ETag"] == f'"{file["sha256"]}"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert response.headers["Cache-Control"] == "private, no-cache"
    name = response.headers["Content-Disposition"]
    assert name.startswith('attachment; filename="_bung_ (1) _ ____.pdf"')
    assert name.endswith("; filename*=UTF-8''%C3%9Cbung%3B%20%281%29%20%E2%80%94%20%D8%AE%D8%B7%D9%91%D8%A9.pdf")
    known = await fetched(student, file, **{"If-None-Match": f'"x", W/"{file["sha256"]}"'})
    assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", response.headers["ETag"])
    head = await student.call("HEAD", f"/files/{file['id']}/download")
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", str(len(PDF)))
    other_spelling = await student.call("GET", f"/files/download/{file['id']}?disposition=inline")
    assert other_spelling.headers["Content-Disposition"].startswith("inline; ")


async def test_a_text_is_given_in_the_encoding_that_it_was_written_in(house: House) -> None:
    teacher, words = await house.teacher(), "الدرس الأول في الجبر\n" * 400
    for raw, charset in (
        (words.encode(), "utf-8"),
        (words.encode("utf-16"), "utf-16"),
        (words.encode("cp1256"), "windows-1256"),
    ):
        file = await upload(teacher, "notes.txt", raw)
        sent = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(raw)), "Upload-Metadata": "filename bm90ZXMudHh0"}
        piece = {"Content-Type": "application/offset+octet-stream"}
        begun = await teacher.call("POST", "/files/tus", headers=sent | piece, content=raw)
        path = begun.headers["Location"].removeprefix("/api/v1")
        other = (await teacher.ok("GET", path))["file"]
        for one in (file, other):
            given = await teacher.call("GET", f"/files/{one['id']}/download?disposition=inline")
            assert (given.headers["Content-Type"], given.text) == (f"text/plain; charset={charset}", words)
            assert one["mime_type"] == "text/plain"


async def test_parts_of_a_file_are_given_as_http_wants_it(house: House) -> None:
    student = await house.student()
    file = await upload(student)
    size, tag = len(PDF), f'"{file["sha256"]}"'
    parts = {
        "bytes=0-0": (0, 1),
        "bytes=5-9": (5, 5),
        "bytes=100-": (100, size - 100),
        "bytes=-7": (size - 7, 7),
        f"bytes=-{size * 2}": (0, size),
        f"bytes={size - 1}-{size * 9}": (size - 1, 1),
        "Bytes= 1-2": (1, 2),
    }
    for asked, (start, length) in parts.items():
        response = await fetched(student, file, Range=asked)
        assert (response.status_code, response.content) == (206, PDF[start : start + length]), asked
        assert response.headers["Content-Range"] == f"bytes {start}-{start + length - 1}/{size}"
        assert response.headers["Content-Length"] == str(length)
    for whole in ("bytes=0-1,5-6", "bytes=9-5", "lines=1-2", "bytes=-", "bytes=a-b", "bytes 0-5"):
        assert (await fetched(student, file, Range=whole)).status_code == 200, whole
    for nothing in (f"bytes={size}-", "bytes=-0"):
        problem = await student.call("GET", f"/files/{file['id']}/download", headers={"Range": nothing})
        assert (problem.status_code, problem.json()["code"]) == (416, "range_not_satisfiable")
        assert problem.headers["Content-Range"] == f"bytes */{size}"
    for held, status in {tag: 206, '"other"': 200, f"W/{tag}": 200, "Sat, 01 Jan 2028 00:00:00 GMT": 200}.items():
        answer = await fetched(student, file, Range="bytes=0-4", **{"If-Range": held})
        assert answer.status_code == status, held


async def test_of_a_client_that_takes_nothing_little_is_held(house: House) -> None:
    """A film of 64 MiB, and somebody who asks for it and does not read."""
    student, read = await house.student(), list[int]()
    produced = Produced(
        new_id("fil"), student.user_id, FileUse.CERTIFICATE, "crt_one", "film.mp4", FileKind("video/mp4", "video")
    )

    async def film() -> AsyncIterator[bytes]:
        for _ in range(256):
            yield b"\0" * CHUNK_BYTES

    await house.services.files.produce(produced, film())
    store = house.services.file_store
    really_read = store.read

    async def watched(file_id: str, *, start: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
        async for piece in really_read(file_id, start=start, size=size):
            read.append(len(piece))
            yield piece

    store.read = watched  # type: ignore[method-assign]
    try:
        at = urlsplit(house.address)
        reader, writer = await asyncio.open_connection(at.hostname, at.port, limit=1024)
        token = student.tokens["access_token"]
        path = f"/api/v1/files/{produced.file_id}/download"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {at.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        await reader.readline()
        for _ in range(30):
            await student.ok("GET", "/files")
        assert 0 < len(read) < 128
        writer.close()
    finally:
        store.read = really_read  # type: ignore[method-assign]


# --- who is given it ---


async def test_a_file_is_its_uploaders_until_it_is_shared(house: House) -> None:
    teacher, other_teacher, admin = await house.teacher(), await house.teacher(), await house.admin()
    enrolled, other, stranger = await house.student(), await house.student(), await house.visitor()
    course = await factories.course(teacher)
    fellow = await house.student()
    for student in (enrolled, fellow):
        await factories.enrolled(student, course["id"])
    own = await upload(enrolled)
    files, actor = house.services.files, await house.services.sessions.authenticate(enrolled.tokens["access_token"])
    work = await upload(enrolled)
    await files.attach(actor, [work["id"]], use=FileUse.SUBMISSION, subject_id="sub_x", course_id=course["id"])
    await files.detach(FileUse.SUBMISSION, "sub_x")
    of_course = await upload(teacher, course_id=course["id"])
    public = await upload(teacher, is_public="true")
    expected = {
        own["id"]: {enrolled, admin},
        work["id"]: {enrolled, admin},  # work that was taken back: nobody's but the student's
        of_course["id"]: {teacher, admin, enrolled, fellow},
        public["id"]: {teacher, other_teacher, admin, enrolled, fellow, other, stranger},
    }
    for file_id, readers in expected.items():
        for asking in (teacher, other_teacher, admin, enrolled, fellow, other, stranger):
            status = (await asking.call("GET", f"/files/{file_id}/download")).status_code
            assert status == (200 if asking in readers else 404)
    listed = await enrolled.ok("GET", "/files/my-files")
    assert [item["id"] for item in listed["items"]] == [work["id"], own["id"]]
    await other.refused(404, "GET", f"/files/{own['id']}")
    await other.refused(404, "DELETE", f"/files/{own['id']}")
    await other.refused(404, "POST", f"/files/{own['id']}/signed-url", json={})


async def test_a_link_opens_one_file_in_one_manner_until_it_is_over(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    student, stranger = await house.student(), await house.visitor()
    file, other = await upload(student), await upload(student)
    with caplog.at_level(logging.INFO):
        link = await student.ok("POST", f"/files/{file['id']}/signed-url", json={"expires_in_seconds": 60})
        path = link["url"].removeprefix("/api/v1")
        opened = await stranger.call("GET", path, headers={"Range": "bytes=0-3"})
    assert (opened.status_code, opened.content) == (206, PDF[:4])
    signature = path.rpartition("signature=")[2]
    assert len(signature) > 40
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
    assert ours
    assert not any(signature in message for message in ours)
    moved = {
        "file": path.replace(file["id"], other["id"]),
        "manner": path.replace("attachment", "inline"),
        "end": path.replace("expires=1", "expires=2"),
        "signature": path[:-2] + ("AA" if path[-2:] != "AA" else "BB"),
        "none": path.partition("&signature=")[0],
    }
    for what, changed in moved.items():
        assert changed != path
        assert (await stranger.call("GET", changed)).status_code == 404, what
    links = FileLinks(keyring_of(house.services.settings))
    over = house.services.clock.now_ms() // 1000 - 1
    signed = links.sign(Linked(file["id"], "inline", over), signer_id=student.user_id)
    late = await stranger.call(
        "GET", f"/files/{file['id']}/download?disposition=inline&expires={over}&signature={signed}"
    )
    assert (late.status_code, late.json()["detail"]) == (403, "The link has expired.")
    await student.ok("DELETE", f"/files/{file['id']}")
    assert (await stranger.call("GET", path)).status_code == 404


async def test_files_in_questions_are_given_within_the_attempt_and_nowhere_else(house: House) -> None:
    teacher, sitting, other = await house.teacher(), await house.student(), await house.student()
    course = await factories.course(teacher)
    shown, key = await upload(teacher, course_id=course["id"]), await upload(teacher)
    text = f"What does [the paper](file:{shown['id']}) say?"
    question = factories.TRUE_FALSE | {"question_text": text, "explanation": f"See {key['file_url']}."}
    quiz = await factories.quiz(teacher, course["id"], (question,), show_correct_answers="after_submit")
    for student in (sitting, other):
        await factories.enrolled(student, course["id"])
        assert (await fetched(student, shown)).status_code == 404
    attempt = await sitting.ok("POST", "/attempts", json={"quiz_id": quiz["id"], "device_id": "laptop"})
    asked = attempt["questions"][0]
    assert f'href="{shown["file_url"]}?disposition=inline"' in asked["question_html"]
    assert (await fetched(sitting, shown)).status_code == 200
    assert (await fetched(sitting, key)).status_code == 404
    assert (await fetched(other, shown)).status_code == 404
    await sitting.refused(403, "POST", f"/files/{shown['id']}/signed-url", json={})
    await teacher.refused(409, "DELETE", f"/files/{shown['id']}")
    answers = [{"question_id": asked["id"], "value": True}]
    body = {"answers": answers, "device_id": "laptop", "lease": attempt["lease"]}
    await sitting.ok("POST", f"/attempts/{attempt['id']}/submit", json=body)
    assert (await fetched(sitting, key)).status_code == 200
    assert (await fetched(other, key)).status_code == 404
    foreign = factories.TRUE_FALSE | {"question_text": f"[x](file:{(await upload(other))['id']})"}
    problem = await teacher.refused(422, "POST", f"/quizzes/{quiz['id']}/questions", json=foreign)
    assert problem["errors"][0]["field"] == "question_text"


async def test_pictures_are_given_to_whoever_sees_what_they_are_of(house: House) -> None:
    teacher, student, fellow, stranger = (
        await house.teacher(), await house.student(), await house.student(), await house.visitor()
    )  # fmt: skip
    files = [await upload(who, "me.png", photo("PNG", (8, 8))) for who in (teacher, student, teacher, teacher)]
    taught, own, of_course, next_one = files
    for file in files:
        assert (file["status"], file["file_type"]) == ("processing", "image")
    for who, file in ((teacher, taught), (student, own)):
        await who.ok("PATCH", "/users/me", json={"avatar_file_id": file["id"]})
        assert (await fetched(fellow, file)).status_code == 404  # nobody is given one that tells of its camera
    course = await factories.course(teacher, thumbnail_url=of_course["file_url"])
    for file in files:
        await StoredFile.change(file["id"], {}, {"$set": {"state": "ready"}})
    seen = {taught["id"]: (200, 200), own["id"]: (200, 404), of_course["id"]: (200, 200), next_one["id"]: (404, 404)}
    for file in files:
        got = tuple([(await fetched(who, file)).status_code for who in (fellow, stranger)])
        assert got == seen[file["id"]]
    await teacher.ok("PATCH", f"/courses/{course['id']}", json={"thumbnail_url": next_one["file_url"]})
    await student.ok("PATCH", "/users/me", json={"avatar_file_id": None})
    now = [(await fetched(stranger, file)).status_code for file in (of_course, next_one)]
    assert (now, (await fetched(fellow, own)).status_code) == ([404, 200], 404)
    paper = await upload(student)
    for file_id in (own["id"], paper["id"]):
        refused = await fellow.refused(422, "PATCH", "/users/me", json={"avatar_file_id": file_id})
        assert refused["errors"][0]["field"] == "avatar_file_id"
    body = {"title": "Mine", "thumbnail_url": own["file_url"]}
    assert (await teacher.refused(422, "POST", "/courses", json=body))["errors"][0]["field"] == "thumbnail_url"


# --- room ---


async def test_of_uploads_that_meet_only_those_get_in_for_which_there_is_room(house: House) -> None:
    student = await house.student()
    third = b"%PDF-1.7\n" + b"x" * (ROOM_MB * 1024 * 1024 * 2 // 5)

    async def try_it() -> httpx.Response:
        return await student.call("POST", "/files/upload", files={"file": ("a.pdf", third)})

    got = await asyncio.gather(*(try_it() for _ in range(5)))
    assert sorted(response.status_code for response in got) == [201, 201, 413, 413, 413]
    refused = next(response.json() for response in got if response.status_code == 413)
    assert (refused["code"], refused["quota"]) == ("too_large", "user")
    assert await student.ok("GET", "/files/quota") == {
        "used_bytes": 2 * len(third),
        "limit_bytes": ROOM_MB * 1024 * 1024,
    }
    kept = next(response.json() for response in got if response.status_code == 201)
    await student.ok("DELETE", f"/files/{kept['id']}")
    assert await held_by(house, student) == (1, 0, len(third))
    assert (await try_it()).status_code == 201


async def test_a_course_has_its_own_room_whoever_fills_it(house: House) -> None:
    teacher = await house.teacher()
    course = await factories.course(teacher)
    half = b"%PDF-1.7\n" + b"x" * (ROOM_MB * 1024 * 1024 * 3 // 5)
    await upload(teacher, content=half, course_id=course["id"])
    admin = await house.admin()
    data = {"course_id": course["id"]}
    refused = await admin.refused(413, "POST", "/files/upload", files={"file": ("b.pdf", half)}, data=data)
    assert refused["quota"] == "course"
    assert (await held_by(house, admin))[0] == 0


# --- the cloud ---


@pytest.mark.real
async def test_a_cloud_gives_its_files_itself_but_not_into_pages_nor_out_of_attempts(
    s3: S3Server, request: pytest.FixtureRequest, tmp_path: Any
) -> None:
    place = {"s3_bucket": BUCKET, "s3_region": REGION, "s3_endpoint_url": s3.url}
    keys = {"s3_access_key_id": KEY_ID, "s3_secret_access_key": KEY}
    settings = settings_on("embedded", request, tmp_path, file_storage_provider="s3", **place, **keys)
    async with open_house(settings) as house:
        student = await house.student()
        file = await upload(student, "خطّة.pdf")
        assert file["storage_provider"] == "s3"
        sent = await fetched(student, file)
        assert (sent.status_code, sent.headers["Cache-Control"]) == (302, "no-store")
        async with httpx.AsyncClient() as anybody:
            got = await anybody.get(sent.headers["Location"])
        assert (got.content, got.headers["Content-Type"]) == (PDF, "application/pdf")
        assert "filename*=UTF-8''" in got.headers["Content-Disposition"]
        in_page = await fetched(student, file, **{"Sec-Fetch-Dest": "image", "Range": "bytes=1-4"})
        assert (in_page.status_code, in_page.content) == (206, PDF[1:5])
        await house.services.files.attach(
            await house.services.sessions.authenticate(student.tokens["access_token"]),
            [file["id"]],
            use=FileUse.SUBMISSION,
            subject_id="sub_one",
        )
        assert (await fetched(student, file)).status_code == 200
        ready = (await house.visitor()).http
        told = (await ready.get(f"{house.address}/ready")).json()
        assert told["checks"]["storage"]["state"] == "ok"
        await student.refused(409, "DELETE", f"/files/{file['id']}")
