"""Schedules: what falls due at an hour becomes a job. Which schedules there are is the workers' table.

A firing is a job whose id tells the schedule, the place and the day: any number of schedulers may run, and one that died
begins again, without doubling anything. What is more than a day late is left out, and logged.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from documents.schedule import ScheduleMark
from documents.user import User
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.jobs import LocalDayArgs
from lms_rt.services.jobs import Jobs
from lms_rt.services.local_days import moments_between

LATEST = timedelta(days=1)
"""What is later than this is not done any more."""
ZONES_SECONDS = 60
"""So often it is looked up where people are."""
_SERVER_ZONE = "UTC"
_HOUR = timedelta(hours=1)
_LOOK_AHEAD = timedelta(days=16)
"""Further than the next but one of every schedule, should a country leave out a day."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """One task at one time of day, UTC; `is_local`: once for every timezone that people have, by the clock there.

    `weekday` is Monday as 0; None is every day. `is_hourly`: each hour at the minute of `at`; hours that were missed are not
    made up for, since the next look sees what they would have seen.
    """

    name: str
    task: str
    at: time
    weekday: int | None = None
    is_local: bool = False
    is_hourly: bool = False

    def job_id(self, zone: str, day: date, moment: datetime) -> str:
        """The one id that this firing can have."""
        return f"{self.name}:{zone}:{day.isoformat()}" if self.is_local else f"{self.name}:{rfc3339(moment)}"

    def args(self, zone: str, day: date) -> dict[str, Any]:
        """What the task is given."""
        return LocalDayArgs(timezone=zone, date=day.isoformat()).model_dump() if self.is_local else {}


class Schedules:
    """Turns what fell due into jobs."""

    def __init__(self, *, clock: Clock, jobs: Jobs) -> None:
        self._clock, self._jobs = clock, jobs
        self._next: dict[str, datetime] = {}
        self._zones: Sequence[str] = ()
        self._zones_until_ms = 0

    async def look(self, schedules: Sequence[Schedule]) -> int:
        """Ask for what fell due; how many firings that were. Cheap while nothing did."""
        now, fired = self._clock.now(), 0
        zones = await self._known_zones()
        for schedule in schedules:
            for zone in zones if schedule.is_local else (_SERVER_ZONE,):
                mark_id = f"{schedule.name}:{zone}" if schedule.is_local else schedule.name
                due_at = self._next.get(mark_id)
                if due_at is None or due_at <= now:
                    fired += await self._deal_with(schedule, zone, mark_id, now)
                    self._next[mark_id] = _next_after(schedule, zone, now)
        return fired

    async def _known_zones(self) -> Sequence[str]:
        now_ms = self._clock.now_ms()
        if now_ms >= self._zones_until_ms:
            self._zones = sorted(await User.timezones())
            self._zones_until_ms = now_ms + ZONES_SECONDS * 1000
        return self._zones

    async def _deal_with(self, schedule: Schedule, zone: str, mark_id: str, now: datetime) -> int:
        """All that fell due since the mark. It moves last: who dies before that is followed by who asks for the same."""
        if schedule.is_hourly:
            moment = _last_hour(schedule, now)
            await self._jobs.put(schedule.job_id(zone, moment.date(), moment), schedule.task, {})
            return 1
        dealt_until = await ScheduleMark.find_or_begin(mark_id, now - LATEST)
        due = list(moments_between(zone, schedule.at, weekday=schedule.weekday, after=dealt_until, until=now))
        in_time: Mapping[date, datetime] = {day: moment for day, moment in due if moment >= now - LATEST}
        if late := [day for day, _ in due if day not in in_time]:
            _log.warning(
                "%s of %s was not asked for on %s days from %s to %s: that was more than a day ago",
                *(schedule.name, zone, len(late), late[0], late[-1]),
            )
        for day, moment in in_time.items():
            await self._jobs.put(schedule.job_id(zone, day, moment), schedule.task, schedule.args(zone, day))
        if due:
            await ScheduleMark.move(mark_id, due[-1][1])
        return len(in_time)


def _last_hour(schedule: Schedule, now: datetime) -> datetime:
    """When an hourly one fell due last."""
    moment = now.replace(minute=schedule.at.minute, second=0, microsecond=0)
    return moment if moment <= now else moment - _HOUR


def _next_after(schedule: Schedule, zone: str, now: datetime) -> datetime:
    if schedule.is_hourly:
        return _last_hour(schedule, now) + _HOUR
    coming = moments_between(zone, schedule.at, weekday=schedule.weekday, after=now, until=now + _LOOK_AHEAD)
    return next((moment for _, moment in coming), now + LATEST)
