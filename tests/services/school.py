"""A small school for tests: the services of courses and learning wired on the lane's database, with people and courses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from documents.course import Course
from documents.enrollment import Enrollment
from documents.enums import Role
from documents.user import User
from lms_rt.bus.base import Bus, Control, Receiver, Word
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.courses import CourseChange, CourseDetailView, CourseDraft, CourseQuery
from lms_rt.contracts.enrollments import EnrollmentChange, EnrollmentDraft, EnrollmentView, ProgressDraft
from lms_rt.contracts.events import EVENTS
from lms_rt.contracts.lessons import LessonChange, LessonDraft, LessonView
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import permissions_of
from lms_rt.services.categories import Categories
from lms_rt.services.courses import Courses
from lms_rt.services.enrollments import Enrollments
from lms_rt.services.lessons import Lessons
from lms_rt.services.progress import Progress
from lms_rt.services.relay import Relay
from tests.services.relaying import relay_over


def actor(name: str, role: Role, full_name: str = "") -> Actor:
    return Actor(f"usr_{name}", role, permissions_of(role), f"fam_{name}", full_name or name.title())


ADMIN = actor("admin", Role.ADMIN)
TEACHER = actor("tariq", Role.INSTRUCTOR, "Tariq Aziz")
OTHER_TEACHER = actor("olga", Role.INSTRUCTOR)
STUDENT = actor("sara", Role.STUDENT, "Sara Saleh")
OTHER_STUDENT = actor("omar", Role.STUDENT)
PEOPLE = (ADMIN, TEACHER, OTHER_TEACHER, STUDENT, OTHER_STUDENT)


@dataclass
class Controls(Receiver[Word]):
    """The words that were said to the nodes."""

    heard: list[Control] = field(default_factory=list)

    def receive(self, message: Word) -> None:
        if isinstance(message, Control):
            self.heard.append(message)


@dataclass
class School:
    """The wired services, and short ways to use them."""

    clock: FakeClock
    bus: Bus
    relay: Relay
    courses: Courses
    lessons: Lessons
    categories: Categories
    enrollments: Enrollments
    progress: Progress
    controls: Controls

    async def course(self, by: Actor = TEACHER, **fields: Any) -> CourseDetailView:
        """A new draft."""
        return await self.courses.create(by, read_model(CourseDraft, {"title": "Algebra", **fields}))

    async def lesson(self, course_id: str, by: Actor = TEACHER, **fields: Any) -> LessonView:
        """A new lesson, published unless said otherwise."""
        draft = {"title": "Lines", "content": "*text*", "is_published": True, **fields}
        return await self.lessons.create(by, course_id, read_model(LessonDraft, draft))

    async def published(self, lessons: int = 1, **fields: Any) -> CourseDetailView:
        """A published course with so many lessons."""
        course = await self.course(**{"description": "All about it.", **fields})
        for number in range(1, lessons + 1):
            await self.lesson(course.id, title=f"Lesson {number}")
        return await self.courses.publish(TEACHER, course.id)

    async def change(self, course_id: str, by: Actor = TEACHER, *, version: int | None = None, **fields: Any) -> Any:
        change = read_model(CourseChange, fields)
        return await self.courses.change(by, course_id, change, expected_version=version)

    async def change_lesson(
        self, lesson_id: str, by: Actor = TEACHER, *, version: int | None = None, **fields: Any
    ) -> LessonView:
        change = read_model(LessonChange, fields)
        return await self.lessons.change(by, lesson_id, change, expected_version=version)

    async def enrolled(self, course_id: str, by: Actor = STUDENT, student_id: str | None = None) -> EnrollmentView:
        draft = EnrollmentDraft(course_id=course_id, student_id=student_id)
        return (await self.enrollments.enroll(by, draft)).view

    async def set_status(self, enrollment_id: str, status: str, by: Actor = STUDENT) -> EnrollmentView:
        return await self.enrollments.change(by, enrollment_id, read_model(EnrollmentChange, {"status": status}))

    async def record(self, enrollment_id: str, lesson_id: str, by: Actor = STUDENT, **fields: Any) -> EnrollmentView:
        draft = read_model(ProgressDraft, {"lesson_id": lesson_id, **fields})
        return await self.progress.record(by, enrollment_id, draft)

    async def found(self, by: Actor = STUDENT, **query: Any) -> list[str]:
        """The titles that a search of the catalogue finds."""
        return [view.title for view in (await self.courses.list(by, CourseQuery(**query))).items]

    async def events(self, channel: str) -> list[tuple[str, dict[str, Any]]]:
        """What was published on a channel: names and data, each as the catalogue of events has it."""
        stretch = await self.bus.history.read(channel, after=0)
        for one in stretch.events:
            kind = next(kind for kind in EVENTS if kind.name == one.event.name)
            kind.model.model_validate(one.event.shown_data())
        return [(one.event.name, one.event.shown_data()) for one in stretch.events]


async def _add_people(clock: FakeClock) -> None:
    for one in PEOPLE:
        assert one.role is not None
        email = f"{one.user_id}@example.org"
        user = User(
            id=one.user_id, email=email, email_key=email, password_hash="none", full_name=one.full_name, role=one.role,
            created_at=clock.now(), updated_at=clock.now(),
        )  # fmt: skip
        assert await User.add(user)


@asynccontextmanager
async def open_school() -> AsyncIterator[School]:
    """The services on the open database of this test."""
    clock = FakeClock()
    bus = memory_bus(clock)
    relay = relay_over(bus.fan_out, clock, [Course, Enrollment])
    enrollments = Enrollments(clock=clock, relay=relay, bus=bus)
    progress = Progress(clock=clock, relay=relay, bus=bus)
    for name, handler in (enrollments.effects() | progress.effects()).items():
        relay.register_effect(name, handler)
    controls = Controls()
    listening = await bus.fan_out.listen_control(controls)
    await _add_people(clock)
    courses, lessons = Courses(clock=clock, relay=relay), Lessons(clock=clock, relay=relay)
    try:
        yield School(clock, bus, relay, courses, lessons, Categories(), enrollments, progress, controls)
    finally:
        await listening.stop()


async def refusal(waiting: Any, code: Code) -> Refused:
    """The refusal that this ends in, which has to be of this code."""
    with pytest.raises(Refused) as caught:
        await waiting
    assert caught.value.code is code, caught.value.code
    return caught.value


def fault_codes(refused: Refused) -> Sequence[tuple[str, str]]:
    """The faulty fields with their codes."""
    return [(fault.field, fault.code) for fault in refused.fields]
