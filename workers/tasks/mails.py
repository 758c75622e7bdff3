"""Mails by the workers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import MailArgs
from lms_rt.contracts.mails import MailOrder
from lms_rt.services.jobs import Taken
from workers.tasks.base import Perform


async def send(services: Services, taken: Taken) -> None:
    """One mail to one account."""
    args = cast("MailArgs", taken.args)
    order = MailOrder(args.template, args.user_id, args.data, seed=taken.job_id)
    await services.mails.send(order, partial(services.jobs.done, taken), hold=partial(services.jobs.hold, taken))


TASKS: Mapping[str, Perform] = {"mail.send": send}
