"""A course as it is learned over HTTP: what is locked holds its file, its quiz and its assignment back, until it opens."""

from __future__ import annotations

import html
import io
import re
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from documents.stored_file import StoredFile
from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.rest.uploading import photo, upload
from tests.working import idle, working


def sound(seconds: int = 1) -> bytes:
    """A silence that every browser plays."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(1)
        written.setframerate(8_000)
        written.writeframes(b"\x80" * 8_000 * seconds)
    return file.getvalue()


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school; where its data lies makes no difference here."""
    async with open_house(settings_on("embedded", request, tmp_path_factory.mktemp("learning"))) as opened:
        yield opened


async def page_of(house: House, visitor: Visitor, path: str) -> httpx.Response:
    """A page as this visitor's browser gets it."""
    async with httpx.AsyncClient(base_url=house.address, trust_env=False, headers={"Accept-Language": "en"}) as browser:
        browser.cookies.set("lms_access", visitor.tokens["access_token"])
        return await browser.get(path)


@dataclass(frozen=True)
class Locked:
    """A course whose second lesson, a sound with a quiz and an assignment, waits for the first; and a student in it."""

    teacher: Visitor
    student: Visitor
    course: dict[str, Any]
    first: dict[str, Any]
    second: dict[str, Any]
    file: dict[str, Any]
    quiz_id: str
    work_id: str
    enrollment_id: str

    @property
    def page(self) -> str:
        """Where the second lesson is looked at."""
        return f"/learn/{self.course['slug']}/{self.second['slug']}"

    async def begin(self) -> dict[str, Any]:
        """An attempt at the quiz."""
        body = {"quiz_id": self.quiz_id, "device_id": "laptop"}
        begun: dict[str, Any] = await self.student.ok("POST", "/attempts", json=body)
        return begun


async def locked_up(house: House) -> Locked:
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher, title="Locked up")
    first = course["lessons"][0]
    file = await upload(teacher, "talk.wav", sound())
    draft = {"title": "Talk", "content_type": "video", "content": "All of it.", "file_id": file["id"]}
    rules = {"prerequisite_lesson_ids": [first["id"]], "is_published": True}
    second = await teacher.ok("POST", f"/courses/{course['id']}/lessons", json=draft | rules)
    quiz = await factories.quiz(teacher, course["id"], (factories.TRUE_FALSE,), lesson_id=second["id"])
    body = {"course_id": course["id"], "lesson_id": second["id"], "title": "Sum it up"}
    work = await teacher.ok("POST", "/assignments", json=body)
    enrollment = await factories.enrolled(student, course["id"])
    return Locked(teacher, student, course, first, second, file, quiz["id"], work["id"], enrollment["id"])


async def test_a_locked_lesson_holds_everything_back(house: House) -> None:
    school = await locked_up(house)
    student, first, second = school.student, school.first, school.second
    seen = (await student.ok("GET", f"/courses/{school.course['id']}"))["lessons"][1]
    assert (seen["is_locked"], seen["missing_lesson_ids"], seen["file_id"]) == (True, [first["id"]], None)
    assert seen["completes_when"] == ["passed", "submitted"]
    begin = ("/attempts", {"quiz_id": school.quiz_id, "device_id": "laptop"})
    for path, body in (begin, (f"/assignments/{school.work_id}/submit", {"content": "It talks."})):
        refused = await student.refused(403, "POST", path, json=body)
        assert (refused["code"], refused["missing"]) == ("forbidden", [first["id"]])
    assert (await student.refused(403, "GET", f"/lessons/{second['id']}"))["unlocks_at"] is None
    await student.refused(404, "GET", f"/files/{school.file['id']}/download")
    locked = await page_of(house, student, school.page)
    assert locked.status_code == 200
    assert "This lesson is not open yet" in locked.text
    assert f'href="/learn/{school.course["slug"]}/{first["slug"]}"' in locked.text
    assert not [hidden for hidden in ("All of it.", school.file["id"], "complete-form") if hidden in locked.text]
    assert "opens with its lesson" in (await page_of(house, student, f"/quizzes/{school.quiz_id}")).text
    onwards = await page_of(house, student, f"/learn/{school.course['slug']}")
    assert onwards.headers["Location"].endswith(first["slug"])


async def test_it_opens_plays_its_file_and_is_done_when_all_is(house: House) -> None:
    school = await locked_up(house)
    student, second = school.student, school.second
    await student.ok("POST", f"/lessons/{school.first['id']}/complete")
    assert (await student.ok("GET", f"/lessons/{second['id']}"))["file_id"] == school.file["id"]
    onwards = await page_of(house, student, f"/learn/{school.course['slug']}")
    opened = await page_of(house, student, onwards.headers["Location"])
    source = html.unescape(re.findall(r'<audio[^>]* src="([^"]+)"', opened.text)[0])
    async with httpx.AsyncClient(base_url=house.address, trust_env=False) as player:
        part = await player.get(source, headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"RIFF")
    refused = await student.refused(409, "POST", f"/lessons/{second['id']}/complete")
    assert (refused["asked"], refused["assignment_ids"]) == (["passed", "submitted"], [school.work_id])
    await student.ok("POST", f"/assignments/{school.work_id}/submit", json={"content": "It talks."})
    attempt = await school.begin()
    answer = {"question_id": attempt["questions"][0]["id"], "value": True}
    submit = {"answers": [answer], "device_id": "laptop", "lease": attempt["lease"]}
    await student.ok("POST", f"/attempts/{attempt['id']}/submit", json=submit)
    done = await student.ok("GET", f"/enrollments/{school.enrollment_id}")
    assert (done["status"], [row["status"] for row in done["progress"]]) == ("completed", ["completed"] * 2)


async def test_a_lesson_that_asks_for_less_or_was_done_before_it_asked_is_completed(house: House) -> None:
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher, title="Less of it")
    added = await teacher.ok("POST", f"/courses/{course['id']}/lessons", json={"title": "Sums", "is_published": True})
    enrollment = f"/enrollments/{(await factories.enrolled(student, course['id']))['id']}"
    first, second = course["lessons"][0]["id"], added["id"]
    essay, extra, later = [
        await teacher.ok(
            "POST", "/assignments", json={"course_id": course["id"], "title": title, "lesson_id": lesson_id}
        )
        for title, lesson_id in (("Essay", first), ("Extra", first), ("Later", None))
    ]
    for work in (essay, later):
        await student.ok("POST", f"/assignments/{work['id']}/submit", json={"content": "It climbs."})
    await teacher.ok("PATCH", f"/assignments/{later['id']}", json={"lesson_id": second})
    waiting = await student.ok("POST", f"{enrollment}/progress", json={"lesson_id": first})
    assert [row["status"] for row in waiting["progress"]] == ["in_progress", "completed"]
    await teacher.ok("PATCH", f"/assignments/{extra['id']}", json={"is_published": False})
    async with working(house):
        await idle(house.services)
    done = await student.ok("GET", enrollment)
    assert (done["status"], done["progress_percentage"]) == ("completed", "100.00")


async def test_pictures_in_texts_say_how_large_they_are_so_that_nothing_moves_when_they_come(house: House) -> None:
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher, title="With pictures")
    graph = await upload(teacher, "graph.jpg", photo(), course_id=course["id"])
    await StoredFile.change(graph["id"], {}, {"$set": {"width": 480, "height": 640}})  # as whoever draws it anew does
    lesson = course["lessons"][0]
    await teacher.ok("PATCH", f"/lessons/{lesson['id']}", json={"content": f"![a graph](file:{graph['id']})"})
    body = {"course_id": course["id"], "title": "Draw it", "description": f"Like ![this](file:{graph['id']})"}
    work = await teacher.ok("POST", "/assignments", json=body)
    await factories.enrolled(student, course["id"])
    for path in (f"/learn/{course['slug']}/{lesson['slug']}", f"/assignments/{work['id']}"):
        image = f'<img width="480" height="640" src="{graph["file_url"]}?disposition=inline"'
        assert image in (await page_of(house, student, path)).text


async def test_so_do_pictures_in_questions_wherever_they_are_shown(house: House) -> None:
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher, title="Questions with pictures")
    images = [await upload(teacher, f"{name}.jpg", photo(), course_id=course["id"]) for name in ("asked", "a", "why")]
    for place, image in enumerate(images, 1):
        await StoredFile.change(image["id"], {}, {"$set": {"width": 100 * place, "height": 50}})
    asked, option, why = (f"![]({image['file_url']})" for image in images)
    options = [{"id": "a", "text": option}, {"id": "b", "text": "None"}]
    question = {"question_type": "multiple_choice", "question_text": asked, "options": options, "explanation": why}
    key = {"correct_answer": {"option_id": "a"}}
    quiz = await factories.quiz(teacher, course["id"], (question | key,), show_correct_answers="after_submit")
    await factories.enrolled(student, course["id"])
    attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"], "device_id": "laptop"})
    sized = [
        f'<img width="{100 * place}" height="50" src="{image["file_url"]}' for place, image in enumerate(images, 1)
    ]

    def is_sized(view: dict[str, Any]) -> bool:
        (shown,) = view["questions"]
        return sized[0] in shown["question_html"] and sized[1] in shown["options"][0]["html"]

    path = f"/attempts/{attempt['id']}"
    room = (await page_of(house, student, path)).text
    assert (is_sized(attempt), is_sized(await student.ok("GET", path)), sized[0] in room) == (True, True, True)
    answers = [{"question_id": attempt["questions"][0]["id"], "value": "a"}]
    body = {"answers": answers, "device_id": "laptop", "lease": attempt["lease"]}
    assert is_sized(await student.ok("POST", f"{path}/submit", json=body))
    results = (await page_of(house, student, f"{path}/results")).text
    assert [image in results for image in sized] == [True] * 3


async def test_a_lesson_holds_files_of_its_own_teacher_alone_and_lets_them_go(house: House) -> None:
    school, other = await locked_up(house), await house.teacher()
    strange = await other.ok("POST", "/courses", json={"title": "Another's"})
    draft = {"title": "Taken", "file_id": school.file["id"]}
    refused = await other.refused(422, "POST", f"/courses/{strange['id']}/lessons", json=draft)
    assert [(fault["field"], fault["code"]) for fault in refused["errors"]] == [("file_id", "unknown_file")]
    await school.teacher.refused(409, "DELETE", f"/files/{school.file['id']}")
    await school.teacher.ok("PATCH", f"/lessons/{school.second['id']}", json={"file_id": None})
    await school.teacher.ok("DELETE", f"/files/{school.file['id']}")


async def test_what_is_due_and_where_one_was_stand_on_the_start_page(house: House) -> None:
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher, title="Due soon")
    for title, due in (("Later", "2099-01-02T00:00:00Z"), ("Sooner", "2099-01-01T00:00:00Z"), ("Done", None)):
        body = {"course_id": course["id"], "title": title, "due_date": due}
        made = await teacher.ok("POST", "/assignments", json=body)
    await factories.enrolled(student, course["id"])
    await student.ok("POST", f"/assignments/{made['id']}/submit", json={"content": "Done."})
    page = (await page_of(house, student, "/home")).text
    due_part = page.partition('aria-labelledby="due"')[2].partition("</section>")[0]
    assert re.findall(r'dir="auto">([^<]+)</a>', due_part) == ["Sooner", "Later"]
    assert f'href="/learn/{course["slug"]}"' in page
