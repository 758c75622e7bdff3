"""A real node as a process, with limits and a wall clock that a test has chosen: `python -m tests.servers.node_main JSON`.

The JSON may hold `limits` (fields of `NodeLimits`), `clock_skew_ms`, `renewals_in_a_life` (of who is present),
`leave_after_ms` (from the end of a line), `goes_by_words`: what people may do is never looked at without one, and
`dies_at_rotation`: as soon as a session has been rotated in the database, and nobody told. Settings come from the environment,
as always.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

from tornado.netutil import bind_sockets

from config.logging import set_up_logging
from config.settings import Settings, load_settings
from documents.session import Session
from handlers.serve import serving
from lms_rt.bootstrap import open_services
from lms_rt.realtime import authority, presence
from lms_rt.realtime.node import NodeLimits


def main(given: dict[str, Any]) -> None:
    """Serve until SIGTERM."""
    _skew_wall_clock(given.get("clock_skew_ms", 0))
    if given.get("goes_by_words"):
        authority.STEP_SECONDS = 3_600.0
    presence.LEAVE_AFTER_MS = given.get("leave_after_ms", presence.LEAVE_AFTER_MS)
    presence._RENEWALS_IN_A_LIFE = given.get("renewals_in_a_life", presence._RENEWALS_IN_A_LIFE)
    if given.get("dies_at_rotation"):
        _die_at_rotation()
    settings = load_settings(_env_file=None)
    set_up_logging(settings)
    options = {"limits": NodeLimits(**given["limits"])} if "limits" in given else {}
    asyncio.run(_serve(settings, options))


def _skew_wall_clock(skew_ms: int) -> None:
    """Make this machine's clock wrong by so much, for whoever asks it."""
    told_ns = time.time_ns
    time.time_ns = lambda: told_ns() + skew_ms * 1_000_000
    time.time = lambda: time.time_ns() / 1e9


def _die_at_rotation() -> None:
    """End as `kill -9` would, between the write and its answer."""
    rotate = Session.rotate

    async def rotate_and_die(*args: Any, **options: Any) -> None:
        await rotate(*args, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    Session.rotate = rotate_and_die  # type: ignore[method-assign,assignment]


async def _serve(settings: Settings, options: dict[str, Any]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    sockets = bind_sockets(settings.http_port, settings.http_host)
    async with open_services(settings, **options) as services, serving(services, sockets) as address:
        print(f"lms_rt ready on {address}", flush=True)  # noqa: T201 - what the test waits for
        await stop.wait()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
