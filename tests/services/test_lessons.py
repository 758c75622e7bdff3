"""Lessons: who opens them, their places, edits that meet, and an order that moves whole or not at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from documents.quiz import Quiz
from lms_rt.contracts.actor import STRANGER, Actor
from lms_rt.contracts.base import encode, read_model
from lms_rt.contracts.json_reader import parse_json
from lms_rt.contracts.lessons import LessonChange, LessonDraft, LessonQuery
from lms_rt.errors import Code, Refused
from lms_rt.services.course_edits import MAX_CONTENT_BYTES
from tests.services.school import (
    ADMIN,
    OTHER_TEACHER,
    STUDENT,
    TEACHER,
    School,
    fault_codes,
    refusal,
)


async def titles(school: School, course_id: str, by: Actor = TEACHER, **query: Any) -> list[str]:
    page = await school.lessons.list(by, course_id, LessonQuery(**query))
    return [view.title for view in page.items]


async def test_content_is_for_who_is_enrolled_or_teaches_or_when_it_is_free(school: School) -> None:
    course = await school.published(price=0)
    paid = (await school.courses.show(TEACHER, course.id)).lessons[0]
    free = await school.lesson(course.id, title="Free", is_free=True, content="# Hi", video_url="https://v.example/1")
    assert (free.content_html, free.video_url) == ('<h1 dir="auto">Hi</h1>', "https://v.example/1")
    for reader in (STRANGER, STUDENT, OTHER_TEACHER):
        seen = {view.title: view for view in (await school.courses.show(reader, course.id)).lessons}
        assert (seen["Lesson 1"].content, seen["Lesson 1"].content_html) == (None, None)
        assert seen["Free"].content == "# Hi"
        refused = await refusal(school.lessons.show(reader, paid.id), Code.NOT_ENROLLED)
        assert refused.data["course_id"] == course.id
        assert (await school.lessons.show(reader, free.id)).content == "# Hi"
    enrollment = await school.enrolled(course.id)
    for reader in (STUDENT, TEACHER, ADMIN):
        assert (await school.lessons.show(reader, paid.id)).content == "*text*"
    assert (await school.courses.show(STUDENT, course.id)).enrollment_id == enrollment.id
    await school.enrollments.drop(STUDENT, enrollment.id)
    await refusal(school.lessons.show(STUDENT, paid.id), Code.NOT_ENROLLED)


async def test_drafts_are_hidden_and_not_counted(school: School) -> None:
    course = await school.published()
    draft = await school.lesson(course.id, title="Draft", is_published=False)
    await school.enrolled(course.id)
    assert await titles(school, course.id, STUDENT) == ["Lesson 1"]
    assert await titles(school, course.id) == ["Lesson 1", "Draft"]
    await refusal(school.lessons.show(STUDENT, draft.id), Code.NOT_FOUND)
    assert (await school.courses.show(STUDENT, course.id)).lessons_count == 1
    assert (await school.courses.show(TEACHER, course.id)).lessons_count == 2


async def test_a_lesson_has_its_published_quiz(school: School) -> None:
    course = await school.published()
    lesson_id = course.lessons[0].id
    row = {"course_id": course.id, "lesson_id": lesson_id, "quiz_type": "graded", "created_at": school.clock.now()}
    await Quiz.rows().insert_many([{**row, "_id": "quz_b", "is_published": True}, {**row, "_id": "quz_a"}])
    assert (await school.lessons.show(TEACHER, lesson_id)).quiz_id == "quz_b"


async def test_lessons_are_put_in_their_places(school: School) -> None:
    course = await school.course()
    for title, order in (("a", None), ("b", 1), ("c", 2), ("d", 99), ("e", 0)):
        await school.lesson(course.id, title=title, order=order)
    assert await titles(school, course.id) == ["e", "b", "c", "a", "d"]
    assert await titles(school, course.id, sort="-title", page=2, page_size=2) == ["c", "b"]
    page = await school.lessons.list(TEACHER, course.id, LessonQuery())
    assert [view.order for view in page.items] == [1, 2, 3, 4, 5]
    moved = await school.change_lesson(page.items[0].id, order=4)
    assert moved.order == 4
    assert await titles(school, course.id) == ["b", "c", "a", "e", "d"]


async def test_slugs_are_unique_within_the_course(school: School) -> None:
    first, second = await school.course(), await school.course()
    assert [(await school.lesson(first.id)).slug for _ in range(3)] == ["lines", "lines-2", "lines-3"]
    assert (await school.lesson(second.id)).slug == "lines"


async def test_another_teachers_lesson_is_not_found(school: School) -> None:
    course, other = await school.published(), await school.published(title="Other")
    lesson_id = course.lessons[0].id if course.lessons else ""
    await refusal(school.lesson(course.id, OTHER_TEACHER), Code.NOT_FOUND)
    await refusal(school.change_lesson(lesson_id, OTHER_TEACHER, title="x"), Code.NOT_FOUND)
    await refusal(school.lessons.remove(OTHER_TEACHER, lesson_id), Code.NOT_FOUND)
    await refusal(school.lessons.reorder(OTHER_TEACHER, course.id, [lesson_id]), Code.NOT_FOUND)
    await refusal(school.lessons.show(TEACHER, lesson_id, course_id=other.id), Code.NOT_FOUND)
    await refusal(school.lessons.remove(TEACHER, lesson_id, course_id=other.id), Code.NOT_FOUND)
    assert (await school.lessons.show(TEACHER, lesson_id, course_id=course.slug)).id == lesson_id
    assert (await school.change_lesson(lesson_id, ADMIN, title="Admin was here")).title == "Admin was here"


async def test_a_list_by_filter_is_empty_where_a_path_is_not_found(school: School) -> None:
    await refusal(school.lessons.list(STUDENT, "crs_nothing", LessonQuery()), Code.NOT_FOUND)
    page = await school.lessons.list(STUDENT, "crs_nothing", LessonQuery(), is_filter=True)
    assert (page.items, page.total) == ([], 0)


async def test_edits_of_lessons_that_meet_lose_nothing(school: School) -> None:
    course = await school.course()
    first, second = await school.lesson(course.id, title="a"), await school.lesson(course.id, title="b")
    await asyncio.gather(
        school.change_lesson(first.id, title="A"),
        school.change_lesson(first.id, content="new"),
        school.change_lesson(second.id, is_free=True),
        school.change(course.id, description="text"),
        school.lesson(course.id, title="c"),
        school.lessons.remove(TEACHER, second.id),
        return_exceptions=True,
    )
    now = await school.courses.show(TEACHER, course.id)
    assert [(view.title, view.content) for view in now.lessons] == [("A", "new"), ("c", "*text*")]
    assert now.description == "text"
    assert now.lessons[0].version == 3


async def test_a_lesson_has_a_version_of_its_own(school: School) -> None:
    course = await school.course()
    first, second = await school.lesson(course.id), await school.lesson(course.id)
    changed = await school.change_lesson(first.id, version=1, title="A")
    assert changed.version == 2
    refused = await refusal(school.change_lesson(first.id, version=1, title="B"), Code.VERSION_MISMATCH)
    assert refused.data["current_version"] == 2
    assert (await school.change_lesson(first.id, title="A")).version == 2
    assert (await school.change_lesson(second.id, version=1, title="B")).version == 2
    await refusal(school.lessons.remove(TEACHER, first.id, expected_version=1), Code.VERSION_MISMATCH)
    assert (await school.courses.show(TEACHER, course.id)).version == 5


async def test_a_lesson_may_be_sent_back_but_read_only_fields_not_changed(school: School) -> None:
    lesson = await school.lesson((await school.course()).id)
    sent = parse_json(encode(lesson))
    change = read_model(LessonChange, {**sent, "title": "New"})
    assert (await school.lessons.change(TEACHER, lesson.id, change)).title == "New"
    refused = await refusal(school.change_lesson(lesson.id, quiz_id="quz_mine"), Code.VALIDATION_FAILED)
    assert fault_codes(refused) == [("quiz_id", "read_only")]


async def test_an_order_moves_whole_or_not_at_all(school: School) -> None:
    course, other = await school.course(), await school.course()
    a, b, c = [(await school.lesson(course.id, title=title)).id for title in "abc"]
    foreign = (await school.lesson(other.id)).id
    wrong: list[tuple[list[str], list[tuple[str, str]]]] = [
        ([c, a], [("lesson_ids", "missing")]),
        ([c, a, b, a], [("lesson_ids.3", "duplicate")]),
        ([c, a, foreign], [("lesson_ids.2", "foreign"), ("lesson_ids", "missing")]),
        ([], [("lesson_ids", "missing")]),
    ]
    for lesson_ids, faults in wrong:
        refused = await refusal(school.lessons.reorder(TEACHER, course.id, lesson_ids), Code.VALIDATION_FAILED)
        assert fault_codes(refused) == faults
    assert await titles(school, course.id) == ["a", "b", "c"]
    moved = await school.lessons.reorder(TEACHER, course.id, [c, a, b])
    assert [(view.title, view.order) for view in moved.items] == [("c", 1), ("a", 2), ("b", 3)]
    again = await school.courses.show(TEACHER, course.id)
    await school.lessons.reorder(TEACHER, course.id, [c, a, b])
    assert (await school.courses.show(TEACHER, course.id)).version == again.version


async def test_a_deleted_lesson_is_gone_with_its_place(school: School) -> None:
    course = await school.course()
    a, b = [(await school.lesson(course.id, title=title)).id for title in "ab"]
    await school.lessons.remove(TEACHER, a)
    await refusal(school.lessons.remove(TEACHER, a), Code.NOT_FOUND)
    await refusal(school.lessons.show(TEACHER, a), Code.NOT_FOUND)
    page = await school.lessons.list(TEACHER, course.id, LessonQuery())
    assert [(view.id, view.order) for view in page.items] == [(b, 1)]


async def test_a_course_that_would_grow_too_large_says_so(school: School) -> None:
    course = await school.course()
    text = "ب" * 100_000
    fits = MAX_CONTENT_BYTES // len(text.encode())
    for number in range(fits):
        await school.lesson(course.id, title=f"{number}", content=text)
    await refusal(school.lesson(course.id, title="last", content=text), Code.TOO_LARGE)
    assert len(await titles(school, course.id)) == fits


def test_durations_are_taken_in_minutes_too() -> None:
    draft = read_model(LessonDraft, {"title": "T", "duration_minutes": 1.5})
    assert draft.duration_seconds == 90
    assert read_model(LessonChange, {"duration_minutes": 2}).given() == {"duration_seconds": 120}
    assert read_model(LessonChange, {"duration_minutes": None}).given() == {"duration_seconds": None}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"duration_minutes": "x"}, ("duration_seconds", "int_type")),
        ({"duration_minutes": 1, "duration_seconds": 60}, ("duration_minutes", "unknown_field")),
        ({"content": "x" * 100_001}, ("content", "string_too_long")),
        ({"video_url": "data:text/html,x"}, ("video_url", "string_pattern_mismatch")),
        ({"content_type": "game"}, ("content_type", "enum")),
        ({"lesson": 1}, ("lesson", "unknown_field")),
    ],
)
def test_bad_fields_are_named(body: dict[str, Any], fault: tuple[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        read_model(LessonChange, body)
    assert fault_codes(caught.value) == [fault]
