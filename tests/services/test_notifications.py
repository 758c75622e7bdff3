"""Notifications: who is told of what, once, in their language; read on one device is read on all. On both engines."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from config.settings import Settings
from documents.notification import Notification
from documents.notification_preferences import NotificationPreferences
from documents.user import User
from lms_rt.contracts.notifications import NotificationQuery, NotificationStretch
from lms_rt.errors import Code, Refused
from lms_rt.services.notification_rules import RULES
from lms_rt.services.notification_texts import TEXTS
from lms_rt.storage.mongo import OpenDatabase
from tests.services.noticing import Noticing
from tests.services.school import OTHER_STUDENT, STUDENT, TEACHER


@pytest.fixture
async def noticing(database: OpenDatabase, settings: Settings) -> Noticing:
    made = Noticing(settings)
    await made.open()
    return made


# --- who is told of what ---


async def test_who_enrols_and_who_teaches_are_told_each_in_their_words(noticing: Noticing) -> None:
    await noticing.enrolled()
    (mine,) = await noticing.seen()
    assert (mine.kind, mine.title, mine.link) == ("enrollment.created", "You’re enrolled in Algebra", "/learn/algebra")
    (theirs,) = await noticing.seen(TEACHER)
    assert (theirs.title, theirs.link) == ("Sara Saleh enrolled in Algebra", "/teach/courses/crs_1/students")
    assert theirs.data["student_id"] == STUDENT.user_id
    await noticing.enrolled(OTHER_STUDENT, access="staff")  # as by a table of thousands: nobody is told what they did
    assert len(await noticing.seen(OTHER_STUDENT)) == 1
    assert await noticing.seen(TEACHER) == [theirs]


async def test_a_teacher_who_tries_their_own_course_is_told_once(noticing: Noticing) -> None:
    await noticing.enrolled(TEACHER)
    assert [one.title for one in await noticing.seen(TEACHER)] == ["You’re enrolled in Algebra"]


@pytest.mark.parametrize(
    ("fields", "title", "body"),
    [
        ({}, "You passed Quiz 1", "Your result is 80%."),
        (
            {"is_passed": False, "percentage": "33.50"},
            "Quiz 1 is graded",
            "Your result is 33.5%: not passed this time.",
        ),
        ({"is_passed": None, "percentage": None}, "Quiz 1 is graded", "Your result is there to be seen."),
    ],
)
async def test_a_student_is_told_of_a_grade(noticing: Noticing, fields: dict[str, Any], title: str, body: str) -> None:
    await noticing.graded(**fields)
    (told,) = await noticing.seen()
    assert (told.title, told.body, told.link) == (title, body, "/attempts/att_1/results")
    assert await noticing.seen(TEACHER) == []


async def test_nobody_is_told_of_a_preview(noticing: Noticing) -> None:
    await noticing.graded(is_preview=True)
    assert await noticing.seen() == []


async def test_only_who_ran_out_of_time_is_told_that_an_attempt_was_handed_in(noticing: Noticing) -> None:
    attempt = {"course_id": "crs_1", "quiz_id": "quz_1", "student_id": STUDENT.user_id, "quiz_title": "Quiz"}
    handed_in = {**attempt, "submitted_at": "2026-01-05T09:00:00.000Z", "is_preview": False}
    await noticing.happen("attempt.submitted", "evt_1", id="att_1", submitted_by="student", **handed_in)
    await noticing.happen("attempt.submitted", "evt_2", id="att_2", submitted_by="deadline", **handed_in)
    assert [(one.kind, one.title) for one in await noticing.seen()] == [("attempt.submitted", "Time was up for Quiz")]


@pytest.mark.parametrize("kind", ["enrollment.completed", "enrollment.expired"])
async def test_a_student_is_told_when_a_course_is_done_or_over(noticing: Noticing, kind: str) -> None:
    await noticing.happen(kind, "evt_1", id="x", course_id="crs_1", student_id=STUDENT.user_id, student_name="Sara")
    assert [one.kind for one in await noticing.seen()] == [kind]
    assert await noticing.seen(TEACHER) == []


async def test_what_concerns_nobody_tells_nobody(noticing: Noticing) -> None:
    await noticing.happen("course.updated", "evt_1", id="crs_1", course_id="crs_1")
    await noticing.happen("enrollment.created", "evt_2", course_id="crs_gone", student_id=STUDENT.user_id)
    assert await Notification.rows().count_documents({}) == 0


async def test_a_closed_account_is_told_nothing(noticing: Noticing) -> None:
    await User.rows().update_one({"_id": STUDENT.user_id}, {"$set": {"is_active": False}})
    await noticing.graded()
    assert await Notification.rows().count_documents({}) == 0


async def test_the_same_event_twice_is_one_notification_one_word_and_one_job(noticing: Noticing) -> None:
    await asyncio.gather(*(noticing.graded() for _ in range(5)))
    assert len(await noticing.seen()) == 1
    assert [name for name, _ in await noticing.live()] == ["notification"]
    noticing.clock.advance(61)
    assert len(await noticing.due_jobs()) == 1


@pytest.mark.parametrize("who_comes_after", ["the sweeper", "the job of the event"])
async def test_who_dies_after_the_write_leaves_the_word_and_the_mail_to_others(
    noticing: Noticing, who_comes_after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(noticing.relay, "hand_over", killed)
        with pytest.raises(OSError, match="killed"):
            await noticing.graded()
    assert await noticing.live() == []
    for _ in range(2):
        if who_comes_after == "the sweeper":
            await noticing.relay.sweep(minimum_age_ms=0)
        else:
            await noticing.graded()
    assert [name for name, _ in await noticing.live()] == ["notification"]
    noticing.clock.advance(61)
    assert len(await noticing.due_jobs()) == 1


async def test_words_are_of_the_language_that_the_reader_has_when_they_read(noticing: Noticing) -> None:
    await noticing.graded()
    await User.rows().update_one({"_id": STUDENT.user_id}, {"$set": {"locale": "ar-EG"}})
    (told,) = await noticing.seen()
    assert told.title == "نجحت في \u2068Quiz 1\u2069"
    assert told.body == "نتيجتك 80%."


def test_every_text_is_there_in_both_languages() -> None:
    assert set(TEXTS["en"]) == set(TEXTS["ar"])
    told = {text.rsplit(".", 1)[0] if text.count(".") > 1 else text for text in TEXTS["en"]}
    assert set(RULES) <= told


# --- told live ---


async def test_what_is_told_live_is_what_is_read(noticing: Noticing) -> None:
    await noticing.graded()
    ((name, data),) = await noticing.live()
    (shown,) = await noticing.seen()
    view = shown.model_dump(mode="json")
    assert name == "notification"
    assert {**data, "id": data["notification_id"]} | view == {**data, "id": data["notification_id"]}
    assert data["read_at"] is None


async def test_who_wants_no_live_word_finds_it_in_the_list_all_the_same(noticing: Noticing) -> None:
    await noticing.wish(kinds={"attempt.graded": {"live": False}})
    await noticing.graded()
    await noticing.enrolled()
    assert [data["kind"] for _, data in await noticing.live()] == ["enrollment.created"]
    assert await noticing.unread() == 2


async def test_what_was_read_on_one_device_the_others_hear_of(noticing: Noticing) -> None:
    await noticing.graded()
    (told,) = await noticing.seen()
    first = await noticing.notifications.read(STUDENT, told.id)
    again = await noticing.notifications.read(STUDENT, told.id)
    assert first.read_at == again.read_at is not None
    assert await noticing.unread() == 0
    heard = (await noticing.live())[1:]
    assert [(name, data["notification_id"]) for name, data in heard] == [("notification_read", told.id)]


async def test_two_devices_that_read_it_at_once_make_one_word(
    noticing: Noticing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await noticing.graded()
    (told,) = await noticing.seen()
    find_own, both_have_looked = Notification.find_own, asyncio.Barrier(2)
    looks = 0

    async def at_once(user_id: str, notification_id: str) -> Any:
        nonlocal looks
        row, looks = await find_own(user_id, notification_id), looks + 1
        if looks <= 2:
            await both_have_looked.wait()
        noticing.clock.advance(1)
        return row

    monkeypatch.setattr(Notification, "find_own", at_once)
    first, second = await asyncio.gather(*(noticing.notifications.read(STUDENT, told.id) for _ in range(2)))
    assert first == second
    assert [name for name, _ in await noticing.live()] == ["notification", "notification_read"]


async def test_nobody_reads_for_another(noticing: Noticing) -> None:
    await noticing.graded()
    (told,) = await noticing.seen()
    for notification_id in (told.id, "ntf_none"):
        with pytest.raises(Refused) as refused:
            await noticing.notifications.read(OTHER_STUDENT, notification_id)
        assert refused.value.code is Code.NOT_FOUND
    assert await noticing.unread() == 1


async def test_all_are_read_at_once_and_what_comes_later_is_not(noticing: Noticing) -> None:
    for number in range(3):
        await noticing.graded(number)
    assert (await noticing.notifications.read_all(STUDENT)).unread == 0
    assert all(one.read_at is not None for one in await noticing.seen())
    noticing.clock.advance(1)
    await noticing.graded(9)
    assert await noticing.unread() == 1
    assert [name for name, _ in await noticing.live()] == ["notification"] * 3 + ["notifications_read", "notification"]


async def test_reading_all_again_says_nothing_again(noticing: Noticing) -> None:
    await noticing.notifications.read_all(STUDENT)
    await noticing.graded()
    await asyncio.gather(*(noticing.notifications.read_all(STUDENT) for _ in range(5)))
    assert [name for name, _ in await noticing.live()] == ["notification", "notifications_read"]


async def test_what_another_node_with_a_fast_clock_made_is_among_all(noticing: Noticing) -> None:
    noticing.clock.advance(5)
    await noticing.graded()
    noticing.clock.advance(-5)
    assert (await noticing.notifications.read_all(STUDENT)).unread == 0


async def test_what_a_node_with_a_slow_clock_makes_afterwards_is_not_among_all(noticing: Noticing) -> None:
    await noticing.graded(1)
    await noticing.notifications.read_all(STUDENT)
    for number, behind_seconds in ((2, 0.3), (3, 0)):
        noticing.clock.advance(-behind_seconds)
        await noticing.graded(number)
    assert await noticing.unread() == 2
    assert {one.data["attempt_id"] for one in await noticing.seen(is_read=False)} == {"att_2", "att_3"}
    read_until = next(data["read_until"] for name, data in await noticing.live() if name == "notifications_read")
    told = [data["created_at"] for name, data in await noticing.live() if name == "notification"]
    assert [at > read_until for at in told] == [False, True, True]


async def test_what_comes_after_the_newest_that_was_there_is_not_among_all(noticing: Noticing) -> None:
    """Reading all goes as far as what is stored, not as far as the clock of the node that is asked."""
    await noticing.graded(1)
    noticing.clock.advance(5)
    await noticing.notifications.read_all(STUDENT)
    (told,) = await noticing.seen()
    assert told.read_at == noticing.clock.now()
    row = await NotificationPreferences.find_row(STUDENT.user_id)
    assert row is not None
    assert (row["read_until"], row["updated_at"]) == (told.created_at, noticing.clock.now())


async def test_choosing_preferences_and_reading_do_not_move_each_others_versions(noticing: Noticing) -> None:
    await noticing.graded()
    await noticing.notifications.read_all(STUDENT)
    assert (await noticing.preferences.show(STUDENT)).version == 1
    await noticing.wish(digest="daily")
    row = await NotificationPreferences.find_row(STUDENT.user_id)
    assert row is not None
    assert (row["version"], row["edits"]) == (2, 1)


# --- lists ---


async def test_pages_are_newest_first_and_count_all_that_are_unread(noticing: Noticing) -> None:
    for number in range(5):
        await noticing.graded(number)
        noticing.clock.advance(1)
    page = await noticing.page(page=1, page_size=2)
    assert [one.data["attempt_id"] for one in page.items] == ["att_4", "att_3"]
    assert (page.total, page.pages, page.unread) == (5, 3, 5)


@pytest.mark.parametrize("has_read_all", [False, True])
async def test_read_and_unread_ones_are_found_apart(noticing: Noticing, *, has_read_all: bool) -> None:
    await noticing.graded(1)
    if has_read_all:
        await noticing.notifications.read_all(STUDENT)
    else:
        await noticing.notifications.read(STUDENT, (await noticing.seen())[0].id)
    noticing.clock.advance(1)
    await noticing.graded(2)
    assert [one.data["attempt_id"] for one in await noticing.seen(is_read=True)] == ["att_1"]
    assert [one.data["attempt_id"] for one in await noticing.seen(is_read=False)] == ["att_2"]


async def test_who_was_away_for_long_finds_all_by_cursor_though_more_come_meanwhile(noticing: Noticing) -> None:
    for number in range(25):  # some in the same millisecond
        await noticing.graded(number)
        noticing.clock.advance(number % 3 / 1000)
    found: list[str] = []
    after = None
    for _ in range(10):
        stretch = await noticing.notifications.list(STUDENT, NotificationQuery(limit=4, after=after))
        assert isinstance(stretch, NotificationStretch)
        found += [one.data["attempt_id"] for one in stretch.items]
        await noticing.graded(100 + len(found))
        if (after := stretch.next) is None:
            break
    assert sorted(found) == sorted(f"att_{number}" for number in range(25))


async def test_a_cursor_of_another_list_is_refused(noticing: Noticing) -> None:
    with pytest.raises(Refused) as refused:
        await noticing.notifications.list(STUDENT, NotificationQuery(after="nonsense"))
    assert refused.value.fields[0].code == "invalid_cursor"


async def test_old_ones_are_forgotten_but_none_that_has_something_to_tell(noticing: Noticing) -> None:
    await noticing.graded(1)
    await noticing.graded(2)
    busy = (await noticing.seen())[0].id
    await Notification.rows().update_one({"_id": busy}, {"$set": {"outbox_at": noticing.clock.now()}})
    noticing.clock.advance(1)
    await noticing.graded(3)
    before = noticing.clock.now() - timedelta(milliseconds=500)
    assert await Notification.forget(before, limit=10) == 1
    assert {one.id for one in await noticing.seen()} >= {busy}
    assert len(await noticing.seen()) == 2
