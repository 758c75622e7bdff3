"""A process that carries a regrade out and kills itself on the way: `python -m tests.workers.regrading_main REGRADE GRADES`.

It dies as `kill -9` would when so many attempts have their new grade, before anybody is told.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from config.settings import load_settings
from documents.attempt import Attempt
from lms_rt.bootstrap import open_services


async def main(regrade_id: str, left: int) -> None:
    """Carry it out for as long as this process lives."""
    grade, done = Attempt.grade, 0

    async def deadly(*args: Any, **options: Any) -> bool:
        nonlocal done
        is_graded = await grade(*args, **options)
        done += is_graded
        if done == left:
            os.kill(os.getpid(), signal.SIGKILL)
        return is_graded

    Attempt.grade = deadly  # type: ignore[method-assign]
    async with open_services(load_settings(), is_worker=True) as services:
        await services.regrading.carry_out(regrade_id)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
