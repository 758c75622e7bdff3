"""A process that brings people in and kills itself on the way: `python -m tests.workers.importing_main RUN ROWS`.

It dies as `kill -9` would when so many rows have their enrolment, before anything of that is noted in the run.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from config.settings import load_settings
from lms_rt.bootstrap import open_services
from lms_rt.services.enrollments import Enrollments


async def main(run_id: str, left: int) -> None:
    """Carry it out for as long as this process lives."""
    enroll, done = Enrollments.enroll, 0

    async def deadly(*args: Any, **options: Any) -> Any:
        nonlocal done
        enrolled = await enroll(*args, **options)
        done += 1
        if done == left:
            os.kill(os.getpid(), signal.SIGKILL)
        return enrolled

    Enrollments.enroll = deadly  # type: ignore[method-assign]
    async with open_services(load_settings(), is_worker=True) as services:
        await services.import_runs.run(run_id)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
