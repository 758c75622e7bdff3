"""What people who came by themselves were promised, should the process that promised it have ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import PromiseArgs
from lms_rt.services.jobs import Taken
from workers.tasks.base import Perform


async def keep_promise(services: Services, taken: Taken) -> None:
    """Do it."""
    args = cast("PromiseArgs", taken.args)
    await services.promises.keep(taken.job_id, args.kind, args.facts)


TASKS: Mapping[str, Perform] = {"accounts.promised": keep_promise}
