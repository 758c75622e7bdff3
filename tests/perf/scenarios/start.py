"""Start: how long the second start takes until the server answers, and what it holds in memory then."""

from __future__ import annotations

import time

from config.settings import Settings
from tests.perf.arena import Arena
from tests.perf.programs import SERVER_CORE, cpu_seconds, pinned, resident_kib
from tests.perf.tables import Goal, Sample, Table
from tests.servers.lms_server import LmsServer

GOALS: tuple[Goal, ...] = ()


def start(arena: Arena) -> list[Table]:
    """With the demo school, each time after a crash."""
    table = Table("start", "Second start, with the demo school", "as named")
    settings = Settings(_env_file=None, lms_data_dir=arena.scratch / "demo")
    arena.say(table.title)
    server = LmsServer(settings, log=arena.log)
    server.is_forked = False
    with pinned(SERVER_CORE), server:
        for _ in range(arena.repeat):
            server.kill()
            began = time.monotonic()
            server.start()
            table.add("s until it answers", Sample(time.monotonic() - began))
            table.add("s of CPU", Sample(cpu_seconds(server.pid)))
            table.add("MiB resident", Sample(resident_kib(server.pid) / 1024))
    return [table]
