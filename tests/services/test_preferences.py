"""What people wish to hear of: shown, changed, and asked by those who write mails. On both engines."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from documents.enums import Role
from documents.notification_preferences import NotificationPreferences
from documents.user import User
from lms_rt.clock import FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import encode, read_model
from lms_rt.contracts.mails import MAIL_TEMPLATES
from lms_rt.contracts.notifications import ALL_KINDS, KINDS, PreferencesChange, PreferencesView
from lms_rt.errors import Code, Refused
from lms_rt.services.preferences import Preferences
from lms_rt.storage.mongo import OpenDatabase
from tests.services.school import STUDENT


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def preferences(database: OpenDatabase, clock: FakeClock) -> Preferences:
    now = clock.now()
    await User.add(
        User(
            id=STUDENT.user_id,
            email="sara@example.org",
            email_key="sara@example.org",
            full_name=STUDENT.full_name,
            role=Role.STUDENT,
            password_hash="",
            timezone="Africa/Cairo",
            created_at=now,
            updated_at=now,
        )
    )
    return Preferences(clock=clock)


async def change(
    preferences: Preferences, by: Actor = STUDENT, *, version: int | None = None, **fields: Any
) -> PreferencesView:
    return await preferences.change(by, read_model(PreferencesChange, fields), expected_version=version)


async def test_at_first_everything_is_on(preferences: Preferences) -> None:
    view = await preferences.show(STUDENT)
    assert view.channels.live
    assert view.channels.email
    assert list(view.kinds) == list(KINDS)
    assert all(kind.live and kind.email for kind in view.kinds.values())
    assert (view.quiet_hours, view.digest, view.version) == (None, "none", 1)


async def test_what_is_sent_changes_and_the_rest_stays(preferences: Preferences) -> None:
    await change(preferences, kinds={"attempt.graded": {"email": False}}, digest="daily")
    view = await change(preferences, channels={"live": False}, quiet_hours={"from": "22:00", "to": "07:00"})
    graded = view.kinds["attempt.graded"]
    assert (graded.live, graded.email, view.channels.live, view.digest) == (True, False, False, "daily")
    assert b'"quiet_hours":{"from":"22:00","to":"07:00"}' in encode(view)
    view = await change(preferences, quiet_hours=None)
    assert (view.quiet_hours, view.digest, view.version) == (None, "daily", 4)


async def test_what_was_shown_can_be_sent_back_whole(preferences: Preferences) -> None:
    await change(preferences, quiet_hours={"from": "22:00", "to": "07:00"})
    shown = (await preferences.show(STUDENT)).model_dump(mode="json")
    again = await change(preferences, **shown)
    assert again.model_dump(exclude={"version"}) == {**again.model_dump(exclude={"version"}), "digest": "none"}
    assert again.quiet_hours is not None


async def test_nothing_sent_moves_no_version(preferences: Preferences) -> None:
    assert (await change(preferences)).version == 1


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"kinds": {"attempt.lost": {"email": False}}}, "kinds.attempt.lost"),
        ({"kinds": {"attempt.graded": {"sms": True}}}, "kinds.attempt.graded.sms"),
        ({"quiet_hours": {"from": "25:00", "to": "07:00"}}, "quiet_hours.from"),
        ({"quiet_hours": {"from": "07:00", "to": "07:00"}}, "quiet_hours"),
        ({"digest": "hourly"}, "digest"),
        ({"updated_at": "2020-01-01T00:00:00Z"}, "updated_at"),
    ],
)
async def test_what_makes_no_sense_is_refused(preferences: Preferences, fields: dict[str, Any], where: str) -> None:
    with pytest.raises(Refused) as refused:
        await change(preferences, **fields)
    assert [fault.field for fault in refused.value.fields] == [where]
    assert (await preferences.show(STUDENT)).version == 1


async def test_a_version_that_has_passed_is_refused(preferences: Preferences) -> None:
    assert (await change(preferences, version=1, digest="daily")).version == 2
    with pytest.raises(Refused) as refused:
        await change(preferences, version=1, digest="none")
    assert refused.value.code is Code.VERSION_MISMATCH
    assert refused.value.data == {"current_version": 2}


async def test_of_many_who_expect_the_same_version_one_changes_it(preferences: Preferences) -> None:
    tries = (change(preferences, version=1, digest="daily") for _ in range(8))
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(isinstance(result, Refused) for result in results) == [False] + [True] * 7
    assert (await preferences.show(STUDENT)).version == 2


async def test_many_first_changes_at_once_all_stand(preferences: Preferences) -> None:
    await asyncio.gather(*(change(preferences, kinds={kind: {"email": False}}) for kind in KINDS))
    view = await preferences.show(STUDENT)
    assert [kind for kind, channels in view.kinds.items() if channels.email] == []
    assert view.version == 1 + len(KINDS)


async def test_the_link_in_a_mail_ends_mails_of_that_kind_alone(preferences: Preferences, clock: FakeClock) -> None:
    for _ in range(2):
        await preferences.switch_off_mail(STUDENT.user_id, "weekly_progress")
    now = clock.now()
    assert await preferences.mail_moment(STUDENT.user_id, "weekly_progress", now) is None
    assert await preferences.mail_moment(STUDENT.user_id, "announcement", now) == now


async def test_the_link_in_a_digest_ends_all_mails_that_can_be_ended(
    preferences: Preferences, clock: FakeClock
) -> None:
    await preferences.switch_off_mail(STUDENT.user_id, ALL_KINDS)
    assert await preferences.mail_moment(STUDENT.user_id, "announcement", clock.now()) is None
    assert not (await preferences.show(STUDENT)).channels.email


async def test_a_kind_that_is_none_switches_nothing_off(preferences: Preferences) -> None:
    await preferences.switch_off_mail(STUDENT.user_id, "channels.$where")
    assert (await preferences.show(STUDENT)).version == 1


async def test_an_old_link_of_an_account_that_is_gone_leaves_nothing_behind(preferences: Preferences) -> None:
    for kind in ("weekly_progress", ALL_KINDS):
        await preferences.switch_off_mail("usr_gone", kind)
    assert await NotificationPreferences.find_row("usr_gone") is None


async def test_mail_waits_for_the_end_of_the_quiet_hours(preferences: Preferences, clock: FakeClock) -> None:
    await change(preferences, quiet_hours={"from": "10:00", "to": "12:30"})
    now = clock.now()  # 09:00 UTC, 11:00 in Cairo
    moment = await preferences.mail_moment(STUDENT.user_id, "announcement", now)
    assert moment == now + timedelta(minutes=90)


async def test_nobody_is_written_to_who_is_not_there(preferences: Preferences, clock: FakeClock) -> None:
    assert await preferences.mail_moment("usr_nobody", "announcement", clock.now()) is None


def test_every_mail_that_can_be_switched_off_has_its_kind() -> None:
    kinds = {template.kind for template in MAIL_TEMPLATES if template.kind is not None}
    assert kinds - {ALL_KINDS} <= set(KINDS)
