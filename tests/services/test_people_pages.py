"""A teacher's students in pages: the same whoever they are found with, and however many come at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from documents import enrollment
from documents.base import Row
from documents.enrollment import PRESENT, Enrollment
from documents.people import page_among, page_of_people
from documents.school_figures import counted_figures
from documents.session import Session
from documents.user import User

pytestmark = pytest.mark.usefixtures("database")

NOW = datetime(2026, 11, 21, tzinfo=UTC)
IDS = [f"usr_{number:02}" for number in range(11)]


async def filled() -> None:
    """Eleven people, of two courses, some with the same name, some who never signed in."""
    people: list[Row] = [
        {"_id": one, "email": one, "email_key": one, "name_key": f"n{number % 4}", "role": "student", "is_active": True}
        | ({"last_login_at": NOW - timedelta(hours=number)} if number % 3 else {})
        for number, one in enumerate(IDS)
    ]
    await User.rows().insert_many(people)
    rows: list[Row] = [
        {"_id": f"{one}:{course}", "student_id": one, "course_id": course, "status": "active" if number else "dropped"}
        for number, one in enumerate(IDS)
        for course in (("crs_a", "crs_b") if number % 2 else ("crs_a",))
    ]
    await Enrollment.rows().insert_many(
        [*rows, {**rows[0], "_id": "x", "course_id": "crs_other", "student_id": "usr_x"}]
    )


@pytest.mark.parametrize("at_once", [3, 2_000])
@pytest.mark.parametrize(
    "sorting", [[("name_key", 1)], [("name_key", -1)], [("last_login_at", 1)], [("last_login_at", -1)]]
)
async def test_pages_are_those_of_the_whole_list(
    monkeypatch: pytest.MonkeyPatch, at_once: int, sorting: list[tuple[str, int]]
) -> None:
    monkeypatch.setattr(enrollment, "STUDENTS_AT_ONCE", at_once)
    await filled()
    which: Row = {"is_active": True}
    for skip in (0, 4, 8, 12):
        students = Enrollment.students_of(["crs_a", "crs_b"])
        rows, total = await page_among(students, which, sorting, skip=skip, limit=4)
        wanted, count = await page_of_people({**which, "_id": {"$in": IDS}}, sorting, skip=skip, limit=4)
        assert ([row["_id"] for row in rows], total) == ([row["_id"] for row in wanted], count)
        assert rows == wanted


async def test_each_student_comes_once_and_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrollment, "STUDENTS_AT_ONCE", 4)
    await filled()
    pages = [page async for page in Enrollment.students_of(["crs_a", "crs_b"])]
    assert [len(page) for page in pages] == [4, 4, 3]
    assert sorted(one for page in pages for one in page) == IDS
    assert await Enrollment.count_students(["crs_a", "crs_b"], PRESENT) == 10
    assert await Enrollment.count_students(["crs_none"], PRESENT) == 0
    assert await Enrollment.count_students([], PRESENT) == 0
    assert [page async for page in Enrollment.students_of([])] == []


async def test_nobody_among_nobody() -> None:
    async def nobody() -> AsyncIterator[list[str]]:
        for page in list[list[str]]():
            yield page

    assert await page_among(nobody(), {}, [("name_key", 1)], skip=0, limit=5) == ([], 0)


async def test_who_was_active_are_people_and_not_those_in_whose_place_somebody_acted() -> None:
    assert (await counted_figures(NOW))["active_users_30d"] == 0
    used: Row = {"last_used_at": NOW + timedelta(hours=1)}
    await Session.rows().insert_many(
        [
            {"_id": "fam_1", "user_id": "usr_1", **used},
            {"_id": "fam_2", "user_id": "usr_1", **used},
            {"_id": "fam_3", "user_id": "usr_2", **used},
            {"_id": "fam_4", "user_id": "usr_3", **used, "impersonator_id": "usr_1"},
            {"_id": "fam_5", "user_id": "usr_4", "last_used_at": NOW - timedelta(hours=1)},
        ]
    )
    assert (await counted_figures(NOW))["active_users_30d"] == 2
