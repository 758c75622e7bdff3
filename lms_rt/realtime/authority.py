"""Open connections against what their people may do by now: follows the words about ended sessions and lost access.

When words may have been lost, and every few seconds while the bus is away, everybody is looked at against the database,
in batches: its answers come in as functions from `bootstrap`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, NamedTuple, Protocol

from lms_rt.bus.base import Control, Interrupted, Reachability, Receiver, Word
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.controls import ACCESS_CHANGED, SESSION_REVOKED
from lms_rt.contracts.frames import Notice, notice_frame
from lms_rt.errors import Code, Refused
from lms_rt.realtime.close_codes import Close
from lms_rt.realtime.connection import Connection

AWAY_SECONDS = 4.0
"""From the beginning of one look at everybody to that of the next, while no words come."""
ROUND_SECONDS = 60
"""So long at most takes a round in which everybody is looked at though nothing was heard, a few at each step.

It finds what a node had to tell that died before it could, or that the bus is away for while it is here for us.
"""
_QUICK_ROUND_SECONDS = 4
_AT_EACH_STEP = 50
"""So many cost little: where few are connected, a round is as quick as the one above."""
STEP_SECONDS = 1.0
MAX_WORDS = 1_000
"""More words than this are not followed one by one: everybody is looked at once."""
_BATCH = 200
_TRIES = 3
_TRY_AGAIN_SECONDS = 1.0

MayListen = Callable[[Actor, str], Awaitable[bool]]
"""May this actor listen to this channel, as things stand now?"""

ActorNow = Callable[[Actor], Awaitable[Actor]]
"""Who a session stands for, as things stand now; refused when it has ended."""

_log = logging.getLogger(__name__)


class Verdict(NamedTuple):
    """Who a session stands for by now (None: it has ended), and which of its channels it may not listen to any more."""

    actor: Actor | None
    lost: Sequence[str] = ()


Review = Callable[[Sequence[tuple[Actor, Sequence[str]]]], Awaitable[Sequence[Verdict]]]
"""The verdicts on some actors with their channels, in their order, with few questions to the database."""


@dataclass(frozen=True, slots=True)
class Authority:
    """What the node asks others about people, who may have lost something since they came."""

    may_listen: MayListen
    actor_now: ActorNow
    review: Review | None = None
    """None: the two above are asked for each."""

    async def verdicts(self, people: Sequence[tuple[Actor, Sequence[str]]]) -> Sequence[Verdict]:
        """The verdicts on these, in their order."""
        if self.review is not None:
            return await self.review(people)
        return [await self._verdict(actor, channels) for actor, channels in people]

    async def _verdict(self, actor: Actor, channels: Sequence[str]) -> Verdict:
        try:
            actor = await self.actor_now(actor)
        except Refused as refused:
            if refused.code is not Code.UNAVAILABLE:
                return Verdict(None)
        return Verdict(actor, [channel for channel in channels if not await self.may_listen(actor, channel)])


class Connected(Protocol):
    """The part of a node that is needed here."""

    @property
    def connections(self) -> Sequence[Connection]:
        """Everybody who is connected."""

    def connections_of(self, user_id: str) -> Sequence[Connection]:
        """Those of one person."""

    async def unsubscribe(self, connection: Connection, channel: str) -> None:
        """End a subscription."""


class AccessWatch(Receiver[Word]):
    """Ends what has lost its ground. `words` counts the words after which somebody may have lost access."""

    def __init__(
        self, authority: Authority, node: Connected, reachability: Reachability, *, is_alone: bool = False
    ) -> None:
        """`is_alone`: there are no other nodes, whose words could be lost."""
        self.authority = authority
        self.words = 0
        self._is_alone = is_alone
        self._node, self._reachability = node, reachability
        self._waiting: asyncio.Queue[Control] = asyncio.Queue(MAX_WORDS)
        self._doubted: set[str] = set()
        """Who is here and may have lost access."""
        self._is_doubted = asyncio.Event()
        self._looks = 0
        self._is_everybody_due = asyncio.Event()

    def receive(self, message: Word) -> None:
        """A word to the nodes; followed in order by `run`. When words were lost, everybody is looked at."""
        if isinstance(message, Interrupted):
            self.look_at_everybody()
            return
        self.words += message.name == ACCESS_CHANGED
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            self.look_at_everybody()

    def look_at_everybody(self) -> None:
        """As soon as `run` comes to it."""
        self.words += 1
        self._is_everybody_due.set()

    async def bring_up_to_date(self, connection: Connection) -> None:
        """Let it act as who its session stands for by now, or end it; while nobody can say, it stays who it was."""
        look = self._begin_look()
        try:
            _become(connection, await self.authority.actor_now(connection.actor), look)
        except Refused as refused:
            if refused.code is not Code.UNAVAILABLE:
                connection.close(Close.NOT_SIGNED_IN)

    async def run(self) -> None:
        """Follow words and look at everybody when that is due, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_words())
            tasks.create_task(self._check_doubted())
            tasks.create_task(self._look_when_due())
            if not self._is_alone:
                tasks.create_task(self._look_in_turn())

    async def handle(self, control: Control) -> None:
        """Do what a word to the nodes asks."""
        if control.name == SESSION_REVOKED:
            self._end_sessions(control.data)
        elif control.name == ACCESS_CHANGED and control.data.get("user_id") is None:
            self.look_at_everybody()
        elif control.name == ACCESS_CHANGED:
            await self._check_people((control.data["user_id"],))

    async def check_everybody(self) -> None:
        """Hold everybody against the database, some at a time."""
        await self._check_all(self._node.connections, tries=_TRIES)

    async def check_some(self, step: int) -> None:
        """Hold those against the database whose turn is at this step of a round; if nobody can say, the next round will."""
        connections = self._node.connections
        steps = min(max(len(connections) // _AT_EACH_STEP, _QUICK_ROUND_SECONDS), ROUND_SECONDS)
        try:
            await self._review(connections[step % steps :: steps])
        except Exception as error:  # noqa: BLE001 - nothing says that anybody has lost anything
            _log.info("what connections may do could not be checked: %s", error)

    # --- steps ---

    def _end_sessions(self, data: Mapping[str, Any]) -> None:
        for connection in self._node.connections_of(data["user_id"]):
            session_id = connection.actor.session_id
            if session_id != data.get("except_session_id") and data.get("session_id") in (None, session_id):
                connection.close(Close.NOT_SIGNED_IN)

    async def _check_people(self, user_ids: Iterable[str]) -> None:
        await self._check_all([one for user_id in user_ids for one in self._node.connections_of(user_id)])

    async def _check_all(self, connections: Sequence[Connection], *, tries: int = 1) -> None:
        for start in range(0, len(connections), _BATCH):
            await self._check(connections[start : start + _BATCH], tries=tries)

    async def _check(self, connections: Sequence[Connection], *, tries: int = 1) -> None:
        """Look at these because of what was heard, or was not: they must not stay as they were."""
        try:
            for _ in range(tries - 1):
                try:
                    return await self._review(connections)
                except Exception as error:  # noqa: BLE001 - whatever it is, the last try tells
                    _log.warning("what %s connections may do is asked again: %s", len(connections), error)
                    await asyncio.sleep(_TRY_AGAIN_SECONDS)
            await self._review(connections)
        except Exception:  # noqa: BLE001 - nobody can say
            _log.exception("what %s connections may do could not be checked", len(connections))
            if self._reachability.is_reachable:  # else nothing can come to them: the next look will do
                for connection in connections:
                    connection.close(Close.INSUFFICIENT_STATE)

    async def _review(self, connections: Sequence[Connection]) -> None:
        here = [connection for connection in connections if not connection.is_closed]
        people = [(connection.actor, tuple(connection.subscriptions)) for connection in here]
        look = self._begin_look()
        verdicts = await self.authority.verdicts(people) if people else ()
        for connection, verdict in zip(here, verdicts, strict=True):
            await self._apply(connection, verdict, look)

    def _begin_look(self) -> int:
        """Its number: what a look found does not undo what one found that began later."""
        self._looks += 1
        return self._looks

    async def _apply(self, connection: Connection, verdict: Verdict, look: int) -> None:
        if verdict.actor is None:
            connection.close(Close.NOT_SIGNED_IN)
            return
        _become(connection, verdict.actor, look)
        for channel in verdict.lost:
            if channel in connection.subscriptions:
                await self._node.unsubscribe(connection, channel)
                connection.send_text(notice_frame(Notice.UNSUBSCRIBED, channel=channel, code=Code.NOT_FOUND.code))

    async def _follow_words(self) -> None:
        while True:
            control = await self._waiting.get()
            try:
                if control.name == ACCESS_CHANGED and control.data.get("user_id") is not None:
                    self._doubt(control.data["user_id"])
                else:
                    await self.handle(control)
            except Exception:  # noqa: BLE001 - the next word must be heard all the same
                _log.exception("the word %s could not be followed", control.name)

    def _doubt(self, user_id: str) -> None:
        """To be asked about with all others who come meanwhile; who is not here has nothing to lose."""
        if self._node.connections_of(user_id):
            self._doubted.add(user_id)
            self._is_doubted.set()

    async def _check_doubted(self) -> None:
        """Apart from the words, so that an ended session does not wait for answers of the database."""
        while True:
            await self._is_doubted.wait()
            self._is_doubted.clear()
            doubted, self._doubted = self._doubted, set()
            await self._check_people(doubted)

    async def _look_when_due(self) -> None:
        loop = asyncio.get_running_loop()
        looked = loop.time()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(None if self._reachability.is_reachable else looked + AWAY_SECONDS):
                    await self._is_everybody_due.wait()
            self._is_everybody_due.clear()
            looked = loop.time()
            await self.check_everybody()

    async def _look_in_turn(self) -> None:
        for step in count():
            await asyncio.sleep(STEP_SECONDS)
            await self.check_some(step)


def _become(connection: Connection, actor: Actor, look: int) -> None:
    """Take over who it is, unless a later look has told.

    How long its token holds it knows best itself, which may have been renewed meanwhile.
    """
    if look < connection.last_look:
        return
    connection.last_look = look
    now = replace(actor, expires_at_ms=connection.actor.expires_at_ms)
    if now != connection.actor:
        connection.actor = now
