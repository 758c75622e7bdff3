"""Erasing a person while others still work: what was answered to others, what is written late, who may still ask. On both lanes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from documents import erasing
from documents.announcement import Announcement
from documents.idempotency import IdempotencyRecord
from documents.job import Job
from documents.notification import Notification
from documents.user import User
from lms_rt.contracts.outbox import Write, event
from lms_rt.errors import Code, Refused
from lms_rt.services.jobs import NotYet
from tests import factories
from tests.house import House
from tests.rest.everywhere import traces
from tests.working import idle, working

NAME = "Wilhelmina Ephemeral"


@pytest.fixture(autouse=True)
async def worker(house: House) -> AsyncIterator[None]:
    """Somebody does what the house has to do."""
    async with working(house):
        yield


async def ask_for_the_end(house: House, user_id: str) -> None:
    """Closed by an administrator, to be erased now, by nobody yet."""
    admin = await house.admin()
    await admin.ok("DELETE", f"/users/{user_id}", params={"erase": "true"})
    await idle(house.services)  # its job is asked for behind the reply
    await Job.rows().delete_many({"task": "erasure.run"})
    await User.rows().update_one({"_id": user_id}, {"$set": {"erase_at": house.services.clock.now()}})


async def erased(house: House, user_id: str) -> None:
    await ask_for_the_end(house, user_id)
    await house.services.erasure.run(user_id, job_id="job_x")
    assert (await User.rows().find_one({"_id": user_id}) or {}).get("erased_at") is not None


async def test_who_was_told_of_them_is_answered_as_before_without_them_and_does_nothing_twice(house: House) -> None:
    name = "Ophelia Transient"
    teacher, student = await house.teacher(), await house.student(name)
    course = await factories.course(teacher)
    enrol = {"json": {"course_id": course["id"], "student_id": student.user_id}, "headers": {"Idempotency-Key": "k1"}}
    greet = {"json": {"text": f"Welcome, {name}!"}, "headers": {"Idempotency-Key": "k2"}}
    enrolled = await teacher.ok("POST", "/enrollments", **enrol)
    greeted = await teacher.ok("POST", f"/courses/{course['id']}/announcements", **greet)
    other = {"state": "done", "started_ms": 1 << 45, "lease_until_ms": 0, "head": {":x": name}, "body_hash": "x"}
    for key, content in {"a": f"id,name\r\n1,{name}\r\n", "b": "id,name\r\n1,Omar\r\n", "c": "{}"}.items():
        await IdempotencyRecord.rows().insert_one({"_id": f"usr_x:{key}", **other, "content": content.encode()})
    await erased(house, student.user_id)
    assert await teacher.ok("POST", "/enrollments", **enrol) == enrolled  # which tells of nobody but an id
    again = await teacher.ok("POST", f"/courses/{course['id']}/announcements", **greet)
    assert again == {**greeted, "text": "Welcome, …!"}
    assert await Announcement.rows().count_documents({"course_id": course["id"]}) == 1
    rows = {row["_id"]: row async for row in IdempotencyRecord.rows().find({})}
    assert "usr_x:a" not in rows
    assert rows["usr_x:b"]["head"] == rows["usr_x:c"]["head"] == {":x": "…"}
    assert name.encode() not in b"".join(bytes(row["content"]) for row in rows.values())


async def test_killed_after_the_account_was_emptied_they_are_still_looked_for_by_name(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = await house.student(NAME)
    await ask_for_the_end(house, student.user_id)
    services = house.services

    async def dies(_ground: object) -> None:
        raise ConnectionError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(services.erasure, "_go_through_again", dies)
        with pytest.raises(ConnectionError):
            await services.erasure.run(student.user_id, job_id="job_x")
    assert (await User.rows().find_one({"_id": student.user_id}) or {})["full_name"] == "…"
    late = {"template": "invitation", "user_id": "usr_somebody", "data": {"invited_by": NAME}}
    job = {"queue": "emails", "task": "mail.send", "state": "dead", "args": late, "tries": 0, "crashes": 0}
    await Job.rows().insert_one({"_id": "job_late", **job, "finished_at": services.clock.now()})
    await services.erasure.run(student.user_id, job_id="job_x")
    assert await traces(services, ["Wilhelmina"]) == []


async def test_what_has_something_to_tell_is_waited_for_and_not_left(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = await house.student(NAME)
    await ask_for_the_end(house, student.user_id)
    services, drain, drained = house.services, house.services.erasure._drain, 0

    async def late(user_id: str) -> None:
        """All is told, the account is empty; and then somebody who was let in before writes."""
        nonlocal drained
        await drain(user_id)
        drained += 1
        if drained != 2:
            return
        now = services.clock.now()
        intent = event(Write(1, now), "x", n=0, channels=[], data={"user_id": user_id}, record="user.updated")
        row = {"user_id": user_id, "kind": "k", "data": {"full_name": NAME}, "created_at": now, "version": 1}
        await Notification.rows().insert_one({"_id": f"ntf_{user_id}", **row, "outbox": [intent], "outbox_at": now})

    sweep, is_away = services.relay.sweep, True

    async def swept(**wishes: Any) -> Any:
        return None if is_away and drained >= 2 else await sweep(**wishes)

    monkeypatch.setattr(services.erasure, "_drain", late)
    monkeypatch.setattr(services.relay, "sweep", swept)
    with pytest.raises(NotYet):
        await services.erasure.run(student.user_id, job_id="job_x")
    assert "erased_at" not in (await User.rows().find_one({"_id": student.user_id}) or {})
    is_away = False
    await services.erasure.run(student.user_id, job_id="job_x")
    assert await Notification.rows().find_one({"_id": f"ntf_{student.user_id}"}) is None
    assert await traces(services, ["Wilhelmina"]) == []


# --- who may ask for it ---


async def test_a_version_that_is_not_that_of_the_account_any_more_ends_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, student = await house.admin(), await house.student()
    tag = {"If-Match": f'"{(await admin.ok("GET", f"/users/{student.user_id}"))["version"]}"'}
    await student.ok("PATCH", "/users/me", json={"full_name": "Another"})
    path, wish = f"/users/{student.user_id}", {"erase": "true"}
    await admin.refused(412, "DELETE", path, params=wish, headers=tag)
    look = house.services.admin_users.let_erase

    async def looked(*asked: Any, **more: Any) -> None:  # and in that moment they save their profile
        await look(*asked, **more)
        await student.ok("PATCH", "/users/me", json={"full_name": "One more"})

    monkeypatch.setattr(house.services.admin_users, "let_erase", looked)
    tag = {"If-Match": f'"{(await admin.ok("GET", path))["version"]}"'}
    await admin.refused(412, "DELETE", path, params=wish, headers=tag)
    assert (await student.ok("GET", "/users/me"))["is_active"]


async def test_who_became_an_administrator_meanwhile_is_not_erased_by_who_is_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, clerk, student = await house.admin(), await house.student(), await house.student()
    wish = {"permissions": ["users:manage"]}
    await admin.ok("PATCH", f"/admin/users/{clerk.user_id}", json=wish)
    actor = await house.services.sessions.authenticate(clerk.tokens["access_token"])
    counted = erasing.count_admins
    await house.services.admin_users.let_erase(actor, student.user_id)
    await User.rows().update_one({"_id": student.user_id}, {"$set": {"role": "admin"}, "$inc": {"version": 1}})
    monkeypatch.setattr(erasing, "count_admins", counted)
    with pytest.raises(Refused) as refused:
        await house.services.erasure.erase(actor, student.user_id)
    assert refused.value.code is Code.FORBIDDEN
    await User.rows().update_one({"_id": student.user_id}, {"$set": {"role": "student"}})


async def test_nothing_is_done_any_more_for_who_is_being_erased(house: House) -> None:
    admin, student = await house.admin(), await house.student()
    path = f"/admin/users/{student.user_id}"
    await admin.ok("DELETE", f"/users/{student.user_id}", params={"erase": "true"})
    await admin.ok("PATCH", path, json={"unlock": True})  # it has not begun
    await User.rows().update_one({"_id": student.user_id}, {"$set": {"erasing_at": house.services.clock.now()}})
    before = await User.rows().find_one({"_id": student.user_id}, {"version": 1, "unlocked_ms": 1})
    for wish in ({"unlock": True}, {"reset_mfa": True, "reason": "Lost the telephone"}, {"write_again": True}):
        assert (await admin.refused(409, "PATCH", path, json=wish))["code"] == "conflict"
    assert await User.rows().find_one({"_id": student.user_id}, {"version": 1, "unlocked_ms": 1}) == before


async def test_an_administrator_who_was_invited_and_cannot_sign_in_yet_is_none(house: House) -> None:
    admin = await house.admin()
    body = {"email": "invited@example.org", "full_name": "Invited", "role": "admin"}
    invited = await admin.ok("POST", "/users", json=body)
    others = await User.rows().count_documents({"role": "admin", "is_active": True, "_id": {"$ne": admin.user_id}})
    assert others >= 1
    assert await erasing.count_admins(except_id=admin.user_id) == others - 1
    await admin.ok("DELETE", f"/users/{invited['id']}", params={"erase": "true"})
