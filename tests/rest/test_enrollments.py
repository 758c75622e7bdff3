"""Enrolments and progress over HTTP: statuses, their other spellings, payment, idempotency, shapes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from config.settings import Settings
from tests.rest.school import as_, faults, items, problem, serving
from tests.services.school import ADMIN, OTHER_STUDENT, STUDENT, TEACHER, School

FIELDS = {
    "id", "student_id", "course_id", "status", "progress_percentage", "completed_lessons_count", "total_lessons_count",
    "total_time_spent_seconds", "last_accessed_at", "rating", "review", "certificate_issued_at", "payment_id",
    "enrolled_at", "started_at", "completed_at", "attempts", "progress", "version", "created_at", "updated_at",
}  # fmt: skip
ROW = {
    "lesson_id", "status", "started_at", "completed_at", "time_spent_seconds", "last_position_seconds",
    "completion_percentage", "attempts_count",
}  # fmt: skip


@pytest.fixture
async def http(school: School, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(school, settings) as client:
        yield client


async def test_a_student_learns_a_course_to_its_end(http: httpx.AsyncClient, school: School) -> None:
    course = await school.published(3)
    made = await http.post("/enrollments", json={"course_id": course.id}, headers=as_(STUDENT))
    assert made.status_code == 201
    enrollment = made.json()
    path = f"/enrollments/{enrollment['id']}"
    assert made.headers["Location"] == f"/api/v1{path}"
    assert set(enrollment) >= FIELDS
    assert [set(row) for row in enrollment["progress"]] == [ROW] * 3
    first, second, third = [row["lesson_id"] for row in enrollment["progress"]]
    body = {"lesson_id": first, "status": "in_progress", "time_spent_seconds": 9, "completion_percentage": "33.5"}
    for method in ("POST", "PUT"):
        told = await http.request(method, f"{path}/progress", json=body, headers=as_(STUDENT))
        assert told.status_code == 200
    row = told.json()["progress"][0]
    assert (row["time_spent_seconds"], row["completion_percentage"], row["status"]) == (18, "33.50", "in_progress")
    done = await http.post(f"{path}/lessons/{first}/complete", headers=as_(STUDENT))
    assert (done.status_code, done.json()["progress_percentage"]) == (200, "33.33")
    done = await http.post(f"/lessons/{second}/complete", headers=as_(STUDENT))
    assert done.json()["progress_percentage"] == "66.67"
    refused = await http.post(f"{path}/complete", headers=as_(STUDENT))
    assert (problem(refused), refused.json()["missing"]) == ((409, "not_complete"), [third])
    done = await http.post(f"/lessons/{third}/complete", headers=as_(STUDENT))
    assert (done.json()["status"], done.json()["progress_percentage"]) == ("completed", "100.00")
    assert (await http.post(f"{path}/complete", headers=as_(STUDENT))).status_code == 200
    again = await http.post("/enrollments", json={"course_id": course.id}, headers=as_(STUDENT))
    assert (problem(again), again.json()["enrollment_id"]) == ((409, "already_enrolled"), enrollment["id"])


async def test_one_request_repeated_by_its_key_is_one_enrolment(http: httpx.AsyncClient, school: School) -> None:
    body = {"course_id": (await school.published()).id}
    headers = as_(STUDENT, **{"Idempotency-Key": "k-1"})
    first = await http.post("/enrollments", json=body, headers=headers)
    again = await http.post("/enrollments", json=body, headers=headers)
    assert (first.status_code, again.json()) == (201, first.json())
    other = {"course_id": (await school.published(title="Other")).id}
    assert problem(await http.post("/enrollments", json=other, headers=headers)) == (409, "idempotency_key_reused")


async def test_leaving_and_coming_back(http: httpx.AsyncClient, school: School) -> None:
    enrollment = await school.enrolled((await school.published()).id)
    path = f"/enrollments/{enrollment.id}"
    assert (await http.delete(path, headers=as_(STUDENT))).status_code == 204
    assert (await http.delete(path, headers=as_(STUDENT))).status_code == 204
    assert (await http.get(path, headers=as_(STUDENT))).json()["status"] == "dropped"
    back = await http.post("/enrollments", json={"course_id": enrollment.course_id}, headers=as_(STUDENT))
    assert (back.status_code, back.json()["status"]) == (200, "active")
    dropped = await http.put(path, json={"status": "dropped"}, headers=as_(STUDENT))
    assert dropped.json()["status"] == "dropped"
    stale = await http.put(path, json={"status": "active"}, headers=as_(STUDENT, **{"If-Match": '"1"'}))
    assert problem(stale) == (412, "version_mismatch")
    refused = await http.put(path, json={"status": "completed"}, headers=as_(STUDENT))
    assert (problem(refused), faults(refused)[0][0]) == ((422, "validation_failed"), "status")


async def test_a_price_is_named_and_staff_enrols_without(http: httpx.AsyncClient, school: School) -> None:
    course = await school.published(price=1999, currency="JPY")
    body = {"course_id": course.id}
    refused = await http.post("/enrollments", json=body, headers=as_(STUDENT))
    assert problem(refused) == (402, "payment_required")
    assert (refused.json()["price"], refused.json()["currency"]) == (1999, "JPY")
    forbidden = await http.post("/enrollments", json=body | {"student_id": STUDENT.user_id}, headers=as_(OTHER_STUDENT))
    assert problem(forbidden) == (403, "forbidden")
    made = await http.post("/enrollments", json=body | {"student_id": STUDENT.user_id}, headers=as_(TEACHER))
    assert (made.status_code, made.json()["student_id"]) == (201, STUDENT.user_id)
    listed = await http.get("/enrollments", params={"student_id": STUDENT.user_id}, headers=as_(TEACHER))
    assert [one["course_id"] for one in items(listed)] == [course.id]
    roster = await http.get(f"/courses/{course.id}/students", headers=as_(TEACHER))
    assert [one["full_name"] for one in items(roster)] == ["Sara Saleh"]


async def test_minutes_left_are_said(http: httpx.AsyncClient, school: School) -> None:
    enrollment = await school.enrolled((await school.published(minimum_minutes=5)).id)
    lesson_id = enrollment.progress[0].lesson_id
    done = await http.post(f"/lessons/{lesson_id}/complete", headers=as_(STUDENT))
    assert done.json()["status"] == "active"
    refused = await http.post(f"/enrollments/{enrollment.id}/complete", headers=as_(STUDENT))
    assert (problem(refused), refused.json()["minutes_left"]) == ((409, "minimum_time"), 5)


async def test_enrolments_of_others_are_not_found(http: httpx.AsyncClient, school: School) -> None:
    enrollment = await school.enrolled((await school.published()).id)
    path, lesson_id = f"/enrollments/{enrollment.id}", enrollment.progress[0].lesson_id
    for method, where, body in (
        ("GET", path, None),
        ("PUT", path, {"status": "dropped"}),
        ("DELETE", path, None),
        ("POST", f"{path}/progress", {"lesson_id": lesson_id}),
        ("POST", f"{path}/complete", None),
        ("POST", f"{path}/lessons/{lesson_id}/complete", None),
    ):
        assert problem(await http.request(method, where, json=body)) == (401, "unauthenticated")
        refused = await http.request(method, where, json=body, headers=as_(OTHER_STUDENT))
        assert problem(refused) == (404, "not_found"), where
    assert problem(await http.post(f"/lessons/{lesson_id}/complete", headers=as_(OTHER_STUDENT))) == (
        403,
        "not_enrolled",
    )
    assert (await http.get(path, headers=as_(ADMIN))).status_code == 200
    assert [one["id"] for one in items(await http.get("/enrollments/my-courses", headers=as_(STUDENT)))] == [
        enrollment.id
    ]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, ("lesson_id", "required")),
        ({"lesson_id": "x", "time_spent_seconds": -1}, ("time_spent_seconds", "greater_than_equal")),
        ({"lesson_id": "x", "time_spent_seconds": "9"}, ("time_spent_seconds", "int_type")),
        ({"lesson_id": "x", "completion_percentage": 100.01}, ("completion_percentage", "less_than_equal")),
        ({"lesson_id": "x", "completion_percentage": "1.234"}, ("completion_percentage", "decimal_places")),
        ({"lesson_id": "x", "status": "done"}, ("status", "enum")),
        ({"lesson_id": "x", "speed": 2}, ("speed", "unknown_field")),
    ],
)
async def test_faulty_progress_is_named(
    http: httpx.AsyncClient, school: School, body: dict[str, object], fault: tuple[str, str]
) -> None:
    enrollment = await school.enrolled((await school.published()).id)
    refused = await http.post(f"/enrollments/{enrollment.id}/progress", json=body, headers=as_(STUDENT))
    assert (problem(refused), faults(refused)) == ((422, "validation_failed"), [fault])
