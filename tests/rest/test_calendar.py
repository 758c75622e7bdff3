"""Calendar feeds as calendar programs and their owners meet them: one secret address, the owner's own times, nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import icalendar
import pytest

from config.settings import Settings
from lms_rt.clock import FakeClock, from_ms, rfc3339
from tests import factories
from tests.clients import Visitor
from tests.house import House, open_house

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
async def house(settings: Settings, clock: FakeClock) -> AsyncIterator[House]:
    async with open_house(settings, clock=clock) as opened:
        yield opened


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def fetched(somebody: Visitor, url: str, **headers: str) -> httpx.Response:
    """As a calendar program asks: the address alone, without signing in."""
    parts = urlsplit(url)
    async with httpx.AsyncClient(base_url=somebody.address) as program:
        return await program.get(f"{parts.path}?{parts.query}", headers=headers)


async def entries(somebody: Visitor, url: str) -> dict[str, Any]:
    reply = await fetched(somebody, url)
    assert reply.status_code == 200, reply.text
    found = icalendar.Calendar.from_ical(reply.content).walk("VEVENT")
    return {str(one["UID"]): one for one in found}


def shown(one: Any) -> tuple[str, str, int, str]:
    return str(one["SUMMARY"]), one["DTSTART"].to_ical().decode(), int(one["SEQUENCE"]), str(one["STATUS"])


def ical(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


@dataclass
class Dates:
    """A course with a quiz that is open for two hours, an assignment, and a lesson that opens later."""

    opens: datetime
    closes: datetime
    due: datetime
    course_id: str
    quiz_id: str
    essay_id: str


async def dated(teacher: Visitor, now: datetime) -> Dates:
    opens, closes, due = now + timedelta(days=1), now + timedelta(days=1, hours=2), now + timedelta(days=3)
    course = await factories.course(teacher, title="Algebra; 1, \\ ٢")
    course_id = course["id"]
    times = {"opens_at": rfc3339(opens), "closes_at": rfc3339(closes), "time_limit_minutes": 60}
    quiz = await factories.quiz(teacher, course_id, (factories.TRUE_FALSE,), **times)
    body = {"course_id": course_id, "title": "Essay", "points": 10, "due_date": rfc3339(due)}
    essay = await teacher.ok("POST", "/assignments", json=body)
    lesson = {"title": "Later", "content_type": "text", "content": "x", "is_published": True, "release_after_days": 2}
    await teacher.ok("POST", f"/courses/{course_id}/lessons", json=lesson)
    return Dates(opens, closes, due, course_id, quiz["id"], essay["id"])


async def test_a_student_sees_their_own_times_and_what_moves_counts_up(house: House, clock: FakeClock) -> None:
    teacher, student = await house.teacher(), await house.student()
    now = from_ms(clock.now_ms())
    dates = await dated(teacher, now)
    quiz_uid, essay_uid, course = f"{dates.quiz_id}@lms_rt", f"{dates.essay_id}@lms_rt", f"/courses/{dates.course_id}"
    await factories.enrolled(student, dates.course_id)
    await student.refused(404, "GET", "/calendar/feed")
    feed = await student.ok("POST", "/calendar/feed")
    assert (await student.call("POST", "/calendar/feed")).status_code == 200
    assert await student.ok("GET", "/calendar/feed") == feed | {"fetched_at": None}

    first = await entries(student, feed["url"])
    later = ("Later can be opened", ical(now + timedelta(days=2)))
    wanted = [("Due: Essay", ical(dates.due)), later, ("Midterm", ical(dates.opens))]
    assert sorted(shown(one)[:2] for one in first.values()) == wanted
    assert first[quiz_uid]["DTEND"].to_ical().decode() == ical(dates.closes)
    assert str(first[quiz_uid]["DESCRIPTION"]) == "Algebra; 1, \\ ٢"
    reply = await fetched(student, feed["url"])
    again = await fetched(student, feed["url"], **{"If-None-Match": f'W/"other", {reply.headers["ETag"]}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", reply.headers["ETag"])
    assert reply.headers["Content-Type"] == "text/calendar; charset=utf-8"

    # twice the time, and the closing moves by as much: the student's own, at the next look
    more = {"student_id": student.user_id, "factor": 2, "stretches_closing": True}
    await teacher.ok("POST", f"{course}/accommodations", json=more)
    own = [{"student_id": student.user_id, "due_date": rfc3339(dates.due + timedelta(days=2))}]
    await teacher.ok("PATCH", f"/assignments/{dates.essay_id}", json={"overrides": own})
    second = await entries(student, feed["url"])
    moved = second[quiz_uid]
    assert (moved["DTEND"].dt - moved["DTSTART"].dt, int(moved["SEQUENCE"])) == (timedelta(hours=3), 1)
    assert shown(second[essay_uid])[1:3] == (ical(dates.due + timedelta(days=2)), 1)

    await teacher.ok("POST", f"/quizzes/{dates.quiz_id}/unpublish")
    third = await entries(student, feed["url"])
    assert shown(third[quiz_uid])[2:] == (2, "CANCELLED")
    teaching = await teacher.ok("POST", "/calendar/feed")
    assert [shown(one)[:2] for one in (await entries(teacher, teaching["url"])).values()] == [
        ("Due: Essay", ical(dates.due))
    ]
    clock.advance(120 * DAY_MS)
    assert await entries(student, feed["url"]) == {}


async def test_the_address_is_the_proof_and_can_be_changed_and_taken_back(house: House) -> None:
    student, other = await house.student(), await house.student()
    feed = await student.ok("POST", "/calendar/feed")
    await student.ok("PATCH", "/users/me", json={"locale": "ar"})
    assert "المواعيد" in (await fetched(student, feed["url"])).content.replace(b"\r\n ", b"").decode()
    assert (await student.ok("GET", "/calendar/feed"))["fetched_at"] is not None
    assert (await fetched(student, feed["url"][:-1])).status_code == 404
    rotated = await student.ok("POST", "/calendar/feed/rotate")
    assert rotated["url"] != feed["url"]
    assert (await fetched(student, feed["url"])).status_code == 404
    assert (await fetched(student, rotated["url"])).status_code == 200
    await other.refused(404, "POST", "/calendar/feed/rotate")
    await student.ok("DELETE", "/calendar/feed")
    await student.ok("DELETE", "/calendar/feed")
    assert (await fetched(student, rotated["url"])).status_code == 404
    await student.refused(404, "GET", "/calendar/feed")
    await student.refused(404, "POST", "/calendar/feed/rotate")
    anew = await student.ok("POST", "/calendar/feed")
    assert (anew["url"] == rotated["url"], anew["fetched_at"]) == (False, None)
    assert (await fetched(student, rotated["url"])).status_code == 404
    closing = await other.ok("POST", "/calendar/feed")
    admin = await house.admin()
    await admin.ok("PATCH", f"/admin/users/{other.user_id}", json={"is_active": False})
    assert (await fetched(student, closing["url"])).status_code == 404


async def test_a_feed_that_is_made_anew_goes_on_counting_and_keeps_what_is_near(
    house: House, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = await house.teacher()
    dates = await dated(teacher, clock.now())
    essay = f"/assignments/{dates.essay_id}"
    feed = await teacher.ok("POST", "/calendar/feed")
    await entries(teacher, feed["url"])
    await teacher.ok("PATCH", essay, json={"due_date": rfc3339(dates.due + timedelta(hours=1))})
    assert int((await entries(teacher, feed["url"]))[f"{dates.essay_id}@lms_rt"]["SEQUENCE"]) == 1
    await teacher.ok("DELETE", "/calendar/feed")
    await teacher.ok("PATCH", essay, json={"due_date": rfc3339(dates.due)})
    anew = await teacher.ok("POST", "/calendar/feed")
    assert int((await entries(teacher, anew["url"]))[f"{dates.essay_id}@lms_rt"]["SEQUENCE"]) == 2
    monkeypatch.setattr("lms_rt.services.calendar_entries.MOST", 1)
    left = await entries(teacher, anew["url"])
    assert {str(one["STATUS"]) for uid, one in left.items() if dates.essay_id in uid} == {"CANCELLED"}
    assert {str(one["STATUS"]) for uid, one in left.items() if dates.quiz_id in uid} == {"CONFIRMED"}
