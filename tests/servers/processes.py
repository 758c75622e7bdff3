"""Starting a server for tests, waiting for what it prints when it is ready, and ending it whatever happens."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from tests.secrets_used import note_environment, note_output
from tests.servers.forked import Forked

READY_SECONDS = 120.0
_END_SECONDS = 30.0


class ServerProcess:
    """A process whose input stays open (a server may end with it, should we be killed) and whose output is read here.

    With `log`, what it writes to standard error is added to that file: output that nobody reads would stop it. With
    `is_forked` the product is imported already when it begins (`template.py`): not for tests of the start itself.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: dict[str, str] | None = None,
        log: Path | None = None,
        is_forked: bool = False,
    ) -> None:
        note_environment(env or {})
        if log is not None:
            note_output(log)
        with log.open("ab") if log is not None else contextlib.nullcontext() as errors:
            self._process = (
                Forked(command, env=env, errors=errors) if is_forked else _executed(command, env=env, errors=errors)
            )
        self._unread = b""
        self.printed: list[str] = []

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> int:
        """Ask it to end, insist after a while, and return its exit status."""
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return self._ended()

    def wait(self, *, seconds: float = READY_SECONDS) -> int:
        """Its exit status, once it has ended by itself."""
        self._process.wait(seconds)
        return self._ended()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._ended()

    def line_with(self, wanted: str, *, seconds: float = READY_SECONDS) -> str:
        """The next line of output that holds `wanted`; an error with everything printed, when it does not come."""
        deadline = time.monotonic() + seconds
        while True:
            line = self._next_line(deadline)
            if line is None:
                raise RuntimeError(f"{self._process.args!r} did not print {wanted!r}:\n" + "\n".join(self.printed))
            self.printed.append(line)
            if wanted in line:
                return line

    def lines_to_the_end(self, *, seconds: float) -> list[str]:
        """All that it prints until it has no more to say."""
        deadline = time.monotonic() + seconds
        while (line := self._next_line(deadline)) is not None:
            self.printed.append(line)
        return self.printed

    def _next_line(self, deadline: float) -> str | None:
        output = self._process.stdout
        assert output is not None
        while b"\n" not in self._unread:
            with selectors.DefaultSelector() as selector:
                selector.register(output, selectors.EVENT_READ)
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return None
            if not (some := os.read(output.fileno(), 65_536)):
                return None
            self._unread += some
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode(errors="replace").rstrip("\r")

    def _ended(self) -> int:
        status = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        note_output(self.printed)
        return status


def run_forked(command: Sequence[str], *, env: dict[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` with all output captured, forked; nothing is read by it."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "errors"
        with ServerProcess(command, env=env, log=log, is_forked=True) as process:
            printed = process.lines_to_the_end(seconds=timeout)
            status = process.wait(seconds=timeout)
        return subprocess.CompletedProcess(command, status, "\n".join(printed), log.read_text(encoding="utf-8"))


def _executed(
    command: Sequence[str], *, env: dict[str, str] | None, errors: BinaryIO | None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if errors is None else errors,
        bufsize=0,
        env=env,
    )
