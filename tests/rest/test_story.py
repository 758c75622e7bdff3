"""The newcomer's story by the REST API alone: from two registrations to a completed course. On both lanes."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from lms_rt.services.receipt_check import answer_findings, findings_of, keys_of
from tests.clients import Visitor
from tests.house import House

FILE = r"""
::Parallel::Which is parallel to y \= 2x? {=y \= 2x - 1 ~y \= x + 2 ~y \= 3x}

::Slope::A line has a slope.{T}

::Pi::What is pi to two places? {#3.14:0.005}

::Capital::What is the capital of Egypt? {=Cairo =al-Qahira}

::Broken::This one has no end {=a
"""
TEXT = {"Content-Type": "text/plain; charset=utf-8"}
RIGHT = {"true_false": True, "numeric": "3.14", "short_answer": "cairo"}


@dataclass
class School:
    """A teacher's course with a text lesson and a lesson that is a quiz of imported questions; and a student."""

    teacher: Visitor
    student: Visitor
    course_id: str
    lessons: list[str]
    quiz_id: str


@pytest.fixture
async def school(house: House) -> School:
    teacher, student = await house.teacher("Tamar Teacher"), await house.student("Sami Student")
    course = await teacher.ok("POST", "/courses", json={"title": "Lines", "description": "Straight ones."})
    problem = await teacher.refused(409, "POST", f"/courses/{course['id']}/publish")
    assert (problem["code"], bool(problem["missing"])) == ("course_not_ready", True)
    lessons = []
    for title, content_type in (("Slopes", "text"), ("Midterm", "quiz")):
        lesson = {"title": title, "content_type": content_type, "content": "# Lines", "is_published": True}
        lessons.append((await teacher.ok("POST", f"/courses/{course['id']}/lessons", json=lesson))["id"])
    await teacher.ok("POST", f"/courses/{course['id']}/publish")
    quiz = await teacher.ok(
        "POST",
        "/quizzes",
        json={
            "course_id": course["id"],
            "lesson_id": lessons[1],
            "title": "Midterm",
            "quiz_type": "graded",
            "passing_score": 75,
            "max_attempts": 2,
            "grading_policy": "best",
            "show_correct_answers": "after_pass",
        },
    )
    return School(teacher, student, course["id"], lessons, quiz["id"])


async def imported(school: School) -> None:
    """The file, tried and then taken, and the quiz published."""
    path = f"/quizzes/{school.quiz_id}/questions/import"
    assert (await school.teacher.refused(409, "POST", f"/quizzes/{school.quiz_id}/publish"))["code"] == "quiz_not_ready"
    tried = await school.teacher.ok("POST", path, params={"dry_run": "true"}, content=FILE, headers=TEXT)
    assert (tried["dry_run"], tried["imported"], tried["skipped"]) == (True, 4, 1)
    assert (await school.teacher.ok("GET", f"/quizzes/{school.quiz_id}/questions"))["total"] == 0
    done = await school.teacher.ok("POST", path, params={"format": "gift"}, content=FILE, headers=TEXT)
    assert [row["status"] for row in done["questions"]] == ["imported"] * 4 + ["skipped"]
    assert [row["status"] for row in tried["questions"]] == [row["status"] for row in done["questions"]]
    published = await school.teacher.ok("POST", f"/quizzes/{school.quiz_id}/publish")
    assert (published["questions_count"], published["total_points"]) == (4, "4.00")


def right_answer(question: dict[str, Any]) -> Any:
    if question["question_type"] == "multiple_choice":
        return next(option["id"] for option in question["options"] if "2x - 1" in option["text"])
    return RIGHT[question["question_type"]]


def operations(attempt: dict[str, Any], *, rights: int) -> list[dict[str, Any]]:
    """An answer to each question; so many of them are right, the others are cleared."""
    return [
        {
            "question_id": question["id"],
            "value": right_answer(question) if place < rights else None,
            "op_id": str(uuid.uuid4()),
            "seq": place + 1,
            "base_revision": 0,
        }
        for place, question in enumerate(attempt["questions"])
    ]


async def sat(school: School, *, rights: int) -> dict[str, Any]:
    """An attempt by REST alone, with so many right answers, graded."""
    student = school.student
    attempt = await student.ok("POST", "/attempts", json={"quiz_id": school.quiz_id, "device_id": "laptop"})
    assert "weight" not in str(attempt["questions"])
    assert "correct_answer" not in str(attempt["questions"])
    one, path = await student.call("POST", "/attempts", json={"quiz_id": school.quiz_id}), f"/attempts/{attempt['id']}"
    assert (one.status_code, one.json()["id"]) == (200, attempt["id"])

    ops = operations(attempt, rights=rights)
    body = {"answers": ops, "device_id": "laptop", "lease": attempt["lease"]}
    saved = await student.ok("PATCH", f"{path}/answers", json=body)
    assert [row["op_id"] for row in saved["saved"]] == [op["op_id"] for op in ops]
    assert (await student.ok("PATCH", f"{path}/answers", json=body))["saved"] == saved["saved"]
    synced = await student.ok("POST", f"{path}/sync", json={"have": [ops[0]["op_id"], "another"]})
    assert (synced["missing"], synced["revision"]) == (["another"], saved["revision"])
    assert (await student.refused(409, "GET", f"{path}/results"))["code"] == "not_graded"
    assert (await student.refused(409, "GET", f"{path}/receipt"))["code"] == "not_graded"
    graded: dict[str, Any] = await student.ok("POST", f"{path}/submit", json={"revision": saved["revision"]})
    assert (graded["status"], graded["score"]) == ("graded", f"{rights}.00")
    assert (await student.ok("PUT", f"{path}/submit", json={}))["submitted_at"] == graded["submitted_at"]
    await received(school, graded, [op["op_id"] for op in ops])
    return graded


async def received(school: School, graded: dict[str, Any], op_ids: list[str]) -> None:
    """The student's receipt holds by the keys that everybody is given, and so does what the teacher sees."""
    published = await school.student.http.get(f"{school.student.address}/.well-known/lms-receipt-keys.json")
    keys = keys_of(published.json())
    receipt = await school.student.ok("GET", f"/attempts/{graded['id']}/receipt")
    assert findings_of(receipt, keys, attempt_id=graded["id"]) == []
    assert answer_findings(receipt, {one: answer["value"] for one, answer in graded["answers"].items()}) == []
    assert [operation["op_id"] for operation in receipt["operations"]] == op_ids
    assert graded["receipt"] == {name: receipt[name] for name in ("head", "operations_count", "key_id", "signature")}
    assert await school.teacher.ok("GET", f"/attempts/{graded['id']}/receipt") == receipt


async def enrollment_of(school: School) -> dict[str, Any]:
    (found,) = (await school.student.ok("GET", "/enrollments"))["items"]
    one: dict[str, Any] = await school.student.ok("GET", f"/enrollments/{found['id']}")
    return one


async def test_from_registration_to_the_completed_course(school: School) -> None:
    await imported(school)
    student, start = school.student, {"quiz_id": school.quiz_id}
    catalogue = await student.ok("GET", "/courses", params={"q": "lines"})
    assert school.course_id in [course["id"] for course in catalogue["items"]]
    assert (await student.refused(403, "POST", "/attempts", json=start))["code"] == "not_enrolled"
    await student.ok("POST", "/enrollments", json={"course_id": school.course_id})
    again = await student.refused(409, "POST", "/enrollments", json={"course_id": school.course_id})
    assert again["code"] == "already_enrolled"

    failed = await sat(school, rights=2)
    assert (failed["percentage"], failed["is_passed"]) == ("50.00", False)
    hidden = await student.ok("GET", f"/attempts/{failed['id']}/results")
    assert [question.get("correct_answer") for question in hidden["questions"]] == [None] * 4
    assert [row["status"] for row in (await enrollment_of(school))["progress"]] == ["not_started", "in_progress"]

    passed = await sat(school, rights=4)
    assert (passed["attempt_number"], passed["is_passed"]) == (2, True)
    shown = await student.ok("GET", f"/attempts/{passed['id']}/results")
    assert all(question["correct_answer"] for question in shown["questions"])
    assert [question["points_awarded"] for question in shown["questions"]] == ["1.00"] * 4
    assert (shown["standing"]["percentage"], shown["standing"]["is_passed"]) == ("100.00", True)
    assert (await student.refused(409, "POST", "/attempts", json=start))["code"] == "attempts_exhausted"

    enrollment = await enrollment_of(school)
    assert [row["status"] for row in enrollment["progress"]] == ["not_started", "completed"]
    summaries = {one["attempt_number"]: one["percentage"] for one in enrollment["attempts"]}
    assert summaries == {2: "100.00", 1: "50.00"}
    path = f"/enrollments/{enrollment['id']}"
    assert (await student.refused(409, "POST", f"{path}/complete"))["code"] == "not_complete"
    await student.ok("POST", f"{path}/lessons/{school.lessons[0]}/complete")
    completed = await enrollment_of(school)
    assert (completed["status"], completed["progress_percentage"]) == ("completed", "100.00")

    roster = (await school.teacher.ok("GET", f"/courses/{school.course_id}/students"))["items"]
    assert school.student.user_id in str(roster)
    of_class = (await school.teacher.ok("GET", f"/quizzes/{school.quiz_id}/attempts"))["items"]
    assert {attempt["percentage"] for attempt in of_class} == {"50.00", "100.00"}
    totals = (await school.teacher.ok("GET", f"/quizzes/{school.quiz_id}/live"))["totals"]
    assert (totals["students"], totals["graded"], totals["answers_saved"]) == (1, 2, 6)


async def test_a_file_goes_out_as_it_came_in(school: School) -> None:
    await imported(school)
    text = (await school.teacher.call("GET", f"/quizzes/{school.quiz_id}/questions/export")).text
    other = await school.teacher.ok("POST", "/quizzes", json={"course_id": school.course_id, "title": "Copy"})
    path = f"/quizzes/{other['id']}/questions/import"
    again = await school.teacher.ok("POST", path, content=text.encode(), headers=TEXT)
    assert (again["imported"], again["degraded"], again["skipped"]) == (4, 0, 0)
    kept = ("question_text", "question_type", "points", "correct_answer")
    quizzes = [
        (await school.teacher.ok("GET", f"/quizzes/{quiz_id}/questions"))["items"]
        for quiz_id in (school.quiz_id, other["id"])
    ]
    first, second = ([{name: question[name] for name in kept} for question in items] for items in quizzes)
    assert [one["question_text"] for one in first] == [one["question_text"] for one in second]
    assert [one["correct_answer"] for one in first[1:]] == [one["correct_answer"] for one in second[1:]]


async def test_the_same_key_gives_the_same_attempt(school: School) -> None:
    await imported(school)
    await school.student.ok("POST", "/enrollments", json={"course_id": school.course_id})
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    first = await school.student.call("POST", "/attempts", json={"quiz_id": school.quiz_id}, headers=headers)
    again = await school.student.call("POST", "/attempts", json={"quiz_id": school.quiz_id}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first.headers["Location"] == again.headers["Location"]
    other = await school.student.refused(409, "POST", "/attempts", json={"quiz_id": "quz_2"}, headers=headers)
    assert other["code"] == "idempotency_key_reused"
