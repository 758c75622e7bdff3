"""Rosters by their filters and as a table, and the categories of the catalogue: counted for many, once in a while."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from documents.base import Row
from documents.course import Course
from documents.user import User
from lms_rt.contracts.actor import STRANGER
from lms_rt.contracts.base import PageQuery
from lms_rt.contracts.enrollments import RosterQuery
from lms_rt.errors import Code, Refused
from lms_rt.services.categories import FRESH_MS, Categories
from lms_rt.services.rosters import Rosters
from lms_rt.services.user_search import found_by
from tests.services.school import OTHER_STUDENT, OTHER_TEACHER, STUDENT, TEACHER, School


class Recording:
    """Stands in for the audit log."""

    def __init__(self) -> None:
        self.actions: list[str] = []

    async def record(self, _actor: Any, action: str, **_: Any) -> None:
        self.actions.append(action)


async def a_class(school: School) -> str:
    """Sara has begun, Omar, who calls himself like a formula, has not."""
    course = await school.published(2)
    mine = await school.enrolled(course.id)
    await school.enrolled(course.id, by=OTHER_STUDENT)
    await school.progress.complete_lesson(STUDENT, mine.id, mine.progress[0].lesson_id)
    named = {OTHER_STUDENT.user_id: "=Omar()", STUDENT.user_id: "Sara Saleh"}
    for user_id, name in named.items():
        found: Row = found_by(name, f"{user_id}@example.org")
        await User.rows().update_one({"_id": user_id}, {"$set": {"full_name": name, **found}})
    return course.id


async def test_a_roster_is_filtered_by_name_address_and_progress(school: School) -> None:
    course_id = await a_class(school)

    async def found(**query: Any) -> list[str]:
        page = await school.enrollments.list_students(TEACHER, course_id, RosterQuery(**query))
        assert page.total == len(page.items)
        return sorted(one.student_id for one in page.items)

    sara, omar = STUDENT.user_id, OTHER_STUDENT.user_id
    assert [await found(q=q) for q in ("sal", "SÁRA s", "usr_omar", "tariq", " ")] == [
        [sara],
        [sara],
        [omar],
        [],
        sorted([omar, sara]),
    ]
    assert await found(progress="not_started") == [omar]
    assert await found(progress="in_progress", q="sara", status="active") == [sara]
    assert await found(progress="completed") == []


async def test_a_roster_as_a_table_runs_nothing_and_is_recorded(school: School) -> None:
    course_id, audit = await a_class(school), Recording()
    rosters = Rosters(clock=school.clock, audit=audit)  # type: ignore[arg-type]  # as far as it is asked

    async def table(by: Any = TEACHER, **query: Any) -> str:
        return b"".join([piece async for piece in rosters.table(by, course_id, RosterQuery(**query))]).decode()

    rows = list(csv.DictReader(io.StringIO(await table())))
    assert {row["full_name"]: row["progress_percentage"] for row in rows} == {"'=Omar()": "0.00", "Sara Saleh": "50.00"}
    assert (await table(bom=True, q="sara")).startswith("\ufefffull_name,")
    assert audit.actions == ["course.export_roster"] * 2
    with pytest.raises(Refused) as refused:
        await table(OTHER_TEACHER)
    assert refused.value.code is Code.NOT_FOUND


async def test_categories_are_counted_once_for_many_and_anew_after_a_moment(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    count = Course.category_counts

    async def watched() -> list[Row]:
        counted.append(1)
        return await count()

    monkeypatch.setattr(Course, "category_counts", watched)
    categories = Categories(clock=school.clock)
    await school.published(category="Maths")
    for _ in range(3):
        assert [one.category for one in (await categories.list(STRANGER, PageQuery())).items] == ["Maths"]
    await school.published(category="Physics")
    school.clock.advance(FRESH_MS / 1000)
    assert (await categories.list(STRANGER, PageQuery())).total == 2
    assert len(counted) == 2
