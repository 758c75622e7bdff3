"""`python3 run.py worker`: a process that runs jobs, on the MongoDB and the Redis of the nodes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

from prometheus_client import REGISTRY, CollectorRegistry, start_http_server

from config.settings import Settings
from lms_rt.bootstrap import StoreError, open_services
from lms_rt.contracts.jobs import QUEUES, Queue
from lms_rt.services.background import running
from workers.app import Bell, TaskiqWakeUps, brokers_on_redis, listening
from workers.command import UntilTold, give_way, run_until_told, say
from workers.worker import Worker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which queues, and where its figures are."""
    parser.add_argument("--queues", default=",".join(QUEUES), help=f"of {', '.join(QUEUES)}; default: all")
    parser.add_argument("--metrics", metavar="HOST:PORT", help="serve Prometheus' figures of this process there")


def main(args: argparse.Namespace) -> int:
    """Run jobs until SIGTERM or Ctrl-C. Exit status 1, with one line, when it cannot start."""
    queues = [word.strip() for word in args.queues.split(",") if word.strip()]
    if unknown := sorted(set(queues) - set(QUEUES)) or ([] if queues else ["without a name"]):
        print(f"worker: there is no queue {', '.join(unknown)}; there are {', '.join(QUEUES)}", file=sys.stderr)  # noqa: T201
        return 2
    give_way()  # before there are threads, each of which would keep its own
    return run_until_told("worker", partial(_work, cast("list[Queue]", queues), args.metrics))


async def _work(queues: list[Queue], metrics: str | None, settings: Settings, until_told: UntilTold) -> None:
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
            with _figures(metrics, services.registry):
                async with running(worker.tasks | hearing):
                    say(f"lms_rt worker ready: {', '.join(queues)}")
                    await until_told()
                    say("stopping: what runs may end, nothing new is taken …")
                    await worker.close()


@contextmanager
def _figures(address: str | None, registry: CollectorRegistry) -> Iterator[None]:
    """The figures of this process at an address of its own, in a thread; without one: nowhere."""
    if not address:
        yield
        return
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        raise StoreError(f"--metrics is HOST:PORT, not {address}")
    all_figures = CollectorRegistry()
    for one in (registry, REGISTRY):
        all_figures.register(one)  # a registry collects as a collector does
    server, thread = start_http_server(int(port), host or "127.0.0.1", all_figures)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=1)
