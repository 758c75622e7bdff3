"""Operations that make a thing or change it: 201 with its address for what is new, 200 for what was there; and what a change asks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from config.settings import Settings
from tests import factories
from tests.house import House, open_house

EMBEDDED = pytest.mark.parametrize("engine", ["embedded"])
"""Where the database has no say in it."""


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    async with open_house(settings) as opened:
        yield opened


async def test_more_time_groups_and_mutes_are_made_once_and_changed_from_then_on(house: House) -> None:
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher, title="Zeichnen für Anfänger")
    await factories.enrolled(student, course["id"])
    quiz = await factories.quiz(teacher, course["id"])
    whose = {"student_id": student.user_id}
    muted = {**whose, "minutes": 5, "reason": "To be kind."}
    of_course, of_quiz = f"/courses/{course['slug']}/accommodations", f"/quizzes/{quiz['id']}/accommodations"
    for method, path, body, address in (
        ("POST", of_course, {**whose, "factor": "1.25"}, f"/courses/{course['id']}/accommodations"),
        ("PUT", of_quiz, {**whose, "extra_minutes": 5}, of_quiz),
    ):
        made = await teacher.call(method, path, json=body)
        assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
        assert made.headers["Location"] == f"/api/v1{address}?student_id={student.user_id}"
        place = made.headers["Location"].removeprefix("/api/v1")
        assert (await teacher.ok("GET", place))["items"][-1]["student_id"] == student.user_id
        again = await teacher.call(method, path, json=body)
        assert (again.status_code, "Location" in again.headers, again.json()["version"]) == (200, False, 2)
        assert (await teacher.call("DELETE", place)).status_code == 204
        assert (await teacher.call(method, path, json=body)).status_code == 201
    groups = f"/courses/{course['id']}/groups"
    for group, status in (("Room 1", 201), ("Room 1", 200), (None, 200), ("Room 2", 201)):
        named = {"group": group, "student_ids": [student.user_id]}
        assert (await teacher.call("POST", groups, json=named)).status_code == status, group
    mutes = f"/courses/{course['slug']}/chat/mutes"
    made, again = [await teacher.call("POST", mutes, json=muted) for _ in range(2)]
    assert (made.status_code, again.status_code, "Location" in again.headers) == (201, 200, False)
    assert made.headers["Location"].endswith(f"/chat/mutes/{student.user_id}")
    taken_back = await teacher.call("DELETE", made.headers["Location"].removeprefix("/api/v1"))
    assert taken_back.status_code == 204
    assert (await teacher.call("POST", mutes, json=muted)).status_code == 201


@EMBEDDED
async def test_words_that_were_changed_meanwhile_are_not_hidden_unread(house: House) -> None:
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher)
    enrollment = await factories.enrolled(student, course["id"])
    said, listed = f"/enrollments/{enrollment['id']}/review", f"/courses/{course['id']}/reviews"
    await student.ok("POST", said, json={"rating": 1, "review": "Rude words."})
    await student.ok(
        "POST", f"/lessons/{course['lessons'][0]['id']}/complete"
    )  # the enrolment moves, the review does not
    (seen,) = (await teacher.ok("GET", listed))["items"]
    assert (seen["version"], seen["created_at"], seen["updated_at"]) == (1, seen["reviewed_at"], seen["reviewed_at"])
    await student.ok("POST", said, json={"rating": 2, "review": "Kind words."})
    hide, path = {"is_hidden": True, "reason": "Rude"}, f"{listed}/{enrollment['id']}"
    stale = await teacher.refused(412, "PATCH", path, json=hide, headers={"If-Match": '"1"'})
    assert (stale["code"], stale["current_version"]) == ("version_mismatch", 2)
    hidden = await teacher.call("PATCH", path, json=hide, headers={"If-Match": '"2"'})
    assert (hidden.json()["is_hidden"], hidden.json()["version"], hidden.headers["ETag"]) == (True, 3, '"3"')
    assert (await teacher.ok("PATCH", path, json=hide))["version"] == 3  # the same again moves nothing
    (shown,) = (await student.ok("GET", listed))["items"]
    assert (shown["version"], shown["created_at"], shown["hidden_reason"]) == (3, seen["created_at"], "Rude")


@EMBEDDED
async def test_others_are_called_by_the_words_that_were_said(house: House) -> None:
    teacher, student, other = await house.teacher(), await house.student(), await house.student()
    course = await factories.course(teacher)
    for one in (student, other):
        await factories.enrolled(one, course["id"])
    chat = f"/courses/{course['id']}/messages"
    said = await student.ok("POST", chat, json={"text": "Who knows?"})
    path, calling = f"{chat}/{said['id']}", {"mentions": [other.user_id]}
    changed = await student.ok("PATCH", path, json=calling)
    assert (changed["text"], changed["mentions"], changed["version"]) == ("Who knows?", [other.user_id], 2)
    assert (await student.ok("PATCH", path, json=calling))["version"] == 2
    assert (await student.ok("PATCH", path, json={}))["version"] == 2
    kinds = [one["kind"] for one in (await other.ok("GET", "/notifications"))["items"]]
    assert kinds.count("chat.mention") == 1
    assert (await student.ok("PATCH", path, json={"mentions": []}))["mentions"] == []
