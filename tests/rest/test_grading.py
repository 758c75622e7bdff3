"""Marking over HTTP, from the queue to the student's mail: what each reply says, and what students never get."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from config.settings import Settings
from documents.notification import Notification
from tests import factories
from tests.clients import Visitor
from tests.house import House, open_house
from tests.live.node_school import watching
from tests.working import idle, working


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    async with open_house(settings) as opened:
        yield opened


async def test_from_the_queue_to_the_students_mail(house: House) -> None:
    teacher, student, admin = await house.teacher(), await house.student("Olwen Owner"), await house.admin()
    course = await factories.course(teacher)
    await factories.enrolled(student, course["id"])
    quiz = await factories.quiz(teacher, course["id"], (factories.ESSAY,), show_correct_answers="never")
    waiting = await factories.waiting(student, quiz["id"])
    shown = await student.ok("GET", f"/attempts/{waiting['attempt_id']}/results")
    assert (shown["grading"], shown["score"]) == ("manual", None)

    queue = f"/quizzes/{quiz['id']}/grading-queue"
    page = await teacher.ok("GET", queue)
    assert (page["total"], page["items"][0]["id"], page["items"][0]["points"]) == (1, waiting["item_id"], "4.00")
    taken = (await teacher.ok("POST", queue, json={}))["item"]
    assert (taken["value"], taken["claimed_by"]["user_id"]) == ("Because it climbs.", teacher.user_id)
    other = await admin.refused(409, "POST", f"/grading-queue/{waiting['item_id']}/claim")
    assert (other["code"], other["claimed_by"]["user_id"]) == ("conflict", teacher.user_id)
    assert other["claimed_until"].endswith("Z")
    assert (await admin.ok("POST", queue, json={}))["item"] is None

    grade = f"/attempts/{waiting['attempt_id']}/grade"
    body = {"question_id": waiting["question_id"], "points": "3.50", "comment": "Steep indeed."}
    async with watching(student) as screen:
        await screen.ok("subscribe", channel=f"user:{student.user_id}")
        marked = await teacher.ok("POST", grade, json=body)
        assert (marked["score"], marked["status"], marked["mark"]["revision"]) == ("3.50", "graded", 1)
        heard = await screen.hears(f"user:{student.user_id}", 1)
        graded = next(frame for frame in heard if frame["event"] == "attempt_graded")
        assert (graded["data"]["score"], graded["data"]["attempt_id"]) == ("3.50", waiting["attempt_id"])
    late = await admin.refused(409, "POST", grade, json=body | {"points": 1})
    assert (late["code"], late["stored"]["points"], late["stored"]["comment"]) == ("conflict", "3.50", "Steep indeed.")
    wrong = await teacher.refused(422, "POST", grade, json=body | {"points": 5})
    assert [one["field"] for one in wrong["errors"]] == ["points"]
    await _has_its_grade(house, student, waiting["attempt_id"])


async def _has_its_grade(house: House, student: Visitor, attempt_id: str) -> None:
    """The mail is on its way, the course has gone on, and nothing is shown that the quiz does not show."""
    await house.services.relay.sweep(minimum_age_ms=0)
    async with working(house):
        await idle(house.services)
    told = await Notification.rows().find_one({"user_id": student.user_id, "kind": "attempt.graded"})
    assert told is not None
    assert told["mail"]["template"] == "quiz_results"
    own = await student.call("GET", f"/attempts/{attempt_id}/results")
    assert own.json()["score"] == "3.50"
    assert "Steep indeed." not in own.text  # the quiz never shows answers
    mine = await student.ok("GET", "/enrollments")
    one = await student.ok("GET", f"/enrollments/{mine['items'][0]['id']}")
    assert one["attempts"][0]["percentage"] == "87.50"


@pytest.mark.parametrize("engine", ["embedded"])
async def test_another_mark_keeps_the_comment_and_the_levels_that_nothing_is_said_of(house: House) -> None:
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher)
    await factories.enrolled(student, course["id"])
    levels = [{"id": "thin", "title": "Thin", "points": 1}, {"id": "rich", "title": "Rich", "points": 4}]
    rubric = {"criteria": [{"id": "idea", "title": "Idea", "levels": levels}]}
    quiz = await factories.quiz(teacher, course["id"], ({**factories.ESSAY, "rubric": rubric},))
    waiting = await factories.waiting(student, quiz["id"])
    grade, which = f"/attempts/{waiting['attempt_id']}/grade", {"question_id": waiting["question_id"]}
    first = await teacher.ok("POST", grade, json={**which, "rubric": {"idea": "rich"}, "comment": "Steep indeed."})
    assert (first["mark"]["points"], first["mark"]["revision"]) == ("4.00", 1)
    for more, comment, chosen in (
        ({"points": 3, "reason": "One line is missing"}, "Steep indeed.", {"idea": "rich"}),
        ({"points": 3, "rubric": None}, "Steep indeed.", None),
        ({"points": 3, "comment": None}, None, None),
        ({"points": 3, "comment": "Better.", "rubric": {"idea": "thin"}}, "Better.", {"idea": "thin"}),
        ({"points": 3, "comment": "", "rubric": {}}, None, None),
    ):
        mark = (await teacher.ok("POST", grade, json={**which, **more}))["mark"]
        assert (mark["points"], mark["comment"], mark["rubric"]) == ("3.00", comment, chosen), more
    assert mark["revision"] == 6
