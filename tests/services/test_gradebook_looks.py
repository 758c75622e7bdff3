"""Whoever looks at some of a gradebook sees what stands in the whole: after any changes, in any order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from config.settings import Settings
from documents.attempt import Attempt
from documents.course import Course
from documents.enrollment import Enrollment
from documents.enums import Role
from documents.grade_override import TOTAL, GradeOverride, key_of
from documents.gradebook import Gradebook
from documents.quiz import Quiz
from lms_rt.clock import FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.gradebook import GradesView, StudentRowView
from lms_rt.security.permissions import permissions_of
from lms_rt.services.gradebook import Gradebooks
from lms_rt.storage.mongo import open_database

COURSE = "crs_1"
TEACHER = Actor("usr_teacher", Role.INSTRUCTOR, permissions_of(Role.INSTRUCTOR))
STUDENTS = [f"usr_{number:02}" for number in range(13)]
QUIZZES = [f"quz_{number}" for number in range(4)]
_STUDENT, _QUIZ = st.sampled_from(STUDENTS), st.sampled_from(QUIZZES)
_CHANGES = st.one_of(
    st.tuples(st.just("attempt"), _STUDENT, _QUIZ, st.integers(0, 70_000)),
    st.tuples(st.just("override"), _STUDENT, st.sampled_from([*QUIZZES, TOTAL]), st.none() | st.integers(0, 2_000)),
    st.tuples(st.just("weigh"), st.integers(0, 90), st.integers(0, 2), st.sampled_from(["points", "equal"])),
    st.tuples(st.just("archive"), _QUIZ, st.booleans(), st.none()),
    st.tuples(st.just("missing"), st.sampled_from(["zero", "ignore"]), st.none(), st.none()),
)


class _Book:
    """A course, and what changes in it."""

    def __init__(self) -> None:
        self._clock = FakeClock()
        self._stamps = {"version": 1, "created_at": self._clock.now(), "updated_at": self._clock.now()}
        anything: Any = None
        self.books = Gradebooks(clock=self._clock, relay=anything)

    async def open(self) -> None:
        for document in (Course, Enrollment, Quiz, Attempt, GradeOverride, Gradebook):
            await document.rows().delete_many({})
        named = {"_id": COURSE, "slug": "c", "title": "C", "title_key": "c", "instructor_id": TEACHER.user_id}
        lists = {"lesson_ids": [], "published_lesson_ids": [], "tags": [], "price": 0, "currency": "USD"}
        await Course.rows().insert_one({**named, **lists, **self._stamps, "is_published": True, "is_archived": False})
        for one in STUDENTS:
            row = {"_id": f"{one}:{COURSE}", "student_id": one, "course_id": COURSE, "status": "active"}
            await Enrollment.rows().insert_one({**row, "enrolled_at": self._clock.now(), **self._stamps})
        policies = ("best", "last", "average", "first")
        for number, (one, policy) in enumerate(zip(QUIZZES, policies, strict=True)):
            row = {"_id": one, "title": one, "course_id": COURSE, "quiz_type": "graded", "grading_policy": policy}
            shown = {"is_published": True, "total_points": 1_000 + 100 * number, "closes_at": self._clock.now()}
            await Quiz.rows().insert_one({**row, **shown, **self._stamps})
        settings = {"categories": [], "placed": {}, "scale": [], "missing": "ignore"}
        await Gradebook.rows().insert_one({"_id": COURSE, **settings, **self._stamps})

    async def attempt(self, student_id: str, quiz_id: str, sevenths: int) -> None:
        number = 1 + await Attempt.rows().count_documents({"student_id": student_id, "quiz_id": quiz_id})
        at = {"quiz_id": quiz_id, "student_id": student_id, "attempt_number": number, "is_preview": False}
        graded = {"grading": "done", "status": "graded", "percentage": sevenths // 7}
        share = {"exact_percentage": f"{sevenths}/7"}
        await Attempt.rows().insert_one(
            {"_id": f"{student_id}{quiz_id}{number}", **at, **graded, **share, **self._stamps}
        )

    async def override(self, student_id: str, item_id: str, points: int | None) -> None:
        said = {"is_excused": True} if points is None else {"is_excused": False, "points": points}
        place = {"course_id": COURSE, "student_id": student_id, "item_id": item_id, "reason": "so", "history": []}
        row = {"_id": key_of(COURSE, student_id, item_id), **place, **said, **self._stamps}
        await GradeOverride.rows().replace_one({"_id": row["_id"]}, row, upsert=True)

    async def weigh(self, weight: int, drop: int, weighing: str) -> None:
        other = {"id": "cat_b", "name": "B", "weight": 40, "drop_lowest": 0, "weighing": "points", "takes": "none"}
        one = {**other, "id": "cat_a", "weight": weight, "drop_lowest": drop, "weighing": weighing, "takes": "quizzes"}
        placed = {QUIZZES[0]: "cat_b"}
        await Gradebook.rows().update_one({}, {"$set": {"categories": [one, other], "placed": placed}})

    async def archive(self, quiz_id: str, is_archived: bool, _: None) -> None:
        await Quiz.rows().update_one({"_id": quiz_id}, {"$set": {"is_archived": is_archived}})

    async def missing(self, counts: str, *_: None) -> None:
        await Gradebook.rows().update_one({}, {"$set": {"missing": counts}})

    async def compare(self, some: list[str]) -> None:
        whole = {row.student_id: row for row in (await self.books.show(TEACHER, COURSE)).students}
        assert sorted(whole) == STUDENTS
        part = await self.books.show(TEACHER, COURSE, student_ids=some)
        assert {row.student_id: row for row in part.students} == {one: whole[one] for one in some}
        for one in some[:2]:
            student = Actor(one, Role.STUDENT, permissions_of(Role.STUDENT))
            _assert_same(await self.books.explain_own(student, COURSE), whole[one])


def _assert_same(own: GradesView, row: StudentRowView) -> None:
    assert (own.percentage, own.letter) == (row.percentage, row.letter)
    told = {one.item_id: one.grade for one in own.items}
    assert told == {item_id: row.grades[item_id] for item_id in told}
    untold = [grade for item_id, grade in row.grades.items() if item_id not in told]
    assert all(grade.state == "open" for grade in untold)  # put away, and nothing there for it


@pytest.fixture
def engine() -> str:
    """What is worked out is the same wherever it lies."""
    return "embedded"


def test_a_part_of_a_gradebook_is_as_in_the_whole(settings: Settings) -> None:
    with asyncio.Runner() as runner:
        store, book = open_database(settings), _Book()
        runner.run(store.__aenter__())

        @examples(max_examples=12, deadline=None)
        @given(
            st.lists(_CHANGES, min_size=1, max_size=12),
            st.lists(_STUDENT, unique=True, min_size=1, max_size=12),
        )
        def look(changes: list[tuple[Any, ...]], some: list[str]) -> None:
            async def play() -> None:
                await book.open()
                for name, *rest in changes:
                    await getattr(book, name)(*rest)
                await book.compare(some)

            runner.run(play())

        try:
            look()
        finally:
            runner.run(store.__aexit__(None, None, None))
