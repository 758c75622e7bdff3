"""`python -m tests.perf.noting_worker FILE QUEUE`: a worker as `run.py worker` makes it, but one task notes each of its runs.

Settings come from the environment. The notes are lines of "job id, nanoseconds of the wall clock" in FILE: they outlive
`kill -9`, and cost so little that what is measured is the way to the task and back. A job that names an account (in
`course_id`) is then counted there, in our own data: once, however often it is run.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import RecalculationArgs
from lms_rt.services.jobs import Taken
from workers import run
from workers.tasks import TASKS
from workers.tasks.base import Perform

TASK = "progress.recalculate"
ACCOUNTS = "bench_accounts"


class Notes:
    """What was run, and when."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def perform(self, services: Services, taken: Taken) -> None:
        """The task."""
        os.write(self._file, f"{taken.job_id} {time.time_ns()}\n".encode())
        assert isinstance(taken.args, RecalculationArgs)
        if taken.args.course_id is not None:
            done = f"done.{taken.job_id}"
            accounts = services.database.motor[ACCOUNTS]
            not_yet = {"_id": taken.args.course_id, done: {"$exists": False}}
            await accounts.update_one(not_yet, {"$inc": {"total": 1}, "$set": {done: True}})


def main() -> int:
    """Work until SIGTERM."""
    cast("dict[str, Perform]", TASKS)[TASK] = Notes(Path(sys.argv[1])).perform
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    return run.main(parser.parse_args(["--queues", sys.argv[2]]))


if __name__ == "__main__":
    sys.exit(main())
