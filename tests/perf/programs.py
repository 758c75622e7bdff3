"""Programs that are measured: started on one core, asked and ordered by lines, and what they used: CPU time and memory."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers.forked import Forked

SERVER_CORE, LOAD_CORE = 0, 1
_ANSWER_SECONDS = 180.0
_END_SECONDS = 10.0


class ProgramError(Exception):
    """A program ended, was silent, or said what went wrong."""


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """What is started meanwhile runs on this core alone; with a single core, or no right to choose, on any."""
    before = os.sched_getaffinity(0)
    with contextlib.suppress(OSError):
        if len(before) > 1:
            os.sched_setaffinity(0, {sorted(before)[core % len(before)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Program:
    """A process that prints lines and takes orders; it ends with its input, should we be killed."""

    is_forked = False
    """Has what is written in Python imported the product already when it begins? For tests of scenarios, not for figures."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        core: int,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self._log, self._unread = log, b""
        self._process: subprocess.Popen[bytes] | Forked
        with log.open("ab") as errors, pinned(core):
            if self.is_forked and command[0] == sys.executable and not pass_fds:
                self._process = Forked(command, env=env, errors=errors, cwd=cwd)
                return
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
                cwd=cwd,
                env=None if env is None else dict(env),
                pass_fds=tuple(pass_fds),
            )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def orders(self) -> int:
        """The file descriptor where its orders go in."""
        assert self._process.stdin is not None
        return self._process.stdin.fileno()

    def order(self, words: str) -> None:
        """Write one line."""
        os.write(self.orders, f"{words}\n".encode())

    def line(self, *, seconds: float = _ANSWER_SECONDS) -> str:
        """The next line that it prints."""
        output = self._process.stdout
        assert output is not None
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise ProgramError(f"{self._process.args!r} said nothing for {seconds:.0f} s")
                if not (some := os.read(output.fileno(), 65_536)):
                    raise ProgramError(f"{self._process.args!r} ended: {self._log.read_text()[-2000:]}")
                self._unread += some
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def answer(self, order: str, *, seconds: float = _ANSWER_SECONDS) -> dict[str, Any]:
        """Give an order that is answered by a line of JSON."""
        self.order(order)
        answered: dict[str, Any] = json.loads(self.line(seconds=seconds))
        if "error" in answered:
            raise ProgramError(f"{order[:60]}: {answered['error']}")
        return answered

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.stop()


def give_way() -> None:
    """Let this process run only when nobody else wants its core."""
    os.nice(19)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads since the process began, to the nanosecond (`clock_getcpuclockid`)."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def strangers_seconds(mine: Collection[int]) -> dict[int, float]:
    """The same of each process of this machine but these."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (pid := int(entry.name)) not in mine:
            with contextlib.suppress(OSError):  # it has ended meanwhile
                found[pid] = cpu_seconds(pid)
    return found


def resident_kib(pid: int, *, peak: bool = False) -> int:
    """What the process holds in memory, or held at most since `forget_peak`."""
    name = "VmHWM:" if peak else "VmRSS:"
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name))


def forget_peak(pid: int) -> None:
    """The most that the process held is counted from here."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def kernel_queue_bytes(port: int) -> int:
    """What waits in the kernel, in both directions, on the connections of a server of this machine."""
    mine, total = f":{port:04X}", 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, remote, _, queues = line.split()[1:5]
        if local.endswith(mine) or remote.endswith(mine):
            total += sum(int(queue, 16) for queue in queues.split(":"))
    return total
