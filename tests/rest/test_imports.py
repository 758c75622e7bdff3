"""Question files over HTTP: as a form's file or as the body, dry or for good, and out again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.settings import Settings
from tests import factories
from tests.clients import Visitor
from tests.house import open_house

DATA = Path(__file__).parents[1] / "data" / "gift"
FILE = "::One::First?{=a ~b}\n\nBroken {=a\n\nسؤال{T}\n".encode()
PLAIN = {"Content-Type": "text/plain; charset=utf-8"}


@pytest.fixture
async def teacher(settings: Settings) -> AsyncIterator[Visitor]:
    async with open_house(settings) as house:
        yield await house.teacher()


@pytest.fixture
async def quiz_id(teacher: Visitor) -> str:
    return await new_quiz(teacher)


async def new_quiz(teacher: Visitor) -> str:
    course = await factories.course(teacher)
    made = await teacher.ok("POST", "/quizzes", json={"course_id": course["id"], "title": "Imported"})
    return str(made["id"])


async def questions(teacher: Visitor, quiz_id: str) -> list[dict[str, Any]]:
    page = await teacher.ok("GET", f"/quizzes/{quiz_id}/questions", params={"page_size": 100})
    items: list[dict[str, Any]] = page["items"]
    return items


def fault(response: httpx.Response) -> tuple[int, str, list[str]]:
    problem = response.json()
    return response.status_code, problem["code"], [one["field"] for one in problem.get("errors", [])]


async def test_a_file_as_a_form_and_as_a_body(teacher: Visitor, quiz_id: str) -> None:
    path = f"/quizzes/{quiz_id}/questions/import"
    dry = await teacher.call("POST", path, params={"dry_run": "true"}, files={"file": ("q.gift", FILE)})
    assert dry.status_code == 200
    assert await questions(teacher, quiz_id) == []
    done = await teacher.call("POST", path, params={"format": "gift"}, content=FILE, headers=PLAIN)
    assert done.status_code == 201
    report, foretold = done.json(), dry.json()
    assert (report["imported"], report["degraded"], report["skipped"]) == (2, 0, 1)
    assert [set(row) for row in report["questions"]] == [
        {"line", "title", "question_type", "status", "reason", "question_id"}
    ] * 3
    assert [{**row, "question_id": None} for row in report["questions"]] == foretold["questions"]
    assert (foretold["dry_run"], report["dry_run"]) == (True, False)
    listed = await questions(teacher, quiz_id)
    assert [one["id"] for one in listed] == [row["question_id"] for row in report["questions"] if row["question_id"]]
    assert [one["question_text"] for one in listed] == ["First?", "سؤال"]


async def test_what_goes_out_comes_in_again(teacher: Visitor, quiz_id: str) -> None:
    for path in sorted(DATA.glob("*.gift")):
        await teacher.ok("POST", f"/quizzes/{quiz_id}/questions/import", content=path.read_bytes(), headers=PLAIN)
    out = await teacher.call("GET", f"/quizzes/{quiz_id}/questions/export", params={"format": "gift"})
    assert out.headers["Content-Type"].startswith("text/plain")
    other = await new_quiz(teacher)
    report = await teacher.ok("POST", f"/quizzes/{other}/questions/import", content=out.content, headers=PLAIN)
    assert report["skipped"] == 0
    again = await teacher.call("GET", f"/quizzes/{other}/questions/export")
    assert again.text == out.text


async def test_what_is_refused_leaves_nothing(teacher: Visitor, quiz_id: str) -> None:
    path = f"/quizzes/{quiz_id}/questions/import"
    assert fault(await teacher.call("POST", path, content=b"a\xff{T}", headers=PLAIN)) == (
        422,
        "validation_failed",
        ["file"],
    )
    wrong = await teacher.call("POST", path, params={"format": "word"}, content=FILE, headers=PLAIN)
    assert fault(wrong) == (422, "validation_failed", ["format"])
    big = await teacher.call("POST", path, content=b"a{T}\n\n" * 501, headers=PLAIN)
    assert fault(big)[:2] == (413, "too_large")
    assert await questions(teacher, quiz_id) == []
