"""A template, its data and its reader become a subject, a text and HTML. Nothing that a person wrote is taken for a template.

Each mail has one template (`templates/mails`) that is rendered twice: over the parts for HTML, which escape everything,
and over those for text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_timedelta
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from lms_rt.contracts.mails import Digest, MailData
from lms_rt.contracts.money import money_text
from lms_rt.mails.wording import DIRECTIONS, Language, one_line, seen, speaker

TEMPLATES = Path(__file__).parent / "templates"
MAX_SUBJECT = 180
_LINK = re.compile(r"[/@]|\w[.:]\w{2}")
_GAPS = re.compile(r"(?<![ \t])[ \t]*\n(?:[ \t]*\n)+")


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a mail is for, as far as it depends on that."""

    full_name: str
    email: str
    language: Language
    zone: tzinfo

    @property
    def is_greeted(self) -> bool:
        """By name, unless the name is an advertisement: anybody may register the address of somebody else."""
        return _LINK.search(self.full_name) is None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's words."""

    subject: str
    text: str
    html: str


def zone_of(name: str) -> tzinfo:
    """The timezone of this name; UTC for one that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return UTC


class Renderer:
    """Writes the mails of one site."""

    def __init__(self, *, site_name: str, site_url: str) -> None:
        self._site_name, self._site_url = site_name, site_url.rstrip("/")

    def url(self, link: str) -> str:
        """A path on this site as an address that can be opened from anywhere; an address stays."""
        return f"{self._site_url}{link}" if link.startswith("/") else link

    def render(self, template: str, data: MailData, reader: Reader, *, unsubscribe_url: str | None = None) -> Rendered:
        """The words of one mail. Raises when a template asks for what is not there."""
        say = speaker(reader.language, template, is_html=False)
        values = {"site": self._site_name, **_scalars(data)}
        context = {
            "data": data,
            "reader": reader,
            "language": reader.language,
            "direction": DIRECTIONS[reader.language],
            "site_name": self._site_name,
            "site_url": self._site_url,
            "unsubscribe_url": unsubscribe_url,
            "url": self.url,
            **_writers(reader),
        }
        subject = one_line(say("subject", **values))[:MAX_SUBJECT]
        html = speaker(reader.language, template, is_html=True)
        return Rendered(
            subject=subject,
            text=_tidy(
                _environment(is_html=False).get_template(f"{template}.j2").render(context, t=say, subject=subject)
            ),
            html=_environment(is_html=True).get_template(f"{template}.j2").render(context, t=html, subject=subject),
        )


@cache
def _environment(*, is_html: bool) -> Environment:
    """Templates over the parts for HTML or for text. What is not there is an error, never an empty place."""
    parts = TEMPLATES / ("html" if is_html else "text")
    env = Environment(
        loader=FileSystemLoader([parts, TEMPLATES / "mails"]),
        autoescape=is_html,  # noqa: S701 - text is not HTML, and all that is HTML is escaped
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.filters["words"] = _html_words if is_html else seen
    env.filters["line"] = one_line
    return env


def _html_words(text: str) -> Markup:
    """Somebody's own words with their line breaks."""
    return Markup("<br>").join(escape(line) for line in seen(text).strip().splitlines())


def _tidy(text: str) -> str:
    """One empty line between paragraphs, none around them."""
    return _GAPS.sub("\n\n", text).strip() + "\n"


def _scalars(data: MailData) -> dict[str, Any]:
    """The fields that may stand in a subject."""
    fields = {name: value for name, value in data if isinstance(value, str | int)}
    return fields | ({"count": len(data.items) + data.more} if isinstance(data, Digest) else {})


def _writers(reader: Reader) -> Mapping[str, Callable[..., str]]:
    """How values look for this reader: `moment`, `day`, `percent`, `number`, `money`, `duration`."""
    language = reader.language

    def day(value: date) -> str:
        return format_date(value, "d MMMM y", locale=language)

    def moment(value: datetime) -> str:
        local = value.astimezone(reader.zone)
        comma = "، " if language == "ar" else ", "
        return f"{day(local.date())}{comma}{local:%H:%M} ({_offset_of(local)})"

    def number(value: str) -> str:
        return f"{Decimal(value).normalize():f}"

    def percent(value: str) -> str:
        return f"{number(value)}%"

    def money(amount: int, currency: str) -> str:
        return money_text(amount, currency, language)

    def duration(minutes: int) -> str:
        return format_timedelta(timedelta(minutes=minutes), locale=language)

    writers: tuple[Callable[..., str], ...] = (day, moment, number, percent, money, duration)
    return {writer.__name__: writer for writer in writers}


def _offset_of(local: datetime) -> str:
    """The zone as everybody reads it: UTC+2, UTC-3:30."""
    minutes = round((local.utcoffset() or timedelta()).total_seconds() / 60)
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02d}" if rest else "")
