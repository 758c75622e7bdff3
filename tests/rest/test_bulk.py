"""Many people into a course by a table: foretold, done in the background, watched, cancelled, fetched. On both lanes."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from documents.course import Course
from documents.enrollment import Enrollment
from documents.import_run import ImportPart, ImportRun
from documents.job import Job
from documents.user import User
from lms_rt.services import bulk_enrollment, bulk_rows, import_erasure
from lms_rt.services.erasure_steps import Ground
from lms_rt.services.withholding import Leaving
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.live.node_school import watching
from tests.working import idle, turns_beside, working

CSV = {"Content-Type": "text/csv"}


@pytest.fixture(scope="module")
async def teacher(house: House) -> Visitor:
    return await house.teacher("Tariq Aziz")


@pytest.fixture
async def course_id(teacher: Visitor) -> str:
    return str((await factories.course(teacher))["id"])


@pytest.fixture
async def worker(house: House) -> AsyncIterator[None]:
    """Somebody does what the house has to do."""
    async with working(house):
        yield


def table(*rows: str, head: str = "email,name,group") -> bytes:
    return "\n".join((head, *rows)).encode()


async def mails(template: str, user_id: str) -> int:
    return await Job.rows().count_documents({"task": "mail.send", "args.template": template, "args.user_id": user_id})


async def test_a_table_is_foretold_row_by_row_and_nothing_is_written(
    house: House, teacher: Visitor, course_id: str
) -> None:
    known, present, left = [await house.student(name) for name in ("Sara Saleh", "Omar Nasser", "Lina Haddad")]
    for one in (present, left):
        made = await factories.enrolled(one, course_id)
    await left.ok("PATCH", f"/enrollments/{made['id']}", json={"status": "dropped"})
    rows = [f"{one.user['email']},Somebody,A" for one in (known, present, left)]
    closed = await house.student("Nobody Else")
    await User.rows().update_one({"_id": closed.user_id}, {"$set": {"is_active": False}})
    rows += ["new1@example.net,Neu,A", f"{closed.user['email']},Closed,A"]
    raw = table(*rows, "nonsense,,", f"{known.user['email'].upper()},Again,A")
    path = f"/courses/{course_id}/students/import"
    reply = await teacher.call("POST", path, params={"dry_run": "true"}, files={"file": ("people.csv", raw)})
    assert reply.status_code == 200
    told = reply.json()
    assert [(row["line"], row["outcome"], row["code"]) for row in told["rows"]] == [
        (2, "added", None),  # whether there is an account is not told before they are in
        (3, "present", None),
        (4, "returned", None),
        (5, "added", None),
        (6, "added", None),
        (7, "refused", "email"),
        (8, "refused", "duplicate"),
    ]
    nobody = {"enrolled": 0, "invited": 0}
    assert told["counts"] == {**nobody, "returned": 1, "present": 1, "refused": 2, "added": 3}
    assert told["columns"] == {"email": "email", "full_name": "name", "group": "group"}
    strict = await teacher.ok("POST", path, params={"dry_run": "true", "invite": "false"}, content=raw, headers=CSV)
    assert strict["counts"] == told["counts"]
    admin = await house.admin()
    whole = await admin.ok("POST", path, params={"dry_run": "true"}, content=raw, headers=CSV)
    assert [row["outcome"] for row in whole["rows"]][:5] == ["enrolled", "present", "returned", "invited", "refused"]
    assert await ImportRun.find_all().count() == 0
    assert await User.find_by_email_key("new1@example.net") is None
    assert await Enrollment.find_of(known.user_id, course_id) is None


async def what_came_of_each_row_is_told(teacher: Visitor, run_id: str) -> None:
    """Of the three rows of the next test: by pages, by outcome, and as a table."""
    rows = await teacher.ok("GET", f"/imports/{run_id}/rows", params={"outcome": "refused"})
    assert [(row["line"], row["code"]) for row in rows["items"]] == [(4, "email")]
    first = await teacher.ok("GET", f"/imports/{run_id}/rows", params={"limit": 2})
    rest = await teacher.ok("GET", f"/imports/{run_id}/rows", params={"limit": 2, "after": first["next"]})
    assert [row["line"] for row in (*first["items"], *rest["items"])] == [2, 3, 4]
    result = await teacher.call("GET", f"/imports/{run_id}/result")
    assert result.content.startswith(b"\xef\xbb\xbf")
    lines = list(csv.reader(io.StringIO(result.content.decode("utf-8-sig"))))
    assert [line[4] for line in lines] == ["outcome", "enrolled", "invited", "refused"]
    assert lines[2][2].startswith("'=")  # nothing that somebody wrote runs in a spreadsheet


@pytest.mark.usefixtures("worker")
async def test_known_ones_are_enrolled_and_unknown_ones_invited_once_and_it_is_told_live(
    house: House, teacher: Visitor, course_id: str
) -> None:
    known = await house.student("Sara Saleh")
    raw = table(f"{known.user['email']},Sara,A", "new2@example.net,=cmd|' /C calc'!A0,B", "nonsense,,")
    path = f"/courses/{course_id}/students/import"
    async with watching(teacher) as screen:
        await screen.ok("subscribe", channel=f"user:{teacher.user_id}")
        reply = await teacher.call("POST", path, files={"file": ("people.csv", raw)})
        assert (reply.status_code, reply.json()["status"]) == (202, "waiting")
        finished = await screen.until(
            lambda: next((one for one in screen.frames if one.get("event") == "import_finished"), None)
        )
    run_id = reply.json()["id"]
    assert reply.headers["Location"] == f"/api/v1/imports/{run_id}"
    assert (finished["data"]["import_id"], finished["data"]["status"]) == (run_id, "finished")
    await idle(house.services)
    run = await teacher.ok("GET", f"/imports/{run_id}")
    assert (run["done"], run["total"], run["counts"]) == (3, 3, {"enrolled": 1, "invited": 1, "refused": 1})
    invited = await User.find_by_email_key("new2@example.net")
    assert invited is not None
    assert (invited.role, invited.password_hash, await mails("invitation", invited.id)) == ("student", "", 1)
    there = await Enrollment.find_of(invited.id, course_id)
    assert there is not None
    assert (there.status, there.group) == ("active", "B")
    await what_came_of_each_row_is_told(teacher, run_id)
    again = await teacher.ok("POST", path, content=raw, headers=CSV)
    await idle(house.services)
    counts = (await teacher.ok("GET", f"/imports/{again['id']}"))["counts"]
    assert counts == {"present": 2, "refused": 1}
    assert await mails("invitation", invited.id) == 1
    listed = await teacher.ok("GET", "/imports", params={"kind": "people", "course_id": course_id})
    assert [one["id"] for one in listed["items"]] == [again["id"], run_id]


async def test_a_run_that_was_cut_goes_on_and_meets_its_own_work(
    house: House, teacher: Visitor, course_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (bulk_rows, bulk_enrollment):
        monkeypatch.setattr(module, "PART", 3)
    student = await house.student()
    raw = table(f"{student.user['email']},S,A", *(f"cut{n}@example.net,Cut {n}," for n in range(7)))
    run = await teacher.ok("POST", f"/courses/{course_id}/students/import", content=raw, headers=CSV)
    services = house.services
    finish, parts = ImportPart.finish, list[str]()

    async def cut(part_id: str, *args: Any) -> None:
        parts.append(part_id)
        if len(parts) == 2:
            raise RuntimeError("the process died: the second part is done, and not noted")
        await finish(part_id, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImportPart, "finish", cut)
        with pytest.raises(RuntimeError):
            await services.import_runs.run(run["id"])
    halfway = await teacher.ok("GET", f"/imports/{run['id']}")
    assert (halfway["status"], halfway["done"]) == ("running", 3)
    await services.import_runs.run(run["id"])
    await services.import_runs.run(run["id"])  # a job that comes twice
    done = await teacher.ok("GET", f"/imports/{run['id']}")
    assert (done["status"], done["done"], done["counts"]) == ("finished", 8, {"enrolled": 1, "invited": 7})
    assert await Enrollment.count_present(course_id) == 8
    await services.relay.sweep(minimum_age_ms=0)
    invited = [row["_id"] async for row in User.rows().find({"email_key": {"$regex": "^cut"}}, {"_id": 1})]
    assert len(invited) == 7
    assert {await mails("invitation", user_id) for user_id in invited} == {1}
    counted = await teacher.ok("GET", f"/courses/{course_id}")
    assert counted["enrollments_count"] == 8


async def test_others_have_their_turn_between_the_rows_of_a_run(house: House, teacher: Visitor, course_id: str) -> None:
    raw = table(*(f"turn{n}@example.net,Turn {n}," for n in range(12)))
    run = await teacher.ok("POST", f"/courses/{course_id}/students/import", content=raw, headers=CSV)
    async with turns_beside() as turns:
        await house.services.import_runs.run(run["id"])
    assert turns.count >= 12


async def test_what_was_being_done_when_a_run_was_cancelled_is_counted(
    house: House, teacher: Visitor, course_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (bulk_rows, bulk_enrollment):
        monkeypatch.setattr(module, "PART", 3)
    raw = table(*(f"halt{n}@example.net,Halt {n}," for n in range(9)))
    run = await teacher.ok("POST", f"/courses/{course_id}/students/import", content=raw, headers=CSV)
    finish = ImportPart.finish

    async def cancelled_meanwhile(part_id: str, *args: Any) -> None:
        await finish(part_id, *args)
        if part_id.endswith("000003"):
            assert (await teacher.ok("POST", f"/imports/{run['id']}/cancel"))["done"] == 3

    monkeypatch.setattr(ImportPart, "finish", cancelled_meanwhile)
    await house.services.import_runs.run(run["id"])
    ended = await teacher.ok("GET", f"/imports/{run['id']}")
    assert (ended["status"], ended["done"], ended["counts"]) == ("cancelled", 6, {"invited": 6})
    assert await Enrollment.count_present(course_id) == 6


async def test_who_may_not_and_what_cannot_be(house: House, teacher: Visitor, course_id: str) -> None:
    other, student = await house.teacher(), await house.student()
    path, raw = f"/courses/{course_id}/students/import", table("a@example.net,A,")
    assert (await other.call("POST", path, content=raw, headers=CSV)).status_code == 404
    assert (await student.call("POST", path, content=raw, headers=CSV)).status_code == 403
    refused = await teacher.call("POST", path, content=b"name\nSara\n", headers=CSV)
    assert [(one["field"], one["code"]) for one in refused.json()["errors"]] == [("file", "no_email")]
    run = await teacher.ok("POST", path, content=raw, headers=CSV)
    second = await teacher.call("POST", path, content=raw, headers=CSV)
    assert (second.status_code, second.json()["import_id"]) == (409, run["id"])
    for method, at in (("GET", ""), ("GET", "/rows"), ("GET", "/result"), ("POST", "/cancel")):
        assert (await other.call(method, f"/imports/{run['id']}{at}")).status_code == 404
    cancelled = await teacher.ok("POST", f"/imports/{run['id']}/cancel")
    assert cancelled["status"] == "cancelled"
    await house.services.import_runs.run(run["id"])
    assert await User.find_by_email_key("a@example.net") is None
    assert (await teacher.ok("POST", f"/imports/{run['id']}/cancel"))["status"] == "cancelled"


async def test_work_that_waited_is_not_done_for_who_may_not_any_more(
    house: House, teacher: Visitor, course_id: str
) -> None:
    run = await teacher.ok(
        "POST", f"/courses/{course_id}/students/import", content=table("b@example.net,B,"), headers=CSV
    )
    await User.rows().update_one({"_id": teacher.user_id}, {"$set": {"role": "student"}})
    try:
        await house.services.import_runs.run(run["id"])
    finally:
        await User.rows().update_one({"_id": teacher.user_id}, {"$set": {"role": "instructor"}})
    failed = await teacher.ok("GET", f"/imports/{run['id']}")
    assert (failed["status"], failed["error"]) == ("failed", "not_found")
    assert await User.find_by_email_key("b@example.net") is None
    other = await house.teacher()
    for at in ("rows", "result"):
        assert (await teacher.call("GET", f"/imports/{run['id']}/{at}")).status_code == 200
    await Course.rows().update_one({"_id": course_id}, {"$set": {"instructor_id": other.user_id}})
    for at in ("rows", "result"):  # the addresses are those of somebody else's students now
        assert (await teacher.call("GET", f"/imports/{run['id']}/{at}")).status_code == 404
    assert (await teacher.call("GET", f"/imports/{run['id']}")).status_code == 200


async def test_a_table_is_looked_through_and_brought_in_without_scripts(
    house: House, teacher: Visitor, course_id: str
) -> None:
    table = b"email,name\nnew.one@example.org,New One\nno address,Nobody\n"
    path = f"/teach/courses/{course_id}/bulk"
    async with httpx.AsyncClient(base_url=house.address, trust_env=False, timeout=30) as browser:
        browser.cookies.set("lms_access", teacher.tokens["access_token"])
        token = (await browser.get(path)).text.split('name="csrf" value="')[1].split('"')[0]
        form = {"csrf": token, "act": "check", "invite": "on"}
        empty = await browser.post(path, data=form, files={"file": ("people.csv", b"")})
        assert (empty.status_code, "<table" in empty.text) == (422, False)
        seen = (await browser.post(path, data=form, files={"file": ("people.csv", table)})).text
        assert ("new.one@example.org" in seen, "This is no e-mail address." in seen) == (True, True)
        carried = seen.split('name="table" value="')[1].split('"')[0]
        bring = {**form, "act": "bring", "table": carried, "filename": "people.csv"}
        done = await browser.post(path, data=bring)
        assert (done.status_code, done.headers["location"]) == (303, f"{path}?done=begun")
        assert "It has begun." in (await browser.get(done.headers["location"])).text
    [run] = (await teacher.ok("GET", "/imports", params={"course_id": course_id, "status": "waiting"}))["items"]
    assert (run["total"], run["filename"]) == (2, "people.csv")
    await teacher.ok("POST", f"/imports/{run['id']}/cancel")


async def test_rows_without_a_run_go(house: House, teacher: Visitor, course_id: str) -> None:
    path, raw, runs = f"/courses/{course_id}/students/import", table("lost@example.net,L,"), house.services.import_runs

    async def cut(*_: Any) -> None:
        raise RuntimeError("the process died")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImportRun, "add", cut)
        assert (await teacher.call("POST", path, content=raw, headers=CSV)).status_code == 500
    kept = await teacher.ok("POST", path, content=raw, headers=CSV)
    which = {"emails": "lost@example.net"}
    assert await ImportPart.rows().count_documents(which) == 2
    now = house.services.clock.now()
    assert await runs.forget_lost(now - timedelta(days=1), limit=1) == 0
    assert await runs.forget_lost(now + timedelta(days=1), limit=1) == 1
    assert [row["run_id"] async for row in ImportPart.rows().find(which)] == [kept["id"]]


async def test_who_is_erased_stands_in_no_table_any_more(house: House, teacher: Visitor, course_id: str) -> None:
    student, second = await house.student("Sara Saleh"), (await factories.course(teacher))["id"]
    raw = table(f"{student.user['email']},Sara Saleh,A", "stays@example.net,Stays,A")
    run = await teacher.ok("POST", f"/courses/{course_id}/students/import", content=raw, headers=CSV)
    others = await teacher.ok("POST", f"/courses/{second}/students/import", content=raw, headers=CSV)  # it waits
    await house.services.import_runs.run(run["id"])
    email = student.user["email"]
    leaving = Leaving(student.user_id, "Sara Saleh", email, email)
    ground = Ground(files=house.services.file_store, clock=house.services.clock, leaving=leaving, job_id="job_none")
    await import_erasure.parts(ground)
    rows = (await teacher.ok("GET", f"/imports/{run['id']}/rows"))["items"]
    assert [(row["email"], row["full_name"], row["student_id"] is None) for row in rows] == [
        ("…", None, True),
        ("stays@example.net", "Stays", False),
    ]
    assert await ImportPart.rows().count_documents({"emails": email}) == 0
    await house.services.import_runs.run(others["id"])
    ended = await teacher.ok("GET", f"/imports/{others['id']}")
    assert (ended["status"], ended["done"], ended["counts"]) == ("finished", 2, {"refused": 1, "enrolled": 1})
    (row,) = (await teacher.ok("GET", f"/imports/{others['id']}/rows", params={"outcome": "refused"}))["items"]
    assert (row["email"], row["code"]) == ("…", "withheld")
