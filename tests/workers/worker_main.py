"""A real worker with tasks that a test looks at: `python -m tests.workers.worker_main JSON [--queues …]`.

The JSON holds `notes`, a file that gets a line for all that a task does, which outlives `kill -9`, and may hold
`patience_seconds`, how long what runs may go on after SIGTERM, and `suspect_seconds`, how long a job waits at most that was there
when workers died. Settings come from the environment, as always.

A lease lasts so long that no worker loses one because this machine is slow: a test says when those of the dead are over
(`leases_run_out`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import JobArgs, Queue, TaskKind
from lms_rt.services import jobs
from lms_rt.services.jobs import Taken
from tests.working import task
from workers import run, worker
from workers.worker import Worker

LEASE_SECONDS, RENEW_SECONDS = 10.0, 0.5


class StepArgs(JobArgs):
    """`seconds`: it lasts so long; `until`: until this file is there."""

    seconds: float = 0.0
    until: str = ""


QUEUES_OF_TESTS: dict[str, Queue] = {"test.step": "progress", "test.mail": "emails"}
STEP_KINDS = [TaskKind(name, queue, StepArgs) for name, queue in QUEUES_OF_TESTS.items()]


class StepNotes:
    """Lines of "begun" or "ended", the job's id, and the process's."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def note(self, what: str, job_id: str) -> None:
        """Add a line, in one write."""
        with self.path.open("ab", buffering=0) as file:
            file.write(f"{what} {job_id} {os.getpid()}\n".encode())

    async def perform(self, _: Services, taken: Taken) -> None:
        """The task."""
        assert isinstance(taken.args, StepArgs)
        self.note("begun", taken.job_id)
        await asyncio.sleep(taken.args.seconds)
        while taken.args.until and not os.path.exists(taken.args.until):  # noqa: ASYNC110, ASYNC240, PTH110 - nobody tells
            await asyncio.sleep(0.01)
        self.note("ended", taken.job_id)

    def lines(self, what: str) -> list[str]:
        """The ids of the jobs that this was noted of, in their order."""
        words = [line.split() for line in self.path.read_text().splitlines()] if self.path.exists() else []
        return [line[1] for line in words if line[0] == what]


def main() -> int:
    """Work until SIGTERM."""
    given = json.loads(sys.argv.pop(1))
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    if "patience_seconds" in given:
        assert Worker.close.__kwdefaults__ is not None
        Worker.close.__kwdefaults__["patience_seconds"] = given["patience_seconds"]
    jobs.SUSPECT_SECONDS = given.get("suspect_seconds", jobs.SUSPECT_SECONDS)
    jobs.LEASE_SECONDS, worker.RENEW_SECONDS = LEASE_SECONDS, RENEW_SECONDS  # type: ignore[attr-defined]
    with ExitStack() as stack:
        for kind in STEP_KINDS:
            stack.enter_context(task(kind, StepNotes(Path(given["notes"])).perform))
        return run.main(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
