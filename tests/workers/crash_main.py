"""Lives of a process that end at a point of a test's choice: `python -m tests.workers.crash_main JSON`.

Each life is a node and a worker in one process, forked from here, on the MongoDB and Redis of the environment's settings. It
writes aggregates with one intent of each kind, and carries out what anybody left, until it comes to its point, where it kills
itself as `kill -9` would. The last life has no point, and ends when nothing is left to do. What a life did in the world
outside is a line in a file each: that outlives everything, and cannot be taken back, as with a mail.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

from config.logging import set_up_logging
from config.settings import Settings, load_settings
from documents.base import with_intents
from documents.course import Course
from documents.job import Job
from lms_rt.bootstrap import Services, open_services
from lms_rt.bus.redis.channels import RedisFanOut
from lms_rt.contracts.jobs import EventArgs, JobArgs, TaskKind
from lms_rt.contracts.outbox import Write, effect, event, job
from lms_rt.ids import new_id
from lms_rt.services import jobs
from lms_rt.services.background import running
from lms_rt.services.event_log import EventLog
from lms_rt.services.jobs import Jobs, Taken
from lms_rt.services.relay import Relay
from tests.working import idle, leases_run_out, task
from workers import worker
from workers.app import Bell, TaskiqWakeUps, brokers_on_redis, listening
from workers.tasks import TASKS
from workers.worker import Worker

CHANNEL, ACCOUNT = "course:crash", "one"
LEASE_SECONDS, RENEW_SECONDS = 10.0, 0.5
"""No life loses a lease because this machine is slow; those of the one before are over when the next begins."""
WRITES_APART_SECONDS = 0.05
LIFE_SECONDS = 20
_Call = Callable[..., Awaitable[Any]]


class SendArgs(JobArgs):
    """What is to be sent."""

    words: str


SEND = TaskKind("test.send", "emails", SendArgs)
POINTS: dict[str, tuple[Any, str, str]] = {
    "the write stands, nobody was told": (Relay, "hand_over", "before"),
    "nothing is published yet": (RedisFanOut, "publish", "before"),
    "published": (RedisFanOut, "publish", "after"),
    "not recorded yet": (EventLog, "record", "before"),
    "recorded, its job not asked for": (Jobs, "put", "before"),
    "recorded": (EventLog, "record", "after"),
    "a job asked for, its intent not pulled": (Jobs, "put", "after"),
    "an intent pulled": (Course, "pull_intents", "after"),
    "nobody woken": (TaskiqWakeUps, "wake", "before"),
    "a job taken": (Jobs, "take", "after"),
    "a job taken, nobody told": (Job, "take", "after"),
    "done outside, and not told": (Jobs, "done", "before"),
    "done": (Jobs, "done", "after"),
}
"""Methods, and whether the process dies before or after a call of them."""
MIDDLES = ("an effect began", "an effect is written", "a task began", "own data written, nothing sent", "sent")
"""Points in the middle of what a life itself does."""


class Life:
    """One process, and where it ends."""

    def __init__(self, point: str, notes: Path) -> None:
        self.point, self.notes = point, notes

    def pass_by(self, point: str) -> None:
        """End here, if this is where."""
        if point == self.point:
            os.kill(os.getpid(), signal.SIGKILL)

    def arm(self) -> None:
        """Let the method of this point kill."""
        if self.point in POINTS:
            owner, name, when = POINTS[self.point]
            setattr(owner, name, self._deadly(getattr(owner, name), when))

    def _deadly(self, call: _Call, when: str) -> _Call:
        async def deadly(*args: Any, **options: Any) -> Any:
            if when == "before":
                self.pass_by(self.point)
            result = await call(*args, **options)
            if result is not False:  # a job that somebody else took was not taken
                self.pass_by(self.point)
            return result

        return deadly

    def note(self, what: str, name: str) -> None:
        """Do something outside."""
        with self.notes.open("ab", buffering=0) as file:
            file.write(f"{what} {name}\n".encode())

    # --- what is done ---

    async def write(self, services: Services) -> None:
        """A new aggregate with one intent of each kind, as one write."""
        name, write = new_id("crs"), Write(1, services.clock.now())
        data = {"course_id": name, "title": "T"}
        intents = [
            event(write, "course_updated", n=0, channels=[CHANNEL], data=data, record="course.published"),
            effect(write, "test.counted", {"name": name}),
            job(write, SEND.name, {"words": name}),
        ]
        wanted = {intent["kind"]: intent["id"] for intent in intents}
        self.note("meant", json.dumps({**wanted, "name": name}).replace(" ", ""))
        update = with_intents({"$set": {"version": 1, "slug": name}}, intents, write.at)
        await Course.rows().update_one({"_id": name}, update, upsert=True)
        await services.relay.hand_over(Course, name)

    async def count(self, services: Services, kind: str, name: str) -> None:
        """Own data: a number that moves once for each name."""
        accounts, done = services.database.motor["crash_accounts"], f"{kind}.{name}"
        once = {"_id": ACCOUNT, done: {"$exists": False}}
        await accounts.update_one(once, {"$inc": {f"total_{kind}": 1}, "$set": {done: True}})

    async def send(self, services: Services, taken: Taken) -> None:
        """A task: own data, then something outside."""
        self.pass_by("a task began")
        await self.count(services, "jobs", taken.job_id)
        self.pass_by("own data written, nothing sent")
        self.note("sent", taken.job_id)
        self.pass_by("sent")

    async def follow(self, services: Services, taken: Taken) -> None:
        """What follows from an event."""
        assert isinstance(taken.args, EventArgs)
        await self.count(services, "events", taken.args.event_id)
        self.note("followed", taken.args.event_id)

    # --- the life ---

    async def live(self, settings: Settings) -> None:
        """Write and work until the point; without one, work until nothing is left."""
        bell = Bell()
        async with brokers_on_redis(settings, bell.ring) as brokers:
            wake_ups = TaskiqWakeUps(brokers)
            async with running({"wake-ups": wake_ups.run}), open_services(settings, wake_ups=wake_ups) as services:
                await self._open_account(services)
                await leases_run_out()
                self._register(services)
                worker_ = Worker(services)
                bell.listener = worker_.wake
                hearing = {f"hearing {queue}": listening(broker) for queue, broker in brokers.items()}
                async with running(worker_.tasks | hearing):
                    await self._spend(services)
                    await worker_.close(patience_seconds=1)

    async def _open_account(self, services: Services) -> None:
        totals = dict.fromkeys(("total_jobs", "total_events", "total_effects"), 0)
        await services.database.motor["crash_accounts"].update_one(
            {"_id": ACCOUNT}, {"$setOnInsert": totals}, upsert=True
        )

    def _register(self, services: Services) -> None:
        async def counted(intent_id: str, _: dict[str, Any]) -> None:
            self.pass_by("an effect began")
            await self.count(services, "effects", intent_id)
            self.pass_by("an effect is written")

        services.relay.register_effect("test.counted", counted)
        cast("dict[str, Any]", TASKS)["events.follow"] = self.follow

    async def _spend(self, services: Services) -> None:
        async with asyncio.timeout(LIFE_SECONDS):
            if not self.point:
                await idle(services)
                # what was lost twice waits a moment
                while await Job.rows().find_one({"state": {"$ne": "done"}}):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.05)
                return
            while True:
                await self.write(services)
                await asyncio.sleep(WRITES_APART_SECONDS)


def lived(point: str, notes: Path, settings: Settings) -> int:
    """Fork, live, and tell how it ended: minus the signal, or an exit status."""
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        life = Life(point, notes)
        life.arm()
        with ExitStack() as stack:
            stack.enter_context(task(SEND, life.send))
            asyncio.run(life.live(settings))
        status = 0
    finally:
        os._exit(status)


def main() -> None:
    """Lives to these points, and one to the end of all work."""
    given = json.loads(sys.argv[1])
    settings = load_settings(_env_file=None)
    set_up_logging(settings)
    jobs.SUSPECT_SECONDS = 0.5
    jobs.LEASE_SECONDS, worker.RENEW_SECONDS = LEASE_SECONDS, RENEW_SECONDS  # type: ignore[attr-defined]
    for point in [*given["points"], ""]:
        print(json.dumps([point, lived(point, Path(given["notes"]), settings)]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
