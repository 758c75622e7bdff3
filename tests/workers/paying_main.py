"""A node and two workers that die again and again: `python -m tests.workers.paying_main SEED LIVES NOTES`.

Each is forked anew when it dies. In each of the first LIVES it kills itself, as `kill -9` would, before or after some write about
money that the seed says. Each death is a line in the file NOTES; who comes after them all works on, until SIGTERM ends all.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import os
import random
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from pymongo import monitoring

from config.logging import set_up_logging
from config.settings import load_settings
from documents.enrollment import Enrollment
from documents.gateway_event import GatewayEvent
from documents.invoice import Invoice
from documents.job import Job
from documents.journal_entry import JournalEntry
from documents.order import Order
from documents.payment import Payment
from documents.refund import Refund
from documents.stored_file import StoredFile
from lms_rt.services import jobs
from tests.servers.node_main import _serve
from workers import run, worker

CORE: tuple[Any, ...] = (Payment, Order, JournalEntry, Enrollment, Invoice)
BESIDE: tuple[Any, ...] = (GatewayEvent, Refund, Job, StoredFile)
WRITES = ("insert", "update", "delete", "findAndModify")
MOST_WRITES = 6
NAMES = ("node", "worker1", "worker2")
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def death_of(seed: str, name: str, life: int) -> tuple[str, bool, int]:
    """At writes of which collection somebody dies, whether before one is carried out, and at which of them.

    The first lives of the workers die around the first write of all that matters most; later ones, and the node, anywhere.
    """
    points = [(one.Settings.name, is_before) for one in CORE for is_before in (True, False)]
    random.Random(seed).shuffle(points)  # noqa: S311 - goes the same way again
    chance = random.Random(f"{seed}:{name}:{life}")  # noqa: S311
    if name == "node":
        return GatewayEvent.Settings.name, chance.random() < 0.5, chance.randint(1, MOST_WRITES)
    place = 2 * life + NAMES.index(name) - 1
    if place < len(points):
        return (*points[place], 1)
    return chance.choice((*CORE, *BESIDE)).Settings.name, chance.random() < 0.5, chance.randint(1, MOST_WRITES)


class Death(monitoring.CommandListener):
    """Kills this process before or after the write that was drawn."""

    def __init__(self, collection: str, is_before: bool, number: int) -> None:
        self._collection, self._is_before, self._left = collection, is_before, number

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Count it; it is not carried out, if the worker dies before it."""
        if event.command_name in WRITES and event.command[event.command_name] == self._collection:
            self._left -= 1
            if self._left == 0 and self._is_before:
                os.kill(os.getpid(), signal.SIGKILL)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """It is carried out, and nobody here hears of it."""
        if self._left <= 0 and event.command_name in WRITES:
            os.kill(os.getpid(), signal.SIGKILL)

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """No write."""


def live(name: str) -> int:
    """One life of somebody, until it is told to end; the exit status."""
    if name == "node":
        settings = load_settings(_env_file=None)
        set_up_logging(settings)
        asyncio.run(_serve(settings, {}))
        return 0
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    return run.main(parser.parse_args([]))


class Family:
    """Who lives now."""

    def __init__(self, seed: str, lives: int, notes: Path) -> None:
        self._seed, self._lives, self._notes = seed, lives, notes
        self._living: dict[int, tuple[str, int]] = {}
        self._is_over = False

    def keep_alive(self) -> int:
        """All of them, until they are told to end; then the worst exit status."""
        signal.signal(signal.SIGTERM, self._tell)
        for name in NAMES:
            self._bear(name, 0)
        worst = 0
        while self._living:
            pid, ended = os.wait()
            name, life = self._living.pop(pid)
            status = os.waitstatus_to_exitcode(ended)
            if status == -signal.SIGKILL and not self._is_over:
                with self._notes.open("a") as file:
                    file.write(f"{name} {life}\n")
                self._bear(name, life + 1)
            else:
                worst = max(worst, abs(status))
        return worst

    def _bear(self, name: str, life: int) -> None:
        if pid := os.fork():
            self._living[pid] = (name, life)
            return
        status = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
            if life < self._lives:
                monitoring.register(Death(*death_of(self._seed, name, life)))
            status = live(name)
        finally:
            os._exit(status)

    def _tell(self, number: int, _: FrameType | None) -> None:
        self._is_over = True
        for pid in self._living:
            os.kill(pid, number)


if __name__ == "__main__":
    jobs.LEASE_SECONDS, jobs.SUSPECT_SECONDS, jobs.MAX_CRASHES = 1.0, 0.05, 1_000
    worker.RENEW_SECONDS = jobs.LEASE_SECONDS / 3  # type: ignore[attr-defined]
    sys.exit(Family(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])).keep_alive())
