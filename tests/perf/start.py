"""`python -m tests.perf.start`: how long the second start takes until the server answers, and what it holds in memory."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from config.settings import Settings
from tests.perf.server import cpu_seconds, resident_mib
from tests.servers.lms_server import LmsServer

ROUNDS = 5


def main() -> None:
    """Start with the demo school, kill it, and measure the starts after that."""
    seconds, cpu, mib = [], [], []
    with tempfile.TemporaryDirectory(prefix="lms_rt-perf-") as directory:
        path = Path(directory)
        settings = Settings(_env_file=None, lms_data_dir=path / "data")
        with LmsServer(settings, log=path / "server.log") as server:
            for _ in range(ROUNDS):
                server.kill()
                begun = time.monotonic()
                server.start()
                seconds.append(time.monotonic() - begun)
                cpu.append(cpu_seconds(server.pid))
                mib.append(resident_mib(server.pid))
    sys.stdout.write(
        f"second start, median of {ROUNDS}: ready after {statistics.median(seconds):.2f} s, "
        f"{statistics.median(cpu):.2f} s of CPU, {statistics.median(mib):.0f} MiB resident\n"
    )


if __name__ == "__main__":
    main()
