"""Templates, and how values look in them: times in the reader's zone, money, percentages, course covers. No data is read."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from babel.dates import format_date, format_datetime, format_time
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from handlers.web.translation import Translator
from lms_rt.contracts.money import amount_text, is_known, money_text, unusual_places
from lms_rt.services.rendering import plain_line

TEMPLATES = Path(__file__).parent / "templates"
COVERS = 6
_FIRST_HEADING = re.compile(r"(</?)h1\b")
SIZE_UNITS = ("B", "KB", "MB", "GB", "TB")
_STEERING = dict.fromkeys((0x200E, 0x200F, 0x061C))
"""Marks that turn what is around them: within a price, which has its own direction, they put its sign behind it."""
NOTHING = "–"
"""What stands where there is no number."""
TONES = ("accent", "info", "hold", "ok")
_UNKNOWN_PLACES = 2
"""Of what is no currency: as of most."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a page, as far as its look depends on it."""

    translator: Translator
    zone: tzinfo

    @property
    def locale(self) -> str:
        """Babel's name of the language."""
        return self.translator.language


@cache
def environment() -> Environment:
    """The one template environment: escapes everything, and an unknown name is an error."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "moment": _moment,
        "money": _money,
        "units": units_text,
        "percent": _percent,
        "points": _points,
        "out_of": _out_of,
        "duration": _duration,
        "numerals": _numerals,
        "size": _size,
        "letter": _letter,
        "cover": cover_of,
        "sections": _sections,
        "plain_line": plain_line,
    }
    env.globals["unusual_places"] = unusual_places()
    return env


def local_text(value: str | datetime, kind: str, reader: Reader) -> str:
    """A moment as words: `kind` is time, date, date-time or date-time-seconds."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    at = at.astimezone(reader.zone)
    if kind == "time":
        text = format_time(at, "HH:mm", locale=reader.locale)
    elif kind == "date":
        text = format_date(at, "d MMMM y", locale=reader.locale)
    else:
        comma = "، " if reader.locale == "ar" else ", "
        clock = "HH:mm:ss" if kind == "date-time-seconds" else "HH:mm"
        text = format_date(at, "d MMMM y", locale=reader.locale) + comma + format_datetime(at, clock, locale="en")
    return reader.translator.numerals(text)


@pass_context
def _moment(context: Context, value: str | datetime, kind: str = "date-time") -> Markup:
    """A `<time>` element, which the page's script moves into the browser's zone when the server did not know it."""
    stamp = value if isinstance(value, str) else value.isoformat()
    text = local_text(value, kind, context["reader"])
    direction = Markup(' dir="ltr"') if kind == "time" else ""
    return Markup('<time datetime="{}" data-kind="{}"{}>{}</time>').format(stamp, kind, direction, text)


@pass_context
def _money(context: Context, amount: int, currency: str) -> Markup:
    """Minor units as a price."""
    reader: Reader = context["reader"]
    text = money_text(amount, currency, "en" if reader.locale == "en" else "ar").translate(_STEERING)
    return Markup('<bdi dir="ltr">{}</bdi>').format(reader.translator.numerals(text))


def units_text(amount: int, currency: str) -> str:
    """Minor units as a plain number for a field: 1999 USD → "19.99"."""
    return amount_text(amount, currency) if is_known(currency) else f"{Decimal(amount).scaleb(-_UNKNOWN_PLACES):f}"


@pass_context
def _percent(context: Context, value: str | float) -> str:
    """A percentage without needless places: "70.00" → "70%"."""
    return str(context["reader"].translator.numerals(f"{float(value):g}%"))


@pass_context
def _points(context: Context, value: str | float) -> str:
    """Points without needless places: "2.00" → "2", "1.50" → "1.5"."""
    return str(context["reader"].translator.numerals(f"{float(value):.10g}"))


@pass_context
def _out_of(context: Context, value: str | float | None, most: str | float | None) -> str:
    """Points of those that could be had: "8 of 10"; a dash where nothing is graded yet, or there was nothing to be had."""
    if value is None or not float(most or 0):
        return NOTHING
    score, whole = _points(context, value), _points(context, most or 0)
    return str(context["reader"].translator("results.of", score=score, max=whole))


@pass_context
def _duration(context: Context, seconds: int | None) -> str:
    """5400 → "1 h 30 min"; under a minute counts as one."""
    translator: Translator = context["reader"].translator
    minutes = max(1, round((seconds or 0) / 60))
    hours, rest = divmod(minutes, 60)
    parts = [translator("shell.hours", count=hours)] if hours else []
    return " ".join(parts + ([translator("shell.minutes", count=rest)] if rest or not hours else []))


@pass_context
def _numerals(context: Context, value: object) -> str:
    """The digits that the reader wants; thousands are grouped."""
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return str(context["reader"].translator.numerals(text))


@pass_context
def _size(context: Context, size_bytes: int) -> str:
    """1_234_567 → "1.2 MB"."""
    size, units = float(size_bytes), iter(SIZE_UNITS)
    unit = next(units)
    while size >= 1000 and (larger := next(units, None)):
        size, unit = size / 1000, larger
    return str(context["reader"].translator(f"stats.size_{unit}", n=math.floor(size * 10 + 0.5) / 10))


def _sections(html: str) -> Markup:
    """HTML that our server rendered, below the page's one h1: its own first headings become h2."""
    return Markup(_FIRST_HEADING.sub(r"\1h2", html))  # noqa: S704 - cleaned by services/rendering.py


@pass_context
def _letter(context: Context, index: int) -> str:
    """The letter of an option: A B C, or أ ب ج."""
    letters = "أبجدهوزحطيكلمنسعفصقرشتثخذضظغ" if context["language"] == "ar" else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return letters[index] if index < len(letters) else str(index + 1)


def cover_of(seed: str) -> Mapping[str, Any]:
    """Pattern, tone and shift of a course's drawn cover, the same for ever: from a hash of its id."""
    digest = hashlib.sha256(seed.encode()).digest()
    return {"pattern": digest[0] % COVERS, "tone": TONES[digest[1] % len(TONES)], "turn": digest[2] % 4 * 15}


def csrf_input(token: str) -> Markup:
    """The hidden field that proves where a form came from."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(escape(token))
