"""Worker processes: `run.py worker` as an operator starts it, or the same with tasks of a test's own."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.settings import Settings
from tests.servers.lms_server import LmsServer


class LmsWorker(LmsServer):
    """A worker of these queues (none: all). With `given` it is `tests/workers/worker_main.py`, which says what may be given."""

    ready = "lms_rt worker ready"

    def __init__(
        self, settings: Settings, *queues: str, log: Path, given: Mapping[str, Any] | None = None, metrics: str = ""
    ) -> None:
        words = ("--queues", ",".join(queues)) if queues else ()
        super().__init__(settings, *words, *(("--metrics", metrics) if metrics else ()), log=log)
        self.given = given

    def command(self) -> list[str]:
        """What is run."""
        if self.given is None:
            return [sys.executable, self.run_py, "worker", *self.options]
        return [sys.executable, "-m", "tests.workers.worker_main", json.dumps(self.given), *self.options]

    def interrupted(self) -> int:
        """Its exit status after Ctrl-C."""
        assert self._process is not None
        os.kill(self.pid, signal.SIGINT)
        return self._process.wait()
