"""Mails about notifications by the workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import NotificationMailArgs
from lms_rt.services.jobs import Taken
from workers.tasks.base import Perform


async def mail(services: Services, taken: Taken) -> None:
    """The mail about a notification, and about all that wait with it."""
    args = cast("NotificationMailArgs", taken.args)
    await services.notification_mails.send(args.user_id, args.notification_id, job_id=taken.job_id)


TASKS: Mapping[str, Perform] = {"notifications.mail": mail}
