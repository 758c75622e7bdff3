"""Mails about notifications: one for all that gathered, at the hour that the reader wishes, and none lost to a crash."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from config.settings import Settings
from documents.job import Job
from documents.notification import Notification
from documents.quiz import Quiz
from documents.user import User
from lms_rt.clock import rfc3339
from lms_rt.contracts.jobs import task_kind
from lms_rt.services.jobs import Failed
from lms_rt.services.pause_notices import telling_of_pauses
from lms_rt.storage.mongo import OpenDatabase
from tests.services.noticing import GATHER_SECONDS, Noticing
from tests.services.school import OTHER_STUDENT, STUDENT, TEACHER


@pytest.fixture
async def noticing(database: OpenDatabase, settings: Settings) -> Noticing:
    made = Noticing(settings)
    await made.open()
    return made


async def test_what_needs_no_gathering_is_written_at_once(noticing: Noticing) -> None:
    await noticing.enrolled()
    (order,) = await noticing.work()
    assert (order.template, order.user_id) == ("enrollment_confirmation", STUDENT.user_id)
    assert dict(order.data) == {"course_title": "Algebra", "link": "/learn/algebra"}


async def test_one_grade_is_a_mail_of_its_own_after_the_time_of_gathering(noticing: Noticing) -> None:
    await noticing.graded()
    assert await noticing.work() == []
    noticing.clock.advance(GATHER_SECONDS)
    (order,) = await noticing.work()
    assert order.template == "quiz_results"
    assert (order.data["quiz_title"], order.data["score"], order.data["is_passed"]) == ("Quiz 1", "80.00", True)
    assert await noticing.work() == []


async def test_twenty_grades_in_a_minute_are_one_mail(noticing: Noticing) -> None:
    for number in range(1, 21):
        await noticing.graded(number)
        noticing.clock.advance(2.9)
    written = []
    for _ in range(70):
        noticing.clock.advance(2.9)
        written += await noticing.work()
    (order,) = written
    assert (order.template, order.data["kind"], order.data["more"]) == ("digest", "attempt.graded", 0)
    titles = [item["title"] for item in order.data["items"]]
    assert titles == [f"You passed Quiz {number}" for number in range(1, 21)]
    assert await Job.rows().count_documents({"state": "waiting"}) == 0


async def test_twenty_jobs_that_run_at_once_write_of_each_grade_once(noticing: Noticing) -> None:
    for number in range(20):
        await noticing.graded(number)
    noticing.clock.advance(GATHER_SECONDS)
    jobs = await noticing.due_jobs()
    assert len(jobs) == 20
    await asyncio.gather(*(noticing.run_job(row) for row in jobs))
    told = [title for order in noticing.mails.orders for title in _titles(order)]
    assert sorted(told) == sorted(f"Quiz {number}" for number in range(20))


def _titles(order: object) -> list[str]:
    data = dict(getattr(order, "data", {}))
    if "items" in data:
        return [item["title"].removeprefix("You passed ") for item in data["items"]]
    return [data["quiz_title"]]


async def test_more_than_a_digest_lists_are_counted(noticing: Noticing) -> None:
    for number in range(53):
        await noticing.graded(number)
    noticing.clock.advance(GATHER_SECONDS)
    (order,) = await noticing.work()
    assert (len(order.data["items"]), order.data["more"]) == (50, 3)


async def test_what_is_unwanted_neither_hides_what_is_wanted_nor_counts(noticing: Noticing) -> None:
    await noticing.wish(digest="daily")
    await noticing.enrolled()
    for number in range(52):
        await noticing.graded(number)
    await noticing.wish(kinds={"attempt.graded": {"email": False}})
    noticing.clock.advance(22 * 3600)
    (order,) = await noticing.work()
    assert (order.template, order.data["course_title"]) == ("enrollment_confirmation", "Algebra")


async def test_people_and_kinds_do_not_share_a_mail(noticing: Noticing) -> None:
    await noticing.graded(1)
    await noticing.graded(2, student_id=OTHER_STUDENT.user_id)
    await noticing.happen(
        "attempt.submitted", "evt_late", id="att_3", quiz_id="quz_1", quiz_title="Quiz 3", course_id="crs_1",
        student_id=STUDENT.user_id, submitted_by="deadline", submitted_at="2026-01-05T09:00:00.000Z",
    )  # fmt: skip
    noticing.clock.advance(GATHER_SECONDS)
    orders = await noticing.work()
    assert sorted((order.user_id, order.template) for order in orders) == [
        (OTHER_STUDENT.user_id, "quiz_results"),
        (STUDENT.user_id, "attempt_auto_closed"),
        (STUDENT.user_id, "quiz_results"),
    ]


async def test_who_teaches_is_told_once_of_a_pause_that_nobody_ended(noticing: Noticing) -> None:
    at = noticing.clock.now()
    await Quiz.rows().insert_one({"_id": "quz_1", "course_id": "crs_1", "title": "Midterm", "version": 1})
    tell = telling_of_pauses(noticing.notifications)
    facts = {"quiz_id": "quz_1", "course_id": "crs_1", "at_ms": noticing.clock.now_ms()}
    for _ in range(3):  # it lies in the outbox of every attempt of the pause
        await tell("quz_1:1", facts)
    (told,) = await noticing.seen(TEACHER)
    assert (told.title, told.link) == ("The pause of Midterm was ended", "/teach/quizzes/quz_1")
    (order,) = await noticing.work()
    assert (order.user_id, order.template, order.data["closed_at"]) == (TEACHER.user_id, "pause_ended", rfc3339(at))
    assert await noticing.seen() == []


# --- crashes ---


async def test_a_mail_that_failed_is_written_by_the_same_job_again_and_of_the_same(noticing: Noticing) -> None:
    await noticing.graded(1)
    await noticing.graded(2)
    noticing.clock.advance(GATHER_SECONDS)
    first, second = await noticing.due_jobs()
    noticing.mails.failures.append(Failed("the mail server is away"))
    with pytest.raises(Failed):
        await noticing.run_job(first)
    await noticing.graded(3)
    await noticing.run_job(second)  # finds that another one writes
    assert noticing.mails.orders == []
    await noticing.run_job(first)
    (order,) = noticing.mails.orders
    assert order.seed == first["_id"]
    assert sorted(_titles(order)) == ["Quiz 1", "Quiz 2"]


async def test_a_crash_after_the_mail_left_repeats_it_under_the_same_name(
    noticing: Noticing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await noticing.graded(1)
    noticing.clock.advance(GATHER_SECONDS)
    (row,) = await noticing.due_jobs()

    async def killed(*_: object, **__: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(Notification, "unclaim", killed)
        with pytest.raises(OSError, match="killed"):
            await noticing.run_job(row)
    await noticing.run_job(row)
    await noticing.run_job(row)
    first, second = noticing.mails.orders
    assert first == second


async def test_a_kind_switched_off_after_a_failure_takes_no_other_along(noticing: Noticing) -> None:
    await noticing.wish(digest="daily")
    await noticing.graded(1)
    await noticing.enrolled()
    noticing.clock.advance(22 * 3600)
    graded = next(
        row for row in await noticing.due_jobs() if row["due_at"] > noticing.clock.now() - timedelta(hours=22)
    )
    noticing.mails.failures.append(Failed("the mail server is away"))
    with pytest.raises(Failed):
        await noticing.run_job(graded)
    await noticing.wish(kinds={"attempt.graded": {"email": False}})
    (order,) = await noticing.work()
    assert (order.template, order.seed) == ("enrollment_confirmation", graded["_id"])


async def test_who_is_gone_after_a_failure_gets_nothing(noticing: Noticing) -> None:
    await noticing.graded()
    noticing.clock.advance(GATHER_SECONDS)
    (row,) = await noticing.due_jobs()
    noticing.mails.failures.append(Failed("the mail server is away"))
    with pytest.raises(Failed):
        await noticing.run_job(row)
    await User.rows().delete_one({"_id": STUDENT.user_id})
    assert await noticing.work() == []
    assert await Notification.rows().count_documents({"mail_claim": {"$exists": True}}) == 0


# --- jobs that failed for good ---


async def _fail_for_good(noticing: Noticing, row: dict[str, Any], *, tries: int) -> None:
    noticing.mails.failures.append(Failed("the mail server is away"))
    with pytest.raises(Failed):
        await noticing.run_job(row)
    await Job.rows().update_one({"_id": row["_id"]}, {"$set": {"state": "dead", "tries": tries}})


async def test_what_a_job_could_not_write_in_all_its_tries_the_next_one_writes(noticing: Noticing) -> None:
    await noticing.graded(1)
    await noticing.graded(2)
    noticing.clock.advance(GATHER_SECONDS)
    first, second = await noticing.due_jobs()
    await _fail_for_good(noticing, first, tries=len(task_kind("notifications.mail").retries.waits_seconds) + 1)
    await noticing.run_job(second)  # its own was claimed by the one that is dead
    (order,) = noticing.mails.orders
    assert sorted(_titles(order)) == ["Quiz 1", "Quiz 2"]


async def test_what_a_dead_job_left_is_written_with_what_happens_next(noticing: Noticing) -> None:
    await noticing.graded(1)
    noticing.clock.advance(GATHER_SECONDS)
    (first,) = await noticing.due_jobs()
    await _fail_for_good(noticing, first, tries=len(task_kind("notifications.mail").retries.waits_seconds) + 1)
    await noticing.graded(2, student_id=OTHER_STUDENT.user_id)
    await noticing.graded(3)
    noticing.clock.advance(GATHER_SECONDS)
    orders = {order.user_id: _titles(order) for order in await noticing.work()}
    assert orders == {OTHER_STUDENT.user_id: ["Quiz 2"], STUDENT.user_id: ["Quiz 1", "Quiz 3"]}
    await noticing.run_job(first)  # sent again by an administrator: there is nothing left to write
    assert len(noticing.mails.orders) == 2


async def test_what_no_try_can_deliver_takes_no_later_mail_along(noticing: Noticing) -> None:
    """A mail that was refused for what is in it died before its tries were used up, and stays a dead letter."""
    await noticing.graded(1)
    noticing.clock.advance(GATHER_SECONDS)
    (first,) = await noticing.due_jobs()
    await _fail_for_good(noticing, first, tries=1)
    await noticing.graded(2)
    noticing.clock.advance(GATHER_SECONDS)
    (order,) = await noticing.work()
    assert _titles(order) == ["Quiz 2"]
    await noticing.run_job(first)  # sent again by an administrator
    assert _titles(noticing.mails.orders[-1]) == ["Quiz 1"]


# --- wishes ---


async def test_what_is_unwanted_is_not_written_and_makes_no_job(noticing: Noticing) -> None:
    await noticing.wish(kinds={"attempt.graded": {"email": False}})
    await noticing.graded()
    assert await Job.rows().count_documents({}) == 0


async def test_who_changes_their_mind_while_it_gathers_gets_no_mail_not_even_later(noticing: Noticing) -> None:
    await noticing.graded(1)
    await noticing.wish(kinds={"attempt.graded": {"email": False}})
    noticing.clock.advance(GATHER_SECONDS)
    assert await noticing.work() == []
    await noticing.wish(kinds={"attempt.graded": {"email": True}})
    await noticing.graded(2)
    noticing.clock.advance(GATHER_SECONDS)
    (order,) = await noticing.work()
    assert _titles(order) == ["Quiz 2"]


async def test_what_happens_in_quiet_hours_is_one_mail_at_their_end(noticing: Noticing) -> None:
    await noticing.wish(quiet_hours={"from": "10:00", "to": "13:00"})
    for number in range(3):  # from 11:00 in Cairo
        await noticing.graded(number)
        noticing.clock.advance(20 * 60)
        assert await noticing.work() == []
    noticing.clock.advance(59 * 60)
    assert await noticing.work() == []
    noticing.clock.advance(60)
    (order,) = await noticing.work()
    assert len(order.data["items"]) == 3


async def test_who_wishes_one_mail_a_day_gets_all_kinds_in_one_at_eight(noticing: Noticing) -> None:
    await noticing.wish(digest="daily")
    await noticing.graded(1)
    await noticing.enrolled()
    noticing.clock.advance(20 * 3600)  # 07:00 of the next day in Cairo
    assert await noticing.work() == []
    noticing.clock.advance(3600)
    (order,) = await noticing.work()
    assert (order.template, order.data["kind"]) == ("digest", None)
    assert [item["title"] for item in order.data["items"]] == ["You passed Quiz 1", "You’re enrolled in Algebra"]


async def test_a_digest_leaves_out_a_kind_that_became_unwanted(noticing: Noticing) -> None:
    await noticing.wish(digest="daily")
    await noticing.graded(1)
    await noticing.enrolled()
    await noticing.wish(kinds={"attempt.graded": {"email": False}})
    noticing.clock.advance(22 * 3600)
    (order,) = await noticing.work()
    assert order.template == "enrollment_confirmation"


async def test_a_job_that_waits_says_until_when(noticing: Noticing) -> None:
    await noticing.wish(digest="daily")
    await noticing.enrolled()
    (row,) = await noticing.due_jobs()
    assert await noticing.run_job(row) == noticing.clock.now() + timedelta(hours=21)  # from 11:00 to 08:00 in Cairo
