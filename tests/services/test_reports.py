"""The weekly report and the reminders: who is written to, of what, and once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from documents.enrollment import Enrollment
from documents.job import Job
from documents.user import User
from lms_rt.bus.memory import SilentWakeUps
from lms_rt.contracts.jobs import LocalDayArgs
from lms_rt.contracts.mails import CourseReminder, WeeklyProgress
from lms_rt.services import learners
from lms_rt.services.jobs import Jobs
from lms_rt.services.reminders import Reminders
from lms_rt.services.reports import Reports
from lms_rt.storage.mongo import OpenDatabase
from tests.services.school import OTHER_STUDENT, STUDENT, TEACHER, School, open_school

MONDAY = date(2026, 1, 19)
DUE = datetime(2026, 1, 19, 9, tzinfo=UTC)


@pytest.fixture
async def school(database: OpenDatabase) -> AsyncIterator[School]:
    """It opens on Monday, the 5th of January, at nine."""
    async with open_school() as opened:
        yield opened


def until(school: School, moment: datetime) -> None:
    """Let time pass."""
    school.clock.advance((moment - school.clock.now()).total_seconds())


async def weekly(school: School, zone: str = "UTC", day: date = MONDAY) -> dict[str, WeeklyProgress]:
    """The reports that are asked for, by student."""
    reports = Reports(clock=school.clock, jobs=Jobs(clock=school.clock, wake_ups=SilentWakeUps()))
    await reports.order_weekly(LocalDayArgs(timezone=zone, date=day.isoformat()))
    asked = await mails("weekly_progress", f"weekly:%s:{day.isoformat()}")
    return {student: WeeklyProgress.model_validate(data) for student, data in asked.items()}


async def reminded(school: School, day: date, zone: str = "UTC") -> dict[str, list[tuple[str, int]]]:
    """The courses, with the days that they have waited, of which students are reminded on this day."""
    reminders = Reminders(clock=school.clock, jobs=Jobs(clock=school.clock, wake_ups=SilentWakeUps()))
    await reminders.order_daily(LocalDayArgs(timezone=zone, date=day.isoformat()))
    asked = await mails("course_reminder", f"reminder:%s:{day.isoformat()}")
    found = {student: CourseReminder.model_validate(data).courses for student, data in asked.items()}
    return {student: [(one.title, one.days_away) for one in courses] for student, courses in found.items()}


async def mails(template: str, job_id: str) -> dict[str, dict[str, Any]]:
    """The mails of this template and day, by student; each has the id that it can have once only."""
    rows = [row async for row in Job.rows().find({"task": "mail.send"})]
    found = [row for row in rows if row["_id"] == job_id % row["args"]["user_id"]]
    assert all(row["args"]["template"] == template and row["queue"] == "emails" for row in found)
    return {row["args"]["user_id"]: row["args"]["data"] for row in found}


async def put_back(enrollment_id: str, **fields: Any) -> None:
    """Let something have happened at another time, or otherwise."""
    await Enrollment.rows().update_one({"_id": enrollment_id}, {"$set": fields})


async def test_the_week_is_told_to_whoever_learns(school: School) -> None:
    course = await school.published(3, title="Algebra")
    enrollment = await school.enrolled(course.id)
    first, second, third = (row.lesson_id for row in enrollment.progress)
    await school.progress.complete_lesson(STUDENT, enrollment.id, first)  # in an earlier week
    until(school, datetime(2026, 1, 18, 23, 59, tzinfo=UTC))
    await school.progress.complete_lesson(STUDENT, enrollment.id, second)
    until(school, DUE)
    await school.progress.complete_lesson(STUDENT, enrollment.id, third)  # no, the course is complete then
    await put_back(enrollment.id, status="active")
    report = (await weekly(school))[STUDENT.user_id]
    assert (report.first_day, report.last_day) == (date(2026, 1, 12), date(2026, 1, 18))
    assert report.lessons_completed == 1
    assert [one.model_dump() for one in report.courses] == [
        {
            "title": "Algebra", "progress_percentage": "100.00", "lessons_completed": 3, "lessons_total": 3,
            "link": f"/learn/{course.slug}",
        }
    ]  # fmt: skip


async def test_nobody_is_written_to_who_has_nothing_to_learn(school: School) -> None:
    course, left, past = [await school.published(1, title=title) for title in ("Kept", "Left", "Past")]
    enrollment = await school.enrolled(course.id)
    await school.set_status((await school.enrolled(left.id, by=OTHER_STUDENT)).id, "dropped", by=OTHER_STUDENT)
    over = await school.enrolled(past.id, by=OTHER_STUDENT)
    await Enrollment.rows().update_one({"_id": over.id}, {"$set": {"expires_ms": school.clock.now_ms() + 1}})
    until(school, DUE)
    assert set(await weekly(school)) == {STUDENT.user_id}
    await Job.rows().delete_many({})
    await school.progress.complete_lesson(STUDENT, enrollment.id, enrollment.progress[0].lesson_id)
    assert await weekly(school) == {}


async def test_a_course_that_was_completed_in_the_week_is_told_beside_one_that_goes_on(school: School) -> None:
    done, other = await school.published(1, title="Done"), await school.published(1, title="Open")
    finished, _ = await school.enrolled(done.id), await school.enrolled(other.id)
    until(school, datetime(2026, 1, 14, 12, tzinfo=UTC))
    await school.progress.complete_lesson(STUDENT, finished.id, finished.progress[0].lesson_id)
    until(school, DUE)
    report = (await weekly(school))[STUDENT.user_id]
    assert {one.title for one in report.courses} == {"Done", "Open"}
    assert report.lessons_completed == 1
    until(school, DUE + timedelta(days=7))
    later = (await weekly(school, day=MONDAY + timedelta(days=7)))[STUDENT.user_id]
    assert [one.title for one in later.courses] == ["Open"]


async def test_accounts_that_are_closed_and_people_elsewhere_are_left_out(school: School) -> None:
    course = await school.published(1)
    for one in (STUDENT, OTHER_STUDENT, TEACHER):
        await school.enrolled(course.id, by=one)
    await User.rows().update_one({"_id": OTHER_STUDENT.user_id}, {"$set": {"is_active": False}})
    await User.rows().update_one({"_id": TEACHER.user_id}, {"$set": {"timezone": "Africa/Cairo"}})
    until(school, DUE)
    assert set(await weekly(school)) == {STUDENT.user_id}
    assert set(await weekly(school, "Africa/Cairo")) == {STUDENT.user_id, TEACHER.user_id}


async def test_who_came_after_the_hour_waits_for_the_next_week(school: School) -> None:
    course = await school.published(1)
    until(school, DUE + timedelta(minutes=1))
    await school.enrolled(course.id)
    assert await weekly(school) == {}


async def test_a_report_is_asked_for_once_a_week(school: School) -> None:
    enrollment = await school.enrolled((await school.published(2)).id)
    until(school, DUE)
    before = await weekly(school)
    await school.progress.complete_lesson(STUDENT, enrollment.id, enrollment.progress[0].lesson_id)
    assert await weekly(school) == before
    await User.rows().update_one({"_id": STUDENT.user_id}, {"$set": {"timezone": "America/New_York"}})
    until(school, DUE + timedelta(hours=5))
    assert await weekly(school, "America/New_York") == before


async def test_nothing_is_sent_more_than_a_day_late(school: School) -> None:
    await school.enrolled((await school.published(1)).id)
    until(school, datetime(2026, 1, 13, 10, 1, tzinfo=UTC))
    assert await reminded(school, date(2026, 1, 12)) == {}
    until(school, DUE + timedelta(days=1, minutes=1))
    assert await weekly(school) == {}


@pytest.mark.parametrize("hour", [0, 12, 23])
async def test_courses_are_remembered_after_7_14_and_28_days_and_never_again(school: School, hour: int) -> None:
    course = await school.published(1, title="Algebra")
    enrollment = await school.enrolled(course.id)
    await put_back(enrollment.id, last_accessed_at=datetime(2026, 1, 5, hour, 30, tzinfo=UTC))
    told = {}
    for days in range(60):
        day = date(2026, 1, 5) + timedelta(days=days)
        until(school, max(school.clock.now(), datetime(day.year, day.month, day.day, 10, tzinfo=UTC)))
        if found := await reminded(school, day):
            told[days] = found
    assert told == {days: {STUDENT.user_id: [("Algebra", days)]} for days in (7, 14, 28)}


async def test_one_mail_tells_of_all_courses_that_wait(school: School) -> None:
    opened = [await school.published(1, title=title) for title in ("Long", "Never opened", "Today", "Left")]
    long, never, today, left = [await school.enrolled(course.id) for course in opened]
    until(school, datetime(2026, 1, 19, 10, tzinfo=UTC))
    await put_back(long.id, last_accessed_at=datetime(2026, 1, 12, 23, 59, tzinfo=UTC))
    await put_back(never.id, enrolled_at=datetime(2026, 1, 5, 0, 0, tzinfo=UTC))
    await put_back(left.id, status="dropped", last_accessed_at=datetime(2026, 1, 12, tzinfo=UTC))
    await put_back(today.id, last_accessed_at=school.clock.now(), enrolled_at=datetime(2026, 1, 5, tzinfo=UTC))
    assert await reminded(school, MONDAY) == {STUDENT.user_id: [("Long", 7), ("Never opened", 14)]}


async def test_courses_that_nobody_can_open_are_not_remembered(school: School) -> None:
    course = await school.published(1)
    await school.enrolled(course.id)
    await school.courses.unpublish(TEACHER, course.id)
    until(school, datetime(2026, 1, 12, 10, tzinfo=UTC))
    assert await reminded(school, date(2026, 1, 12)) == {}


@pytest.mark.parametrize(
    ("zone", "opened", "is_told"),
    [
        ("Africa/Cairo", "2026-04-16 21:59", False),  # 16 April, 23:59 in winter's time
        ("Africa/Cairo", "2026-04-16 22:00", True),
        ("Africa/Cairo", "2026-04-17 21:59", True),
        ("Africa/Cairo", "2026-04-17 22:00", False),
        ("Pacific/Kiritimati", "2026-04-16 10:00", True),
        ("Pacific/Kiritimati", "2026-04-17 10:00", False),
    ],
)
async def test_days_are_those_of_the_students_calendar(school: School, zone: str, opened: str, is_told: bool) -> None:
    """In Cairo the clock is put forward on the 24th, at midnight."""
    enrollment = await school.enrolled((await school.published(1)).id)
    await User.rows().update_one({"_id": STUDENT.user_id}, {"$set": {"timezone": zone}})
    await put_back(enrollment.id, last_accessed_at=datetime.fromisoformat(opened).replace(tzinfo=UTC))
    until(school, datetime(2026, 4, 24, 7, tzinfo=UTC))
    assert bool(await reminded(school, date(2026, 4, 24), zone)) is is_told


@pytest.mark.parametrize(("at_once", "looks"), [(5_000, 1), (120, 3)])
async def test_more_people_than_a_page(
    school: School, monkeypatch: pytest.MonkeyPatch, at_once: int, looks: int
) -> None:
    asked: list[str] = []
    look = User.ids_in_timezone

    async def counted(zone: str, **page: Any) -> list[str]:
        asked.append(zone)
        return await look(zone, **page)

    course = await school.published(1)
    await school.enrolled(course.id)
    row = await Enrollment.rows().find_one({})
    person = await User.rows().find_one({"_id": STUDENT.user_id})
    assert row
    assert person
    names = [f"usr_many{number:03}" for number in range(250)]
    people = [{**person, "_id": name, "email_key": name, "email": name} for name in names]
    await User.rows().insert_many(people)
    await Enrollment.rows().insert_many([{**row, "_id": f"{name}:{course.id}", "student_id": name} for name in names])
    until(school, datetime(2026, 1, 12, 10, tzinfo=UTC))
    monkeypatch.setattr(learners, "IDS_AT_ONCE", at_once)
    monkeypatch.setattr(User, "ids_in_timezone", counted)
    assert set(await reminded(school, date(2026, 1, 12))) == {STUDENT.user_id, *names}
    assert set(await weekly(school, day=date(2026, 1, 12))) == {STUDENT.user_id, *names}
    assert len(asked) == 2 * looks  # everybody there, for the reminders and again for the report
