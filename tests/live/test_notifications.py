"""Being told, as people see it: by REST and on the live socket, from what happened in a course to the mail. On both lanes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from documents.job import Job
from documents.sent_mail import SentMail
from lms_rt.clock import from_ms
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.live.node_school import Watcher, watching
from tests.working import idle, working


@pytest.fixture(autouse=True)
async def worker(house: House) -> AsyncIterator[None]:
    """Somebody does what the house has to do."""
    async with working(house):
        yield


@pytest.fixture
async def teacher(house: House) -> Visitor:
    return await house.teacher("Tariq Aziz")


@pytest.fixture
async def student(house: House) -> Visitor:
    return await house.student("Sara Saleh")


@pytest.fixture
async def course(teacher: Visitor) -> dict[str, Any]:
    return await factories.course(teacher)


async def told(who: Visitor, **params: Any) -> dict[str, Any]:
    found: dict[str, Any] = await who.ok("GET", "/notifications", params=params)
    return found


async def graded(house: House, teacher: Visitor, student: Visitor, course: dict[str, Any]) -> dict[str, Any]:
    """An attempt that the student handed in, graded, and all that follows done."""
    quiz = await factories.quiz(teacher, course["id"], (factories.TRUE_FALSE,))
    attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"], "device_id": "test"})
    answers = [{"question_id": attempt["questions"][0]["id"], "value": True}]
    body = {"answers": answers, "device_id": "test", "lease": attempt["lease"]}
    await student.ok("POST", f"/attempts/{attempt['id']}/submit", json=body)
    await idle(house.services)
    found: dict[str, Any] = attempt
    return found


async def test_who_enrols_is_told_and_so_is_who_teaches(
    house: House, teacher: Visitor, student: Visitor, course: dict[str, Any]
) -> None:
    enrollment = await factories.enrolled(student, course["id"])
    await idle(house.services)
    mine, theirs = await told(student), await told(teacher)
    assert (mine["total"], mine["unread"], theirs["unread"]) == (1, 1, 1)
    first = mine["items"][0]
    assert {name: first[name] for name in ("kind", "title", "link", "read_at")} == {
        "kind": "enrollment.created",
        "title": "You’re enrolled in Algebra 1",
        "link": f"/learn/{course['slug']}",
        "read_at": None,
    }
    assert first["data"]["enrollment_id"] == enrollment["id"]
    assert theirs["items"][0]["title"] == "Sara Saleh enrolled in Algebra 1"


async def test_two_devices_are_told_at_once_and_agree_on_what_is_read(
    house: House, teacher: Visitor, student: Visitor, course: dict[str, Any]
) -> None:
    async with AsyncExitStack() as stack:
        laptop, phone = [await stack.enter_async_context(watching(student)) for _ in range(2)]
        for device in (laptop, phone):
            await device.ok("subscribe", channel=f"user:{student.user_id}")
        await factories.enrolled(student, course["id"])
        await graded(house, teacher, student, course)
        heard = [await _event(device, "notification", 2) for device in (laptop, phone)]
        assert heard[0] == heard[1]
        kinds = [data["kind"] for data in heard[0]]
        assert sorted(kinds) == ["attempt.graded", "enrollment.created"]
        first = heard[0][0]["notification_id"]
        assert await laptop.ok("notification.read", notification_id=first) == {"unread": 1}
        assert [data["notification_id"] for data in await _event(phone, "notification_read", 1)] == [first]
        assert await phone.ok("notification.read", all=True) == {"unread": 0}
        (read,) = await _event(laptop, "notifications_read", 1)
        assert read["user_id"] == student.user_id
    assert (await told(student, is_read=True))["total"] == 2
    assert (await told(student, is_read=False))["total"] == 0


async def _event(device: Watcher, name: str, count: int) -> list[dict[str, Any]]:
    """The data of so many events of this name, once they are there."""

    def found() -> list[dict[str, Any]]:
        return [frame["data"] for frame in device.frames if frame.get("event") == name]

    await device.until(lambda: len(found()) >= count)
    return found()


@pytest.mark.parametrize("fields", [{}, {"all": True, "notification_id": "ntf_1"}, {"all": False}])
async def test_a_command_that_names_nothing_or_too_much_is_refused(student: Visitor, fields: dict[str, Any]) -> None:
    async with watching(student) as device:
        reply = await device.ask("notification.read", **fields)
        assert reply["error"]["code"] == "invalid_command"
        strange = await device.ask("notification.read", notification_id="ntf_of_somebody_else")
        assert strange["error"]["code"] == "not_found"


async def test_who_was_away_finds_all_that_happened_by_cursor(
    house: House, teacher: Visitor, student: Visitor, course: dict[str, Any]
) -> None:
    for _ in range(7):
        newcomer = await house.student()
        await factories.enrolled(newcomer, course["id"])
    await idle(house.services)
    found, after = [], None
    while True:
        stretch = await told(teacher, limit=3, **({} if after is None else {"after": after}))
        found += [one["id"] for one in stretch["items"]]
        if (after := stretch["next"]) is None:
            break
    assert len(found) == len(set(found)) == stretch["unread"] == 7


async def test_wishes_by_rest(student: Visitor) -> None:
    reply = await student.call("GET", "/notifications/preferences")
    assert reply.headers["ETag"] == '"1"'
    wishes = {"kinds": {"announcement": {"email": False}}, "quiet_hours": {"from": "22:00", "to": "07:00"}}
    changed = await student.ok("PUT", "/notifications/preferences", json=wishes, headers={"If-Match": '"1"'})
    assert (changed["quiet_hours"], changed["version"]) == ({"from": "22:00", "to": "07:00"}, 2)
    assert changed["kinds"]["announcement"] == {"live": True, "email": False}
    stale = await student.refused(412, "PATCH", "/notifications/preferences", json={}, headers={"If-Match": '"1"'})
    assert (stale["code"], stale["current_version"]) == ("version_mismatch", 2)
    wrong = await student.refused(422, "PUT", "/notifications/preferences", json={"kinds": {"gossip": {"email": True}}})
    assert wrong["errors"][0]["field"].startswith("kinds.gossip")


async def test_grades_that_gathered_are_one_mail(
    house: House, teacher: Visitor, student: Visitor, course: dict[str, Any]
) -> None:
    await student.ok("PUT", "/users/me", json={"locale": "ar", "timezone": "Africa/Cairo"})
    only_grades = {"kinds": {"enrollment.created": {"email": False}}}
    await student.ok("PUT", "/notifications/preferences", json=only_grades)
    await factories.enrolled(student, course["id"])
    for _ in range(3):
        await graded(house, teacher, student, course)
    which = {"task": "notifications.mail", "args.user_id": student.user_id, "state": "waiting"}
    assert await Job.rows().count_documents(which) == 3
    await Job.rows().update_many(which, {"$set": {"due_at": from_ms(house.services.clock.now_ms() - 1)}})
    await idle(house.services)
    left = [row["error"] async for row in Job.rows().find({**which, "error": {"$exists": True}})]
    if not house.services.settings.is_embedded:  # there only the embedded store keeps mails that no server takes
        assert [error.partition(" (")[0] for error in left] == ["no mail server is set"]
        return
    assert left == []
    email = student.user["email"]
    of_registering = ["welcome", "email_verification"]
    mails = [row async for row in SentMail.rows().find({"recipient": email, "template": {"$nin": of_registering}})]
    assert [row["template"] for row in mails] == ["digest"]
    assert mails[0]["text"].count("نجحت في") == 3


async def test_what_a_teacher_announces_everybody_in_the_course_hears(
    house: House, teacher: Visitor, student: Visitor, course: dict[str, Any]
) -> None:
    await factories.enrolled(student, course["id"])
    await idle(house.services)
    async with watching(student) as device:
        for channel in (f"user:{student.user_id}", f"course:{course['id']}"):
            await device.ok("subscribe", channel=channel)
        path, headers = f"/courses/{course['id']}/announcements", {"Idempotency-Key": "monday"}
        for _ in range(2):
            reply = await teacher.call("POST", path, json={"text": "No lesson\non Monday."}, headers=headers)
            assert reply.status_code == 201
        (public,) = await _event(device, "announcement", 1)
        (own,) = await _event(device, "notification", 1)
    assert (public["text"], public["author_name"]) == ("No lesson\non Monday.", "Tariq Aziz")
    assert (own["kind"], own["title"]) == ("announcement", "An announcement in Algebra 1")
    await student.refused(403, "POST", path, json={"text": "Party!"})
    await teacher.refused(422, "POST", path, json={"text": "  "})
