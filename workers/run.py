"""`python3 run.py worker`: a process that runs jobs, on the MongoDB and the Redis of the nodes."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from typing import cast

from config.logging import set_up_logging
from config.settings import Settings, SettingsError, load_settings
from lms_rt.bootstrap import StoreError, open_services
from lms_rt.contracts.jobs import QUEUES, Queue
from lms_rt.services.background import running
from workers.app import Bell, TaskiqWakeUps, brokers_on_redis, listening
from workers.worker import Worker

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which queues."""
    parser.add_argument("--queues", default=",".join(QUEUES), help=f"of {', '.join(QUEUES)}; default: all")


def main(args: argparse.Namespace) -> int:
    """Run jobs until SIGTERM or Ctrl-C. Exit status 1, with one line, when it cannot start."""
    queues = [word.strip() for word in args.queues.split(",") if word.strip()]
    if unknown := sorted(set(queues) - set(QUEUES)) or ([] if queues else ["without a name"]):
        print(f"worker: there is no queue {', '.join(unknown)}; there are {', '.join(QUEUES)}", file=sys.stderr)  # noqa: T201
        return 2
    try:
        settings = load_settings()
        set_up_logging(settings)
        if settings.is_embedded:
            raise StoreError("the embedded store belongs to one process, which runs its jobs itself; set MONGODB_URL")
        asyncio.run(_work(settings, cast("list[Queue]", queues)))
    except SettingsError as error:
        print(*(f"settings: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)  # noqa: T201
    except (StoreError, OSError) as error:
        print(f"the worker cannot start: {error}", file=sys.stderr)  # noqa: T201
    except KeyboardInterrupt:
        return 0
    else:
        return 0
    return 1


async def _work(settings: Settings, queues: list[Queue]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    bell = Bell()
    async with brokers_on_redis(settings, bell.ring) as brokers:
        wake_ups = TaskiqWakeUps(brokers)
        async with (
            running({"wake-ups": wake_ups.run}),
            open_services(settings, wake_ups=wake_ups, is_worker=True) as services,
        ):
            worker = Worker(services, queues)
            bell.listener = worker.wake
            hearing = {f"hearing {queue}": listening(brokers[queue]) for queue in queues}
            async with running(worker.tasks | hearing):
                say(f"lms_rt worker ready: {', '.join(queues)}")
                await stop.wait()
                say("stopping: what runs may end, nothing new is taken …")
                await worker.close()


def say(words: str) -> None:
    """The command's own output; it does not end because nobody reads it any more."""
    with contextlib.suppress(BrokenPipeError):
        print(words, flush=True)  # noqa: T201
