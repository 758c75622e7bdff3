"""Commands about time: `ping`, and `time.sync`, by which a client measures its offset from the server's clock.

They wait for nothing, and are answered in the step of the loop that read them.
"""

from __future__ import annotations

from typing import Any

from handlers.live.commands import Command, LiveSession
from lms_rt.clock import rfc3339_of_ms
from lms_rt.contracts.live import PingCommand, PingView, TimeSyncCommand, TimeSyncView
from lms_rt.security.rights import Reach


def ping(session: LiveSession, _: PingCommand) -> dict[str, Any]:
    """Answer."""
    return {"server_time": rfc3339_of_ms(session.services.clock.now_ms())}


def sync(session: LiveSession, command: TimeSyncCommand) -> dict[str, Any]:
    """`t1` and `t2`: epoch milliseconds when the command was read and when it is answered, here the same moment."""
    clock = session.services.clock
    now_ms = clock.now_ms()
    return {"t0": command.t0, "t1": now_ms, "t2": clock.now_ms(), "clock_error_ms": clock.error_ms}


COMMANDS: tuple[Command, ...] = (
    Command("ping", PingCommand, ping, PingView, reach=Reach.ALL),
    Command("time.sync", TimeSyncCommand, sync, TimeSyncView, reach=Reach.ALL),
)
