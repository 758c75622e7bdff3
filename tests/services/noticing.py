"""Notifications wired up for tests: a fake clock, the memory bus, accounts, and mails that are only written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from config.settings import Settings
from documents.course import Course
from documents.enums import Role
from documents.job import Job
from documents.notification import Notification
from documents.notification_preferences import NotificationPreferences
from documents.user import User
from lms_rt.bus.base import Bus
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.event_records import RecordedEvent
from lms_rt.contracts.events import EVENTS
from lms_rt.contracts.mails import MailOrder, mail_template
from lms_rt.contracts.notifications import NotificationPage, NotificationQuery, NotificationView, PreferencesChange
from lms_rt.gateways.mail import Hold, Note, no_hold
from lms_rt.services.jobs import NotYet
from lms_rt.services.mails import Mails
from lms_rt.services.notification_mails import NotificationMails
from lms_rt.services.notifications import Notifications
from lms_rt.services.preferences import Preferences
from lms_rt.services.relay import Relay
from tests.services.relaying import relay_over
from tests.services.school import PEOPLE, STUDENT, TEACHER

GATHER_SECONDS = 60
"""As the settings have it unless told otherwise."""


@dataclass
class WrittenMails:
    """Stands in for the mails: keeps the orders, checked against the catalogue; fails as often as it is told to."""

    orders: list[MailOrder] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    async def send(self, order: MailOrder, note: Note, *, hold: Hold = no_hold) -> None:
        mail_template(order.template).data.model_validate(dict(order.data))
        if self.failures:
            raise self.failures.pop(0)
        await hold()
        self.orders.append(order)
        await note()


class Noticing:
    """The services, and short ways to use them."""

    def __init__(self, settings: Settings) -> None:
        self.clock = FakeClock()
        self.bus: Bus = memory_bus(self.clock)
        self.relay: Relay = relay_over(self.bus.fan_out, self.clock, [Notification, NotificationPreferences])
        self.preferences = Preferences(clock=self.clock)
        self.notifications = Notifications(
            settings=settings, clock=self.clock, relay=self.relay, preferences=self.preferences
        )
        self.mails = WrittenMails()
        self.writing = NotificationMails(
            clock=self.clock, preferences=self.preferences, mails=cast("Mails", self.mails)
        )

    async def open(self) -> None:
        """The people and a course."""
        now = self.clock.now()
        for one in PEOPLE:
            email = f"{one.user_id}@example.org"
            user = User(
                id=one.user_id, email=email, email_key=email, password_hash="none", full_name=one.full_name,
                role=one.role or Role.STUDENT, timezone="Africa/Cairo", created_at=now, updated_at=now,
            )  # fmt: skip
            assert await User.add(user)
        course = Course(
            id="crs_1", title="Algebra", title_key="algebra", slug="algebra", instructor_id=TEACHER.user_id,
            created_at=now, updated_at=now,
        )  # fmt: skip
        await Course.rows().insert_one({"_id": course.id, **course.model_dump(exclude={"id"}, exclude_none=True)})

    async def wish(self, by: Actor = STUDENT, **fields: Any) -> None:
        await self.preferences.change(by, read_model(PreferencesChange, fields))

    # --- what happens ---

    async def graded(self, number: int = 1, **fields: Any) -> None:
        """An attempt of the student was graded."""
        data = {
            "id": f"att_{number}", "quiz_id": "quz_1", "course_id": "crs_1", "student_id": STUDENT.user_id,
            "student_name": STUDENT.full_name, "quiz_title": f"Quiz {number}", "percentage": "80.00", "is_passed": True,
            "is_preview": False, "submitted_at": "2026-01-05T09:00:00.000Z", "submitted_by": "student",
        }  # fmt: skip
        await self.happen("attempt.graded", f"evt_graded_{number}", **data | fields)

    async def enrolled(self, student: Actor = STUDENT, *, access: str = "free") -> None:
        """A student came into the course."""
        data = {
            "id": f"{student.user_id}:crs_1", "course_id": "crs_1", "student_id": student.user_id,
            "student_name": student.full_name, "access": access,
        }  # fmt: skip
        await self.happen("enrollment.created", f"evt_{student.user_id}", **data)

    async def happen(self, type_: str, event_id: str, **data: Any) -> None:
        await self.notifications.follow(RecordedEvent(event_id, type_, self.clock.now(), data))

    # --- what people see ---

    async def page(self, by: Actor = STUDENT, **query: Any) -> NotificationPage:
        found = await self.notifications.list(by, NotificationQuery(**query))
        assert isinstance(found, NotificationPage)
        return found

    async def seen(self, by: Actor = STUDENT, **query: Any) -> list[NotificationView]:
        return list((await self.page(by, **query)).items)

    async def unread(self, by: Actor = STUDENT) -> int:
        return (await self.notifications.unread(by)).unread

    async def live(self, by: Actor = STUDENT) -> list[tuple[str, dict[str, Any]]]:
        """What was told live, each as the catalogue of events has it."""
        stretch = await self.bus.history.read(f"user:{by.user_id}", after=0)
        for one in stretch.events:
            kind = next(kind for kind in EVENTS if kind.name == one.event.name)
            kind.model.model_validate(one.event.shown_data())
        return [(one.event.name, one.event.shown_data()) for one in stretch.events]

    # --- mails ---

    async def due_jobs(self) -> list[dict[str, Any]]:
        """The jobs that a worker would take now, in the order of their times."""
        now = self.clock.now()
        rows = await Job.rows().find({"state": "waiting", "due_at": {"$lte": now}}).sort("due_at", 1).to_list(None)
        return list(rows)

    async def work(self) -> list[MailOrder]:
        """Run every job that is due, as a worker would; the mails that were written."""
        before = len(self.mails.orders)
        for row in await self.due_jobs():
            await self.run_job(row)
        return self.mails.orders[before:]

    async def run_job(self, row: dict[str, Any]) -> datetime | None:
        """Run one; when it wants to be run later, if it does."""
        state: dict[str, Any] = {"state": "done"}
        later = None
        try:
            args = row["args"]
            await self.writing.send(args["user_id"], args["notification_id"], job_id=row["_id"])
        except NotYet as error:
            later = error.due_at
            state = {"due_at": later}
        await Job.rows().update_one({"_id": row["_id"]}, {"$set": state})
        return later
