"""`run.py scheduler` as a process of its own, as an operator starts it."""

from __future__ import annotations

import sys

from tests.servers.lms_server import LmsServer


class LmsScheduler(LmsServer):
    """One of any number."""

    ready = "lms_rt scheduler ready"

    def command(self) -> list[str]:
        """What is run."""
        return [sys.executable, self.run_py, "scheduler"]
