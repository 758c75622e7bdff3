"""Who may listen to which channel: for each kind those who may, those who may not, and names that are none."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from config.settings import Settings
from documents.course import Course
from documents.enrollment import Enrollment
from documents.enums import Role
from lms_rt.contracts.actor import STRANGER, Actor
from lms_rt.contracts.channels import (
    SYSTEM,
    attempt_channel,
    course_channel,
    course_chat_channel,
    course_staff_channel,
    find_channel,
    quiz_live_channel,
    user_channel,
)
from lms_rt.errors import Code, Refused
from lms_rt.services.subscriptions import Subscriptions
from tests.services.exam import Exam, person

pytestmark = pytest.mark.usefixtures("database")


@dataclass
class House:
    """An exam, everybody who could want to listen, and every channel of it."""

    exam: Exam
    people: dict[str, Actor]
    channels: dict[str, str]
    subscriptions: Subscriptions

    async def listeners(self, kind: str) -> set[str]:
        may = self.subscriptions.may_listen
        return {name for name, actor in self.people.items() if await may(actor, self.channels[kind])}


@pytest.fixture
async def house(settings: Settings) -> House:
    exam = Exam(settings)
    await exam.open_course()
    student, classmate = await exam.student("Student"), await exam.student("Classmate")
    quiz_id = await exam.quiz()
    attempt = await exam.begun(student, quiz_id)
    people = {
        "student": student,
        "classmate": classmate,
        "outsider": person(Role.STUDENT, "Outsider"),
        "teacher": exam.teacher,
        "other teacher": person(Role.INSTRUCTOR, "Other"),
        "admin": person(Role.ADMIN, "Admin"),
        "stranger": STRANGER,
    }
    channels = {
        "user": user_channel(student.user_id),
        "course": course_channel(exam.course_id),
        "chat": course_chat_channel(exam.course_id),
        "staff": course_staff_channel(exam.course_id),
        "attempt": attempt_channel(attempt.id),
        "live": quiz_live_channel(quiz_id),
        "system": SYSTEM,
    }
    return House(exam, people, channels, Subscriptions(clock=exam.clock))


@pytest.mark.parametrize(
    ("kind", "listeners"),
    [
        ("user", {"student"}),
        ("course", {"student", "classmate", "teacher", "admin"}),
        ("chat", {"student", "classmate", "teacher", "admin"}),
        ("staff", {"teacher", "admin"}),
        ("attempt", {"student", "teacher", "admin"}),
        ("live", {"teacher", "admin"}),
        ("system", {"student", "classmate", "outsider", "teacher", "other teacher", "admin"}),
    ],
)
async def test_each_kind_is_for_these_alone(house: House, kind: str, listeners: set[str]) -> None:
    assert await house.listeners(kind) == listeners


async def test_who_left_the_course_hears_it_no_more(house: House) -> None:
    student = house.people["student"]
    gone = {"$set": {"status": "dropped"}}
    await Enrollment.rows().update_one({"_id": f"{student.user_id}:{house.exam.course_id}"}, gone)
    assert "student" not in await house.listeners("course")


async def test_an_unpublished_course_is_for_its_teachers(house: House) -> None:
    await Course.rows().update_one({"_id": house.exam.course_id}, {"$set": {"is_published": False}})
    assert await house.listeners("course") == {"teacher", "admin"}


async def test_a_slug_is_no_second_channel(house: House) -> None:
    await Course.rows().update_one({"_id": house.exam.course_id}, {"$set": {"slug": "algebra"}})
    for name in ("course:algebra", "course:algebra:staff"):
        assert not await house.subscriptions.may_listen(house.exam.teacher, name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            ":",
            "user:",
            "course",
            "course::staff",
            "course:crs_1:",
            "course:crs_1:shouts",
            "quiz:quz_1",
            "attempt:",
        ),
        *("attempt:att_1:live", "system:all", "System", "user:usr_1:x:y", "nothing:at_1", "user:" + "x" * 300),
    ],
)
async def test_what_is_no_channel_is_not_found(house: House, name: str) -> None:
    assert find_channel(name) is None
    with pytest.raises(Refused) as refused:
        await house.subscriptions.require_channel(house.people["admin"], name)
    assert refused.value.code is Code.NOT_FOUND


@pytest.mark.parametrize("name", ["course:crs_none", "attempt:att_none", "quiz:quz_none:live", "course:crs_none:staff"])
async def test_what_is_not_there_is_not_found_either(house: House, name: str) -> None:
    with pytest.raises(Refused) as refused:
        await house.subscriptions.require_channel(house.people["admin"], name)
    assert refused.value.code is Code.NOT_FOUND


async def test_a_fault_is_no_answer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise Refused(Code.UNAVAILABLE)

    monkeypatch.setattr(Course, "heads", away)
    with pytest.raises(Refused) as refused:
        await house.subscriptions.may_listen(house.people["student"], house.channels["course"])
    assert refused.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize(
    ("kind", "who"),
    [
        ("course", {"teacher", "admin"}),
        ("attempt", {"teacher", "admin"}),
        ("staff", {"teacher", "admin"}),
        ("live", {"teacher", "admin"}),
        ("system", {"admin"}),
        ("user", set()),
    ],
)
async def test_names_are_for_those_who_teach_there(house: House, kind: str, who: set[str]) -> None:
    """A teacher who only listens, be it to `system` or in a colleague's course, is told the number like others."""
    may, name = house.subscriptions.may_see_names, house.channels[kind]
    listeners = [house.people[one] for one in await house.listeners(kind)]
    seeing = {actor.user_id for actor in listeners if await may(actor, name)}
    assert seeing == {house.people[one].user_id for one in who}
