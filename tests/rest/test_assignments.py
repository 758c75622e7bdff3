"""Assignments over HTTP as teachers and students use them: from the draft to the mail, late, in bulk, and where names are hidden."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from config.settings import Settings
from documents.event_record import EventRecord
from documents.notification import Notification
from documents.stored_file import FileUse, StoredFile, use_of
from lms_rt.clock import Clock, rfc3339
from lms_rt.services import assignment_work
from lms_rt.services.files import FileKind, Produced
from tests import factories
from tests.clients import Visitor
from tests.house import House, open_house
from tests.live.node_school import watching
from tests.working import idle, working

RUBRIC: dict[str, Any] = {
    "criteria": [
        {
            "id": "idea",
            "title": "Idea",
            "levels": [{"id": "poor", "title": "Poor", "points": 20}, {"id": "rich", "title": "Rich", "points": 60}],
        },
        {"id": "style", "title": "Style", "levels": [{"id": "clear", "title": "Clear", "points": 40}]},
    ]
}


class JumpingClock(Clock):
    """Goes like any other, and jumps ahead when it is told to."""

    jumped_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.jumped_ms

    def jump(self, **by: float) -> None:
        self.jumped_ms += int(timedelta(**by).total_seconds() * 1000)


class Desk:
    """A course with an assignment, its teacher, and students."""

    def __init__(self, house: House, clock: JumpingClock) -> None:
        self.house, self.clock = house, clock

    async def open(self, **fields: Any) -> Desk:
        self.teacher = await self.house.teacher("Tariq Teacher")
        self.course = await factories.course(self.teacher)
        self.assignment = await self.made(**fields)
        self.path = f"/assignments/{self.assignment['id']}"
        return self

    async def made(self, **fields: Any) -> dict[str, Any]:
        body = {"course_id": self.course["id"], "title": "Essay on slopes", "points": 100, "timezone": "UTC", **fields}
        made: dict[str, Any] = await self.teacher.ok("POST", "/assignments", json=body)
        return made

    async def student(self, name: str = "Sara Student") -> Visitor:
        student = await self.house.student(name)
        await factories.enrolled(student, self.course["id"])
        return student

    def at(self, **after: float) -> str:
        return rfc3339(self.clock.now() + timedelta(**after))

    async def handed_in(self, student: Visitor, content: str = "It climbs.", **fields: Any) -> dict[str, Any]:
        body = {"content": content, **fields}
        work: dict[str, Any] = await student.ok("POST", f"{self.path}/submit", json=body)
        return work

    async def graded(self, work_id: str, **fields: Any) -> dict[str, Any]:
        path = f"/assignments/submissions/{work_id}/grade"
        graded: dict[str, Any] = await self.teacher.ok("POST", path, json={"grade": 80, **fields})
        return graded

    async def all_done(self) -> None:
        await self.house.services.relay.sweep(minimum_age_ms=0)
        async with working(self.house):
            await idle(self.house.services)


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
async def desk(settings: Settings, clock: JumpingClock) -> AsyncIterator[Desk]:
    for_days = settings.model_copy(update={"access_token_expire_minutes": 20_000})
    async with open_house(for_days, clock=clock) as house:
        yield Desk(house, clock)


async def test_from_the_draft_to_the_grade_and_the_mail(desk: Desk) -> None:
    await desk.open(due_date=desk.at(days=1), allow_late_submission=True, late_penalty_percentage=10)
    student, other = await desk.student(), await desk.student("Omar Other")
    own = f"{desk.path}/my-submission"
    assert (await student.ok("GET", own))["state"] == "none"
    kept = await student.ok("PUT", f"{desk.path}/draft", json={"content": "It cl"})
    assert (kept["state"], kept["draft"]["content"], kept["submitted_at"]) == ("draft", "It cl", None)
    stale = await student.refused(409, "PUT", f"{desk.path}/draft", json={"content": "Other", "revision": 0})
    assert stale["stored"]["content"] == "It cl"
    await desk.teacher.refused(404, "GET", f"/assignments/submissions/{kept['id']}")

    async with watching(desk.teacher) as screen:
        await screen.ok("subscribe", channel=f"course:{desk.course['id']}:staff")
        first = await student.ok("POST", f"{desk.path}/submit", json={})
        heard = await screen.hears(f"course:{desk.course['id']}:staff", 1)
    assert (first["content"], first["number"], first["draft"]) == ("It cl", 1, None)
    told = next(frame["data"] for frame in heard if frame["event"] == "submission_received")
    assert (told["student_name"], told["submission_id"], told["number"]) == ("Sara Student", first["id"], 1)

    desk.clock.jump(hours=30)  # of the two days after, six hours of the first are gone
    again = await desk.handed_in(student, "It climbs.")
    assert (again["number"], again["late_days"], again["penalty_percentage"]) == (2, 1, "10.00")
    assert [one["content"] for one in again["history"]] == ["It cl"]
    desk.clock.jump(days=3)
    same = await desk.handed_in(student, "It climbs.")
    assert (same["number"], same["submitted_at"]) == (2, again["submitted_at"])
    shown = await desk.teacher.ok("GET", f"{desk.path}/submissions?state=waiting")
    assert [(row["full_name"], row["is_late"]) for row in shown["items"]] == [("Sara Student", True)]

    await other.refused(404, "GET", f"/assignments/submissions/{first['id']}")
    await _graded_and_told(desk, student, first["id"])


async def test_a_grade_that_was_a_mistake_is_taken_back_and_the_work_waits_again(desk: Desk) -> None:
    await desk.open(due_date=desk.at(days=1))
    student = await desk.student()
    work = await desk.handed_in(student)
    path = f"/assignments/submissions/{work['id']}/grade"
    await desk.teacher.refused(404, "DELETE", path, params={"reason": "Nothing there"})
    await desk.graded(work["id"], feedback="Well done")
    await student.refused(403, "DELETE", path, params={"reason": "Too low"})
    async with watching(student) as screen:
        await screen.ok("subscribe", channel=f"user:{student.user_id}")
        await desk.teacher.ok("DELETE", path, params={"reason": "Meant for another"})
        heard = await screen.hears(f"user:{student.user_id}", 1)
    told = next(frame["data"] for frame in heard if frame["event"] == "grade_taken_back")
    assert (told["submission_id"], told["reason"]) == (work["id"], "Meant for another")
    mine = await student.ok("GET", f"{desk.path}/my-submission")
    assert (mine["state"], mine["raw_grade"], mine["grade"], mine["feedback"], mine["graded_at"]) == (
        "submitted", None, None, None, None,
    )  # fmt: skip
    assert [(one["from"], one["to"], one["reason"]) for one in mine["grade_history"]] == [
        ("80.00", None, "Meant for another")
    ]
    assert (await desk.handed_in(student, "Better."))["number"] == 2
    assert (await desk.graded(work["id"], grade=90))["revision"] == 3
    await desk.all_done()
    rows = Notification.rows().find({"kind": "assignment.graded"}).sort("created_at", 1)
    assert [(row["data"]["previous"], row["data"]["grade"]) async for row in rows][-1] == (None, "90.00")


async def _graded_and_told(desk: Desk, student: Visitor, work_id: str) -> None:
    """Live, by notification and by mail, with what came off."""
    async with watching(student) as screen:
        await screen.ok("subscribe", channel=f"user:{student.user_id}")
        graded = await desk.graded(work_id, feedback="Steep indeed.", number=2)
        heard = await screen.hears(f"user:{student.user_id}", 1)
    assert (graded["raw_grade"], graded["grade"], graded["penalty_percentage"]) == ("80.00", "72.00", "10.00")
    event = next(frame["data"] for frame in heard if frame["event"] == "assignment_graded")
    assert (event["grade"], event["raw_grade"], event["previous"]) == ("72.00", "80.00", None)
    late = await student.refused(409, "POST", f"{desk.path}/submit", json={"content": "Better"})
    assert late["reason"] == "graded"
    assert (await student.ok("GET", f"{desk.path}/my-submission"))["feedback"] == "Steep indeed."
    await desk.all_done()
    notice = await Notification.rows().find_one({"user_id": student.user_id, "kind": "assignment.graded"})
    assert notice is not None
    assert (notice["mail"]["template"], notice["data"]["grade"]) == ("assignment_graded", "72.00")


async def test_a_moved_date_makes_other_grades_and_tells_whose_they_are(desk: Desk) -> None:
    due = desk.at(hours=1)
    await desk.open(due_date=due, allow_late_submission=True, late_penalty_percentage=25)
    late, early = await desk.student("Layla Late"), await desk.student("Emad Early")
    in_time = await desk.handed_in(early)
    desk.clock.jump(hours=2)
    work = await desk.handed_in(late)
    assert (await desk.graded(work["id"]))["grade"] == "60.00"
    await desk.graded(in_time["id"])
    await desk.all_done()
    override = {"student_id": late.user_id, "due_date": rfc3339(datetime.fromisoformat(due) + timedelta(days=2))}
    changed = await desk.teacher.ok("PATCH", desk.path, json={"overrides": [override]})
    assert changed["overrides"][0]["full_name"] == "Layla Late"
    await desk.all_done()
    mine = await late.ok("GET", desk.path)
    assert (mine["yours"]["grade"], mine["yours"]["is_own_date"], mine["overrides"]) == ("80.00", True, None)
    rows = Notification.rows()
    notices = [row async for row in rows.find({"kind": "assignment.graded"}).sort("created_at", 1)]
    told = [(row["user_id"], row["data"]["previous"], row["data"]["grade"]) for row in notices]
    assert (late.user_id, "60.00", "80.00") in told
    assert [one for one in told if one[0] == early.user_id] == [(early.user_id, None, "80.00")]
    assert await desk.house.services.assignment_grading.retell(desk.assignment["id"]) == 0
    await desk.teacher.refused(422, "PATCH", desk.path, json={"overrides": [{"group": "Nobody", "due_date": None}]})


async def test_after_the_due_moment_nothing_is_taken_and_who_may_is_decided_by_their_own_date(desk: Desk) -> None:
    await desk.open(due_date=desk.at(hours=1))
    student, excused = await desk.student(), await desk.student("Eman Excused")
    stranger = await desk.house.student()
    override = {"student_id": excused.user_id, "due_date": None}
    await desk.teacher.ok("PATCH", desk.path, json={"overrides": [override]})
    desk.clock.jump(hours=1, minutes=1)
    refused = await student.refused(409, "POST", f"{desk.path}/submit", json={"content": "Too late"})
    assert (refused["reason"], refused["due_date"]) == ("past_due", desk.assignment["due_date"])
    assert (await student.ok("GET", desk.path))["yours"]["can_submit"] is False
    assert (await desk.handed_in(excused))["due_date"] is None
    assert (await stranger.refused(403, "POST", f"{desk.path}/submit", json={"content": "x"}))["code"] == "not_enrolled"
    assert (await student.refused(422, "POST", f"{desk.path}/submit", json={}))["errors"][0]["field"] == "content"
    in_use = await desk.teacher.refused(409, "DELETE", desk.path)
    assert in_use["code"] == "conflict"
    await desk.teacher.ok("DELETE", f"{desk.path}?archive=true")
    assert (await student.ok("GET", "/assignments"))["items"] == []


async def test_a_list_tells_what_was_written_until_its_page_is_long(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.open()
    first = await desk.handed_in(await desk.student())
    await desk.handed_in(await desk.student("Omar Other"), "ليس كذلك. " * 20)
    await desk.handed_in(await desk.student("Lina Later"), "Too.")
    path = f"{desk.path}/submissions"
    waiting = (await desk.teacher.ok("GET", path))["items"]
    assert [(row["content"][:9], row["feedback"]) for row in waiting] == [
        ("It climbs", None), ("ليس كذلك.", None), ("Too.", None),
    ]  # fmt: skip
    graded = await desk.graded(first["id"], feedback="Clear.")
    (row,) = (await desk.teacher.ok("GET", path, params={"state": "graded"}))["items"]
    assert row == {name: graded[name] for name in row}
    assert row["created_at"] <= row["updated_at"]
    for kind, said in (("assignment.submitted", None), ("assignment.graded", "Clear.")):
        kept = await EventRecord.rows().find_one({"type": kind, "data.id": first["id"]})
        assert kept is not None
        assert (kept["data"]["content"], kept["data"]["feedback"]) == ("It climbs.", said)
    monkeypatch.setattr(assignment_work, "TEXT_BYTES_OF_A_PAGE", 300)
    short = (await desk.teacher.ok("GET", path))["items"]
    told = [("It climbs.", "Clear."), (None, None), (None, None)]
    assert [(row["content"], row["feedback"]) for row in short] == told
    assert [row["version"] for row in short[1:]] == [row["version"] for row in waiting[1:]]


async def test_the_same_key_hands_in_once(desk: Desk) -> None:
    await desk.open()
    student = await desk.student()
    key = {"Idempotency-Key": "once"}
    body = {"content": "It climbs."}
    first = await student.ok("POST", f"{desk.path}/submit", json=body, headers=key)
    assert await student.ok("POST", f"{desk.path}/submit", json=body, headers=key) == first
    other = await student.refused(409, "POST", f"{desk.path}/submit", json={"content": "Other"}, headers=key)
    assert other["code"] == "idempotency_key_reused"
    assert (await student.ok("GET", f"{desk.path}/my-submission"))["number"] == 1


async def test_the_page_of_work_whose_lesson_is_locked_says_so(desk: Desk) -> None:
    await desk.open()
    lesson_id = desk.course["lessons"][0]["id"]
    await desk.teacher.ok("PATCH", desk.path, json={"lesson_id": lesson_id})
    await desk.teacher.ok("PATCH", f"/lessons/{lesson_id}", json={"release_at": desk.at(days=1)})
    student = await desk.student()
    await student.refused(403, "POST", f"{desk.path}/submit", json={"content": "Early"})
    async with httpx.AsyncClient(base_url=desk.house.address, trust_env=False, timeout=30) as browser:
        browser.cookies.set("lms_access", student.tokens["access_token"])
        page = await browser.get(desk.path)
        assert (page.status_code, "<span>Its lesson is not open yet.<" in page.text) == (200, True)
        desk.clock.jump(days=2)
        page = await browser.get(desk.path)
        assert ("<span>Its lesson is not open yet.<" in page.text, 'id="work"' in page.text) == (False, True)
    await desk.handed_in(student)
    enrollment = (await student.ok("GET", "/enrollments"))["items"][0]
    assert enrollment["status"] == "completed"


async def test_two_who_grade_take_what_the_other_has_not_and_see_what_was_given(desk: Desk) -> None:
    await desk.open(rubric=RUBRIC, is_marking_anonymous=True)
    works = [await desk.handed_in(await desk.student(), f"Number {place}.") for place in range(2)]
    admin = await desk.house.admin()
    taken = await desk.teacher.ok("POST", f"{desk.path}/submissions/next", json={})
    assert (taken["item"]["id"], taken["waiting_count"]) == (works[0]["id"], 2)
    assert (taken["item"]["full_name"], taken["item"]["student_id"]) == (None, None)
    second = await admin.ok("POST", f"{desk.path}/submissions/next", json={})
    assert second["item"]["id"] == works[1]["id"]
    path = f"/assignments/submissions/{works[0]['id']}"
    held = await admin.refused(409, "POST", f"{path}/grade", json={"grade": 1})
    assert held["claimed_by"]["user_id"] == desk.teacher.user_id
    half = await desk.teacher.refused(422, "POST", f"{path}/grade", json={"rubric": {"idea": "rich"}})
    assert half["errors"][0]["field"] == "rubric.style"
    body = {"rubric": {"idea": "poor", "style": "clear"}, "number": 1}
    graded = await desk.teacher.ok("POST", f"{path}/grade", json=body)
    assert (graded["raw_grade"], [one["level_title"] for one in graded["criteria"]]) == ("60.00", ["Poor", "Clear"])
    unseen = await admin.refused(409, "POST", f"{path}/grade", json={"grade": 90, "reason": "Kinder"})
    assert unseen["stored"]["raw_grade"] == "60.00"
    await desk.teacher.refused(422, "POST", f"{path}/grade", json={"grade": 100.01})
    await desk.teacher.refused(422, "POST", f"{path}/grade", json={"grade": 70})
    anew = await admin.ok("POST", f"{path}/grade", json={"grade": 90, "reason": "Kinder", "revision": 1})
    assert (anew["grade"], anew["grade_history"][0]["from"], anew["grade_history"][0]["reason"]) == (
        "90.00",
        "60.00",
        "Kinder",
    )
    counts = await desk.teacher.ok("GET", desk.path)
    assert (counts["submitted_count"], counts["graded_count"]) == (2, 1)
    wrong = await desk.teacher.refused(422, "PATCH", desk.path, json={"points": 50})
    assert wrong["errors"][0]["code"] == "rubric_points"


async def test_a_sheet_goes_out_and_comes_back_with_a_fault_per_row(desk: Desk) -> None:
    await desk.open()
    names = ("=SUM(1)", "سارة الطالبة", "Omar")
    works = [await desk.handed_in(await desk.student(name)) for name in names]
    sheet = await desk.teacher.call("GET", f"{desk.path}/grade-sheet")
    assert sheet.content.startswith("\ufeff".encode())
    rows = list(csv.DictReader(io.StringIO(sheet.content.decode("utf-8-sig"))))
    assert sorted(row["name"] for row in rows) == sorted(["'=SUM(1)", "سارة الطالبة", "Omar"])
    by_id = {row["submission_id"]: row for row in rows}
    grades = ("٧٧,٥", "101", "60")
    for work, grade in zip(works, grades, strict=True):
        by_id[work["id"]]["grade"] = grade
    by_id[works[2]["id"]]["feedback"] = "-1 for spelling"
    path = f"{desk.path}/grade-sheet"

    async def sent(status: int, query: str = "", encoding: str = "utf-8") -> dict[str, Any]:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
        upload = {"file": ("grades.csv", text.getvalue().encode(encoding), "text/csv")}
        reply = await desk.teacher.call("POST", path + query, files=upload)
        assert reply.status_code == status, reply.text
        report: dict[str, Any] = reply.json()
        return report

    report = await sent(200, "?dry_run=true")
    assert (report["changed"], report["refused"], report["dry_run"]) == (2, 1, True)
    faulty = next(row for row in report["rows"] if row["status"] == "refused")
    assert (faulty["submission_id"], faulty["errors"][0]["field"]) == (works[1]["id"], "grade")
    assert (await sent(422))["errors"][0]["field"] == f"rows.{faulty['line']}.grade"
    assert (await desk.teacher.ok("GET", f"{desk.path}/submissions?state=graded"))["total"] == 0
    by_id[works[0]["id"]]["grade"], by_id[works[1]["id"]]["grade"] = "77,5", ""  # the old code page has no such digits
    assert (await sent(200, encoding="cp1256"))["changed"] == 2
    graded = await desk.teacher.ok("GET", f"/assignments/submissions/{works[0]['id']}")
    assert graded["raw_grade"] == "77.50"
    assert (await sent(200, encoding="utf-16"))["same"] == 3
    by_id[works[2]["id"]]["grade"] = "61"
    assert [one["code"] for one in (await sent(422))["errors"]] == ["conflict"]


async def test_all_that_was_handed_in_comes_as_one_zip(desk: Desk) -> None:
    await desk.open()
    first, second = await desk.student("سارة"), await desk.student("سارة")
    files = [await _file_of(desk, first, name) for name in ("../../etc/passwd", "report.pdf", "REPORT.pdf")]
    work = await desk.handed_in(first, "Text.", file_ids=files)
    assert work["file_url"] == f"/api/v1/files/{files[0]}/download"
    await desk.handed_in(second, "Other.")
    foreign = await second.refused(422, "POST", f"{desk.path}/submit", json={"content": "x", "file_ids": files[:1]})
    assert foreign["errors"][0]["field"] == "file_ids"
    reply = await desk.teacher.call("GET", f"{desk.path}/submissions/archive")
    assert reply.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(reply.content)) as packed:
        names = packed.namelist()
        assert packed.testzip() is None
        texts = {name: packed.read(name).decode() for name in names}
    assert len({name.casefold() for name in names}) == len(names)
    assert {name.split("/")[0] for name in names} == {"سارة", "سارة (2)"}
    assert all(len(name.split("/")) == 2 and ".." not in name.split("/") for name in names)
    assert sorted(name.split("/")[1] for name in names if "report" in name.lower()) == ["REPORT (2).pdf", "report.pdf"]
    assert [text for name, text in texts.items() if name.endswith("/report.pdf")] == ["bytes of report.pdf"]
    await desk.handed_in(first, "Without files.")
    kept = await StoredFile.find_used(use_of(FileUse.SUBMISSION, work["id"]))
    assert len(kept) == 3  # what was handed in before is kept with its files


async def _file_of(desk: Desk, student: Visitor, name: str) -> str:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"bytes of " + name.encode()

    made = Produced(
        file_id=f"fil_{name.encode().hex()[:26]:0<26}",
        owner_id=student.user_id,
        use=FileUse.AVATAR,
        subject_id=student.user_id,
        original_filename=name,
        kind=FileKind("application/pdf", "document"),
    )
    return (await desk.house.services.files.produce(made, chunks())).id
