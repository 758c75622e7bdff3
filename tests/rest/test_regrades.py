"""A correction over HTTP, from the question to the student's enrolment: foretold, applied by a worker, told, taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from config.settings import Settings
from tests import factories
from tests.clients import Visitor
from tests.house import House, open_house
from tests.working import idle, working


@dataclass
class School:
    """A quiz that one student has failed by a wrong key."""

    house: House
    teacher: Visitor
    student: Visitor
    quiz_id: str
    question_id: str
    attempt_id: str
    enrollment_id: str

    def at(self, path: str) -> str:
        """An address below the quiz."""
        return f"/quizzes/{self.quiz_id}/{path}"

    async def corrected(self, body: dict[str, Any]) -> dict[str, Any]:
        """The correction, once a worker is through with it."""
        view: dict[str, Any] = await self.teacher.ok(
            "POST", self.at(f"questions/{self.question_id}/correct"), json=body
        )
        await idle(self.house.services)
        return view


@pytest.fixture
async def school(settings: Settings) -> AsyncIterator[School]:
    async with open_house(settings) as house, working(house):
        teacher, student = await house.teacher(), await house.student()
        course = await factories.course(teacher)
        quiz = await factories.quiz(teacher, course["id"], (factories.CHOICE,), passing_score="60.00")
        enrollment = await factories.enrolled(student, course["id"])
        attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"], "device_id": "laptop"})
        question_id = attempt["questions"][0]["id"]
        answers = [{"question_id": question_id, "value": "a"}]
        body = {"answers": answers, "device_id": "laptop", "lease": attempt["lease"]}
        await student.ok("POST", f"/attempts/{attempt['id']}/submit", json=body)
        yield School(house, teacher, student, quiz["id"], question_id, attempt["id"], enrollment["id"])


async def test_from_a_wrong_key_to_the_enrolment_of_who_was_right(school: School) -> None:
    fix = {"action": "fix", "question": {"correct_answer": {"option_id": "a"}}, "reason": "A was right."}
    path = school.at(f"questions/{school.question_id}/correct")
    reply = await school.teacher.call("POST", path, json={**fix, "dry_run": True})
    foretold = reply.json()
    assert (reply.status_code, foretold["id"], foretold["counts"]["passes"]) == (200, None, 1)
    view = await school.corrected({**fix, "op_id": "once"})
    again = await school.corrected({**fix, "op_id": "once"})
    assert (again["id"], again["status"]) == (view["id"], "applied")
    rows = await school.teacher.ok("GET", school.at(f"regrades/{view['id']}/rows"), params={"passing": "passes"})
    (row,) = rows["items"]
    assert (row["old"]["points"], row["new"]["points"]) == ({school.question_id: "0.00"}, {school.question_id: "2.00"})
    assert (row["difference"], row["outcome"], row["is_applied"]) == ("100.00", "gains", True)
    enrollment = await school.student.ok("GET", f"/enrollments/{school.enrollment_id}")
    assert [(one["percentage"], one["is_passed"]) for one in enrollment["attempts"]] == [("100.00", True)]
    notices = (await school.student.ok("GET", "/notifications"))["items"]
    (notice,) = [one for one in notices if one["kind"] == "attempt.regraded"]
    assert notice["body"] == "Your result was 0% and is 100% now. Why: A was right."
    results = await school.student.ok("GET", f"/attempts/{school.attempt_id}/results")
    (question,) = results["questions"]
    assert question["corrected"] == ["fix"]
    assert [(one["from"], one["to"], one["reason"]) for one in question["changes"]] == [
        ("0.00", "2.00", "A was right.")
    ]
    admin = await school.house.admin()
    events = (await admin.ok("GET", "/events", params={"type": "attempt.regraded"}))["items"]
    assert [(one["data"]["percentage"], one["data"]["previous"]["percentage"]) for one in events] == [
        ("100.00", "0.00")
    ]
    assert events[0]["data"]["reason"] == "A was right."


@pytest.mark.parametrize("engine", ["embedded"])
async def test_what_was_foretold_is_applied_and_taken_back(school: School) -> None:
    void = {"changes": [{"question_id": school.question_id, "action": "void"}]}
    view = await school.teacher.ok("POST", school.at("regrades"), json=void)
    one = school.at(f"regrades/{view['id']}")
    early = await school.teacher.call("POST", f"{one}/undo", json={})
    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    await school.teacher.ok("POST", f"{one}/apply")
    await idle(school.house.services)
    attempt = await school.student.ok("GET", f"/attempts/{school.attempt_id}")
    assert (attempt["score"], attempt["max_score"], attempt["percentage"]) == ("0.00", "0.00", "100.00")
    assert attempt["questions"][0]["correction"] == "void"
    await school.teacher.ok("POST", f"{one}/undo", json={"reason": "It was good."})
    await idle(school.house.services)
    attempt = await school.student.ok("GET", f"/attempts/{school.attempt_id}")
    assert (attempt["score"], attempt["max_score"], attempt["is_passed"]) == ("0.00", "2.00", False)
    assert "correction" not in attempt["questions"][0]
    listed = (await school.teacher.ok("GET", school.at("regrades")))["items"]
    assert [(one["status"], one["done"], one["total"]) for one in listed] == [("undone", 1, 1)]


@pytest.mark.parametrize("engine", ["embedded"])
async def test_what_is_sent_again_by_its_key_is_one(school: School) -> None:
    change = {"question_id": school.question_id, "action": "void"}
    bodies = {
        f"questions/{school.question_id}/correct": {"action": "full_credit"},
        "regrade": {"changes": [change]},
        "regrades": {"changes": [change]},
    }
    for path, body in bodies.items():
        sent = {"json": body, "headers": {"Idempotency-Key": "once"}}
        first = await school.teacher.ok("POST", school.at(path), **sent)
        assert await school.teacher.ok("POST", school.at(path), **sent) == first
        await idle(school.house.services)
    listed = (await school.teacher.ok("GET", school.at("regrades")))["items"]
    assert len(listed) == len(bodies)
    assert sorted(one["status"] for one in listed) == ["applied", "applied", "preview"]


@pytest.mark.parametrize("engine", ["embedded"])
async def test_what_cannot_be_corrected_is_named(school: School) -> None:
    path = school.at(f"questions/{school.question_id}/correct")
    for body, field in (
        ({"action": "fix"}, ""),
        ({"action": "void", "accepted": [{"option_id": "a"}]}, ""),
        ({"action": "accept", "accepted": [{"option_id": "zzz"}]}, "accepted.0.option_id"),
        ({"action": "fix", "question": {"points": "-1"}}, "question.points"),
        ({"action": "nothing"}, "action"),
    ):
        reply = await school.teacher.call("POST", path, json=body)
        assert reply.status_code == 422, body
        assert field in [fault["field"] for fault in reply.json()["errors"]], reply.json()
    for where, status in (("regrade", 202), ("regrades", 200)):
        same = await school.teacher.call("POST", school.at(where), json={})
        told = same.json()
        assert (same.status_code, told["id"], told["changes"], told["status"]) == (status, None, [], "applied")
        assert "location" not in same.headers
