"""Courses, lessons and categories over HTTP: paths and their other spellings, statuses, roles, versions, shapes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from config.settings import Settings
from tests.rest.school import as_, faults, items, problem, serving
from tests.services.school import OTHER_TEACHER, STUDENT, TEACHER, School

DRAFT = {"title": "Algebra", "description": "All of it.", "category": "Maths", "price": 0}
COURSE_FIELDS = {
    "id", "title", "slug", "description", "short_description", "instructor_id", "instructor_name", "category", "tags",
    "difficulty_level", "price", "currency", "is_free", "is_published", "is_archived", "thumbnail_url",
    "estimated_duration_minutes", "lessons_count", "enrollments_count", "rating_average", "ratings_count",
    "minimum_minutes", "access_days", "metadata", "version", "created_at", "updated_at",
}  # fmt: skip
LESSON_FIELDS = {
    "id", "course_id", "title", "slug", "content_type", "content", "content_html", "video_url", "duration_seconds",
    "order", "is_free", "is_published", "quiz_id", "metadata", "version", "created_at", "updated_at", "file_id",
    "completion", "completes_when", "prerequisite_lesson_ids", "release_at", "release_after_days", "is_locked",
    "unlocks_at", "missing_lesson_ids", "assignment_ids", "caption_file_ids",
}  # fmt: skip


@pytest.fixture
async def http(school: School, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(school, settings) as client:
        yield client


async def test_a_course_from_draft_to_catalogue(http: httpx.AsyncClient) -> None:
    made = await http.post("/courses", json=DRAFT, headers=as_(TEACHER))
    assert made.status_code == 201
    course = made.json()
    assert made.headers["Location"] == f"/api/v1/courses/{course['id']}"
    assert made.headers["ETag"] == '"1"'
    assert set(course) >= COURSE_FIELDS
    assert (course["is_free"], course["rating_average"], course["lessons"]) == (True, None, [])
    path = f"/courses/{course['id']}"
    assert problem(await http.get(path)) == (404, "not_found")
    refused = await http.post(f"{path}/publish", headers=as_(TEACHER))
    assert problem(refused) == (409, "course_not_ready")
    assert refused.json()["missing"] == ["lessons"]
    lesson = await http.post(f"{path}/lessons", json={"title": "One", "is_published": True}, headers=as_(TEACHER))
    assert lesson.status_code == 201
    assert lesson.headers["Location"] == f"/api/v1/lessons/{lesson.json()['id']}"
    assert set(lesson.json()) == LESSON_FIELDS
    assert (await http.post(f"{path}/publish/", headers=as_(TEACHER))).status_code == 200
    listed = await http.get("/courses", params={"q": "algébra", "unknown": "ignored"})
    assert [one["slug"] for one in items(listed)] == ["algebra"]
    assert "lessons" not in items(listed)[0]
    assert (await http.get("/courses/algebra")).json()["id"] == course["id"]
    assert items(await http.get("/categories")) == [{"category": "Maths", "courses_count": 1}]


async def test_roles_and_strangers(http: httpx.AsyncClient, school: School) -> None:
    course = await school.published()
    path, lesson = f"/courses/{course.id}", f"/lessons/{course.lessons[0].id}"
    writes = [
        ("POST", "/courses", DRAFT),
        ("PATCH", path, {"title": "x"}),
        ("DELETE", path, None),
        ("POST", f"{path}/publish", None),
        ("POST", f"{path}/lessons", {"title": "x"}),
        ("PATCH", lesson, {"title": "x"}),
        ("DELETE", lesson, None),
        ("PATCH", f"{path}/lessons/reorder", {"lesson_ids": []}),
        ("GET", f"{path}/students", None),
        ("GET", "/courses/me", None),
    ]
    for method, where, body in writes:
        assert problem(await http.request(method, where, json=body)) == (401, "unauthenticated"), where
        refused = await http.request(method, where, json=body, headers=as_(STUDENT))
        assert problem(refused) == (403, "forbidden"), where
    for method, where, body in writes[1:-1]:
        refused = await http.request(method, where, json=body, headers=as_(OTHER_TEACHER))
        assert problem(refused) == (404, "not_found"), where


async def test_versions_guard_updates_and_deletes(http: httpx.AsyncClient, school: School) -> None:
    course = await school.course()
    path = f"/courses/{course.id}"
    changed = await http.put(path, json={"title": "New"}, headers=as_(TEACHER, **{"If-Match": '"1"'}))
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    stale = await http.patch(path, json={"title": "Old"}, headers=as_(TEACHER, **{"If-Match": '"1"'}))
    assert problem(stale) == (412, "version_mismatch")
    assert stale.json()["current_version"] == 2
    assert problem(await http.delete(path, headers=as_(TEACHER, **{"If-Match": '"1"'}))) == (412, "version_mismatch")
    assert (await http.delete(path, headers=as_(TEACHER, **{"If-Match": "*"}))).status_code == 204
    assert problem(await http.delete(path, headers=as_(TEACHER))) == (404, "not_found")


async def test_faulty_fields_are_named_and_nothing_is_done(http: httpx.AsyncClient, school: School) -> None:
    course = await school.course()
    path = f"/courses/{course.id}"
    unknown = await http.patch(path, json={"title": "New", "colour": "red"}, headers=as_(TEACHER))
    assert (problem(unknown), faults(unknown)) == ((422, "validation_failed"), [("colour", "unknown_field")])
    fixed = await http.patch(path, json={"title": "New", "is_free": False}, headers=as_(TEACHER))
    assert (problem(fixed), faults(fixed)) == ((422, "validation_failed"), [("is_free", "read_only")])
    assert (await http.patch(path, json={"is_free": True}, headers=as_(TEACHER))).status_code == 200
    assert (await http.get(path, headers=as_(TEACHER))).json()["title"] == "Algebra"
    for query in ("sort=colour", "page=0", "page_size=101", "price_min=-1", "difficulty_level=hard"):
        assert problem(await http.get(f"/courses?{query}")) == (422, "validation_failed")


async def test_a_course_with_students_is_archived_not_deleted(http: httpx.AsyncClient, school: School) -> None:
    course = await school.published()
    await school.enrolled(course.id)
    path = f"/courses/{course.id}"
    refused = await http.delete(path, headers=as_(TEACHER))
    assert problem(refused) == (409, "course_has_students")
    assert (await http.delete(f"{path}?archive=true", headers=as_(TEACHER))).status_code == 204
    assert items(await http.get("/courses")) == []
    own = await http.get("/courses/me?is_archived=true", headers=as_(TEACHER))
    assert [one["is_archived"] for one in items(own)] == [True]


async def test_lessons_by_both_paths(http: httpx.AsyncClient, school: School) -> None:
    course, other = await school.published(2), await school.course()
    first, second = [lesson.id for lesson in (await school.courses.show(TEACHER, course.id)).lessons]
    for path in (
        f"/lessons/{first}",
        f"/courses/{course.id}/lessons/{first}",
        f"/courses/{course.slug}/lessons/{first}",
    ):
        shown = await http.get(path, headers=as_(TEACHER))
        assert (shown.status_code, shown.json()["id"]) == (200, first)
        assert problem(await http.get(path, headers=as_(STUDENT))) == (403, "not_enrolled")
        changed = await http.patch(path, json={"title": "A", "duration_minutes": 2}, headers=as_(TEACHER))
        assert changed.json()["duration_seconds"] == 120
    assert problem(await http.get(f"/courses/{other.id}/lessons/{first}", headers=as_(TEACHER))) == (404, "not_found")
    by_filter = await http.get("/lessons", params={"course_id": course.id})
    assert [one["title"] for one in items(by_filter)] == ["A", "Lesson 2"]
    assert items(await http.get("/lessons?course_id=nothing")) == []
    assert problem(await http.get("/courses/nothing/lessons")) == (404, "not_found")
    assert problem(await http.get("/lessons")) == (422, "validation_failed")
    made = await http.post("/lessons", json={"title": "Third", "course_id": course.id}, headers=as_(TEACHER))
    assert (made.status_code, made.json()["order"]) == (201, 3)
    wrong = await http.post(
        f"/courses/{course.id}/lessons", json={"title": "x", "course_id": other.id}, headers=as_(TEACHER)
    )
    assert (problem(wrong), faults(wrong)[0][0]) == ((422, "validation_failed"), "course_id")
    assert (await http.delete(f"/courses/{course.id}/lessons/{second}", headers=as_(TEACHER))).status_code == 204
    assert problem(await http.get(f"/lessons/{second}", headers=as_(TEACHER))) == (404, "not_found")


async def test_reordering_by_both_paths(http: httpx.AsyncClient, school: School) -> None:
    course = await school.published(3)
    a, b, c = [lesson.id for lesson in (await school.courses.show(TEACHER, course.id)).lessons]
    moved = await http.patch(
        "/lessons/reorder", json={"course_id": course.id, "lesson_ids": [c, b, a]}, headers=as_(TEACHER)
    )
    assert [one["id"] for one in items(moved)] == [c, b, a]
    path = f"/courses/{course.id}/lessons/reorder"
    for wrong in ([a, b], [a, b, c, a], [a, b, "les_foreign"]):
        refused = await http.patch(path, json={"lesson_ids": wrong}, headers=as_(TEACHER))
        assert problem(refused) == (422, "validation_failed")
    elsewhere = await http.patch(path, json={"course_id": "nope", "lesson_ids": [a, b, c]}, headers=as_(TEACHER))
    assert faults(elsewhere) == [("course_id", "mismatch")]
    assert [one["id"] for one in items(await http.get(f"/courses/{course.id}/lessons"))] == [c, b, a]
    again = {"course_id": course.slug, "lesson_ids": [a, b, c]}
    assert (await http.patch(path, json=again, headers=as_(TEACHER))).status_code == 200
