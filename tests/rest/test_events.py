"""The stream of events over HTTP: everything that happens in a school is told there once, in order, as it was told live."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from documents.enrollment import Enrollment
from documents.event_record import EventRecord
from documents.job import Job
from documents.user import User
from lms_rt.client.ear import Ear
from lms_rt.client.live import LiveClient
from lms_rt.contracts.event_records import RECORD_KINDS
from lms_rt.contracts.events import RECORD_TYPES
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.recorded import PATIENCE_SECONDS, all_recorded
from tests.rest.certified import certified
from tests.rest.paid_day import money_moves
from tests.working import working


class Follower:
    """Somebody who follows the stream as the documentation says."""

    def __init__(self, admin: Visitor, **filters: Any) -> None:
        self.admin, self.filters = admin, filters
        self.cursor: str | None = None
        self.items: list[dict[str, Any]] = []

    async def read_all(self) -> list[dict[str, Any]]:
        """Everything that has happened; what of it is new."""
        await all_recorded()
        return await self.catch_up()

    async def catch_up(self, *, limit: int = 100) -> list[dict[str, Any]]:
        """Everything that is told by now; what of it is new."""
        seen = len(self.items)
        while True:
            after = {} if self.cursor is None else {"after": self.cursor}
            page = await self.admin.ok("GET", "/events", params={**self.filters, **after, "limit": limit})
            self.items += page["items"]
            self.cursor = page["cursor"]
            if page["next"] is None:
                return self.items[seen:]

    def of_type(self, type_: str) -> list[dict[str, Any]]:
        return [item for item in self.items if item["type"] == type_]


@pytest.fixture
async def follower(house: House) -> Follower:
    """Who has read all that happened before this test."""
    made = Follower(await house.admin())
    await made.read_all()
    made.items.clear()
    return made


async def a_school_day(house: House) -> dict[str, Any]:
    """One of everything that events are told of."""
    teacher, student, leaver = await house.teacher(), await house.student("Sara Saleh"), await house.student()
    await student.ok("PATCH", "/users/me", json={"locale": "ar", "timezone": "Africa/Cairo"})
    course = await factories.course(teacher, access_days=10)
    quiz = await factories.quiz(teacher, course["id"])
    enrollment = await factories.enrolled(student, course["id"])
    attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"]})
    await student.ok("POST", f"/attempts/{attempt['id']}/submit", json={})
    await all_recorded()  # an event shows the attempt as it is when it is told of, and the mark changes it
    mark = {"question_id": attempt["questions"][0]["id"], "points": "1.00", "reason": "It was said aloud."}
    await teacher.ok("POST", f"/attempts/{attempt['id']}/grade", json=mark)
    await student.ok("POST", f"/enrollments/{enrollment['id']}/review", json={"rating": 5, "review": "Clear."})
    work = await factories.handed_in(teacher, student, course["id"])
    await teacher.ok("POST", f"/assignments/submissions/{work['submission_id']}/grade", json={"grade": 90})
    certificate_id = await certified(house, enrollment["id"])
    why = {"reason": "The name was wrong."}
    corrected = await teacher.ok("POST", f"/certificates/{certificate_id}/replace", json=why)
    await teacher.ok("POST", f"/certificates/{corrected['id']}/revoke", json=why)
    (lesson,) = course["lessons"]
    await student.ok("POST", f"/lessons/{lesson['id']}/complete")
    left = await factories.enrolled(leaver, course["id"])
    await leaver.ok("DELETE", f"/enrollments/{left['id']}")
    late = await factories.enrolled(await house.student(), course["id"])
    await Enrollment.rows().update_one({"_id": late["id"]}, {"$set": {"expires_ms": 1}})  # the days go by
    await teacher.ok("GET", f"/courses/{course['id']}/students")
    await teacher.ok("POST", f"/courses/{course['id']}/unpublish")
    admin = await house.admin()
    webhook = await admin.ok("POST", "/webhooks", json={"url": "https://93.184.215.14/hook", "is_active": False})
    await admin.ok("POST", f"/webhooks/{webhook['id']}/test")
    await admin.ok("DELETE", f"/users/{leaver.user_id}")
    await money_moves(house, student)
    return {"course": course, "quiz": quiz, "enrollment": enrollment, "attempt": attempt, "student": student.user}


# --- all that happens ---


async def test_whatever_happens_in_a_school_is_told_with_what_it_is_about(house: House, follower: Follower) -> None:
    day = await a_school_day(house)
    told = await follower.read_all()
    assert {item["type"] for item in told} == set(RECORD_KINDS) == set(RECORD_TYPES)
    for item in told:
        assert set(item) == {"id", "type", "timestamp", "data", "cursor"}
        assert set(item["data"]) == RECORD_KINDS[item["type"]].members, item["type"]
    places = [int(item["cursor"]) for item in told]
    assert places == list(range(places[0], places[0] + len(told)))
    assert len({item["id"] for item in told}) == len(told)
    (graded,) = follower.of_type("attempt.graded")
    assert (graded["data"]["id"], graded["data"]["quiz_title"]) == (day["attempt"]["id"], "Midterm")
    assert graded["data"]["percentage"] == "0.00"
    (completed,) = follower.of_type("lesson.completed")
    assert completed["data"]["lesson"]["lesson_id"] == day["course"]["lessons"][0]["id"]
    (changed,) = follower.of_type("user.updated")
    assert (changed["data"]["changed"], changed["data"]["locale"]) == (["locale", "timezone"], "ar")


async def test_an_event_shows_the_thing_as_its_own_address_does(house: House, follower: Follower) -> None:
    teacher = await house.teacher()
    course = await factories.course(teacher, tags=["lines"], metadata={"term": "spring"})
    quiz = await factories.quiz(teacher, course["id"])
    await follower.read_all()
    (published,) = follower.of_type("course.published")
    shown = await teacher.ok("GET", f"/courses/{course['id']}")
    assert {name: shown[name] for name in published["data"]} == published["data"]
    (opened,) = follower.of_type("quiz.published")
    assert opened["data"] == await teacher.ok("GET", f"/quizzes/{quiz['id']}")


async def test_a_long_text_is_left_out_and_named(house: House, follower: Follower) -> None:
    await factories.course(await house.teacher(), description="Lines. " * 5_000)
    await follower.read_all()
    (published,) = follower.of_type("course.published")
    assert published["data"]["left_out"] == ["description"]
    assert "description" not in published["data"]
    assert published["data"]["title"] == "Algebra 1"


async def test_an_event_has_the_same_id_live_and_in_the_stream(house: House, follower: Follower) -> None:
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher)
    quiz = await factories.quiz(teacher, course["id"])
    await factories.enrolled(student, course["id"])
    heard: dict[str, str] = {}
    is_graded = asyncio.Event()

    def hear(frame: dict[str, Any]) -> None:
        heard[frame["event"]] = frame["id"]
        if frame["event"] == "attempt_graded":
            is_graded.set()

    url = f"ws{house.address.removeprefix('http')}/ws"
    async with LiveClient(url, ticket=student.ticket) as live, asyncio.timeout(PATIENCE_SECONDS):
        await live.subscribe(Ear(f"user:{student.user_id}", on_event=hear))
        attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"]})
        await student.ok("POST", f"/attempts/{attempt['id']}/submit", json={})
        await is_graded.wait()
    await follower.read_all()
    assert [item["id"] for item in follower.of_type("attempt.graded")] == [heard["attempt_graded"]]


async def test_a_previewed_quiz_tells_nothing(house: House, follower: Follower) -> None:
    teacher = await house.teacher()
    course = await factories.course(teacher)
    quiz = await factories.quiz(teacher, course["id"])
    attempt = await teacher.ok("POST", "/attempts", json={"quiz_id": quiz["id"]})
    await teacher.ok("POST", f"/attempts/{attempt['id']}/submit", json={})
    assert not [item for item in await follower.read_all() if item["type"].startswith("attempt.")]


# --- accounts ---


async def test_who_registers_is_welcomed_and_who_is_made_at_the_console_is_not(
    house: House, follower: Follower
) -> None:
    student = await house.student()
    made = await house.services.accounts.create_admin(f"console{student.user_id}@example.org", "river stone 41", "C")
    await follower.read_all()
    assert [item["data"]["id"] for item in follower.of_type("user.registered")] == [student.user_id, made.id]
    wanted = {"task": "mail.send", "args.template": "welcome"}
    mails = [await Job.rows().count_documents({**wanted, "args.user_id": one}) for one in (student.user_id, made.id)]
    assert mails == [1, 0]


async def test_a_profile_that_stays_as_it_is_tells_nothing(house: House, follower: Follower) -> None:
    student = await house.student()
    await student.ok("PATCH", "/users/me", json={"full_name": student.user["full_name"]})
    await follower.read_all()
    assert follower.of_type("user.updated") == []


async def test_changes_of_a_profile_at_once_are_all_told(house: House, follower: Follower) -> None:
    student = await house.student()
    changes = [{"locale": "ar"}, {"timezone": "Africa/Cairo"}, {"full_name": "Sara"}, {"metadata": {"a": 1}}]
    await asyncio.gather(*(student.ok("PATCH", "/users/me", json=change) for change in changes))
    await follower.read_all()
    told = [name for item in follower.of_type("user.updated") for name in item["data"]["changed"]]
    assert sorted(told) == ["full_name", "locale", "metadata", "timezone"]
    row = await User.rows().find_one({"_id": student.user_id})
    assert row is not None
    assert (row["version"], row["locale"], row["timezone"], row["full_name"]) == (5, "ar", "Africa/Cairo", "Sara")


# --- following ---


async def test_who_reads_while_a_class_enrols_misses_nothing_and_reads_nothing_twice(
    house: House, follower: Follower
) -> None:
    teacher = await house.teacher()
    course = await factories.course(teacher)
    students = [await house.student() for _ in range(20)]
    before = follower.cursor
    is_over = asyncio.Event()

    async def follow() -> None:
        while not is_over.is_set():
            await follower.catch_up(limit=7)

    following = asyncio.create_task(follow())
    await asyncio.gather(*(factories.enrolled(student, course["id"]) for student in students))
    is_over.set()
    await following
    await follower.read_all()
    again = Follower(follower.admin)
    again.cursor = before
    assert follower.items == await again.read_all()
    enrolled = [item["data"]["student_id"] for item in follower.of_type("enrollment.created")]
    assert sorted(enrolled) == sorted(student.user_id for student in students)


async def test_only_the_types_that_are_asked_for(house: House, follower: Follower) -> None:
    some = Follower(follower.admin, type=["course.published", "user.updated"])
    some.cursor = follower.cursor
    await a_school_day(house)
    assert [item["type"] for item in await some.read_all()] == ["user.updated", "course.published"]
    await follower.read_all()
    assert some.cursor == follower.cursor


async def test_a_receiver_that_was_down_for_too_long_is_told_so(house: House) -> None:
    admin = await house.admin()
    gone = Follower(admin)
    await gone.read_all()
    await house.student()
    await house.student()
    await all_recorded()
    while await EventRecord.forget_before(house.services.clock.now(), limit=1_000):
        pass
    problem = await admin.refused(409, "GET", "/events", params={"after": "0"})
    assert problem["code"] == "conflict"
    page = await admin.ok("GET", "/events", params={"after": problem["oldest"]})
    assert page == await admin.ok("GET", "/events")
    assert len(page["items"]) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"after": "tomorrow"}, "after"),
        ({"after": "999999999"}, "after"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"type": "course.eaten"}, "type"),
    ],
)
async def test_what_makes_no_sense_is_refused(house: House, query: dict[str, str], field: str) -> None:
    admin = await house.admin()
    problem = await admin.refused(422, "GET", "/events", params=query)
    assert [fault["field"] for fault in problem["errors"]] == [field]


async def test_the_stream_is_for_administrators(house: House) -> None:
    for somebody in (await house.student(), await house.teacher()):
        await somebody.refused(403, "GET", "/events")
    await (await house.visitor()).refused(401, "GET", "/events")


# --- what follows ---


async def test_whoever_follows_events_is_told_of_each_by_a_worker(house: House, follower: Follower) -> None:
    told: dict[str, dict[str, Any]] = {}

    async def follow(event: Any) -> None:
        told[event.event_id] = dict(event.data)

    house.services.following.add(follow)
    await a_school_day(house)
    await all_recorded()
    async with working(house, "progress"), asyncio.timeout(PATIENCE_SECONDS):
        await idle_of_events()
    for item in await follower.read_all():
        assert told[item["id"]] == item["data"]


async def idle_of_events() -> None:
    """Return once nobody has to be told of an event any more."""
    while await Job.rows().find_one({"task": "events.follow", "state": {"$in": ["waiting", "running"]}}):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
