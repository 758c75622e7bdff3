"""Notifications by the workers: their mails, and what everybody in a course is told."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import AnnouncementArgs, NotificationMailArgs
from lms_rt.services.jobs import Taken
from workers.tasks.base import Perform


async def mail(services: Services, taken: Taken) -> None:
    """The mail about a notification, and about all that wait with it."""
    args = cast("NotificationMailArgs", taken.args)
    hold = partial(services.jobs.hold, taken)
    await services.notification_mails.send(args.user_id, args.notification_id, job_id=taken.job_id, hold=hold)


async def announce(services: Services, taken: Taken) -> None:
    """Tell every student of a course what its teacher has to say."""
    args = cast("AnnouncementArgs", taken.args)
    await services.announcements.tell(args.announcement_id)


TASKS: Mapping[str, Perform] = {"notifications.mail": mail, "announcements.tell": announce}
