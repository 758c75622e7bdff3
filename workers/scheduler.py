"""`python3 run.py scheduler`: a process that lets what is scheduled fall due. Any number may run: a firing has one id."""

from __future__ import annotations

import argparse
import logging

from config.settings import Settings
from lms_rt.bootstrap import Services, open_services
from lms_rt.services.background import Background, running
from workers.app import Bell, TaskiqWakeUps, brokers_on_redis
from workers.command import UntilTold, run_until_told, say
from workers.schedule import SCHEDULES

LOOK_SECONDS = 1.0

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None beside the settings."""


def main(args: argparse.Namespace) -> int:  # noqa: ARG001 - as every command is called
    """Keep the schedules until SIGTERM or Ctrl-C. Exit status 1, with one line, when it cannot start."""
    return run_until_told("scheduler", _keep)


def keeping_time(services: Services) -> Background:
    """What looks at the schedules every second, until it is cancelled."""

    async def keep() -> None:
        while True:
            try:
                await services.schedules.look(SCHEDULES)
            except Exception:  # noqa: BLE001 - the database is away: what is due then is late, and not lost
                _log.exception("the schedules could not be looked at")
            await services.clock.sleep(LOOK_SECONDS)

    return keep


async def _keep(settings: Settings, until_told: UntilTold) -> None:
    async with brokers_on_redis(settings, Bell().ring) as brokers:
        wake_ups = TaskiqWakeUps(brokers)
        async with (
            running({"wake-ups": wake_ups.run}),
            open_services(settings, wake_ups=wake_ups, is_worker=True) as services,
            running({"schedules": keeping_time(services)}),
        ):
            say(f"lms_rt scheduler ready: {', '.join(schedule.name for schedule in SCHEDULES)}")
            await until_told()
