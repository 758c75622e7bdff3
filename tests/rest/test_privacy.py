"""One's own data and one's own account: a copy is made and fetched, an account is closed, kept, or left to its end. On both lanes."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from documents.export import Export
from documents.job import Job
from documents.session import Session
from documents.user import User
from lms_rt.services.exports import MAX_A_DAY
from tests import factories
from tests.clients import Visitor
from tests.house import PASSWORD, House
from tests.live.node_school import watching
from tests.working import idle, working


@pytest.fixture(autouse=True)
async def worker(house: House) -> AsyncIterator[None]:
    """Somebody does what the house has to do."""
    async with working(house):
        yield


async def exported(house: House, who: Visitor) -> dict[str, Any]:
    """Their export, made."""
    await who.ok("POST", "/users/me/export")
    await idle(house.services)
    found: dict[str, Any] = await who.ok("GET", "/users/me/export")
    assert found["status"] == "ready"
    return found


async def unpacked(who: Visitor) -> dict[str, Any]:
    """What is in their ZIP, by file: JSON read."""
    reply = await who.call("GET", "/users/me/export/download")
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(reply.content)) as opened:
        assert opened.testzip() is None
        read = {name: opened.read(name).decode() for name in opened.namelist()}
    return {name: json.loads(text) if name.endswith(".json") else text for name, text in read.items()}


async def mails_to(who: Visitor) -> list[str]:
    which = {"task": "mail.send", "args.user_id": who.user_id}
    return [row["args"]["template"] async for row in Job.rows().find(which)]


# --- the copy ---


async def test_a_copy_is_asked_for_told_of_live_and_by_mail_and_fetched(house: House) -> None:
    student = await house.student("Sara Saleh")
    async with watching(student) as screen:
        await screen.ok("subscribe", channel=f"user:{student.user_id}")
        reply = await student.call("POST", "/users/me/export")
        assert (reply.status_code, reply.headers["Location"]) == (202, "/api/v1/users/me/export")
        assert (reply.json()["status"], reply.json()["url"]) == ("waiting", None)
        told = await screen.until(
            lambda: next((one for one in screen.frames if one.get("event") == "export_ready"), None)
        )
    await idle(house.services)
    found = await student.ok("GET", "/users/me/export")
    assert found["id"] == reply.json()["id"] == told["data"]["export_id"]
    assert (found["status"], found["url"]) == ("ready", "/api/v1/users/me/export/download")
    assert "export_ready" in await mails_to(student)
    download = await student.call("GET", "/users/me/export/download", headers={"Accept-Encoding": "gzip"})
    assert len(download.content) == found["size_bytes"]
    assert download.headers["Cache-Control"] == "no-store"
    assert "Content-Encoding" not in download.headers
    assert download.headers["Content-Disposition"] == f'attachment; filename="{found["id"]}.zip"'


async def test_it_holds_what_is_kept_about_them_and_nothing_of_others(house: House) -> None:
    teacher, student = await house.teacher("Tariq Aziz"), await house.student("Sara Saleh")
    other = await house.student("Omar Nasser")
    course = await factories.course(teacher)
    quiz = await factories.quiz(teacher, course["id"], (factories.SHORT,), show_correct_answers="never")
    for one in (student, other):
        await factories.enrolled(one, course["id"])
    attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"], "device_id": "laptop"})
    answers = [{"question_id": attempt["questions"][0]["id"], "value": "Alexandria, I believe"}]
    body = {"answers": answers, "device_id": "laptop", "lease": attempt["lease"]}
    await student.ok("POST", f"/attempts/{attempt['id']}/submit", json=body)
    await idle(house.services)
    await exported(house, student)
    mine = await unpacked(student)
    assert mine["account.json"][0]["email"] == student.user["email"]
    assert mine["account.json"][0]["mail_refusal"] is None
    assert [one["course_id"] for one in mine["enrollments.json"]] == [course["id"]]
    (results,) = mine[f"attempts/{attempt['id']}.json"]
    assert results["questions"][0]["value"] == "Alexandria, I believe"
    assert results["questions"][0].get("correct_answer") is None
    receipt = mine[f"receipts/{attempt['id']}.json"]
    assert (receipt["student"]["id"], receipt["head"]) == (student.user_id, results["receipt"]["head"])
    assert {one["kind"] for one in mine["notifications.json"]} >= {"enrollment.created", "attempt.graded"}
    assert len(mine["sessions.json"]) == 1
    whole = json.dumps(mine, ensure_ascii=False)
    assert "Cairo" not in whole  # the key
    for name in ("Omar", other.user_id, "password_hash", "bcrypt", "Tariq"):
        assert name not in whole, name
    await exported(house, teacher)
    theirs = await unpacked(teacher)
    assert [one["id"] for one in theirs["courses.json"]] == [course["id"]]
    whole = json.dumps(theirs, ensure_ascii=False)
    assert "Sara" not in whole
    assert "Omar" not in whole


async def test_who_acted_in_their_place_is_nowhere_in_it_and_they_did_none_of_it(house: House) -> None:
    admin, student = await house.admin(), await house.student("Sara Saleh")
    await student.ok("PATCH", "/users/me", json={"full_name": "Sara S."})
    acting = await admin.ok("POST", f"/admin/users/{student.user_id}/impersonate", json={"reason": "They asked."})
    other = await house.visitor()
    other.http.headers["Authorization"] = f"Bearer {acting['access_token']}"
    other.http.headers["User-Agent"] = "Browser of the administrator/9"
    await other.ok("GET", "/users/me")
    admins = {"device": "Browser of the administrator/9", "address": "198.51.100.77"}
    written = await Session.rows().update_many({"impersonator_id": admin.user_id}, {"$set": admins})
    assert written.matched_count == 1
    await idle(house.services)
    await exported(house, student)
    mine = await unpacked(student)
    whole = json.dumps(mine, ensure_ascii=False)
    assert len(mine["sessions.json"]) == 1
    for word in (*admins.values(), admin.user_id, admin.user["full_name"]):
        assert word not in whole, word
    done_by = {one["action"]: one["by"] for one in mine["audit.json"]}
    assert done_by["user.impersonate"] == "somebody else"
    assert done_by["impersonation.use"] == "somebody else, in your place"
    await exported(house, admin)
    theirs = await unpacked(admin)
    (used,) = [one for one in theirs["audit.json"] if one["action"] == "impersonation.use"]
    assert used["by"] == "you, in the place of somebody else"
    assert "target_id" not in used


async def test_while_one_is_made_asking_again_gives_that_one(house: House) -> None:
    student = await house.student()
    first, second = [await student.ok("POST", "/users/me/export") for _ in range(2)]
    assert first["id"] == second["id"]
    await idle(house.services)
    third = await student.ok("POST", "/users/me/export")
    assert third["id"] != first["id"]
    await idle(house.services)
    assert (await student.ok("GET", "/users/me/export"))["id"] == third["id"]


async def test_an_older_copy_goes_when_a_newer_one_is_there(house: House) -> None:
    student, other = await house.student(), await house.student()
    kept = await exported(house, other)
    made = [await exported(house, student) for _ in range(3)]
    left = [row async for row in Export.rows().find({"user_id": student.user_id})]
    assert [row["_id"] for row in left] == [made[-1]["id"]]
    far = house.services.clock.now() + timedelta(days=1)
    files = await house.services.file_store.find_ids(before=far, limit=500)
    assert [one for one in files if one.startswith((made[0]["id"], made[1]["id"]))] == []
    assert (await unpacked(student))["account.json"][0]["id"] == student.user_id
    assert (await unpacked(other))["account.json"][0]["id"] == other.user_id
    assert (await other.ok("GET", "/users/me/export"))["id"] == kept["id"]


async def test_so_many_are_made_a_day_and_then_one_waits(house: House) -> None:
    student, other = await house.student(), await house.student()
    made = [await exported(house, student) for _ in range(MAX_A_DAY)]
    reply = await student.call("POST", "/users/me/export")
    assert (reply.status_code, reply.json()["code"]) == (429, "rate_limited")
    assert 86_000 < int(reply.headers["Retry-After"]) <= 86_400
    assert (await student.ok("GET", "/users/me/export"))["id"] == made[-1]["id"]
    await unpacked(student)
    await exported(house, other)
    row = await Export.find_row(made[-1]["id"])
    assert row is not None
    earlier = [at - timedelta(hours=23, minutes=59) for at in row["asked_lately"]]
    await Export.rows().update_one({"_id": row["_id"]}, {"$set": {"asked_lately": earlier}})
    reply = await student.call("POST", "/users/me/export")
    assert reply.status_code == 429
    assert 0 < int(reply.headers["Retry-After"]) <= 60
    gone = [at - timedelta(days=1) for at in row["asked_lately"]]
    await Export.rows().update_one({"_id": row["_id"]}, {"$set": {"asked_lately": gone}})
    assert (await exported(house, student))["id"] != made[-1]["id"]


async def test_asked_for_at_once_by_all_devices_it_is_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    student, build, may_begin = await house.student(), house.services.exports.build, asyncio.Event()

    async def held(export_id: str) -> None:
        await may_begin.wait()
        await build(export_id)

    monkeypatch.setattr(house.services.exports, "build", held)
    asked = await asyncio.gather(*(student.ok("POST", "/users/me/export") for _ in range(8)))
    may_begin.set()
    await idle(house.services)
    assert len({one["id"] for one in asked}) == 1
    assert await Export.rows().count_documents({"user_id": student.user_id}) == 1


async def test_one_that_nobody_works_at_any_more_makes_way(house: House) -> None:
    student = await house.student()
    first = await student.ok("POST", "/users/me/export")
    await idle(house.services)
    long_ago = house.services.clock.now() - timedelta(days=2)
    stuck = {"status": "running", "open_key": student.user_id, "created_at": long_ago}
    await Export.rows().update_one({"_id": first["id"]}, {"$set": stuck})
    second = await student.ok("POST", "/users/me/export")
    assert second["id"] != first["id"]


async def test_after_some_days_it_is_gone_whoever_looks_first(house: House) -> None:
    student = await house.student()
    found = await exported(house, student)
    row = await Export.find_row(found["id"])
    assert row is not None
    await Export.rows().update_one({"_id": found["id"]}, {"$set": {"expires_at": house.services.clock.now()}})
    expired = await student.ok("GET", "/users/me/export")
    assert (expired["status"], expired["url"]) == ("expired", None)
    await student.refused(404, "GET", "/users/me/export/download")
    long_ago = house.services.clock.now() - timedelta(days=30)
    await Export.rows().update_one({"_id": found["id"]}, {"$set": {"created_at": long_ago}})
    removed = await house.services.retention.clean_up()
    assert removed["exports"] >= 1
    with pytest.raises(Exception, match=row["file_id"]):
        await anext(house.services.file_store.read(row["file_id"]))
    await student.refused(404, "GET", "/users/me/export")


async def test_before_the_first_there_is_none_and_nobody_gets_anothers(house: House) -> None:
    student, other, stranger = await house.student(), await house.student(), await house.visitor()
    await student.refused(404, "GET", "/users/me/export")
    await student.refused(404, "GET", "/users/me/export/download")
    await exported(house, student)
    await other.refused(404, "GET", "/users/me/export/download")
    for method, path in (("POST", ""), ("GET", ""), ("GET", "/download")):
        await stranger.refused(401, method, f"/users/me/export{path}")


async def test_one_that_cannot_be_made_is_given_up_and_may_be_asked_for_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = await house.student()
    made = await house.services.exports.ask(await house.services.sessions.authenticate(student.tokens["access_token"]))
    await idle(house.services)
    await Export.rows().update_one({"_id": made.id}, {"$set": {"status": "running", "open_key": student.user_id}})
    await house.services.exports.give_up(made.id)
    assert (await student.ok("GET", "/users/me/export"))["status"] == "failed"
    assert (await exported(house, student))["id"] != made.id


# --- the end, and the way back ---


async def leave(who: Visitor, password: str = PASSWORD) -> dict[str, Any]:
    gone: dict[str, Any] = await who.ok("DELETE", "/users/me", json={"password": password})
    return gone


async def back(house: House, who: Visitor) -> Visitor:
    """The same person, signing in again."""
    again = await house.visitor()
    await again.sign_in(who.user["email"], PASSWORD)
    return again


async def test_a_wrong_password_ends_nothing(house: House) -> None:
    student = await house.student()
    problem = await student.refused(401, "DELETE", "/users/me", json={"password": "not this one"})
    assert problem["code"] == "invalid_credentials"
    assert (await student.ok("GET", "/users/me"))["is_active"]


async def test_who_closes_their_account_is_signed_out_everywhere_and_told(house: House) -> None:
    student = await house.student()
    elsewhere = await back(house, student)
    async with watching(elsewhere) as screen:
        gone = await leave(student)
        await screen.until(lambda: screen.is_over or None)
    assert gone["status"] == "scheduled"
    left = house.services.clock.now() + timedelta(days=14)
    assert gone["erase_at"][:10] in {(left - timedelta(seconds=60)).strftime("%Y-%m-%d"), left.strftime("%Y-%m-%d")}
    for who in (student, elsewhere):
        await who.refused(401, "GET", "/users/me")
    await idle(house.services)
    assert "erasure_scheduled" in await mails_to(student)
    job = await Job.rows().find_one({"task": "erasure.run", "args.user_id": student.user_id})
    assert job is not None
    assert job["state"] == "waiting"


async def test_a_closed_account_can_be_kept_and_nothing_else_be_done_with_it(house: House) -> None:
    teacher, student = await house.teacher(), await house.student("Sara Saleh")
    course = await factories.course(teacher)
    await leave(student)
    again = await back(house, student)
    assert not (await again.ok("GET", "/users/me"))["is_active"]
    for method, path, body in (
        ("PATCH", "/users/me", {"full_name": "Other"}),
        ("POST", "/enrollments", {"course_id": course["id"]}),
        ("GET", "/notifications", None),
        ("POST", "/auth/ws-ticket", None),
        ("DELETE", "/users/me", {"password": PASSWORD}),
    ):
        assert (await again.refused(403, method, path, json=body))["code"] == "forbidden"
    await again.ok("POST", "/users/me/keep")
    assert (await again.ok("GET", "/users/me"))["is_active"]
    await factories.enrolled(again, course["id"])
    user = await User.find_by_id(student.user_id)
    assert user is not None
    await house.services.erasure.run(user.id, job_id="job_late")  # its job is still there, and finds nobody to erase
    assert (await again.ok("GET", "/users/me"))["full_name"] == "Sara Saleh"
    await again.ok("POST", "/users/me/keep")  # again is as good


async def test_the_copy_can_still_be_had_before_the_end(house: House) -> None:
    student = await house.student()
    await leave(student)
    again = await back(house, student)
    await exported(house, again)
    assert (await unpacked(again))["account.json"][0]["id"] == student.user_id


async def test_once_the_end_has_begun_there_is_no_way_back(house: House) -> None:
    student = await house.student()
    await leave(student)
    again = await back(house, student)
    await User.rows().update_one({"_id": student.user_id}, {"$set": {"erasing_at": house.services.clock.now()}})
    await again.refused(401, "POST", "/users/me/keep")
    visitor = await house.visitor()
    body = {"email": student.user["email"], "password": PASSWORD}
    await visitor.refused(401, "POST", "/auth/login", json=body)


async def test_who_has_courses_hands_them_over_first(house: House) -> None:
    teacher = await house.teacher()
    course = await factories.course(teacher)
    problem = await teacher.refused(409, "DELETE", "/users/me", json={"password": PASSWORD})
    assert (problem["code"], problem["course_ids"]) == ("conflict", [course["id"]])


async def test_the_last_administrator_stays(house: House) -> None:
    admin = await house.admin()
    problem = await admin.refused(409, "DELETE", "/users/me", json={"password": PASSWORD})
    assert problem["code"] == "conflict"


async def test_nobody_has_a_copy_made_or_leaves_in_anothers_place(house: House) -> None:
    student, admin = await house.student(), await house.admin()
    acting = await admin.ok(
        "POST", f"/admin/users/{student.user_id}/impersonate", json={"reason": "They asked for help."}
    )
    other = await house.visitor()
    other.http.headers["Authorization"] = f"Bearer {acting['access_token']}"
    assert (await other.ok("GET", "/users/me"))["id"] == student.user_id
    for method, path, body in (
        ("POST", "/users/me/export", None),
        ("GET", "/users/me/export", None),
        ("GET", "/users/me/export/download", None),
        ("DELETE", "/users/me", {"password": PASSWORD}),
        ("POST", "/users/me/keep", None),
    ):
        await other.refused(403, method, path, json=body)
