"""Commands of the live protocol: what one is, the session they run in, and how one frame becomes one reply.

Which commands there are stands in `handlers/live/table.py`; each file beside this one declares those of its domain word.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handlers.rest.access import refuse_impersonator
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Draft, View, read_model
from lms_rt.contracts.frames import CommandFrame, error_frame, reply_frame
from lms_rt.contracts.live import DoneView
from lms_rt.errors import Code, Refused
from lms_rt.realtime.connection import Connection
from lms_rt.realtime.subscription import Subscription
from lms_rt.security.rights import Reach
from lms_rt.storage.faults import translated

if TYPE_CHECKING:
    from lms_rt.bootstrap import Services
    from lms_rt.bus.base import Position

_log = logging.getLogger(__name__)

CommandFunction = Callable[["LiveSession", Any], Any]
"""Given the session and the validated command; returns a view, a mapping, or None for `{}`, or a coroutine of those."""


CommandModel = type[Draft]
CommandReply = type[View]


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table: the type that clients send, the model of its fields (without `id` and `type`), what it does.

    `reply` describes the result for the documents; `reach` says whose things are reached (`lms_rt/security/rights.py`):
    without it the product's own table is not served. What `is_own_alone` nobody may do in another's place.
    """

    type: str
    model: CommandModel
    function: CommandFunction
    reply: CommandReply = DoneView
    reach: Reach | None = None
    is_own_alone: bool = False


class LiveSession:
    """One connection's side of the commands: who it is, what it listens to. Commands of one session run one by one."""

    __slots__ = ("_fresh", "connection", "received_ms", "services")

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


def begin_command(
    session: LiveSession, commands: Mapping[str, Command], frame: CommandFrame
) -> Coroutine[Any, Any, None] | None:
    """Run a command and send its reply; whatever goes wrong becomes an error reply.

    Most commands wait for something: then nothing has been done yet, and what is returned is to be awaited.
    """
    try:
        outcome = _outcome(session, commands.get(frame.type), frame)
        if asyncio.iscoroutine(outcome):
            return _reply_later(session, frame, outcome)
        reply, result = reply_frame(frame.id, outcome), "done"
    except Exception as fault:  # noqa: BLE001 - a fault of ours; the connection goes on
        reply, result = _reply_of_fault(frame, fault)
    # An unknown type is the client's own word: as a label it would grow without bound.
    _send_reply(session, frame.type if frame.type in commands else "unknown", reply, result)
    return None


async def _reply_later(session: LiveSession, frame: CommandFrame, outcome: Coroutine[Any, Any, Any]) -> None:
    try:
        reply, result = reply_frame(frame.id, await outcome), "done"
    except Exception as fault:  # noqa: BLE001 - as above
        reply, result = _reply_of_fault(frame, fault)
    _send_reply(session, frame.type, reply, result)


def _outcome(session: LiveSession, command: Command | None, frame: CommandFrame) -> Any:
    """What the command gives, or the coroutine that will."""
    if command is None:
        raise Refused(Code.UNKNOWN_COMMAND, f"There is no command {frame.type[:60]!r}.")
    try:
        asked = read_model(command.model, frame.fields)
    except Refused as refused:
        raise Refused(Code.INVALID_COMMAND, fields=refused.fields) from None
    if session.actor.is_impersonated:
        return _noted(session, command, asked)
    return command.function(session, asked)


async def _noted(session: LiveSession, command: Command, asked: Draft) -> Any:
    """What is done in somebody else's place is recorded first, with the channel that it is about."""
    channel = getattr(asked, "channel", "")
    await session.services.audit.note_use(session.actor, "command", f"{command.type} {channel}".rstrip())
    if command.is_own_alone:
        refuse_impersonator(session.actor)
    outcome = command.function(session, asked)
    return await outcome if asyncio.iscoroutine(outcome) else outcome


def _reply_of_fault(frame: CommandFrame, fault: Exception) -> tuple[bytes, str]:
    """The error reply, and how it is counted."""
    refused = fault if isinstance(fault, Refused) else translated(fault)
    if refused is not None:
        return error_frame(frame.id, refused), "refused"
    _log.error("command %s failed", frame.type, exc_info=fault, extra={"command": frame.type})
    return error_frame(frame.id, Refused(Code.UNAVAILABLE, "Something went wrong on our side.")), "failed"


def _send_reply(session: LiveSession, command_type: str, reply: bytes, result: str) -> None:
    session.connection.send_text(reply)
    session.release()
    session.services.node.metrics.count_command(command_type, result)
