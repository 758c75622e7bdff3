"""How far files reach, over HTTP: what exams and work use goes by that alone, links end with rights, and nothing raw leaves."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from documents.stored_file import StoredFile
from lms_rt.services.download_room import RUNNING, DownloadRoom
from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.rest.uploading import PDF, photo, upload


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(settings_on("embedded", request, tmp_path_factory.mktemp("house"))) as made:
        yield made


async def status_of(visitor: Visitor, *files: dict[str, Any]) -> list[int]:
    paths = [urlsplit(file["file_url"]).path.removeprefix("/api/v1") for file in files]
    return [(await visitor.call("GET", path)).status_code for path in paths]


async def test_what_an_answer_is_told_is_withheld_and_a_question_ends_with_its_attempt(house: House) -> None:
    """Though it is public, in a lesson, or in another question: the key's is not given before, nor the question's after."""
    teacher, student, stranger = await house.teacher(), await house.student(), await house.visitor()
    course = await factories.course(teacher)
    enrollment = await factories.enrolled(student, course["id"])
    for policy, after in {"never": [404, 404, 404], "after_submit": [200, 200, 200]}.items():
        shown, told, both = await upload(teacher, is_public="true"), await upload(teacher), await upload(teacher)
        lesson = {"title": policy, "content_type": "document", "is_published": True, "file_id": shown["id"]}
        await teacher.ok("POST", f"/courses/{course['id']}/lessons", json=lesson)
        assert await status_of(stranger, shown) == [200]
        options = [
            {"id": "a", "text": f"[it](file:{shown['id']})", "feedback": f"See [it](file:{told['id']})."},
            {"id": "b", "text": "no"},
        ]
        key = factories.CHOICE | {"options": options, "explanation": f"[it](file:{both['id']})"}
        asked = factories.TRUE_FALSE | {"question_text": f"[it](file:{both['id']})"}
        quiz = await factories.quiz(teacher, course["id"], (key, asked), show_correct_answers=policy)
        attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"], "device_id": "laptop"})
        assert await status_of(student, shown, told, both) == [200, 404, 404]
        uses = await StoredFile.find_row(told["id"])
        assert uses is not None
        formerly = {"uses": [use.replace("question_key", "question") for use in uses["uses"]]}
        await StoredFile.change(told["id"], {}, {"$set": formerly})  # as it was put to use once
        assert (await status_of(student, told), await status_of(stranger, shown)) == ([404], [404])
        body = {"answers": [], "device_id": "laptop", "lease": attempt["lease"]}
        await student.ok("POST", f"/attempts/{attempt['id']}/submit", json=body)
        assert await status_of(student, shown, told, both) == after
    await student.ok("DELETE", f"/enrollments/{enrollment['id']}")
    assert await status_of(student, shown, told, both) == [404, 404, 404]


async def test_a_link_ends_with_the_rights_of_who_made_it_and_with_what_the_file_is_for(house: House) -> None:
    teacher, student, stranger = await house.teacher(), await house.student(), await house.visitor()
    course = await factories.course(teacher)
    enrollment = await factories.enrolled(student, course["id"])
    first, second = [await upload(teacher, course_id=course["id"]) for _ in range(2)]

    async def linked(by: Visitor, file: dict[str, Any]) -> dict[str, Any]:
        link = await by.ok("POST", f"/files/{file['id']}/signed-url", json={})
        return {"file_url": link["url"]}

    links = [await linked(student, first), await linked(student, second), await linked(teacher, first)]
    assert [await _open(stranger, link) for link in links] == [200, 200, 200]
    question = factories.TRUE_FALSE | {"question_text": f"[it](file:{first['id']})"}
    await factories.quiz(teacher, course["id"], (question,))
    assert [await _open(stranger, link) for link in links] == [404, 200, 404]
    assert await _open(stranger, await linked(teacher, first)) == 200
    await student.ok("DELETE", f"/enrollments/{enrollment['id']}")
    assert await _open(stranger, links[1]) == 404


async def _open(visitor: Visitor, link: dict[str, Any]) -> int:
    return (await visitor.call("GET", link["file_url"].removeprefix("/api/v1"))).status_code


async def test_of_work_nothing_is_packed_before_it_is_clean_nor_shown_to_the_class(house: House) -> None:
    """An image that tells of its camera stays out of the ZIP; a student's file goes into no lesson and no question of the teacher."""
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher)
    await factories.enrolled(student, course["id"])
    raw, clean = await upload(student, "me.jpg", photo()), await upload(student)
    assignment = await teacher.ok("POST", "/assignments", json={"course_id": course["id"], "title": "Essay"})
    body = {"content": "It climbs.", "file_ids": [raw["id"], clean["id"]]}
    await student.ok("POST", f"/assignments/{assignment['id']}/submit", json=body)
    packed = await teacher.call("GET", f"/assignments/{assignment['id']}/submissions/archive")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as opened:
        contents = [opened.read(name) for name in opened.namelist()]
        assert (PDF in contents, any(b"Secret Photographer" in one for one in contents)) == (True, False)
        assert any(b"is not there yet" in one for one in contents)
    lesson = {"title": "L", "content_type": "document", "is_published": True, "file_id": clean["id"]}
    question = factories.TRUE_FALSE | {"question_text": f"[it](file:{clean['id']})"}
    quiz = await teacher.ok("POST", "/quizzes", json={"course_id": course["id"], "title": "Midterm"})
    for path, sent in {
        f"/courses/{course['id']}/lessons": lesson,
        f"/quizzes/{quiz['id']}/questions": question,
    }.items():
        refused = await teacher.refused(422, "POST", path, json=sent)
        assert refused["errors"][0]["code"] == "unknown_file"


async def test_files_that_texts_name_are_put_to_use_and_let_go_again(house: House) -> None:
    """In a lesson, in what a course and an assignment say of themselves: nobody else's are taken."""
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher)
    await factories.enrolled(student, course["id"])
    foreign = f"[it](file:{(await upload(student))['id']})"
    assignment = await teacher.ok("POST", "/assignments", json={"course_id": course["id"], "title": "Essay"})
    places = {
        f"/lessons/{course['lessons'][0]['id']}": ("content", "lesson"),
        f"/courses/{course['id']}": ("description", "course_image"),
        f"/assignments/{assignment['id']}": ("description", "assignment"),
    }
    for path, (field, use) in places.items():
        file = await upload(teacher)
        await teacher.ok("PATCH", path, json={field: f"![it](file:{file['id']})"})
        row = await StoredFile.find_row(file["id"])
        assert row is not None
        assert (row["uses"], await status_of(student, file)) == ([f"{use}:{path.rpartition('/')[2]}"], [200])
        refused = await teacher.refused(422, "PATCH", path, json={field: foreign})
        assert (refused["errors"][0]["field"], refused["errors"][0]["code"]) == (field, "unknown_file")
        await teacher.ok("PATCH", path, json={field: "Nothing more."})
        await teacher.ok("DELETE", f"/files/{file['id']}")
    new = {"title": "L", "content_type": "text", "content": foreign, "course_id": course["id"]}
    for path in (f"/courses/{course['id']}/lessons", "/courses", "/assignments"):
        named = {"courses": "title description", "assignments": "title description course_id"}.get(path[1:])
        body = new if named is None else {name: new.get(name, foreign) for name in named.split()}
        assert (await teacher.refused(422, "POST", path, json=body))["errors"][0]["code"] == "unknown_file"


async def test_files_that_an_announcement_names_are_for_who_is_in_the_course(house: House) -> None:
    teacher, student, stranger = await house.teacher(), await house.student(), await house.student()
    course = await factories.course(teacher)
    await factories.enrolled(student, course["id"])
    path, file = f"/courses/{course['id']}/announcements", await upload(teacher)
    told = await teacher.ok("POST", path, json={"text": f"The plan: {file['file_url']}"})
    row = await StoredFile.find_row(file["id"])
    assert row is not None
    assert row["uses"] == [f"announcement:{told['id']}"]
    assert await status_of(student, file) + await status_of(stranger, file) == [200, 404]
    foreign = {"text": f"[it](file:{(await upload(student))['id']})"}
    refused = await teacher.refused(422, "POST", path, json=foreign)
    assert (refused["errors"][0]["field"], refused["errors"][0]["code"]) == ("text", "unknown_file")


async def test_a_film_has_captions_in_each_language_for_who_may_open_its_lesson(house: House) -> None:
    teacher, student, stranger = await house.teacher(), await house.student(), await house.student()
    course = await factories.course(teacher)
    await factories.enrolled(student, course["id"])
    words = b"WEBVTT\n\n00:00.000 --> 00:02.000\nHello\n"
    arabic, plain = [await upload(teacher, name, words) for name in ("talk.AR.vtt", "notes.on it.vtt")]
    film = await upload(teacher, "talk.mp4", b"\x00\x00\x00\x18ftypmp42" + bytes(64))
    lesson = {"title": "Talk", "content_type": "video", "is_published": True, "file_id": film["id"]}
    path = f"/courses/{course['id']}/lessons"
    for body in ({**lesson, "caption_file_ids": [film["id"]]}, {**lesson, "caption_file_ids": ["fil_unknown"]}):
        refused = await teacher.refused(422, "POST", path, json=body)
        assert refused["errors"][0]["field"] == "caption_file_ids"
    made = await teacher.ok("POST", path, json={**lesson, "caption_file_ids": [plain["id"], arabic["id"]]})
    assert await status_of(student, arabic, plain) == [200, 200]
    assert await status_of(stranger, arabic) == [404]
    listed = (await stranger.ok("GET", path))["items"][-1]
    assert (listed["id"], listed["caption_file_ids"]) == (made["id"], None)
    async with httpx.AsyncClient(base_url=house.address, trust_env=False) as browser:
        browser.cookies.set("lms_access", student.tokens["access_token"])
        page = (await browser.get(f"/learn/{course['slug']}/{made['slug']}", headers={"Accept-Language": "ar"})).text
        tracks = re.findall(r"<track [^>]+>", page)
        sources = [track.split('src="')[1].split('"')[0].replace("&amp;", "&") for track in tracks]
        sent = [await browser.get(source) for source in sources]
    assert [one.headers["Content-Type"] for one in sent] == ["text/vtt"] * 2
    assert [('srclang="ar" label="العربية"' in one, one.endswith(" default>")) for one in tracks] in (
        [(True, True), (False, False)],
        [(False, True), (True, False)],
    )
    await teacher.ok("PATCH", f"/lessons/{made['id']}", json={"caption_file_ids": [arabic["id"]]})
    rows = [await StoredFile.find_row(one["id"]) for one in (plain, arabic, film)]
    assert [row and bool(row["uses"]) for row in rows] == [False, True, True]


async def test_only_who_teaches_makes_files_public_and_takes_it_back(house: House) -> None:
    teacher, student, stranger = await house.teacher(), await house.student(), await house.visitor()
    form = {"files": {"file": ("a.pdf", PDF)}, "data": {"is_public": "true"}}
    await student.refused(403, "POST", "/files/upload", **form)
    own, file = await upload(student), await upload(teacher, is_public="true")
    await student.refused(403, "PATCH", f"/files/{own['id']}", json={"is_public": True})
    await student.refused(404, "PATCH", f"/files/{file['id']}", json={"is_public": False})
    moved = await student.ok("PATCH", f"/files/{own['id']}", json={"folder": "week-1", "is_public": False})
    assert (moved["folder"], moved["is_public"]) == ("week-1", False)
    for asking, shown in ((stranger, "attachment"), (student, "inline")):
        reply = await asking.call("GET", f"/files/{file['id']}/download?disposition=inline")
        assert reply.headers["Content-Disposition"].startswith(shown)
    await teacher.ok("PATCH", f"/files/{file['id']}", json={"is_public": False})
    assert await status_of(stranger, file) == [404]
    await StoredFile.change(file["id"], {}, {"$set": {"is_withheld": True}})
    await teacher.refused(409, "PATCH", f"/files/{file['id']}", json={"is_public": True})


async def test_a_file_is_changed_and_deleted_only_at_the_version_that_was_read(house: House) -> None:
    student = await house.student()
    path = f"/files/{(await upload(student))['id']}"
    read = await student.call("GET", path)
    seen = read.json()
    assert (read.headers["ETag"], seen["updated_at"] >= seen["created_at"]) == (f'"{seen["version"]}"', True)
    old = {"If-Match": read.headers["ETag"]}
    changed = await student.call("PATCH", path, json={**seen, "folder": "week-1"}, headers=old)
    assert (changed.json()["folder"], changed.headers["ETag"]) == ("week-1", f'"{seen["version"] + 1}"')
    told = await student.refused(412, "PATCH", path, json={"folder": "week-2"}, headers=old)
    assert (told["code"], told["current_version"]) == ("version_mismatch", seen["version"] + 1)
    await student.refused(412, "DELETE", path, headers=old)
    assert (await student.ok("GET", path))["folder"] == "week-1"
    await student.ok("DELETE", path, headers={"If-Match": changed.headers["ETag"]})
    both = f"/files/{(await upload(student))['id']}"
    seen = {"If-Match": (await student.call("GET", both)).headers["ETag"]}
    replies = await asyncio.gather(
        *(student.call("PATCH", both, json={"folder": f"week-{number}"}, headers=seen) for number in range(5))
    )
    assert sorted(reply.status_code for reply in replies) == [200, 412, 412, 412, 412]


async def test_who_fetches_too_much_at_once_waits_and_is_refused_and_nobody_else(house: House) -> None:
    """Of one reader a few run; who does not read keeps nobody from the others."""
    student, other = await house.student(), await house.student()
    file, others = await upload(student), await upload(other)
    downloads = house.services.file_downloads
    downloads._room = DownloadRoom(patience_seconds=0)
    try:
        async with AsyncExitStack() as running:
            for _ in range(RUNNING):
                await running.enter_async_context(downloads._room.taken(student.user_id))
            assert await status_of(student, file) == [429]
            assert await status_of(other, others) == [200]
        assert await status_of(student, file) == [200]
    finally:
        downloads._room = DownloadRoom()
