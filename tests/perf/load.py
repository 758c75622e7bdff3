"""The load of the benchmarks, driven from here: `load.c` where there is a C compiler, else the same in Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.perf.programs import LOAD_CORE, Program, ProgramError

__all__ = ["Load", "Opening", "ProgramError", "Report"]

_HERE = Path(__file__).resolve().parent
ROOT = _HERE.parent.parent
BUILT = ROOT / ".lms_test" / "bench"
"""Where programs are built and the peers' packages are installed; ignored by git."""

EVENT_WORD, REPLY_WORD = '"course_updated"', "server_time"
WINDOW = 32
"""Connections that open at the same time."""
ADMITTED_PER_SECOND = 900
"""Below what a node of ours admits."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How a connection of this kind of server begins."""

    hello: str = ""
    sent_after: str = "first"
    """`first`: when the first frame came; `upgrade`: at once."""
    ready: str = ""
    """What the frame holds that says it is open; "": the upgrade does."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the load saw."""

    count: int
    seconds: float
    cpu_seconds: float
    p50_us: float
    p99_us: float
    max_us: float

    @property
    def load_share(self) -> float:
        """How busy the load's core was: near 1, and it measured itself."""
        return self.cpu_seconds / self.seconds if self.seconds else 0.0


def compiled(source: Path) -> Path | None:
    """The program made from a C source; None without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    BUILT.mkdir(parents=True, exist_ok=True)
    program = BUILT / source.stem
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        made = program.with_suffix(".new")
        subprocess.run([compiler, "-O2", "-o", str(made), str(source)], check=True)
        made.replace(program)
    return program


def load_command() -> list[str]:
    """The load's program."""
    program = compiled(_HERE / "load.c")
    return [str(program)] if program is not None else [sys.executable, "-m", "tests.perf.load_in_python"]


class Load:
    """Many clients of one server, in a process of their own."""

    def __init__(self, port: int, trigger: Program, opening: Opening, *, log: Path) -> None:
        self.clients = 0
        words = [EVENT_WORD, opening.hello, opening.sent_after, opening.ready]
        command = [*load_command(), "127.0.0.1", str(port), str(trigger.orders), *words]
        self._program = Program(command, core=LOAD_CORE, log=log, cwd=ROOT, pass_fds=[trigger.orders])

    @property
    def pid(self) -> int:
        """The process."""
        return self._program.pid

    def open(self, paths: Sequence[str], file: Path) -> Report:
        """One client for each path; returns when all are open."""
        file.write_text("".join(f"{path}\n" for path in paths))
        self.clients = len(paths)
        return self._done(f"open {file} {WINDOW} {ADMITTED_PER_SECOND}")

    def rounds(self, rounds: int, events: int = 1, *, more_bytes: int = 0) -> Report:
        """Order so many events at once, wait until everybody has them, and again."""
        return self._done(f"rounds {rounds} {events} {more_bytes}")

    def pace(self, events: int, rate: int, *, more_bytes: int = 0) -> Report:
        """Order one event after the other, so many a second."""
        return self._done(f"pace {events} {rate} {more_bytes}")

    def ask(self, total: int, window: int, frame: str) -> Report:
        """Send a command so often, and count the replies."""
        return self._done(f"ask {total} {window} {REPLY_WORD} {frame}")

    def stall(self, count: int) -> None:
        """Let the first clients read no more."""
        self._done(f"stall {count}")

    def close(self) -> None:
        """Close all clients."""
        self._done("close")
        self.clients = 0

    def _done(self, order: str) -> Report:
        answered: dict[str, Any] = self._program.answer(order)
        return Report(**answered)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._program.stop()
