"""Quizzes, questions and attempts over HTTP: what a path, a filter, a condition and a repeat come to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from config.settings import Settings
from tests import factories
from tests.clients import Visitor
from tests.house import House, open_house

PLAIN = {"Content-Type": "text/plain"}


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    async with open_house(settings) as opened:
        yield opened


@pytest.fixture
async def teacher(house: House) -> Visitor:
    return await house.teacher()


@pytest.fixture
async def course(teacher: Visitor) -> dict[str, Any]:
    return await factories.course(teacher)


@pytest.fixture
async def quiz(teacher: Visitor, course: dict[str, Any]) -> dict[str, Any]:
    return await factories.quiz(teacher, course["id"], max_attempts=2)


async def _first_question(teacher: Visitor, quiz: dict[str, Any]) -> dict[str, Any]:
    page = await teacher.ok("GET", "/questions", params={"quiz_id": quiz["id"]})
    found: dict[str, Any] = page["items"][0]
    return found


@pytest.mark.parametrize("nobody", ["nope", "", "x" * 300, "$gt", "a.b"])
async def test_a_filter_by_what_is_no_id_gives_an_empty_list(
    teacher: Visitor, quiz: dict[str, Any], nobody: str
) -> None:
    assert quiz["is_published"]
    asked = [
        ("/courses", "instructor_id"), ("/lessons", "course_id"), ("/enrollments", "course_id"),
        ("/enrollments", "student_id"), ("/quizzes", "course_id"), ("/quizzes", "lesson_id"),
        ("/questions", "quiz_id"), ("/attempts", "quiz_id"), ("/attempts", "course_id"), ("/attempts", "student_id"),
    ]  # fmt: skip
    for path, name in asked:
        page = await teacher.ok("GET", path, params={name: nobody})
        assert (page["items"], page["total"]) == ([], 0), (path, name)


async def test_what_is_no_id_in_a_path_is_not_found(house: House, teacher: Visitor) -> None:
    student = await house.student()
    for who in (teacher, student):
        assert (await who.refused(404, "GET", "/quizzes/nope/attempts"))["code"] == "not_found"
    assert (await teacher.refused(404, "GET", "/quizzes/nope/questions"))["code"] == "not_found"


async def test_who_sat_a_quiz_still_finds_the_attempts_under_it(
    house: House, teacher: Visitor, course: dict[str, Any], quiz: dict[str, Any]
) -> None:
    student, path = await house.student(), f"/quizzes/{quiz['id']}/attempts"
    assert (await student.refused(403, "GET", path))["code"] == "not_enrolled"
    await factories.enrolled(student, course["id"])
    assert (await student.ok("GET", path))["total"] == 0
    await student.ok("POST", path, json={})
    await teacher.ok("POST", f"/quizzes/{quiz['id']}/unpublish")
    assert (await student.ok("GET", path))["total"] == 1
    assert (await teacher.ok("GET", path))["total"] == 1


async def test_courses_are_filtered_by_slug_too(house: House, course: dict[str, Any], quiz: dict[str, Any]) -> None:
    student = await house.student()
    await factories.enrolled(student, course["id"])
    await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"]})
    for path in ("/enrollments", "/quizzes", "/attempts"):
        assert (await student.ok("GET", path, params={"course_id": course["slug"]}))["total"] == 1, path


async def test_nobody_elses_attempts_are_not_ones_own(
    house: House, teacher: Visitor, course: dict[str, Any], quiz: dict[str, Any]
) -> None:
    student = await house.student()
    await factories.enrolled(student, course["id"])
    await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"]})
    assert (await student.ok("GET", "/attempts", params={"student_id": teacher.user_id}))["total"] == 0
    assert (await student.ok("GET", "/attempts", params={"student_id": student.user_id}))["total"] == 1


async def test_a_stale_view_sent_back_whole_fails_its_condition(teacher: Visitor, quiz: dict[str, Any]) -> None:
    """412 tells the client to read again; 422 on `version` would tell it nothing."""
    question = await _first_question(teacher, quiz)
    for path, view in ((f"/quizzes/{quiz['id']}", quiz), (f"/questions/{question['id']}", question)):
        await teacher.ok("PATCH", path, json={"metadata": {"a": 1}})
        newest = await teacher.ok("GET", path)
        refused = await teacher.refused(412, "PUT", path, json=view, headers={"If-Match": f'"{view["version"]}"'})
        assert (refused["code"], refused["current_version"]) == ("version_mismatch", newest["version"])
        assert (await teacher.refused(422, "PUT", path, json=view))["errors"][0]["code"] == "read_only"


async def test_a_question_sent_back_as_it_is_moves_no_version(teacher: Visitor, quiz: dict[str, Any]) -> None:
    question = await _first_question(teacher, quiz)
    path = f"/questions/{question['id']}"
    before = await teacher.ok("GET", f"/quizzes/{quiz['id']}")
    assert await teacher.ok("PUT", path, json=question) == question
    assert await teacher.ok("GET", f"/quizzes/{quiz['id']}") == before
    moved = await teacher.ok("PATCH", path, json={"order": 2})
    assert (moved["order"], moved["version"]) == (2, question["version"] + 1)


async def test_path_and_body_name_the_same_quiz(
    house: House, teacher: Visitor, course: dict[str, Any], quiz: dict[str, Any]
) -> None:
    student = await house.student()
    await factories.enrolled(student, course["id"])
    question = {**factories.TRUE_FALSE, "quiz_id": "quz_other"}
    cases = ((teacher, "questions", question), (student, "attempts", {"quiz_id": "quz_other"}))
    for who, word, body in cases:
        refused = await who.refused(422, "POST", f"/quizzes/{quiz['id']}/{word}", json=body)
        assert [(one["field"], one["code"]) for one in refused["errors"]] == [("quiz_id", "mismatch")]
        await who.ok("POST", f"/quizzes/{quiz['id']}/{word}", json={**body, "quiz_id": quiz["id"]})


async def test_a_trailing_slash_is_the_same_request_to_an_idempotency_key(
    house: House, course: dict[str, Any], quiz: dict[str, Any]
) -> None:
    student, key = await house.student(), {"Idempotency-Key": "start-1"}
    await factories.enrolled(student, course["id"])
    first = await student.call("POST", "/attempts", json={"quiz_id": quiz["id"]}, headers=key)
    again = await student.call("POST", "/attempts/", json={"quiz_id": quiz["id"]}, headers=key)
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)


async def test_a_file_without_questions_makes_nothing(teacher: Visitor, quiz: dict[str, Any]) -> None:
    path = f"/quizzes/{quiz['id']}/questions/import"
    reply = await teacher.call("POST", path, content=b"// a comment alone\n", headers=PLAIN)
    assert (reply.status_code, reply.json()["questions"]) == (200, [])
