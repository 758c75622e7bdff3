"""What is kept of courses for strangers: until one is written, on any node, or it is old; and for nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from documents.course import Course
from lms_rt.bus.base import Marks
from lms_rt.contracts.actor import STRANGER
from lms_rt.contracts.base import read_model
from lms_rt.contracts.courses import CourseQuery
from lms_rt.contracts.lessons import LessonQuery
from lms_rt.errors import Code, Refused
from lms_rt.services.courses import Courses
from lms_rt.services.lessons import Lessons
from lms_rt.services.public_views import MAX_KEPT, PublicViews
from tests.rest.conftest import table_settings
from tests.services.school import ADMIN, STUDENT, TEACHER, School, refusal

AGES = {"cache_ttl_courses_seconds": 60, "cache_ttl_lessons_seconds": 40, "cache_ttl_quizzes_seconds": 30}


class Away(Marks):
    """A bus that does not answer."""

    async def mark_of(self, name: str) -> str:  # noqa: ARG002 - nobody hears it
        raise Refused(Code.UNAVAILABLE)

    async def move(self, name: str) -> None:  # noqa: ARG002 - nobody hears it
        raise Refused(Code.UNAVAILABLE)


class OfNode:
    """The courses of a node that keeps what strangers see."""

    def __init__(self, school: School, marks: Marks, **settings: Any) -> None:
        wishes = table_settings(**{"cache_enabled": True, **AGES, **settings})
        self.views = PublicViews(wishes, clock=school.clock, marks=marks)
        self.courses = Courses(clock=school.clock, relay=school.relay, views=self.views)
        self.lessons = Lessons(clock=school.clock, relay=school.relay, views=self.views)

    async def titles(self, by: Any = STRANGER, **query: Any) -> list[str]:
        return [view.title for view in (await self.courses.list(by, CourseQuery(**query))).items]

    async def lesson_titles(self, course_id: str) -> list[str]:
        return [view.title for view in (await self.lessons.list(STRANGER, course_id, LessonQuery())).items]


async def renamed(course_id: str, title: str) -> None:
    """Written behind everybody's back, so that what is shown says where it comes from."""
    await Course.rows().update_one({"_id": course_id}, {"$set": {"title": title}})


async def test_what_strangers_see_is_kept_until_it_is_old(school: School) -> None:
    node, course = OfNode(school, school.bus.marks), await school.published()
    assert (await node.titles(), await node.titles(q="nothing")) == (["Algebra"], [])
    assert (await node.courses.show(STRANGER, course.slug)).title == "Algebra"
    assert await node.lesson_titles(course.id) == ["Lesson 1"]
    await renamed(course.id, "Geometry")
    assert (await node.titles(), await node.titles(page_size=5)) == (["Algebra"], ["Geometry"])
    assert [await node.titles(by) for by in (STUDENT, TEACHER, ADMIN)] == [["Geometry"]] * 3
    assert (await node.courses.show(STUDENT, course.slug)).title == "Geometry"
    school.clock.advance(29)
    assert (await node.courses.show(STRANGER, course.slug)).title == "Algebra"
    school.clock.advance(1)
    assert (await node.courses.show(STRANGER, course.slug)).title == "Geometry"
    school.clock.advance(29)
    assert await node.titles() == ["Algebra"]
    school.clock.advance(1)
    assert await node.titles() == ["Geometry"]


async def test_whatever_is_written_of_a_course_is_seen_at_once_and_by_all_nodes(school: School) -> None:
    here, there = (OfNode(school, school.bus.marks) for _ in range(2))
    course = await school.published(2)

    async def seen() -> list[Any]:
        return [await one.titles() for one in (here, there)]

    assert await seen() == [["Algebra"]] * 2
    assert [await one.lesson_titles(course.id) for one in (here, there)] == [["Lesson 1", "Lesson 2"]] * 2
    (lesson, other) = (await here.courses.show(STRANGER, course.id)).lessons
    await there.lessons.remove(TEACHER, other.id)
    assert await here.lesson_titles(course.id) == ["Lesson 1"]
    assert [one.id for one in (await here.courses.show(STRANGER, course.id)).lessons] == [lesson.id]
    await there.courses.unpublish(TEACHER, course.id)
    assert await seen() == [[], []]
    await refusal(here.courses.show(STRANGER, course.id), Code.NOT_FOUND)
    await refusal(here.lessons.list(STRANGER, course.id, LessonQuery()), Code.NOT_FOUND)
    await here.courses.publish(TEACHER, course.id)
    assert await seen() == [["Algebra"]] * 2
    await there.courses.remove(TEACHER, course.id)
    assert await seen() == [[], []]


async def test_without_the_bus_and_switched_off_nothing_is_kept(school: School) -> None:
    nodes = [OfNode(school, Away()), OfNode(school, school.bus.marks, cache_enabled=False)]
    course = await school.published()
    for node in nodes:
        assert await node.titles() == ["Algebra"]
    await renamed(course.id, "Geometry")
    for node in nodes:
        assert await node.titles() == ["Geometry"]
        await node.courses.unpublish(TEACHER, course.id)
        assert await node.titles() == []
        await node.courses.publish(TEACHER, course.id)


async def test_so_much_is_kept_and_no_more(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    node, asked = OfNode(school, school.bus.marks), list[str]()
    await school.published()
    page = Course.page

    async def counted(filter_: Any, *args: Any, **more: Any) -> Any:
        asked.append("asked")
        return await page(filter_, *args, **more)

    monkeypatch.setattr(Course, "page", counted)
    queries = [read_model(CourseQuery, {"q": f"word{number}"}) for number in range(MAX_KEPT + 1)]
    for query in queries:
        await node.courses.list(STRANGER, query)
    await node.courses.list(STRANGER, queries[-1])
    assert len(asked) == MAX_KEPT + 1
    await node.courses.list(STRANGER, queries[0])  # the one that nobody has looked at for longest
    assert len(asked) == MAX_KEPT + 2
