"""Announcements: everybody in a course is told once, whatever breaks on the way. On both engines."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from config.settings import Settings
from documents.announcement import Announcement
from documents.course import Course
from documents.enrollment import Enrollment, enrollment_id_of
from documents.job import Job
from documents.notification import Notification
from documents.user import User
from lms_rt.clock import to_ms
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.announcements import AnnouncementDraft, AnnouncementView
from lms_rt.contracts.events import EVENTS
from lms_rt.errors import Code
from lms_rt.services import announcements
from lms_rt.services.announcements import Announcements
from lms_rt.services.notification_rules import Notice
from lms_rt.storage.mongo import OpenDatabase
from tests.services.noticing import Noticing
from tests.services.relaying import relay_over
from tests.services.school import OTHER_STUDENT, OTHER_TEACHER, STUDENT, TEACHER, refusal

COURSE = "crs_1"
STUDENTS = 12


class Announcing(Noticing):
    """A course with a class, and a teacher who has something to say."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        relay = relay_over(self.bus.fan_out, self.clock, [Announcement])
        self.announcements = Announcements(clock=self.clock, relay=relay, notifications=self.notifications)

    async def open(self) -> None:
        await super().open()
        await Course.rows().update_one({"_id": COURSE}, {"$set": {"is_published": True}})
        sara = await User.rows().find_one({"_id": STUDENT.user_id})
        assert sara is not None
        for number in range(STUDENTS):
            user_id = f"usr_class{number:02d}"
            email = f"{user_id}@example.org"
            await User.rows().insert_one({**sara, "_id": user_id, "email": email, "email_key": email})
            await self.come_in(user_id)

    async def come_in(self, user_id: str, **fields: Any) -> None:
        now = self.clock.now()
        enrollment = Enrollment(
            id=enrollment_id_of(user_id, COURSE), student_id=user_id, course_id=COURSE, enrolled_at=now,
            created_at=now, updated_at=now, **fields,
        )  # fmt: skip
        assert await enrollment.insert_new()

    async def announce(self, by: Actor = TEACHER, *, seed: str | None = None, **fields: str) -> AnnouncementView:
        draft = AnnouncementDraft(**{"text": "No lesson on Monday.", **fields})
        return await self.announcements.announce(by, COURSE, draft, request_seed=seed)

    async def told(self) -> list[str]:
        """Who has been told, in the order of their ids."""
        found = Notification.rows().find({"kind": "announcement"}, {"user_id": 1}).sort("user_id", 1)
        return [row["user_id"] async for row in found]


CLASS = [f"usr_class{number:02d}" for number in range(STUDENTS)]


@pytest.fixture
async def announcing(database: OpenDatabase, settings: Settings) -> Announcing:
    made = Announcing(settings)
    await made.open()
    return made


async def test_everybody_in_the_course_is_told_live_in_the_list_and_by_mail(announcing: Announcing) -> None:
    made = await announcing.announce(title="Monday")
    (row,) = await announcing.due_jobs()
    assert (row["task"], row["args"]) == ("announcements.tell", {"announcement_id": made.id})
    stretch = await announcing.bus.history.read(f"course:{COURSE}", after=0)
    (published,) = stretch.events
    kind = next(kind for kind in EVENTS if kind.name == published.event.name)
    kind.model.model_validate(published.event.shown_data())
    assert published.event.data["text"] == "No lesson on Monday."
    await announcing.announcements.tell(made.id)
    assert await announcing.told() == CLASS
    student = Actor("usr_class00", STUDENT.role)
    (shown,) = await announcing.seen(student)
    assert (shown.title, shown.body) == ("Algebra: Monday", "No lesson on Monday.")
    assert await Job.rows().count_documents({"task": "notifications.mail"}) == STUDENTS


async def test_without_a_title_it_is_an_announcement_in_the_course(announcing: Announcing) -> None:
    made = await announcing.announce()
    await announcing.announcements.tell(made.id)
    (shown,) = await announcing.seen(Actor("usr_class00", STUDENT.role))
    assert shown.title == "An announcement in Algebra"


async def test_who_left_whose_time_is_over_and_the_author_are_not_told(announcing: Announcing) -> None:
    await announcing.come_in(STUDENT.user_id, status="dropped")
    yesterday = to_ms(announcing.clock.now() - timedelta(days=1))
    await announcing.come_in(OTHER_STUDENT.user_id, expires_ms=yesterday)
    await announcing.come_in(TEACHER.user_id)
    made = await announcing.announce()
    await announcing.announcements.tell(made.id)
    assert await announcing.told() == CLASS


@pytest.mark.parametrize("page", [1, 5, STUDENTS])
async def test_who_dies_in_the_middle_goes_on_where_it_was(
    announcing: Announcing, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcements, "PAGE", page)
    monkeypatch.setattr(announcements, "AT_ONCE", 2)
    made = await announcing.announce()
    tell, calls = announcing.notifications.tell, list[str]()

    async def killed(notice: Notice, *, cause: str) -> None:
        calls.append(notice.user_id)
        if len(calls) in {4, 9}:
            raise OSError("killed")
        await tell(notice, cause=cause)

    monkeypatch.setattr(announcing.notifications, "tell", killed)
    for _ in range(2):
        with pytest.raises(ExceptionGroup):
            await announcing.announcements.tell(made.id)
    await announcing.announcements.tell(made.id)
    assert await announcing.told() == CLASS
    assert len(calls) <= STUDENTS + 3 * page
    await announcing.announcements.tell(made.id)
    assert len(calls) <= STUDENTS + 3 * page  # once all are told, nobody is asked about again


async def test_the_same_request_again_is_the_same_announcement(announcing: Announcing) -> None:
    first = await announcing.announce(seed="key")
    assert await announcing.announce(seed="key") == first
    assert await Announcement.rows().count_documents({}) == 1
    assert len(await announcing.due_jobs()) == 1


async def test_only_who_teaches_the_course_announces(announcing: Announcing) -> None:
    await announcing.come_in(STUDENT.user_id)
    for somebody in (STUDENT, OTHER_TEACHER):
        await refusal(announcing.announce(somebody), Code.NOT_FOUND)
    assert await Announcement.rows().count_documents({}) == 0


async def test_of_a_course_that_is_gone_nobody_is_told(announcing: Announcing) -> None:
    made = await announcing.announce()
    await Course.rows().delete_one({"_id": COURSE})
    await announcing.announcements.tell(made.id)
    await announcing.announcements.tell("ann_none")
    assert await announcing.told() == []
