"""What a feed says of each entry, by what it said before: how often it moved, and that it is no more. Pure: no storage.

A calendar that reads the feed believes an entry with a higher `SEQUENCE`. So what was told is kept: whatever moves a date (an
edit, more time for one student, another group) counts, and what is gone is told as cancelled for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from documents.base import Row
from lms_rt.interchange.icalendar import Event
from lms_rt.services.calendar_entries import BEHIND, Entry

CANCELLED_FOR = timedelta(days=30)
MOST_TOLD = 1_500
_PLACE = "@lms_rt"
"""What makes an id one of ours, wherever the site moves."""

TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "name": "{site}: what is due",
        "window": "{title}",
        "opens": "{title} opens",
        "closes": "{title} closes",
        "due": "Due: {title}",
        "release": "{title} can be opened",
    },
    "ar": {
        "name": "{site}: المواعيد",
        "window": "{title}",
        "opens": "يُفتح {title}",
        "closes": "يُغلق {title}",
        "due": "موعد التسليم: {title}",
        "release": "أصبح {title} متاحًا",
    },
}


def language_of(locale: str) -> str:
    """The language of a feed."""
    return "ar" if locale.partition("-")[0] == "ar" else "en"


def told_now(told: Mapping[str, Row], entries: Iterable[Entry], *, language: str, now: datetime) -> dict[str, Row]:
    """What is to be told from now on: new entries, those that moved, and those that are no more."""
    found: dict[str, Row] = {}
    for entry in entries:
        said = _said(entry, language)
        before = told.get(entry.key)
        if before is None:
            found[entry.key] = said | {"sequence": 0, "at": now, "is_cancelled": False}
        elif before["is_cancelled"] or any(before.get(name) != value for name, value in said.items()):
            found[entry.key] = said | {"sequence": before["sequence"] + 1, "at": now, "is_cancelled": False}
        else:
            found[entry.key] = before
    for key, before in told.items():
        if key in found or before["starts_at"] < now - BEHIND:
            continue
        if not before["is_cancelled"]:
            found[key] = before | {"sequence": before["sequence"] + 1, "at": now, "is_cancelled": True}
        elif now - before["at"] <= CANCELLED_FOR:
            found[key] = before
    newest = sorted(found, key=lambda key: (found[key]["is_cancelled"], key))[:MOST_TOLD]
    return {key: found[key] for key in newest}


def events_of(told: Mapping[str, Row], *, site: str) -> list[Event]:
    """What was told, as entries of a calendar, in an order that stays."""
    return [_event(key, told[key], site) for key in sorted(told)]


def _said(entry: Entry, language: str) -> Row:
    return {
        "summary": TEXTS[language][entry.kind].format(title=entry.title),
        "course": entry.course,
        "path": entry.path,
        "starts_at": entry.starts_at,
        "ends_at": entry.ends_at,
    }


def _event(key: str, row: Row, site: str) -> Event:
    return Event(
        uid=f"{key}{_PLACE}",
        summary=row["summary"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        changed_at=row["at"],
        sequence=row["sequence"],
        description=row["course"],
        url=f"{site}{row['path']}",
        is_cancelled=row["is_cancelled"],
    )
