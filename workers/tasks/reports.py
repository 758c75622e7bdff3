"""What people are told regularly: the weekly report and the daily reminders of one timezone."""

from __future__ import annotations

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import LocalDayArgs
from lms_rt.services.jobs import Taken


async def weekly(services: Services, taken: Taken) -> None:
    """Ask for the weekly reports."""
    assert isinstance(taken.args, LocalDayArgs)  # noqa: S101 - the catalogue's model
    await services.reports.order_weekly(taken.args)


async def remind(services: Services, taken: Taken) -> None:
    """Ask for the reminders."""
    assert isinstance(taken.args, LocalDayArgs)  # noqa: S101 - the catalogue's model
    await services.reminders.order_daily(taken.args)
