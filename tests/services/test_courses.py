"""Courses: who sees and changes them, slugs, search, publishing, archiving, and edits that meet."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from documents.course import Course
from lms_rt.contracts.actor import STRANGER
from lms_rt.contracts.base import PageQuery, encode, read_model
from lms_rt.contracts.courses import CourseChange, CourseDraft, OwnCourseQuery
from lms_rt.contracts.json_reader import parse_json
from lms_rt.errors import Code, Refused
from tests.services.school import (
    ADMIN,
    OTHER_TEACHER,
    STUDENT,
    TEACHER,
    School,
    fault_codes,
    refusal,
)


async def test_a_new_course_is_a_draft_that_only_its_owner_knows(school: School) -> None:
    course = await school.course(title="  Algebra I ", category="Maths", price=1999, difficulty="beginner")
    assert (course.title, course.slug, course.is_published, course.version) == ("Algebra I", "algebra-i", False, 1)
    assert (course.is_free, course.instructor_name, course.difficulty_level) == (False, "Tariq Aziz", "beginner")
    assert (await school.courses.show(TEACHER, course.id)).id == course.id
    assert (await school.courses.show(ADMIN, "algebra-i")).id == course.id
    for stranger in (STRANGER, STUDENT, OTHER_TEACHER):
        await refusal(school.courses.show(stranger, course.id), Code.NOT_FOUND)
    assert await school.found() == []
    own = await school.courses.list_own(TEACHER, OwnCourseQuery())
    assert [view.id for view in own.items] == [course.id]
    assert (await school.courses.list_own(OTHER_TEACHER, OwnCourseQuery())).total == 0


async def test_the_next_of_many_courses_of_a_name_is_found_by_few_questions(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    slugs = [(await school.course(title="Sums")).slug for _ in range(40)]
    assert slugs == ["sums", *(f"sums-{number}" for number in range(2, 41))]
    asked, is_slug_taken = [], Course.is_slug_taken

    async def counted(slug: str, *, but_of: str = "") -> bool:
        asked.append(slug)
        return await is_slug_taken(slug, but_of=but_of)

    monkeypatch.setattr(Course, "is_slug_taken", counted)
    assert (await school.course(title="Sums")).slug == "sums-41"
    assert len(asked) <= 12


async def test_slugs_are_unique_never_a_routes_word_and_keep_their_script(school: School) -> None:
    titles = ["Algebra", "Algebra", "algebra!", "Me", "New", "مقدمة في الجبر", "???"]
    slugs = [(await school.course(title=title)).slug for title in titles]
    assert slugs == ["algebra", "algebra-2", "algebra-3", "me-2", "new-2", "مقدمة-في-الجبر", "course"]
    looks_like_id = "crs_" + "0" * 26
    made = await school.course(title=looks_like_id)
    assert made.slug != looks_like_id


async def test_courses_of_one_title_at_the_same_moment_get_slugs_of_their_own(school: School) -> None:
    made = await asyncio.gather(*(school.course(title="Same") for _ in range(8)))
    assert len({course.slug for course in made}) == 8


async def test_a_slug_set_by_hand_may_be_taken_and_the_old_one_goes_on_leading_here(school: School) -> None:
    first, second = await school.course(title="One"), await school.course(title="Two")
    await refusal(school.change(first.id, slug="two"), Code.SLUG_TAKEN)
    await refusal(school.change(first.id, slug="me"), Code.SLUG_TAKEN)
    assert fault_codes(await refusal(school.change(first.id, slug="!"), Code.VALIDATION_FAILED)) == [
        ("slug", "invalid")
    ]
    assert (await school.change(first.id, slug="Première étape")).slug == "première-étape"
    assert (await school.courses.show(TEACHER, "one")).id == first.id
    await refusal(school.change(second.id, slug="one"), Code.SLUG_TAKEN)
    assert (await school.change(first.id, slug="one")).slug == "one"


async def test_publishing_says_what_is_missing(school: School) -> None:
    course = await school.course()
    refused = await refusal(school.courses.publish(TEACHER, course.id), Code.COURSE_NOT_READY)
    assert refused.data["missing"] == ["description", "lessons"]
    await school.change(course.id, description="  ")
    await school.lesson(course.id, is_published=False)
    refused = await refusal(school.change(course.id, is_published=True), Code.COURSE_NOT_READY)
    assert refused.data["missing"] == ["description", "lessons"]
    await school.change(course.id, description="Everything.")
    await school.lesson(course.id)
    published = await school.courses.publish(TEACHER, course.id)
    assert published.is_published
    assert (await school.courses.publish(TEACHER, course.id)).version == published.version
    await refusal(school.courses.publish(OTHER_TEACHER, course.id), Code.NOT_FOUND)
    assert not (await school.courses.unpublish(TEACHER, course.id)).is_published
    await refusal(school.courses.show(STUDENT, course.id), Code.NOT_FOUND)


async def test_a_course_cannot_be_born_published(school: School) -> None:
    draft = read_model(CourseDraft, {"title": "T", "is_published": True})
    refused = await refusal(school.courses.create(TEACHER, draft), Code.COURSE_NOT_READY)
    assert refused.data["missing"] == ["description", "lessons"]
    assert await Course.is_empty()


async def test_another_teachers_course_is_not_found_and_stays_as_it_was(school: School) -> None:
    course = await school.published()
    await refusal(school.change(course.id, OTHER_TEACHER, title="Mine"), Code.NOT_FOUND)
    await refusal(school.courses.remove(OTHER_TEACHER, course.id), Code.NOT_FOUND)
    await refusal(school.courses.unpublish(OTHER_TEACHER, course.id), Code.NOT_FOUND)
    assert (await school.courses.show(STRANGER, course.slug)).title == "Algebra"
    assert (await school.change(course.id, ADMIN, title="Algebra II")).title == "Algebra II"


async def test_edits_that_meet_lose_nothing(school: School) -> None:
    course = await school.course()
    fields: dict[str, Any] = {
        "title": "B",
        "description": "d",
        "category": "Maths",
        "price": 5,
        "access_days": 3,
        "tags": ["x"],
    }
    await asyncio.gather(*(school.change(course.id, **{name: value}) for name, value in fields.items()))
    now = await school.courses.show(TEACHER, course.id)
    assert {name: getattr(now, name) for name in fields} == fields
    assert now.version == 1 + len(fields)


async def test_if_match_refuses_what_is_stale(school: School) -> None:
    course = await school.course()
    await school.change(course.id, version=1, title="B")
    refused = await refusal(school.change(course.id, version=1, title="C"), Code.VERSION_MISMATCH)
    assert refused.data["current_version"] == 2
    await refusal(school.courses.remove(TEACHER, course.id, expected_version=1), Code.VERSION_MISMATCH)
    both = (school.change(course.id, version=2, title=title) for title in ("D", "E"))
    ends = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(end) is Refused for end in ends) == [False, True]


async def test_the_same_values_again_are_no_edit(school: School) -> None:
    course = await school.course(category="Maths")
    assert (await school.change(course.id, title="Algebra", category="Maths")).version == 1
    assert (await school.change(course.id)).version == 1


async def test_null_takes_an_optional_field_away(school: School) -> None:
    course = await school.course(category="Maths", minimum_minutes=5)
    changed = await school.change(course.id, category=None, minimum_minutes=None)
    assert (changed.category, changed.minimum_minutes) == (None, None)
    assert (await school.courses.show(TEACHER, course.id)).category is None


async def test_a_view_may_be_sent_back_but_read_only_fields_not_changed(school: School) -> None:
    course = await school.published()
    sent = parse_json(encode(course))
    back = await school.courses.change(TEACHER, course.id, read_model(CourseChange, {**sent, "title": "New"}))
    assert back.title == "New"
    change = read_model(CourseChange, {"enrollments_count": 7, "instructor_id": course.instructor_id})
    refused = await refusal(school.courses.change(TEACHER, course.id, change), Code.VALIDATION_FAILED)
    assert fault_codes(refused) == [("enrollments_count", "read_only")]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"titel": "x"}, ("titel", "unknown_field")),
        ({"title": " "}, ("title", "string_too_short")),
        ({"title": None}, ("title", "string_type")),
        ({"title": "Sums\n\nSign in again"}, ("title", "control_character")),
        ({"title": "Su\u2028ms"}, ("title", "control_character")),
        ({"short_description": "Su\x00ms"}, ("short_description", "control_character")),
        ({"price": -1}, ("price", "greater_than_equal")),
        ({"price": 1.5}, ("price", "int_type")),
        ({"currency": "usd"}, ("currency", "string_pattern_mismatch")),
        ({"thumbnail_url": "javascript:alert(1)"}, ("thumbnail_url", "string_pattern_mismatch")),
        ({"thumbnail_url": "//evil.example/x"}, ("thumbnail_url", "string_pattern_mismatch")),
        ({"difficulty_level": "insane"}, ("difficulty_level", "enum")),
        ({"metadata": {"a.b": 1}}, ("metadata", "invalid_key")),
    ],
)
def test_bad_fields_are_named(body: dict[str, Any], fault: tuple[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        read_model(CourseChange, body)
    assert fault_codes(caught.value) == [fault]


async def test_search_folds_case_diacritics_and_arabic_letters(school: School) -> None:
    await school.published(title="Éléments de géométrie", description="Euclide", category="Maths", tags=["ligne"])
    await school.published(title="أساسيات الإحصاء", description="مدخل إلى علم البيانات", category="رياضيات")
    assert await school.found(q="elements GEOMETRIE") == ["Éléments de géométrie"]
    assert await school.found(q="géom") == ["Éléments de géométrie"]
    assert await school.found(q="اساسيات احصاء") == ["أساسيات الإحصاء"]
    assert await school.found(q="الى") == ["أساسيات الإحصاء"]
    assert await school.found(q="lesson 1") == ["أساسيات الإحصاء", "Éléments de géométrie"]
    assert await school.found(q="geometrie statistics") == []
    assert await school.found(q="!!!") == []
    assert len(await school.found(q=" ")) == 2
    assert await school.found(category="MATHS") == ["Éléments de géométrie"]
    assert await school.found(tag="Ligne") == ["Éléments de géométrie"]


async def test_filters_and_sorting(school: School) -> None:
    for title, price, level in (("b", 0, "beginner"), ("C", 500, "advanced"), ("a", 900, "advanced")):
        await school.published(title=title, price=price, difficulty_level=level)
        school.clock.advance(1)
    assert await school.found() == ["a", "C", "b"]
    assert await school.found(sort="title") == ["a", "b", "C"]
    assert await school.found(sort="-price") == ["a", "C", "b"]
    assert await school.found(is_free=True) == ["b"]
    assert await school.found(is_free=False, price_max=600) == ["C"]
    assert await school.found(price_min=500, price_max=900, sort="price") == ["C", "a"]
    assert await school.found(difficulty_level="advanced", sort="title") == ["a", "C"]
    assert await school.found(instructor_id=TEACHER.user_id, page=2, page_size=2) == ["b"]
    assert await school.found(instructor_id="nobody") == []


async def test_archiving_hides_and_publishing_brings_back(school: School) -> None:
    course = await school.published()
    await school.enrolled(course.id)
    refused = await refusal(school.courses.remove(TEACHER, course.id), Code.COURSE_HAS_STUDENTS)
    assert refused.data["students"] == 1
    await school.courses.remove(TEACHER, course.id, is_archiving=True)
    await school.courses.remove(TEACHER, course.id, is_archiving=True)
    assert await school.found() == []
    assert (await school.courses.list_own(TEACHER, OwnCourseQuery())).total == 0
    archived = await school.courses.list_own(TEACHER, OwnCourseQuery(is_archived=True))
    assert [(view.is_archived, view.is_published) for view in archived.items] == [(True, False)]
    back = await school.courses.publish(TEACHER, course.id)
    assert (back.is_archived, back.is_published) == (False, True)
    await refusal(school.change(course.id, is_archived=True), Code.CONFLICT)


async def test_a_course_without_students_is_deleted_once(school: School) -> None:
    course = await school.published()
    enrollment = await school.enrolled(course.id)
    await school.enrollments.drop(STUDENT, enrollment.id)
    await school.courses.remove(TEACHER, course.id)
    await refusal(school.courses.remove(TEACHER, course.id), Code.NOT_FOUND)
    kept = await school.enrollments.show(STUDENT, enrollment.id)
    assert (kept.course_title, kept.total_lessons_count) == (None, 0)


async def test_every_edit_is_told_once_in_the_channel_of_the_course(school: School) -> None:
    course = await school.course(description="d")
    lesson = await school.lesson(course.id)
    await school.courses.publish(TEACHER, course.id)
    await school.change(course.id, title="Geometry", price=100)
    await school.enrolled(course.id, by=TEACHER)
    events = await school.events(f"course:{course.id}")
    assert [(name, data["version"], data["n"], data["changes"]) for name, data in events] == [
        ("course_updated", 2, 0, {"lessons": [lesson.id]}),
        ("course_updated", 3, 0, {"is_published": True}),
        ("course_updated", 4, 0, {"title": "Geometry", "price": 100}),
    ]
    row = await Course.find_outbox(course.id)
    assert row is not None
    assert (row.get("outbox"), row.get("outbox_at")) == ([], None)


async def test_categories_count_by_folded_form_and_show_the_commonest_spelling(school: School) -> None:
    for category in ("Maths", "maths", "MATHS", "maths", "رياضيات", None):
        await school.published(category=category)
    await school.course(category="Draft")
    page = await school.categories.list(STRANGER, PageQuery())
    assert [(view.category, view.courses_count) for view in page.items] == [("maths", 4), ("رياضيات", 1)]
