"""`run.py serve` as a process of its own: killed as a crash would, started again with the same data on the same port."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import SecretStr

from config.settings import Settings
from tests.servers.ports import free_port
from tests.servers.processes import ServerProcess


class LmsServer:
    """A server with these settings; `options` are further words of the command."""

    ready = "lms_rt ready on"
    """What it prints when it is ready."""
    is_forked = True
    """From what has imported the product already; what is executed takes three times as long."""
    run_py = str(Path(__file__).resolve().parents[2] / "run.py")

    def __init__(self, settings: Settings, *options: str, log: Path) -> None:
        self.log, self.port = log, free_port()
        self.options = options
        self._env = {"HTTP_PORT": str(self.port), **environment_of(settings)}
        self._process: ServerProcess | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def command(self) -> list[str]:
        """What is run."""
        return [sys.executable, self.run_py, "serve", *self.options]

    def start(self) -> Self:
        """Start it; returns when it answers."""
        self._process = ServerProcess(self.command(), env=self._env, log=self.log, is_forked=self.is_forked)
        try:
            self._process.line_with(self.ready)
        except RuntimeError as error:
            self.kill()
            raise RuntimeError(f"{error}\n{self.log.read_text()[-5000:]}") from None
        return self

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
        self._process = None

    def freeze(self) -> None:
        """Let it hang: its connections stay, it does nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> int:
        """Ask it to end, as an operator does; its exit status (0 when it was not there)."""
        status = self._process.stop() if self._process is not None else 0
        self._process = None
        return status

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.stop()


def environment_of(settings: Settings) -> dict[str, str]:
    """What was set for the lane, as the environment of a process."""
    given: dict[str, Any] = {name: getattr(settings, name) for name in settings.model_fields_set - {"http_port"}}
    lane = {name.upper(): _word(value) for name, value in given.items()}
    return {"PATH": os.environ["PATH"], "LOG_LEVEL": "WARNING", **lane}


def _word(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(value) if isinstance(value, tuple) else str(value)
