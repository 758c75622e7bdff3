"""Days and hours by a wall clock: when it is nine in the morning somewhere, and where a local day begins. Pure.

Clocks are put forward and back: an hour that is missing on a day is taken at the next minute that exists, one that comes
twice the first time, and a day that a country left out has no hours at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_MINUTES_OF_A_DAY = 24 * 60


@lru_cache(maxsize=1_000)
def zone_of(name: str) -> ZoneInfo:
    """The zone of this name; one that this machine does not know (any more) keeps the time of UTC."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def local_date(zone: str, moment: datetime) -> date:
    """Which day it is there."""
    return moment.astimezone(zone_of(zone)).date()


def moment_of(zone: str, day: date, at: time) -> datetime | None:
    """When it is that time on that day there, in UTC, cut to the minute; None where that day does not exist."""
    there = zone_of(zone)
    wall = datetime.combine(day, at)
    if (moment := _moment(there, wall)) is not None:
        return moment
    if not _exists(there, day):
        return None
    later = (wall + timedelta(minutes=minutes) for minutes in range(1, _MINUTES_OF_A_DAY + 1))
    return next((moment for one in later if (moment := _moment(there, one)) is not None), None)


def day_begins(zone: str, day: date) -> datetime:
    """The first moment of that day there; of a day that does not exist, of the next one."""
    while (moment := moment_of(zone, day, time())) is None:
        day += _DAY
    return moment


def moments_between(
    zone: str, at: time, *, weekday: int | None, after: datetime, until: datetime
) -> Iterator[tuple[date, datetime]]:
    """Every day on which that time falls into (after, until], with its moment, the earliest first.

    `weekday` is Monday as 0; None is every day.
    """
    day, last = local_date(zone, after) - _DAY, local_date(zone, until) + _DAY
    while day <= last:
        if weekday in (None, day.weekday()):
            moment = moment_of(zone, day, at)
            if moment is not None and after < moment <= until:
                yield day, moment
        day += _DAY


def _moment(there: ZoneInfo, wall: datetime) -> datetime | None:
    """When a clock there shows this, the first time; None: it never does."""
    moment = wall.replace(tzinfo=there).astimezone(UTC)
    return moment if moment.astimezone(there).replace(tzinfo=None, fold=0) == wall else None


def _exists(there: ZoneInfo, day: date) -> bool:
    hours = (datetime.combine(day, time(hour)) for hour in range(24))
    return any(_moment(there, hour) is not None for hour in hours)
