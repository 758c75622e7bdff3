"""A server to measure, in a process of its own, and what it has used: CPU time over all threads, and memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.settings import Settings
from tests.servers.lms_server import LmsServer

_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def measured_server() -> Iterator[LmsServer]:
    """An empty school on the embedded store, with cheap passwords: they are not what is measured."""
    with tempfile.TemporaryDirectory(prefix="lms_rt-perf-") as directory:
        path = Path(directory)
        settings = Settings(
            _env_file=None,
            lms_data_dir=path / "data",
            password_hash_cost=4,
            allow_public_role_registration=True,
        )
        with LmsServer(settings, "--no-demo", log=path / "server.log") as server:
            yield server


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads since the process began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mib(pid: int) -> float:
    """What the process holds in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
