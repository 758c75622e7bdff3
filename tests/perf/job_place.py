"""Where background work is measured: a MongoDB and a Redis of their own, one who asks for jobs, and workers that come and go."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.perf.contestants import OURS
from tests.perf.programs import LOAD_CORE, SERVER_CORE, Program, ProgramError, pinned
from tests.perf.tables import Table
from tests.servers.mongo_server import running_mongo
from tests.servers.redis_server import RedisServer

_ROOT = Path(__file__).resolve().parents[2]
_KEY = "0123456789abcdefghijklmnopqrstuv"  # of no use outside the benchmarks
_LOOK_SECONDS = 0.1
_PUT_AT_ONCE = 10_000
_PATIENCE_SECONDS = 240.0


class JobPlace:
    """The servers and the maker on the load's core; workers on the other."""

    def __init__(self, *, mongodb_url: str, redis: RedisServer, folder: Path, stack: ExitStack) -> None:
        self.redis, self.folder, self._stack = redis, folder, stack
        self.log, self.notes = folder / "programs.log", folder / "notes"
        self.notes.touch()
        self.environment = {
            "PATH": os.environ["PATH"],
            "MONGODB_URL": mongodb_url,
            "REDIS_URL": redis.url,
            "MONGODB_DATABASE": "bench",
            "SECRET_KEY": _KEY,
            "PASSWORD_PEPPER": _KEY[::-1],
            "SIGNING_KEY": "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=",
            "PASSWORD_HASH_COST": "4",
            "LMS_DATA_DIR": str(folder),
            "LOG_LEVEL": "ERROR",
        }
        self.maker = self.program("tests.perf.job_maker", core=LOAD_CORE)
        self.maker.line()

    def program(self, module: str, *words: str, core: int, **more: str) -> Program:
        """A program on this place's servers, ended at the end."""
        command, env = [sys.executable, "-m", module, *words], {**self.environment, **more}
        return self._stack.enter_context(Program(command, core=core, log=self.log, cwd=_ROOT, env=env))

    def start_worker(self, queue: str = "progress", **settings: str) -> Program:
        """One more worker of a queue, that of the noting task or another; it says a line when it is ready."""
        return self.program("tests.perf.noting_worker", str(self.notes), queue, core=SERVER_CORE, **settings)

    def put(self, count: int, prefix: str, *, accounts: int = 0) -> None:
        """Ask for so many jobs, some thousands with each order; accounts are for one order alone."""
        for first in range(0, count, _PUT_AT_ONCE):
            self.maker.answer(f"put {min(_PUT_AT_ONCE, count - first)} {prefix}{first}_ {accounts}")

    def states(self) -> dict[str, int]:
        """How many jobs there are by state."""
        return self.maker.answer("states")

    def noted(self) -> list[tuple[str, int]]:
        """Every run so far: job id, nanoseconds of its begin."""
        return times_in(self.notes)


def times_in(file: Path) -> list[tuple[str, int]]:
    """Lines of "id, nanoseconds"; one that is not whole yet is left out."""
    whole = file.read_text().rpartition("\n")[0]
    return [(job_id, int(at_ns)) for job_id, _, at_ns in (line.partition(" ") for line in whole.splitlines())]


def killed(worker: Program) -> None:
    """End it as a crash would."""
    os.kill(worker.pid, signal.SIGKILL)
    worker.stop()


def wait_until(is_so: Callable[[], Any], *, seconds: float = _PATIENCE_SECONDS) -> None:
    """Look again and again. Raises `ProgramError` when it does not become so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise ProgramError("it did not come to its end")
        time.sleep(_LOOK_SECONDS)


@contextmanager
def job_place(folder: Path) -> Iterator[JobPlace]:
    """A place of one's own."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with pinned(LOAD_CORE):
            mongodb_url = stack.enter_context(running_mongo())
            redis = stack.enter_context(RedisServer())
        yield JobPlace(mongodb_url=mongodb_url, redis=redis, folder=folder, stack=stack)


@contextmanager
def opened_for(tables: Sequence[Table], opening: AbstractContextManager[JobPlace]) -> Iterator[JobPlace | None]:
    """The place; None, and the reason in the tables: this machine lacks a server."""
    with ExitStack() as stack:
        try:
            place = stack.enter_context(opening)
        except (pytest.skip.Exception, pytest.fail.Exception) as missing:
            for table in tables:
                table.absent[OURS] = str(missing)
            yield None
            return
        yield place
