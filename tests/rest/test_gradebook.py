"""The gradebook as teachers and students meet it: the same numbers for both, by hand where a teacher says so, as tables, live."""

from __future__ import annotations

import asyncio
import csv
import io
from dataclasses import dataclass
from typing import Any

import openpyxl
import pytest

from documents.audit_record import AuditRecord
from documents.gradebook import handed_in_at, marks_at
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.live.node_school import watching
from tests.working import turns_beside

MORE_TRUE_FALSE = tuple(factories.TRUE_FALSE | {"question_text": f"Line {n}?"} for n in range(3))


@dataclass
class Class:
    """A course with a graded quiz of three points, an assignment of ten, and two students; Mona has worked."""

    teacher: Visitor
    mona: Visitor
    omar: Visitor
    course_id: str
    quiz_id: str
    assignment_id: str

    @property
    def book(self) -> str:
        return f"/courses/{self.course_id}/gradebook"

    def grade(self, student: Visitor, item_id: str) -> str:
        return f"{self.book}/students/{student.user_id}/grades/{item_id}"

    async def row(self, student: Visitor) -> dict[str, Any]:
        book = await self.teacher.ok("GET", self.book)
        found: dict[str, Any] = next(one for one in book["students"] if one["student_id"] == student.user_id)
        return found


async def sit(student: Visitor, quiz_id: str, right: int) -> str:
    """One attempt with so many right answers."""
    attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz_id, "device_id": "laptop"})
    answers = [
        {"question_id": question["id"], "value": number < right} for number, question in enumerate(attempt["questions"])
    ]
    body = {"answers": answers, "device_id": "laptop", "lease": attempt["lease"]}
    graded = await student.ok("POST", f"/attempts/{attempt['id']}/submit", json=body)
    return str(graded["id"])


@pytest.fixture
async def at_school(house: House) -> Class:
    teacher, mona, omar = await house.teacher(), await house.student("Mona Aziz"), await house.student("=Omar()")
    course = await factories.course(teacher)
    for student in (mona, omar):
        await factories.enrolled(student, course["id"])
    quiz = await factories.quiz(teacher, course["id"], MORE_TRUE_FALSE, title="Midterm")
    body = {
        "course_id": course["id"], "title": "Essay", "points": 10, "due_date": "2026-01-10T12:00:00Z",
        "allow_late_submission": True, "late_penalty_percentage": 0,
    }  # fmt: skip
    assignment = await teacher.ok("POST", "/assignments", json=body)
    await sit(mona, quiz["id"], 1)
    await sit(mona, quiz["id"], 2)
    made = await mona.ok("POST", f"/assignments/{assignment['id']}/submit", json={"content": "It climbs."})
    await teacher.ok("POST", f"/assignments/submissions/{made['id']}/grade", json={"grade": "9.00", "feedback": "Good"})
    return Class(teacher, mona, omar, course["id"], quiz["id"], assignment["id"])


async def test_both_see_the_same_numbers_and_how_they_came_about(at_school: Class) -> None:
    one = at_school
    book = await one.teacher.ok("GET", one.book)
    assert [(item["title"], item["kind"], item["points"]) for item in book["items"]] == [
        ("Midterm", "quiz", "3.00"),
        ("Essay", "assignment", "10.00"),
    ]
    assert [(row["full_name"], row["percentage"], row["letter"]) for row in book["students"]] == [
        ("=Omar()", None, None),
        ("Mona Aziz", "84.62", "B"),  # 2 and 9 of 13
    ]
    mona = book["students"][1]["grades"]
    assert (mona[one.quiz_id]["points"], mona[one.quiz_id]["percentage"]) == ("2.00", "66.67")
    assert (book["items"][0]["average_percentage"], book["items"][0]["graded_count"]) == ("66.67", 1)
    omar = book["students"][0]["grades"]
    assert (omar[one.quiz_id]["state"], omar[one.assignment_id]["state"]) == ("open", "missing")

    own = await one.mona.ok("GET", f"/courses/{one.course_id}/grades")
    assert (own["percentage"], own["letter"], own["parts"][0]["points_possible"]) == ("84.62", "B", "13.00")
    quiz, essay = own["items"]
    assert [row["percentage"] for row in quiz["attempts"]] == ["33.33", "66.67"]
    assert (quiz["grading_policy"], quiz["grade"]["points"]) == ("best", "2.00")
    assert (essay["raw_points"], essay["late_days"] > 0, essay["penalty_percentage"]) == ("9.00", True, "0.00")
    shown = await one.teacher.ok("GET", f"{one.book}/students/{one.mona.user_id}")
    assert shown | {"as_of": ""} == own | {"as_of": ""}


async def test_a_teacher_sets_weights_and_is_told_when_somebody_was_first(at_school: Class) -> None:
    one = at_school
    categories = [
        {"id": "tests", "name": "Tests", "weight": 75, "takes": "quizzes"},
        {"id": "work", "name": "Work", "weight": "25", "takes": "assignments", "drop_lowest": 1},
    ]
    change = {
        "categories": categories,
        "missing": "zero",
        "scale": [{"letter": "P", "minimum": 70}, {"letter": "F", "minimum": 0}],
    }
    async with watching(one.teacher) as screen:
        channel = f"course:{one.course_id}:staff"
        await screen.ok("subscribe", channel=channel)
        changed = await one.teacher.ok("PATCH", one.book, json=change, headers={"If-Match": '"1"'})
        assert [frame["event"] for frame in await screen.hears(channel, 1)] == ["gradebook_updated"]
    stale = await one.teacher.refused(412, "PUT", one.book, json={"missing": "ignore"}, headers={"If-Match": '"1"'})
    assert stale["current_version"] == changed["version"] == 2
    mona, omar = await one.row(one.mona), await one.row(one.omar)
    # 0.75 × 66.666…% + 0.25 × 90 %
    assert (mona["percentage"], mona["letter"], mona["categories"]["work"]) == ("72.50", "P", "90.00")
    assert (omar["percentage"], omar["letter"]) == ("0.00", "F")
    for bad, field in (
        ({"scale": [{"letter": "A", "minimum": 50}]}, ""),
        ({"categories": [*categories, categories[0]]}, ""),
        ({"placed": [{"item_id": "nothing", "category_id": "tests"}]}, "placed.0.item_id"),
        ({"placed": [{"item_id": one.quiz_id, "category_id": "nowhere"}]}, "placed.0.category_id"),
        ({"weights": 1}, "weights"),
    ):
        refused = await one.teacher.refused(422, "PATCH", one.book, json=bad)
        assert [fault["field"] for fault in refused["errors"]] == [field]
    await one.teacher.ok("PATCH", one.book, json={"placed": [{"item_id": one.quiz_id, "category_id": None}]})
    assert (await one.row(one.mona))["percentage"] == "90.00"  # the quiz is in no category, and counts nowhere
    again = await one.teacher.ok("PATCH", one.book, json={"categories": []})
    assert (again["placed"], (await one.row(one.mona))["percentage"]) == (
        [{"item_id": one.quiz_id, "category_id": None}],
        "84.62",
    )


async def test_what_was_put_away_counts_for_who_has_something_for_it(at_school: Class) -> None:
    one = at_school
    await one.teacher.ok("PATCH", one.book, json={"missing": "zero"})
    body = {"course_id": one.course_id, "title": "SECRET DRAFT", "points": 10, "due_date": "2026-01-10T12:00:00Z"}
    hidden = await one.teacher.ok("POST", "/assignments", json=body | {"is_published": False})
    dropped = await one.teacher.ok("POST", "/assignments", json=body | {"title": "Dropped"})
    quiz = await factories.quiz(one.teacher, one.course_id, (factories.TRUE_FALSE,), title="Unwritten")
    assert (await one.row(one.mona))["percentage"] == "47.83"  # 11 of 23: the dropped one is missing
    for path in (f"/assignments/{hidden['id']}", f"/assignments/{dropped['id']}", f"/quizzes/{quiz['id']}"):
        await one.teacher.ok("DELETE", path, params={"archive": "true"})
    await one.teacher.ok("DELETE", f"/assignments/{one.assignment_id}", params={"archive": "true"})
    book = await one.teacher.ok("GET", one.book)
    assert [(item["title"], item["is_archived"]) for item in book["items"]] == [("Midterm", False), ("Essay", True)]
    assert (await one.row(one.mona))["percentage"] == "84.62"
    omar = await one.row(one.omar)
    assert (omar["grades"][one.assignment_id]["state"], omar["percentage"]) == ("open", None)
    for student, titles in ((one.mona, ["Midterm", "Essay"]), (one.omar, ["Midterm"])):
        own = await student.ok("GET", f"/courses/{one.course_id}/grades")
        assert [item["title"] for item in own["items"]] == titles
    await one.teacher.ok("PUT", one.grade(one.mona, one.assignment_id), json={"is_excused": True, "reason": "Dropped"})
    assert (await one.row(one.mona))["percentage"] == "66.67"


async def test_some_students_can_be_asked_for_alone(at_school: Class) -> None:
    one = at_school
    whole = await one.teacher.ok("GET", one.book)
    some = await one.teacher.ok("GET", one.book, params={"student_ids": [one.mona.user_id, "usr_nobody"]})
    assert some["students"] == [row for row in whole["students"] if row["student_id"] == one.mona.user_id]
    assert [(item["title"], item["graded_count"]) for item in some["items"]] == [("Midterm", 0), ("Essay", 0)]
    assert (some["average_percentage"], some.keys()) == (None, whole.keys())
    many = [f"usr_{number}" for number in range(101)]
    await one.teacher.refused(422, "GET", one.book, params={"student_ids": many})
    reply = await one.teacher.call("GET", one.book)
    assert (reply.headers["ETag"], reply.headers["Content-Type"]) == ('"1"', "application/json")


async def test_a_grade_by_hand_counts_is_told_live_and_is_remembered(at_school: Class) -> None:
    one = at_school
    place = one.grade(one.mona, one.quiz_id)
    async with watching(one.mona) as screen:
        await screen.ok("subscribe", channel=f"user:{one.mona.user_id}")
        made = await one.teacher.ok("PUT", place, json={"points": "3.00", "reason": "Question 3 was unclear"})
        told = await screen.hears(f"user:{one.mona.user_id}", 1)
        assert [(frame["event"], frame["data"]["item_id"]) for frame in told] == [("grade_changed", one.quiz_id)]
    assert (made["version"], (await one.row(one.mona))["percentage"]) == (1, "92.31")
    mismatch = await one.teacher.refused(
        412, "PUT", place, json={"is_excused": True, "reason": "Ill"}, headers={"If-Match": '"7"'}
    )
    assert mismatch["current_version"] == 1
    await one.teacher.ok("PUT", place, json={"is_excused": True, "reason": "Ill"}, headers={"If-Match": '"1"'})
    row = await one.row(one.mona)
    assert (row["grades"][one.quiz_id]["state"], row["percentage"]) == ("excused", "90.00")
    await one.teacher.ok("PUT", one.grade(one.mona, "total"), json={"points": "95", "reason": "Jury"})
    own = await one.mona.ok("GET", f"/courses/{one.course_id}/grades")
    assert (own["percentage"], own["letter"], own["worked_out_percentage"]) == ("95.00", "A", "90.00")
    assert (own["override"]["reason"], own["items"][0]["override"]["reason"]) == ("Jury", "Ill")
    assert [past["points"] for past in own["items"][0]["history"]] == ["3.00"]
    await one.teacher.ok("DELETE", one.grade(one.mona, "total"), params={"reason": "Slip"})
    await one.teacher.refused(404, "DELETE", one.grade(one.mona, "total"), params={"reason": "Slip"})
    own = await one.mona.ok("GET", f"/courses/{one.course_id}/grades")
    assert (own["percentage"], own["override"], own["history"][0]["points"]) == ("90.00", None, "95.00")
    kept = [row["action"] async for row in AuditRecord.rows().find({"target_id": {"$regex": f"^{one.course_id}:"}})]
    assert sorted(kept) == ["gradebook.override"] * 3 + ["gradebook.take_back"]
    for body, code in (
        ({"points": 7, "reason": "x"}, "too_many"),
        ({"points": 1, "is_excused": True, "reason": "x"}, "one_of"),
        ({"points": 1, "reason": " "}, "string_too_short"),
        ({"points": 1, "reason": "two\nlines"}, "control_character"),
    ):
        refused = await one.teacher.refused(422, "PUT", place, json=body)
        assert [fault["code"] for fault in refused["errors"]] == [code]
    await one.teacher.refused(404, "PUT", one.grade(one.mona, "qui_none"), json={"points": 1, "reason": "x"})
    await one.teacher.refused(404, "PUT", one.grade(one.teacher, one.quiz_id), json={"points": 1, "reason": "x"})


async def test_a_gradebook_that_is_looked_at_hears_of_new_grades(at_school: Class) -> None:
    one = at_school
    async with watching(one.teacher) as screen:
        channel = f"course:{one.course_id}:staff"
        await screen.ok("subscribe", channel=channel)
        attempt_id = await sit(one.omar, one.quiz_id, 3)
        heard = await screen.hears(channel, 1)
        assert [(frame["event"], frame["data"]["attempt_id"]) for frame in heard] == [("attempt_graded", attempt_id)]
        work = await one.omar.ok("POST", f"/assignments/{one.assignment_id}/submit", json={"content": "It falls."})
        await one.teacher.ok("POST", f"/assignments/submissions/{work['id']}/grade", json={"grade": "10.00"})
        quiz, essay = f"/quizzes/{one.quiz_id}", f"/assignments/{one.assignment_id}"
        await one.teacher.ok("PATCH", essay, json={"due_date": "2026-01-11T12:00:00Z"})
        await one.teacher.ok("PATCH", quiz, json={"closes_at": "2099-01-10T12:00:00Z"})
        await one.teacher.ok("DELETE", essay, params={"archive": "true"})
        body = {"course_id": one.course_id, "title": "Nameless", "points": 10, "is_marking_anonymous": True}
        hidden = await one.teacher.ok("POST", "/assignments", json=body)
        work = await one.omar.ok("POST", f"/assignments/{hidden['id']}/submit", json={"content": "It floats."})
        await one.teacher.ok("POST", f"/assignments/submissions/{work['id']}/grade", json={"grade": "10.00"})
        await one.teacher.ok("PATCH", one.book, json={"missing": "zero"})
        heard = (await screen.hears(channel, 9))[1:]
    received, moved = "submission_received", "gradebook_updated"
    assert [frame["event"] for frame in heard] == [received, "assignment_graded", *[moved] * 4, received, moved]
    assert (heard[1]["data"]["grade"], str(heard[1]).count(one.omar.user_id)) == ("10.00", 0)
    items = [frame["data"]["gradebook_id"].partition(":")[2] for frame in heard[2:6]]
    assert items == [one.assignment_id, one.quiz_id, one.assignment_id, hidden["id"]]
    assert (await one.row(one.omar))["percentage"] == "100.00"


async def test_others_run_while_the_marks_of_a_class_are_read(at_school: Class) -> None:
    for read in (marks_at, handed_in_at):
        async with turns_beside() as turns:
            found = await read([at_school.quiz_id, at_school.assignment_id, *(f"qui_{number}" for number in range(20))])
        assert (len(found), turns.count >= 20) == (2 if read is marks_at else 1, True)


async def test_of_two_who_set_one_grade_none_is_lost(at_school: Class) -> None:
    one = at_school
    place = one.grade(one.omar, one.quiz_id)
    bodies = [{"points": number, "reason": f"Reason {number}"} for number in range(4)]
    made = await asyncio.gather(*(one.teacher.ok("PUT", place, json=body) for body in bodies))
    assert sorted(view["version"] for view in made) == [1, 2, 3, 4]
    own = await one.omar.ok("GET", f"/courses/{one.course_id}/grades")
    said = {own["items"][0]["override"]["reason"], *(past["reason"] for past in own["items"][0]["history"])}
    assert said == {body["reason"] for body in bodies}


async def test_tables_open_in_spreadsheets_and_run_nothing(at_school: Class) -> None:
    one = at_school
    await one.teacher.ok("PATCH", f"/quizzes/{one.quiz_id}", json={"title": '@Mid "term"'})
    reply = await one.teacher.call("GET", one.book, headers={"Accept": "text/csv"}, params={"bom": "true"})
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="gradebook.csv"'
    assert reply.content.startswith(b"\xef\xbb\xbf")
    head, omar, mona = csv.reader(io.StringIO(reply.content.decode("utf-8-sig"), newline=""))
    assert head == [
        "student_id", "full_name", "email", "group", "'@Mid \"term\" (3.00)", "Essay (10.00)", "total (%)", "letter",
    ]  # fmt: skip
    assert (omar[1], omar[4:]) == ("'=Omar()", ["", "missing", "", ""])
    assert mona[4:] == ["2.00", "9.00", "84.62", "B"]

    sheet_reply = await one.teacher.call("GET", one.book, params={"format": "xlsx"}, headers={"Accept-Language": "ar"})
    book = openpyxl.load_workbook(io.BytesIO(sheet_reply.content))
    sheet = book.active
    assert sheet is not None
    assert sheet.sheet_view.rightToLeft
    rows = list(sheet.iter_rows())
    assert [cell.value for cell in rows[2]][4:] == [2, 9, 84.62, "B"]
    name = rows[1][1]
    assert (name.value, name.data_type, name.quotePrefix) == ("=Omar()", "s", True)
    assert await AuditRecord.rows().count_documents({"action": "gradebook.export", "target_id": one.course_id}) == 2
    plain = await one.teacher.call("GET", one.book, params={"format": "csv"})
    assert not plain.content.startswith(b"\xef\xbb\xbf")


async def test_nobody_sees_or_sets_what_is_not_theirs(at_school: Class, house: House) -> None:
    one, other = at_school, await house.teacher()
    await other.refused(404, "GET", one.book)
    await other.refused(404, "GET", one.book, params={"format": "csv"})
    await other.refused(404, "PUT", one.grade(one.mona, one.quiz_id), json={"points": 1, "reason": "x"})
    await one.mona.refused(403, "GET", one.book)
    await one.mona.refused(403, "GET", f"{one.book}/students/{one.omar.user_id}")
    own = await one.omar.ok("GET", f"/courses/{one.course_id}/grades")
    assert (own["student_id"], "Mona" in str(own)) == (one.omar.user_id, False)
    outsider = await house.student()
    refused = await outsider.refused(403, "GET", f"/courses/{one.course_id}/grades")
    assert refused["code"] == "not_enrolled"
