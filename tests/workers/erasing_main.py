"""A process that erases somebody and kills itself on the way: `python -m tests.workers.erasing_main USER STEPS`.

It dies as `kill -9` would when so many steps are done; with more steps than there are, it comes to the end.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from config.settings import load_settings
from documents.user import User
from lms_rt.bootstrap import open_services
from lms_rt.services import erasure
from lms_rt.services.erasure_map import Step, steps_of
from lms_rt.services.erasure_steps import Ground


def counted(steps: tuple[Step, ...], left: int) -> tuple[Step, ...]:
    """The same steps, of which the process survives so many."""
    done = 0

    def deadly(step: Step) -> Step:
        async def run(ground: Ground) -> None:
            nonlocal done
            await step(ground)
            done += 1
            if done == left:
                os.kill(os.getpid(), signal.SIGKILL)

        return run

    return tuple(deadly(step) for step in steps)


async def main(user_id: str, left: int) -> None:
    """Let the time of grace be over, and erase."""
    steps = counted(steps_of(), left)
    erasure.steps_of = lambda: steps  # type: ignore[attr-defined]  # where the service looks for them
    async with open_services(load_settings(), is_worker=True) as services:
        await User.rows().update_one({"_id": user_id}, {"$set": {"erase_at": services.clock.now()}})
        await services.erasure.run(user_id, job_id="job_of_this_life")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
