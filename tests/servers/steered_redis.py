"""A Redis of a test's own, on a port that it keeps: stopped, killed, frozen, flushed, started with nothing or an older dump."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from tests.servers.absence import require_program
from tests.servers.lms_server import free_port
from tests.servers.processes import ServerProcess


class SteeredRedis:
    """It keeps nothing by itself; `dump` and `start(dump)` are how something survives."""

    def __init__(self, folder: Path) -> None:
        self.port, self._folder = free_port(), folder
        self._process: ServerProcess | None = None
        self.console = redis.Redis(port=self.port, decode_responses=True)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, dump: Path | None = None) -> Self:
        """Start it, empty or with what was dumped; returns when it answers."""
        kept = self._folder / "dump.rdb"
        kept.unlink(missing_ok=True)
        if dump is not None:
            shutil.copy(dump, kept)
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self._folder),
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = ServerProcess([require_program("redis-server"), *words])
        self._process.line_with("Ready to accept connections")
        return self

    def dump(self) -> Path:
        """Everything as it is now, for a later `start`."""
        self.console.save()
        taken = self._folder / f"taken-{len(list(self._folder.iterdir()))}.rdb"
        return Path(shutil.copy(self._folder / "dump.rdb", taken))

    def kill(self) -> None:
        """End it at once: its connections are gone, whoever asks is refused."""
        if self._process is not None:
            self._process.kill()
        self._process = None
        self.console.connection_pool.disconnect()

    def freeze(self) -> None:
        """Let it hang: connections stay, nobody answers."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.kill()
        self.console.close()
