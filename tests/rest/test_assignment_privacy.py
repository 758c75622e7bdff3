"""What of assignments is kept from whom: names while marking is anonymous, drafts, what a closed lesson asks, images that nobody can read; sheets to the byte, and work without points."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from config.settings import Settings
from documents.audit_record import AuditRecord
from documents.notification import Notification
from documents.stored_file import FileState, StoredFile
from lms_rt.clock import rfc3339
from lms_rt.ids import derived_id
from tests import factories
from tests.clients import Visitor
from tests.house import open_house
from tests.rest.test_assignments import RUBRIC, Desk, JumpingClock
from tests.rest.uploading import photo, upload


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    clock = JumpingClock()
    for_days = settings.model_copy(update={"access_token_expire_minutes": 20_000})
    async with open_house(for_days, clock=clock) as house:
        yield Desk(house, clock)


async def _page(desk: Desk, reader: Visitor, path: str, **form: Any) -> httpx.Response:
    """A page as the reader's browser gets it, or what a form comes to."""
    async with httpx.AsyncClient(base_url=desk.house.address, trust_env=False, timeout=30) as browser:
        browser.cookies.set("lms_access", reader.tokens["access_token"])
        seen = await browser.get(path)
        if not form:
            return seen
        token = seen.text.split('name="csrf" value="')[1].split('"')[0]
        data = {"csrf": token, **form.get("data", {})}
        return await browser.post(path, data=data, files=form.get("files"))


async def test_whose_work_it_is_stays_hidden_while_marking_is_anonymous(desk: Desk) -> None:
    await desk.open(is_marking_anonymous=True)
    student = await desk.student("Mona Aziz")
    file_id = (await upload(student, "Mona Aziz essay.pdf"))["id"]
    work = await desk.handed_in(student, "Text.", file_ids=[file_id])
    assert work["id"] != derived_id("sub", desk.assignment["id"], student.user_id)  # the roster must not tell it
    shown = await desk.teacher.ok("GET", f"/files/{file_id}")
    assert (shown["uploader_id"], shown["original_filename"]) == (None, "file.pdf")
    assert (await student.ok("GET", f"/files/{file_id}"))["original_filename"] == "Mona Aziz essay.pdf"
    link = (await desk.teacher.ok("POST", f"/files/{file_id}/signed-url", json={}))["url"]
    for path in (f"/api/v1/files/{file_id}/download", link):
        sent = await desk.teacher.http.get(f"{desk.house.address}{path}", headers=_signed_in(desk.teacher))
        assert (sent.status_code, "Mona" in sent.headers["Content-Disposition"]) == (200, False)
    packed = await desk.teacher.call("GET", f"{desk.path}/submissions/archive")
    assert "Mona" not in str(zipfile.ZipFile(io.BytesIO(packed.content)).namelist())
    assert "Mona" not in (await _page(desk, desk.teacher, f"/teach{desk.path}/grade?work={work['id']}")).text
    names = {"is_marking_anonymous": False}
    assert (await desk.teacher.refused(409, "PATCH", desk.path, json=names))["reason"] == "work_waits"
    await desk.graded(work["id"])
    await desk.teacher.ok("PATCH", desk.path, json=names)
    assert (await desk.teacher.ok("GET", f"/files/{file_id}"))["uploader_id"] == student.user_id
    assert (await desk.teacher.refused(422, "PATCH", desk.path, json={"points": 50}))["errors"][0]["field"] == "points"
    await desk.teacher.ok("PATCH", desk.path, json={"points": 80})
    assert await AuditRecord.rows().count_documents({"action": "assignment.export"}) == 1


async def test_a_gradebook_tells_nobodys_grade_while_work_without_names_waits(desk: Desk) -> None:
    await desk.open(is_marking_anonymous=True)
    mona, omar = await desk.student("Mona Aziz"), await desk.student("Omar Other")
    works = [await desk.handed_in(one) for one in (mona, omar)]
    await desk.graded(works[0]["id"])
    book, item_id = f"/courses/{desk.course['id']}/gradebook", desk.assignment["id"]

    async def seen() -> list[tuple[str, str | None, str | None]]:
        rows = (await desk.teacher.ok("GET", book))["students"]
        return [(row["grades"][item_id]["state"], row["grades"][item_id]["points"], row["percentage"]) for row in rows]

    assert await seen() == [("waiting", None, None)] * 2
    shown = (await desk.teacher.ok("GET", f"{book}/students/{mona.user_id}"))["items"][0]
    assert (shown["submitted_at"], shown["raw_points"], shown["grade"]["state"]) == (None, None, "waiting")
    own = (await mona.ok("GET", f"/courses/{desk.course['id']}/grades"))["items"][0]
    assert (own["grade"]["points"], own["submitted_at"]) == ("80.00", works[0]["submitted_at"])
    await desk.graded(works[1]["id"])
    assert await seen() == [("graded", "80.00", "80.00")] * 2


async def test_a_quiz_marked_without_names_waits_in_the_gradebook_until_all_of_it_is_marked(desk: Desk) -> None:
    await desk.open()
    quiz = await factories.quiz(desk.teacher, desk.course["id"], (factories.ESSAY,), is_marking_anonymous=True)
    people = [await desk.student(name) for name in ("Mona Aziz", "Omar Other")]
    waiting = [await factories.waiting(one, quiz["id"]) for one in people]
    for number, expected in ((0, ["waiting", "waiting"]), (1, ["graded", "graded"])):
        one = waiting[number]
        body = {"question_id": one["question_id"], "points": 1}
        await desk.teacher.ok("POST", f"/attempts/{one['attempt_id']}/grade", json=body)
        rows = (await desk.teacher.ok("GET", f"/courses/{desk.course['id']}/gradebook"))["students"]
        assert [row["grades"][quiz["id"]]["state"] for row in rows] == expected


async def test_dates_can_be_given_to_any_group_and_a_grade_taken_back_by_the_page(desk: Desk) -> None:
    await desk.open()
    course_id, page = desk.course["id"], f"/teach{desk.path}"
    students = [await desk.student(f"Student {number}") for number in range(3)]
    for number, student in enumerate(students):
        body = {"group": f"Room {number}", "student_ids": [student.user_id]}
        await desk.teacher.ok("POST", f"/courses/{course_id}/groups", json=body)
    found = (await _page(desk, desk.teacher, f"{page}?whom=ROOM 2")).text
    assert ('value="group:Room 2"' in found, 'value="group:Room 1"' in found) == (True, False)
    work = await desk.handed_in(students[0])
    await desk.graded(work["id"])
    at_desk = f"{page}/grade?work={work['id']}"
    form = {"act": "take_back", "work": work["id"], "reason": ""}
    assert (await _page(desk, desk.teacher, at_desk, data=form)).status_code == 422
    done = await _page(desk, desk.teacher, at_desk, data=form | {"reason": "A slip"})
    assert (done.status_code, done.headers["location"]) == (303, f"{page}?done=back")
    assert "A slip" in (await _page(desk, students[0], desk.path)).text


def _signed_in(visitor: Visitor) -> dict[str, str]:
    return {"Authorization": f"Bearer {visitor.tokens['access_token']}"}


async def test_files_of_what_is_not_handed_in_stay_their_students(desk: Desk) -> None:
    await desk.open(due_date=desk.at(hours=1))
    student = await desk.student()
    first, second = [(await upload(student, f"{name}.pdf"))["id"] for name in ("one", "two")]
    kept = await student.ok("PUT", f"{desk.path}/draft", json={"content": "", "file_ids": [first]})
    await desk.teacher.refused(404, "GET", f"/files/{first}")
    assert (await desk.teacher.ok("GET", desk.path))["has_work"] is True
    assert "?archive=true" in (await _page(desk, desk.teacher, f"/teach{desk.path}")).text
    work = await desk.handed_in(student, "", file_ids=[first])
    assert (await desk.teacher.ok("GET", f"/files/{first}"))["id"] == first
    desk.clock.jump(hours=2)
    refused = await student.refused(409, "POST", f"{desk.path}/submit", json={"content": "x", "file_ids": [second]})
    assert (refused["reason"], kept["id"]) == ("past_due", work["id"])
    await desk.teacher.refused(404, "GET", f"/files/{second}")
    await student.ok("DELETE", f"/files/{second}")


async def test_what_belongs_to_a_lesson_is_closed_and_hidden_with_it(desk: Desk) -> None:
    await desk.open(description="Prove it.", rubric=RUBRIC)
    course_id, lesson_id = desk.course["id"], desk.course["lessons"][0]["id"]
    texts = {"description": "Secret", "instructions": "Hints"}
    quiz = await factories.quiz(desk.teacher, course_id, (factories.CHOICE,), lesson_id=lesson_id, **texts)
    await desk.teacher.ok("PATCH", desk.path, json={"lesson_id": lesson_id})
    opens_at = desk.at(days=1)
    await desk.teacher.ok("PATCH", f"/lessons/{lesson_id}", json={"release_at": opens_at})
    student = await desk.student()
    listed = (await student.ok("GET", f"/assignments?course_id={course_id}"))["items"][0]
    for shown in (listed, await student.ok("GET", desk.path)):
        assert (shown["description"], shown["description_html"], shown["rubric"]) == ("", "", None)
        assert (shown["is_locked"], shown["unlocks_at"], shown["yours"]["can_submit"]) == (True, opens_at, False)
    quizzes = (await student.ok("GET", f"/quizzes?course_id={course_id}"))["items"]
    for shown in (quizzes[0], await student.ok("GET", f"/quizzes/{quiz['id']}")):
        assert (shown["description"], shown["instructions"], shown["is_locked"]) == ("", "", True)
    assert (await desk.teacher.ok("GET", desk.path))["description"] == "Prove it."
    assert "Essay on slopes" not in (await _page(desk, student, "/home")).text
    desk.clock.jump(days=2)
    assert (await student.ok("GET", desk.path))["description"] == "Prove it."
    assert "Essay on slopes" in (await _page(desk, student, "/home")).text
    await desk.teacher.ok("PATCH", f"/lessons/{lesson_id}", json={"is_published": False})
    for path in (desk.path, f"/quizzes/{quiz['id']}"):
        await student.refused(404, "GET", path)
    for path in ("/assignments", f"/assignments?course_id={course_id}", "/quizzes"):
        assert (await student.ok("GET", path))["items"] == []


async def test_who_moves_to_a_group_with_another_date_is_told_of_the_other_grade(desk: Desk) -> None:
    due = desk.at(hours=1)
    await desk.open(due_date=due, allow_late_submission=True, late_penalty_percentage=20)
    late, other = await desk.student(), await desk.student("Omar Other")
    group = f"/courses/{desk.course['id']}/groups"
    await desk.teacher.ok("POST", group, json={"group": "B", "student_ids": [other.user_id]})
    override = {"group": "B", "due_date": rfc3339(datetime.fromisoformat(due) + timedelta(days=2))}
    await desk.teacher.ok("PATCH", desk.path, json={"overrides": [override]})
    desk.clock.jump(hours=2)
    work = await desk.handed_in(late)
    await desk.graded(work["id"])
    await desk.all_done()
    await desk.teacher.ok("POST", group, json={"group": "B", "student_ids": [late.user_id]})
    await desk.all_done()
    told = Notification.rows().find({"kind": "assignment.graded"}).sort("created_at", 1)
    assert [(row["data"]["previous"], row["data"]["grade"]) async for row in told] == [
        (None, "64.00"),
        ("64.00", "80.00"),
    ]


async def _sent(desk: Desk, text: str, status: int = 200, query: str = "") -> dict[str, Any]:
    upload = {"file": ("grades.csv", text.encode(), "text/csv")}
    reply = await desk.teacher.call("POST", f"{desk.path}/grade-sheet{query}", files=upload)
    assert reply.status_code == status, reply.text
    report: dict[str, Any] = reply.json()
    return report


async def test_a_sheet_keeps_comments_and_says_of_each_row_what_became_of_it(desk: Desk) -> None:
    await desk.open(points=2000)
    works = [await desk.handed_in(await desk.student(f"Student {place}")) for place in range(2)]
    admin = await desk.house.admin()
    first, second = [work["id"] for work in works]
    await desk.graded(first, feedback="Very good\r\nwork")
    for sheet in ("submission_id,grade\n{},80\n", 'submission_id,grade,feedback\n{},80,"Very good\nwork"\n'):
        assert (await _sent(desk, sheet.format(first)))["same"] == 1
    sheet = f"submission_id,grade,feedback,reason\n{first},90,,More\n{second},70,Fine,\n"
    report = await _sent(desk, sheet, query="?dry_run=true")
    assert [(row["feedback_before"], row["feedback_after"]) for row in report["rows"]] == [
        ("Very good\nwork", "Very good\nwork"),
        (None, "Fine"),
    ]
    await admin.ok("POST", f"/assignments/submissions/{second}/claim")
    claimed = await _sent(desk, sheet, 422)
    assert [one["code"] for one in claimed["errors"]] == ["claimed"]
    assert (await desk.teacher.ok("GET", f"/assignments/submissions/{first}"))["raw_grade"] == "80.00"
    await admin.ok("DELETE", f"/assignments/submissions/{second}/claim")
    for grade in ('"1,000"', "1.000", '"١،٠٠٠"'):
        refused = await _sent(desk, f"submission_id,grade\n{second},{grade}\n", 422)
        assert refused["errors"][0]["code"] == "ambiguous"
    give = desk.house.services.assignment_grading.grade

    async def overtaken(actor: Any, submission_id: str, draft: Any) -> Any:
        """A colleague takes the second one after the sheet was looked through."""
        if submission_id == second:
            await admin.ok("POST", f"/assignments/submissions/{second}/claim")
        return await give(actor, submission_id, draft)

    desk.house.services.assignment_grading.grade = overtaken  # type: ignore[method-assign]
    report = await _sent(desk, sheet)
    assert [row["status"] for row in report["rows"]] == ["changed", "refused"]
    shown = await desk.teacher.ok("GET", f"/assignments/submissions/{first}")
    assert (shown["raw_grade"], shown["feedback"]) == ("90.00", "Very good\nwork")


async def test_the_page_gives_exactly_the_sheet_that_was_looked_through(desk: Desk) -> None:
    await desk.open()
    work = await desk.handed_in(await desk.student())
    comment = "ممتاز\nجدا " * 1_500
    lines = "".join(f"\n{'x' * 700},,," for _ in range(400))  # rows that say no grade and no known work
    text = f'submission_id,grade,feedback\n{work["id"]},95,"{comment}"\n'
    page = f"/teach{desk.path}"
    faulty = await _page(
        desk, desk.teacher, page, data={"act": "preview"}, files={"file": ("g.csv", (text + lines).encode())}
    )
    assert "Unknown, or there twice." in faulty.text
    seen = await _page(desk, desk.teacher, page, data={"act": "preview"}, files={"file": ("g.csv", text.encode())})
    packed = seen.text.split('name="sheet" value="')[1].split('"')[0]
    done = await _page(desk, desk.teacher, page, data={"act": "apply", "sheet": packed})
    assert done.status_code == 303
    graded = await desk.teacher.ok("GET", f"/assignments/submissions/{work['id']}")
    assert (graded["raw_grade"], graded["feedback"]) == ("95.00", comment.strip())
    assert (await _sent(desk, text))["same"] == 1


async def test_another_grade_keeps_the_comment_and_the_levels_that_nothing_is_said_of(desk: Desk) -> None:
    await desk.open(rubric=RUBRIC)
    work = await desk.handed_in(await desk.student())
    levels = {"idea": "rich", "style": "clear"}
    first = await desk.graded(work["id"], grade=None, rubric=levels, feedback="Steep indeed.")
    assert (first["raw_grade"], first["feedback"]) == ("100.00", "Steep indeed.")
    again = await desk.graded(work["id"], grade=90, reason="One line is missing")
    assert (again["raw_grade"], again["feedback"], again["rubric"]) == ("90.00", "Steep indeed.", levels)
    cleared = await desk.graded(work["id"], grade=90, feedback="", rubric={})
    assert (cleared["raw_grade"], cleared["feedback"], cleared["rubric"]) == ("90.00", None, None)


async def test_a_file_tells_for_which_assignment_it_is_kept_or_handed_in(desk: Desk) -> None:
    await desk.open()
    student = await desk.student()
    essay, notes = [await upload(student, name, b"It climbs.") for name in ("essay.txt", "notes.txt")]
    assert (essay["assignment_id"], notes["assignment_id"]) == (None, None)
    await student.ok("PUT", f"{desk.path}/draft", json={"file_ids": [essay["id"], notes["id"]]})
    kept = await student.ok("GET", f"/files/{notes['id']}")
    assert (kept["assignment_id"], kept["version"] > notes["version"]) == (desk.assignment["id"], True)
    await desk.handed_in(student, file_ids=[essay["id"]])
    for reader in (student, desk.teacher):
        assert (await reader.ok("GET", f"/files/{essay['id']}"))["assignment_id"] == desk.assignment["id"]
    assert (await student.ok("GET", f"/files/{notes['id']}"))["assignment_id"] is None


async def test_an_image_that_nobody_else_will_be_given_is_not_handed_in(desk: Desk) -> None:
    await desk.open()
    student = await desk.student()
    file = await upload(student, "photo.jpg", photo())
    refused_state = {"$set": {"state": FileState.REFUSED.value, "refused_because": "unreadable"}}
    await StoredFile.change(file["id"], {}, refused_state)
    await student.ok("PUT", f"{desk.path}/draft", json={"content": "See it.", "file_ids": [file["id"]]})
    for body in ({}, {"content": "See it.", "file_ids": [file["id"]]}):
        refused = await student.refused(422, "POST", f"{desk.path}/submit", json=body)
        assert [(fault["field"], fault["code"]) for fault in refused["errors"]] == [("file_ids", "refused_file")]
        assert "photo.jpg" in refused["errors"][0]["message"]
    assert (await student.ok("GET", f"{desk.path}/my-submission"))["state"] == "draft"


@pytest.mark.parametrize("engine", ["embedded"])
async def test_work_without_points_is_commented_on_and_counts_in_no_grade(desk: Desk) -> None:
    ungraded = {"points": 0, "due_date": desk.at(hours=1), "allow_late_submission": True, "late_penalty_percentage": 10}
    await desk.open(**ungraded)
    assert desk.assignment["points"] == "0.00"
    counted = await desk.made(title="Counted", points=10)
    student = await desk.student()
    desk.clock.jump(hours=2)
    work = await desk.handed_in(student)
    other = await student.ok("POST", f"/assignments/{counted['id']}/submit", json={"content": "So."})
    grade = f"/assignments/submissions/{work['id']}/grade"
    wrong = await desk.teacher.refused(422, "POST", grade, json={"grade": 1})
    assert [(one["field"], one["code"]) for one in wrong["errors"]] == [("grade", "out_of_range")]
    told = await desk.graded(work["id"], grade=0, feedback="Well begun.")
    assert (told["grade"], told["feedback"], told["penalty_percentage"]) == ("0.00", "Well begun.", "10.00")
    await desk.graded(other["id"], grade=8)
    book = await desk.teacher.ok("GET", f"/courses/{desk.course['id']}/gradebook")
    (row,) = book["students"]
    assert (row["percentage"], row["grades"][desk.assignment["id"]]["percentage"]) == ("80.00", None)
    mine = await student.ok("GET", f"/courses/{desk.course['id']}/grades")
    assert mine["percentage"] == "80.00"
    for reader, page in (
        (student, desk.path),
        (desk.teacher, f"/teach{desk.path}"),
        (desk.teacher, f"/teach/courses/{desk.course['id']}/gradebook"),
    ):
        async with httpx.AsyncClient(base_url=desk.house.address, trust_env=False) as browser:
            browser.cookies.set("lms_access", reader.tokens["access_token"])
            assert (await browser.get(page)).status_code == 200, page
