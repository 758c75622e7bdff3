"""Calendars as text, read back by an independent parser; and what a feed says of entries that move, go and come back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_rt.interchange.icalendar import MAX_OCTETS, Event, calendar_text
from lms_rt.services.calendar_entries import BEHIND, Entry
from lms_rt.services.calendar_telling import CANCELLED_FOR, events_of, told_now

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = st.integers(86_400, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=200)


def read(body: bytes) -> list[Any]:
    return list(icalendar.Calendar.from_ical(body).walk("VEVENT"))


@settings(max_examples=30)
@given(WORDS, WORDS, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=1)))
def test_what_is_written_is_read_back(summary: str, description: str, at: datetime, takes: timedelta) -> None:
    ends_at = at + timedelta(seconds=int(takes.total_seconds()))
    event = Event(
        "quz_1@lms_rt", summary, at, at, ends_at=ends_at, sequence=7, description=description, url="https://a/b"
    )
    body = calendar_text(summary, [event], refresh_hours=1)
    assert all(len(line) <= MAX_OCTETS for line in body.split(b"\r\n"))
    assert body.endswith(b"END:VCALENDAR\r\n")
    assert b"\n" not in body.replace(b"\r\n", b"")
    (found,) = read(body)
    assert (str(found["SUMMARY"]), str(found["DESCRIPTION"]), int(found["SEQUENCE"])) == (summary, description, 7)
    assert (found["DTSTART"].dt, found["DTEND"].dt, str(found["UID"])) == (at, ends_at, "quz_1@lms_rt")


def test_long_lines_are_folded_between_letters_and_signs_are_escaped() -> None:
    summary = "لا يُغلق " * 40 + "x" * 300
    body = calendar_text("a;b,c\\d\ne", [Event("a", summary, NOW, NOW)], refresh_hours=1)
    lines = body.split(b"\r\n")
    assert max(map(len, lines)) == MAX_OCTETS
    assert all(line.decode() is not None for line in lines)  # each is whole letters by itself
    assert "NAME:a\\;b\\,c\\\\d\\ne" in body.decode()
    assert str(read(body)[0]["SUMMARY"]) == summary


def test_no_text_breaks_out_of_its_line() -> None:
    evil = "x\r\nATTACH:http://evil\nBEGIN:VALARM\u2028;,\\ \x00\x07end"
    (found,) = read(calendar_text(evil, [Event("a", evil, NOW, NOW)], refresh_hours=1))
    assert "ATTACH" not in found
    assert not found.subcomponents
    assert str(found["SUMMARY"]) == "x\nATTACH:http://evil\nBEGIN:VALARM;,\\ end"


def test_instants_stay_right_when_clocks_are_moved() -> None:
    before = datetime(2026, 3, 28, 12, tzinfo=BERLIN)  # the night after it clocks go forward
    after = datetime(2026, 3, 29, 12, tzinfo=BERLIN)
    events = [Event(str(at.day), "Due", at, NOW) for at in (before, after)]
    found = read(calendar_text("x", events, refresh_hours=1))
    assert [one["DTSTART"].to_ical() for one in found] == [b"20260328T110000Z", b"20260329T100000Z"]
    assert [one["DTSTART"].dt.astimezone(BERLIN).hour for one in found] == [12, 12]


# --- what a feed says ---


def entry(hours: int = 24, key: str = "asg_1", title: str = "Essay") -> Entry:
    return Entry(key, "due", title, "Algebra", f"/assignments/{key}", NOW + timedelta(hours=hours))


def test_an_entry_moves_goes_and_comes_back_under_one_id() -> None:
    first = told_now({}, [entry()], language="en", now=NOW)
    later = NOW + timedelta(hours=1)
    assert told_now(first, [entry()], language="en", now=later) == first  # nothing moved: the same text again
    moved = told_now(first, [entry(48)], language="en", now=later)
    gone = told_now(moved, [], language="en", now=later)
    back = told_now(gone, [entry(48)], language="en", now=later)
    rows = [one["asg_1"] for one in (first, moved, gone, back)]
    assert [(row["sequence"], row["is_cancelled"]) for row in rows] == [(0, False), (1, False), (2, True), (3, False)]
    assert told_now(gone, [], language="en", now=later) == gone
    (shown,) = events_of(gone, site="https://school.example")
    assert (shown.uid, shown.is_cancelled, shown.summary) == ("asg_1@lms_rt", True, "Due: Essay")
    assert told_now(gone, [], language="en", now=later + CANCELLED_FOR + timedelta(seconds=1)) == {}


def test_what_is_long_over_is_not_told_as_cancelled() -> None:
    first = told_now({}, [entry()], language="ar", now=NOW)
    assert first["asg_1"]["summary"] == "موعد التسليم: Essay"
    assert told_now(first, [], language="ar", now=NOW + BEHIND + timedelta(days=2)) == {}


@settings(max_examples=30)
@given(st.lists(st.one_of(st.none(), st.integers(1, 3)), min_size=1, max_size=12))
def test_the_sequence_only_grows_and_grows_with_every_change(steps: list[int | None]) -> None:
    told, last = told_now({}, [entry()], language="en", now=NOW), 0
    shown: object = (NOW + timedelta(hours=24), False)
    for hours in steps:
        told = told_now(told, [] if hours is None else [entry(hours)], language="en", now=NOW)
        row = told["asg_1"]
        is_moved = (row["starts_at"], row["is_cancelled"]) != shown
        assert row["sequence"] == last + is_moved
        last, shown = row["sequence"], (row["starts_at"], row["is_cancelled"])
