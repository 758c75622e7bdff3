"""Teachers: what they say of themselves, what everybody sees of them, and how their courses get on. On both lanes."""

from __future__ import annotations

from typing import Any

import pytest

from documents.attempt import Attempt
from documents.course import Course
from documents.enrollment import Enrollment
from tests import factories
from tests.clients import Visitor
from tests.house import House

PROFILE = {"title": "Dr.", "bio": "Teaches *algebra*.", "expertise": ["Algebra", "هندسة"]}


async def rated(course_id: str, average: int, count: int) -> None:
    """A course with ratings."""
    await Course.rows().update_one({"_id": course_id}, {"$set": {"rating_average": average, "ratings_count": count}})


class TestOwnProfile:
    async def test_one_who_wrote_nothing_has_an_empty_profile(self, house: House) -> None:
        teacher = await house.teacher("Tariq Teacher")
        shown = await teacher.call("GET", "/instructors/me")
        view = shown.json()
        assert shown.headers["ETag"] == '"1"'
        assert {
            name: view[name] for name in ("user_id", "full_name", "title", "bio", "expertise", "rating_average")
        } == {
            "user_id": teacher.user_id,
            "full_name": "Tariq Teacher",
            "title": None,
            "bio": None,
            "expertise": [],
            "rating_average": None,
        }
        assert (view["courses_count"], view["students_count"]) == (0, 0)

    @pytest.mark.parametrize("method", ["PATCH", "PUT"])
    async def test_it_changes_in_what_was_sent_with_its_tag(self, house: House, method: str) -> None:
        teacher = await house.teacher()
        tag = {"If-Match": '"1"'}
        changed = await teacher.ok(method, "/instructors/me", json=PROFILE, headers=tag)
        assert {name: changed[name] for name in PROFILE} == PROFILE
        assert changed["version"] == 2
        stale = await teacher.refused(412, method, "/instructors/me", json={"title": "Prof."}, headers=tag)
        assert stale["current_version"] == 2
        less = await teacher.ok(method, "/instructors/me", json={"bio": None, "title": " "})
        assert (less["bio"], less["title"], less["expertise"]) == (None, None, PROFILE["expertise"])
        again = await teacher.ok(method, "/instructors/me", json=less)  # what was read may be sent back
        assert again["version"] == less["version"] == 3

    @pytest.mark.parametrize(
        "body",
        [
            {"full_name": "Somebody Else"},
            {"user_id": "usr_1"},
            {"rating_average": "5.00"},
            {"expertise": ["x"] * 31},
            {"expertise": [""]},
            {"expertise": "algebra"},
            {"title": "a\nb"},
            {"bio": "x" * 10_001},
            {"title": {"$ne": None}},
        ],
    )
    async def test_what_is_not_theirs_to_say_is_refused(self, house: House, body: dict[str, Any]) -> None:
        teacher = await house.teacher()
        await teacher.refused(422, "PATCH", "/instructors/me", json=body)
        assert (await teacher.ok("GET", "/instructors/me"))["version"] == 1

    async def test_students_and_strangers_have_none(self, house: House) -> None:
        for path in ("/instructors/me", "/instructors/me/dashboard"):
            await (await house.visitor()).refused(401, "GET", path)
            await (await house.student()).refused(403, "GET", path)


class TestWhatEverybodySees:
    async def test_a_teacher_with_their_published_courses_and_no_address(self, house: House) -> None:
        teacher, visitor = await house.teacher("Public Teacher"), await house.visitor()
        await teacher.ok("PATCH", "/instructors/me", json=PROFILE)
        shown, hidden = await factories.course(teacher), await factories.course(teacher)
        student = await house.student()
        for course in (shown, hidden):
            await factories.enrolled(student, course["id"])
        await teacher.ok("POST", f"/courses/{hidden['id']}/unpublish")
        await rated(shown["id"], 450, 3)
        await rated(hidden["id"], 100, 100)
        reply = await visitor.call("GET", f"/instructors/{teacher.user_id}")
        view = reply.json()
        assert [course["id"] for course in view["courses"]] == [shown["id"]]
        assert view["courses"][0]["instructor_name"] == "Public Teacher"
        assert (view["courses_count"], view["students_count"], view["rating_average"]) == (1, 1, "4.50")
        assert {name: view[name] for name in PROFILE} == PROFILE
        assert teacher.user["email"] not in reply.text

    async def test_somebody_in_two_courses_is_one_student(self, house: House) -> None:
        teacher, student = await house.teacher(), await house.student()
        courses = [await factories.course(teacher), await factories.course(teacher)]
        for course in courses:
            await factories.enrolled(student, course["id"])
        await rated(courses[0]["id"], 500, 1)
        await rated(courses[1]["id"], 200, 3)
        view = await teacher.ok("GET", "/instructors/me")
        assert (view["students_count"], view["rating_average"]) == (1, "2.75")

    async def test_who_is_no_teacher_or_has_left_is_not_there(self, house: House) -> None:
        admin, teacher, student = await house.admin(), await house.teacher(), await house.student()
        await factories.course(teacher)
        visitor = await house.visitor()
        await visitor.ok("GET", f"/instructors/{teacher.user_id}")
        await admin.ok("DELETE", f"/users/{teacher.user_id}")
        for user_id in (teacher.user_id, student.user_id, admin.user_id, "usr_nobody", "no-id-at-all"):
            await visitor.refused(404, "GET", f"/instructors/{user_id}")

    async def test_an_administrator_who_teaches_is_there(self, house: House) -> None:
        admin, visitor = await house.admin(), await house.visitor()
        course = await factories.course(admin)
        view = await visitor.ok("GET", f"/instructors/{admin.user_id}")
        assert [one["id"] for one in view["courses"]] == [course["id"]]
        await admin.ok("POST", f"/courses/{course['id']}/unpublish")
        await visitor.refused(404, "GET", f"/instructors/{admin.user_id}")


class TestDashboard:
    async def figures(self, teacher: Visitor, course_id: str) -> dict[str, Any]:
        shown = await teacher.ok("GET", "/instructors/me/dashboard")
        return next(row for row in shown["items"] if row["course_id"] == course_id)

    async def test_it_tells_how_a_course_gets_on(self, house: House) -> None:
        teacher = await house.teacher()
        course = await factories.course(teacher)
        quiz = await factories.quiz(teacher, course["id"], (factories.CHOICE,))
        first, second, gone = [await house.student() for _ in range(3)]
        left = [await factories.enrolled(student, course["id"]) for student in (first, second, gone)]
        await gone.ok("DELETE", f"/enrollments/{left[2]['id']}")
        for student in (first, second):
            attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"]})
            await student.ok("POST", f"/attempts/{attempt['id']}/submit", json={})
        passed = {"$set": {"percentage": 10_000, "is_passed": True}}
        await Attempt.rows().update_one({"student_id": first.user_id, "quiz_id": quiz["id"]}, passed)
        now = house.services.clock.now()
        await Enrollment.rows().update_one(
            {"_id": left[0]["id"]}, {"$set": {"last_accessed_at": now, "status": "completed"}}
        )
        await rated(course["id"], 400, 2)
        figures = await self.figures(teacher, course["id"])
        assert {name: figures[name] for name in ("total_enrollments", "active", "completed", "dropped", "expired")} == {
            "total_enrollments": 3,
            "active": 1,
            "completed": 1,
            "dropped": 1,
            "expired": 0,
        }
        assert figures["completion_rate"] == "33.33"
        assert (figures["quizzes_count"], figures["attempts_count"]) == (1, 2)
        assert (figures["average_score"], figures["pass_rate"]) == ("50.00", "50.00")
        assert (figures["rating_average"], figures["ratings_count"]) == ("4.00", 2)
        assert figures["active_students_30d"] >= 1

    async def test_a_preview_is_no_attempt_and_nothing_has_no_rate(self, house: House) -> None:
        teacher = await house.teacher()
        course = await factories.course(teacher)
        quiz = await factories.quiz(teacher, course["id"], (factories.CHOICE,))
        attempt = await teacher.ok("POST", "/attempts", json={"quiz_id": quiz["id"]})
        await teacher.ok("POST", f"/attempts/{attempt['id']}/submit", json={})
        figures = await self.figures(teacher, course["id"])
        assert figures["attempts_count"] == 0
        assert [figures[name] for name in ("completion_rate", "average_score", "pass_rate")] == [None, None, None]

    async def test_it_holds_ones_own_courses_alone_a_page_at_a_time(self, house: House) -> None:
        teacher = await house.teacher()
        await factories.course(await house.teacher())
        own = [(await factories.course(teacher, title=f"Course {number}"))["id"] for number in range(3)]
        away = (await factories.course(teacher))["id"]
        await teacher.ok("DELETE", f"/courses/{away}", params={"archive": "true"})
        pages = [
            await teacher.ok("GET", "/instructors/me/dashboard", params={"page": page, "page_size": 2})
            for page in (1, 2)
        ]
        assert [row["course_id"] for shown in pages for row in shown["items"]] == own[::-1]
        assert [shown["total"] for shown in pages] == [3, 3]
        assert pages[0]["totals"] == {
            "courses": 3,
            "published_courses": 3,
            "students": 0,
            "rating_average": None,
            "ratings_count": 0,
            "revenue": [],
            "revenue_parts": [],
            "revenue_by_month": [],
        }
