"""Calendars as iCalendar text (RFC 5545): escaped, folded at 75 octets, every moment in UTC. What stands in one is others' affair.

All moments are written as instants in UTC, which no change of the clocks moves: calendars show them by their own zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

MEDIA_TYPE = "text/calendar; charset=utf-8"
MAX_OCTETS = 75
_PRODUCT = "-//lms_rt//calendar//EN"
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})
_CONTROLS = dict.fromkeys([*range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x2029])
_KEPT = _CONTROLS | {ord("\t"): " ", ord("\n"): "\n"}


@dataclass(frozen=True, slots=True)
class Event:
    """One entry. Without an end it is a moment; `changed_at` is when it became as it is, `sequence` how often it moved."""

    uid: str
    summary: str
    starts_at: datetime
    changed_at: datetime
    ends_at: datetime | None = None
    sequence: int = 0
    description: str = ""
    url: str = ""
    is_cancelled: bool = False


def calendar_text(name: str, events: Iterable[Event], *, refresh_hours: int) -> bytes:
    """A calendar with these entries, in their order."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{_PRODUCT}",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"NAME:{escaped(name)}",
        f"X-WR-CALNAME:{escaped(name)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:PT{refresh_hours}H",
        f"X-PUBLISHED-TTL:PT{refresh_hours}H",
    ]
    for event in events:
        lines.extend(_event_lines(event))
    lines.append("END:VCALENDAR")
    return b"".join(folded(line) for line in lines)


def escaped(text: str) -> str:
    """A text as the value of a property: one line, whatever it holds."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").translate(_KEPT)
    return plain.translate(_ESCAPED)


def folded(line: str) -> bytes:
    """The line with its end, in pieces of at most 75 octets, none of which cuts a letter in two."""
    rest, pieces, room = line.encode(), list[bytes](), MAX_OCTETS
    while len(rest) > room:
        end = room
        while rest[end] & 0xC0 == 0x80:  # within a letter
            end -= 1
        pieces.append(rest[:end])
        rest, room = rest[end:], MAX_OCTETS - 1  # the space before it counts
    return b"\r\n ".join([*pieces, rest]) + b"\r\n"


def moment(at: datetime) -> str:
    """A moment in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _event_lines(event: Event) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{escaped(event.uid)}"
    yield f"DTSTAMP:{moment(event.changed_at)}"
    yield f"LAST-MODIFIED:{moment(event.changed_at)}"
    yield f"SEQUENCE:{event.sequence}"
    yield f"DTSTART:{moment(event.starts_at)}"
    if event.ends_at is not None:
        yield f"DTEND:{moment(event.ends_at)}"
    yield f"SUMMARY:{escaped(event.summary)}"
    if event.description:
        yield f"DESCRIPTION:{escaped(event.description)}"
    if event.url:
        yield f"URL:{escaped(event.url)}"
    yield f"STATUS:{'CANCELLED' if event.is_cancelled else 'CONFIRMED'}"
    yield f"TRANSP:{'TRANSPARENT' if event.ends_at is None else 'OPAQUE'}"
    yield "END:VEVENT"
