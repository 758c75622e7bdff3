"""Processes forked from `template.py`, which is begun when the first is asked for; to be used as those of `subprocess`."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from io import FileIO
from pathlib import Path
from typing import BinaryIO

_ROOT = Path(__file__).resolve().parents[2]
_END_SECONDS = 30.0


_beginning = threading.Lock()


def _template() -> socket.socket:
    """The way to this process's own."""
    with _beginning:  # servers are started side by side
        return _begun()


@cache
def _begun() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", "tests.servers.template", str(theirs.fileno())]
        process = subprocess.Popen(command, cwd=_ROOT, pass_fds=[theirs.fileno()])

    def end() -> None:
        ours.close()
        process.wait(_END_SECONDS)

    atexit.register(end)
    return ours


class Forked:
    """`python` with these words. Its output goes to a pipe, its input comes from one; `errors` is where the rest goes."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None,
        errors: BinaryIO | None,
        cwd: Path | None = None,
    ) -> None:
        """Without `errors` they go where its output goes."""
        self.args = list(command)
        given, self._input = os.pipe()
        self._output, written = os.pipe()
        self._told, telling = os.pipe()
        wanted = {
            "words": self.args[1:],
            "env": dict(os.environ if env is None else env),
            "cwd": str(cwd or Path.cwd()),
        }
        descriptors = [given, written, written if errors is None else errors.fileno(), telling]
        socket.send_fds(_template(), [json.dumps(wanted).encode()], descriptors)
        for one in (given, written, telling):
            os.close(one)
        self.stdin, self.stdout = FileIO(self._input, "w"), FileIO(self._output)
        self._words = b""
        self._status: int | None = None
        self.pid = int(self._word(None))

    def poll(self) -> int | None:
        """Its exit status, if it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, as `subprocess` tells it."""
        if self._status is None:
            self._status = int(self._word(timeout))
            os.close(self._told)
        return self._status

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _word(self, timeout: float | None) -> str:
        """The next line of what is told about it."""
        while b"\n" not in self._words:
            with selectors.DefaultSelector() as selector:
                selector.register(self._told, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
            if not (some := os.read(self._told, 100)):
                raise RuntimeError(f"nobody can say any more how {self.args} ended")
            self._words += some
        word, _, self._words = self._words.partition(b"\n")
        return word.decode()
