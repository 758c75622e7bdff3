"""When a mail may leave: quiet hours and the daily digest by the reader's wall clock, also where clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from documents.readers import Reader
from lms_rt.services.wishes import Wishes

_MADE = datetime(2026, 1, 1, tzinfo=UTC)


def wishes(timezone: str = "Africa/Cairo", **chosen: Any) -> Wishes:
    reader = Reader(
        "usr_1", "Sara", "sara@example.org", "ar", timezone, "student", chosen.pop("is_active", True), _MADE
    )
    return Wishes(reader, chosen)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NIGHT = {"quiet_from": "22:00", "quiet_to": "07:00"}
NOON = {"quiet_from": "12:00", "quiet_to": "13:30"}


def test_whatever_was_not_chosen_is_wanted() -> None:
    assert wishes().wants("email", "attempt.graded")
    assert wishes().wants("live", "announcement")


def test_a_kind_that_was_switched_off_is_not_mailed_but_others_are() -> None:
    mine = wishes(email={"attempt-graded": False})
    assert not mine.wants("email", "attempt.graded")
    assert mine.wants("live", "attempt.graded")
    assert mine.wants("email", "announcement")
    assert mine.wants("email", "all")


def test_without_the_channel_no_kind_is_mailed() -> None:
    mine = wishes(channels={"email": False}, email={"announcement": True})
    assert mine.mail_moment("announcement", at("2026-01-05T09:00")) is None
    assert mine.mail_moment("all", at("2026-01-05T09:00")) is None


def test_a_closed_account_is_not_written_to() -> None:
    assert wishes(is_active=False).mail_moment("announcement", at("2026-01-05T09:00")) is None


@pytest.mark.parametrize(
    ("chosen", "now", "moment"),
    [
        pytest.param({}, "2026-01-05T23:00", "2026-01-05T23:00", id="no quiet hours"),
        pytest.param(NIGHT, "2026-01-05T19:59", "2026-01-05T19:59", id="a minute before them: 21:59 in Cairo"),
        pytest.param(NIGHT, "2026-01-05T20:00", "2026-01-06T05:00", id="they begin at 22:00 in Cairo"),
        pytest.param(NIGHT, "2026-01-06T00:30", "2026-01-06T05:00", id="after midnight"),
        pytest.param(NIGHT, "2026-01-06T04:59", "2026-01-06T05:00", id="the last minute"),
        pytest.param(NIGHT, "2026-01-06T05:00", "2026-01-06T05:00", id="over at 07:00 in Cairo"),
        pytest.param(NOON, "2026-01-05T10:15", "2026-01-05T11:30", id="within one day"),
        pytest.param(NOON, "2026-01-05T11:30", "2026-01-05T11:30", id="over within the day"),
    ],
)
def test_mails_wait_for_the_end_of_the_quiet_hours(chosen: dict[str, str], now: str, moment: str) -> None:
    assert wishes(**chosen).mail_moment("announcement", at(now)) == at(moment)


@pytest.mark.parametrize(
    ("timezone", "now", "moment"),
    [
        pytest.param("Europe/Berlin", "2026-03-28T22:30", "2026-03-29T05:00", id="the night in spring is shorter"),
        pytest.param("Europe/Berlin", "2026-10-24T22:30", "2026-10-25T06:00", id="the night in autumn is longer"),
        pytest.param("Not/AZone", "2026-01-05T23:00", "2026-01-06T07:00", id="an unknown timezone is UTC"),
    ],
)
def test_quiet_hours_are_those_of_the_wall_clock_also_when_it_is_changed(timezone: str, now: str, moment: str) -> None:
    assert wishes(timezone, **NIGHT).mail_moment("announcement", at(now)) == at(moment)


def test_quiet_hours_that_end_in_the_hour_that_spring_skips_end_all_the_same() -> None:
    mine = wishes("Europe/Berlin", quiet_from="22:00", quiet_to="02:30")
    moment = mine.mail_moment("announcement", at("2026-03-28T23:00"))
    assert moment == at("2026-03-29T01:00")  # 03:00: the minute before it was 01:59
    assert mine.mail_moment("announcement", moment) == moment


def test_quiet_hours_that_end_in_the_hour_that_autumn_repeats_do_not_begin_again() -> None:
    mine = wishes("Europe/Berlin", quiet_from="22:00", quiet_to="02:30")
    moment = mine.mail_moment("announcement", at("2026-10-24T23:00"))
    assert moment == at("2026-10-25T00:30")
    later = at("2026-10-25T01:10")  # 02:10 for the second time
    assert mine.mail_moment("announcement", later) == later


@pytest.mark.parametrize(
    ("since", "moment"),
    [
        ("2026-01-05T05:59", "2026-01-05T06:00"),
        ("2026-01-05T06:00", "2026-01-06T06:00"),
        ("2026-01-05T20:00", "2026-01-06T06:00"),
    ],
)
def test_the_digest_leaves_at_eight_on_the_wall_clock(since: str, moment: str) -> None:
    assert wishes(digest="daily").digest_moment(at(since)) == at(moment)
