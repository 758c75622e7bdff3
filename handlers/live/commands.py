"""Commands of the live protocol: what one is, the session they run in, and how one frame becomes one reply.

Which commands there are stands in `handlers/live/table.py`; each file beside this one declares those of its domain word.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Draft, read_model
from lms_rt.contracts.frames import CommandFrame, error_frame, reply_frame
from lms_rt.errors import Code, Refused
from lms_rt.realtime.connection import Connection
from lms_rt.realtime.subscription import Subscription
from lms_rt.storage.faults import faults_translated

if TYPE_CHECKING:
    from lms_rt.bootstrap import Services
    from lms_rt.bus.base import Position

_log = logging.getLogger(__name__)

CommandFunction = Callable[["LiveSession", Any], Awaitable[Any]]
"""Given the session and the validated command; returns a view, a mapping, or None for `{}`."""


CommandModel = type[Draft]


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table: the type that clients send, the model of its fields (without `id` and `type`), what it does."""

    type: str
    model: CommandModel
    function: CommandFunction


class LiveSession:
    """One connection's side of the commands: who it is, what it listens to. Commands of one session run one by one."""

    def __init__(self, services: Services, connection: Connection) -> None:
        self.services = services
        self.connection = connection
        self.received_ms = connection.last_heard_ms
        """When the running command arrived: answers count by that, however long it waits for what ran before."""
        self._fresh: list[Subscription] = []

    @property
    def actor(self) -> Actor:
        """Who is signed in on this connection."""
        return self.connection.actor

    async def subscribe(self, channel: str, since: Position | None = None) -> Subscription:
        """Listen to a channel that a service has allowed. What arrives is held until the running command has replied."""
        subscription = await self.services.node.subscribe(self.connection, channel, since)
        self._fresh.append(subscription)
        return subscription

    def has_room_for(self, channel: str | None) -> bool:
        """Can this connection listen to the channel (None: to one more)?"""
        return self.services.node.has_room_for(self.connection, channel)

    def release(self) -> None:
        """Let go what was held: the reply is on its way, events may follow it."""
        for subscription in self._fresh:
            subscription.release()
        self._fresh.clear()


async def run_command(session: LiveSession, commands: Mapping[str, Command], frame: CommandFrame) -> None:
    """Run one command and send its reply; whatever goes wrong becomes an error reply."""
    result = "refused"
    try:
        reply = reply_frame(frame.id, await _result(session, commands, frame))
        result = "done"
    except Refused as refused:
        reply = error_frame(frame.id, refused)
    except Exception:  # noqa: BLE001 - a fault of ours; the connection goes on
        _log.exception("command %s failed", frame.type)
        reply = error_frame(frame.id, Refused(Code.UNAVAILABLE, "Something went wrong on our side."))
        result = "failed"
    session.connection.send_text(reply)
    session.release()
    # An unknown type is the client's own word: as a label it would grow without bound.
    session.services.node.metrics.count_command(frame.type if frame.type in commands else "unknown", result)


async def _result(session: LiveSession, commands: Mapping[str, Command], frame: CommandFrame) -> Any:
    command = commands.get(frame.type)
    if command is None:
        raise Refused(Code.UNKNOWN_COMMAND, f"There is no command {frame.type[:60]!r}.")
    try:
        asked = read_model(command.model, frame.fields)
    except Refused as refused:
        raise Refused(Code.INVALID_COMMAND, fields=refused.fields) from None
    with faults_translated():
        return await command.function(session, asked)
