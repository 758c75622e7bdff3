"""What comes by the hour, from the job to what people get: mails, completed courses, counted numbers, a tidy store."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from documents.course import Course
from documents.enrollment import Enrollment
from documents.job import Job
from documents.sent_mail import SentMail
from documents.user import User
from lms_rt.ids import new_id
from lms_rt.services.local_days import local_date
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.working import idle, working


async def run(house: House, task: str, **args: Any) -> None:
    """Let a worker do this, and all that follows."""
    async with working(house):
        await house.services.jobs.put(new_id("job"), task, args)
        await idle(house.services)


async def somewhere_else(student: Visitor, zone: str) -> str:
    """The student's id, now alone in a timezone."""
    await student.ok("PATCH", "/users/me", json={"timezone": zone})
    return str((await student.ok("GET", "/users/me"))["id"])


async def mails_to(user_id: str, template: str) -> list[dict[str, Any]]:
    """What was sent to somebody."""
    email = (await User.rows().find_one({"_id": user_id}) or {})["email"]
    return [row async for row in SentMail.rows().find({"recipient": email, "template": template})]


def day_due(house: House, zone: str, hours: int) -> str:
    """The local day on which this hour came last there, in a zone without summer time."""
    return local_date(zone, house.services.clock.now() - timedelta(hours=hours)).isoformat()


async def test_a_reminder_reaches_the_student(house: House) -> None:
    teacher, student = await house.teacher(), await house.student("Rima Rest")
    course = await factories.course(teacher, title="Slow Algebra")
    enrollment = await factories.enrolled(student, course["id"])
    user_id = await somewhere_else(student, "Pacific/Marquesas")
    day = day_due(house, "Pacific/Marquesas", 10)
    opened = house.services.clock.now() - timedelta(days=7, hours=10)
    await Enrollment.rows().update_one({"_id": enrollment["id"]}, {"$set": {"last_accessed_at": opened}})
    args = {"timezone": "Pacific/Marquesas", "date": day}
    await run(house, "reminders.daily", **args)
    await run(house, "reminders.daily", **args)
    job = await Job.find_row(f"reminder:{user_id}:{day}")
    assert job is not None
    if not house.services.settings.is_embedded:  # it waits there for a mail server
        assert job["args"]["data"]["courses"][0]["days_away"] == 7
    else:
        (mail,) = await mails_to(user_id, "course_reminder")
        assert "Slow Algebra" in mail["text"]
        assert "7 days ago" in mail["text"]
        assert f"/learn/{course['slug']}" in mail["text"]


async def test_the_weekly_report_reaches_the_student(house: House) -> None:
    teacher, student = await house.teacher(), await house.student("Wafa Week")
    course = await factories.course(teacher, title="Weekly Algebra")
    enrollment = await factories.enrolled(student, course["id"])
    user_id = await somewhere_else(student, "Asia/Kathmandu")
    long_ago = house.services.clock.now() - timedelta(days=20)
    await Enrollment.rows().update_one({"_id": enrollment["id"]}, {"$set": {"enrolled_at": long_ago}})
    day = day_due(house, "Asia/Kathmandu", 9)
    await run(house, "reports.weekly", timezone="Asia/Kathmandu", date=day)
    assert await Job.find_row(f"weekly:{user_id}:{day}") is not None
    if house.services.settings.is_embedded:
        (mail,) = await mails_to(user_id, "weekly_progress")
        assert "Weekly Algebra" in mail["text"]


async def test_who_has_done_all_that_is_left_of_a_course_has_completed_it(house: House) -> None:
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher)
    more = {"title": "More", "content_type": "text", "content": "More.", "is_published": True}
    lesson = await teacher.ok("POST", f"/courses/{course['id']}/lessons", json=more)
    enrollment = await factories.enrolled(student, course["id"])
    done = next(row["lesson_id"] for row in enrollment["progress"] if row["lesson_id"] != lesson["id"])
    path = f"/enrollments/{enrollment['id']}"
    await student.ok("POST", f"{path}/lessons/{done}/complete")
    async with working(house):
        await teacher.ok("PATCH", f"/lessons/{lesson['id']}", json={"is_published": False})
        await idle(house.services)
    view = await student.ok("GET", path)
    assert (view["status"], view["progress_percentage"]) == ("completed", "100.00")


async def test_numbers_are_counted_again_at_night(house: House) -> None:
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher)
    await factories.enrolled(student, course["id"])
    await Course.rows().update_one({"_id": course["id"]}, {"$set": {"enrollments_count": 99}})
    await run(house, "counters.reconcile")
    assert (await teacher.ok("GET", f"/courses/{course['id']}"))["enrollments_count"] == 1


async def test_an_enrolment_in_doubt_is_made_again_from_its_attempts(house: House) -> None:
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher)
    fields = {"lesson_id": course["lessons"][0]["id"], "quiz_type": "graded", "passing_score": 50}
    quiz = await factories.quiz(teacher, course["id"], (factories.TRUE_FALSE,), **fields)
    enrollment = await factories.enrolled(student, course["id"])
    attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"], "device_id": "laptop"})
    question = attempt["questions"][0]["id"]
    answer = {"question_id": question, "value": True, "op_id": "op-1", "seq": 1, "base_revision": 0}
    await student.ok("POST", f"/attempts/{attempt['id']}/submit", json={"answers": [answer], "lease": attempt["lease"]})
    path = f"/enrollments/{enrollment['id']}"
    before = await student.ok("GET", path)
    assert before["status"] == "completed"
    lost = {"attempts": [], "passed_quiz_ids": [], "progress": {}, "status": "active"}
    await Enrollment.rows().update_one({"_id": enrollment["id"]}, {"$set": lost, "$unset": {"completed_at": ""}})
    await run(house, "progress.recalculate", enrollment_id=enrollment["id"])
    after = await student.ok("GET", path)
    assert (after["status"], after["attempts"]) == ("completed", before["attempts"])


@pytest.mark.parametrize("times", [1, 2])
async def test_a_clean_up_harms_nothing_that_is_in_use(house: House, times: int) -> None:
    student = await house.student()
    for _ in range(times):
        await run(house, "retention.clean_up")
    assert (await student.ok("GET", "/users/me"))["is_active"]
