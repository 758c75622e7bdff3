"""Which lines of students this node holds: each coming and going is written down in the order in which it happened.

A node that dies writes nothing: every node says every few seconds that it still holds its lines, and the others take note
of one that fell silent. What is written, `connection_loss.py` decides.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass

from documents import attempt_lines
from documents.line_keeper import LineKeeper
from lms_rt.clock import Clock
from lms_rt.contracts.channels import ChannelKind, find_channel
from lms_rt.ids import new_id
from lms_rt.services.connection_loss import ConnectionLoss
from lms_rt.services.contended import is_for_now
from lms_rt.services.offline import Line

BEAT_MS = 5_000
LOST_MS = 15_000
"""A node that was silent for so long is given up."""
ROUNDS_BETWEEN_ENDS = 6
"""So seldom one looks for credits that were cut off (only a crash leaves one), and for absences to ask about."""
MOST_TRIES = 3
"""So often a move is tried whose failure has nothing to do with the store's health."""
MAX_MOVES = 50_000
NODES_AT_ONCE = 100
ATTEMPTS_AT_ONCE = 200
_AGAIN_SECONDS = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Move:
    """A line that came (with whose it is) or went (with why)."""

    attempt_id: str
    line_id: str
    at_ms: int
    user_id: str | None = None
    why: str = ""


class LineWatch:
    """Writes down the lines of this node, and notices when others are gone."""

    def __init__(self, *, clock: Clock, loss: ConnectionLoss) -> None:
        self._clock, self._loss = clock, loss
        self.node_id = new_id("nod")
        self._moves: deque[_Move] = deque(maxlen=MAX_MOVES)
        self._has_moves = asyncio.Event()
        self._held: dict[tuple[str, str], str] = {}
        self._beaten_ms: int | None = None
        self._rounds = 0
        self._failed: tuple[_Move | None, int] = (None, 0)

    # --- told by the node ---

    def came(self, channel: str, line_id: str, user_id: str) -> None:
        """Somebody listens to a channel here."""
        if (attempt_id := _attempt_of(channel)) is not None:
            self._held[attempt_id, line_id] = user_id
            self._put(_Move(attempt_id, line_id, self._clock.now_ms(), user_id))

    def went(self, channel: str, line_id: str, *, silent_ms: int = 0) -> None:
        """They do not any more, and nothing was heard of them for so long before."""
        attempt_id = _attempt_of(channel)
        if attempt_id is not None:
            self._left(attempt_id, line_id, "silent" if silent_ms else "closed", silent_ms)

    # --- work ---

    async def run(self) -> None:
        """Write down and keep watch, until cancelled; then write down what is left."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._work_loop(), name="lines")
                tasks.create_task(self._keep_loop(), name="keepers of lines")
        except asyncio.CancelledError:
            try:
                await self.leave()
            except Exception:  # noqa: BLE001 - then the others notice by its silence
                _log.info("this node could not write down which lines went with it")
            raise

    async def work(self) -> None:
        """Write down what happened. What fails is tried again, before what came later; what always fails is left out."""
        while self._moves:
            move = self._moves[0]
            try:
                await self._write(move)
            except Exception as error:
                if not self._is_hopeless(move, error):
                    raise
                _log.exception("a line of attempt %s is left out: it cannot be written down", move.attempt_id)
            if self._moves and self._moves[0] is move:
                self._moves.popleft()

    async def keep(self) -> None:
        """Say that this node is there, take note of those that are not, and end what they began."""
        if self._held:
            await self._beat()
        until_ms = self._clock.now_ms() - LOST_MS
        for row in await LineKeeper.give_up(until_ms=until_ms, limit=NODES_AT_ONCE):
            if row["_id"] == self.node_id and self._held:
                continue
            await self._give_up(row["_id"], row["at_ms"])
            await LineKeeper.forget(row)
        if self._rounds % ROUNDS_BETWEEN_ENDS == 0:
            await self._loss.finish_pending()
            await self._loss.ask_for_absent()
        self._rounds += 1

    async def leave(self) -> None:
        """Let every line that is still held go with this node."""
        if self._beaten_ms is None:  # it never held any
            return
        for attempt_id, line_id in list(self._held):
            self._left(attempt_id, line_id, "server", 0)
        await self.work()
        await LineKeeper.leave(self.node_id)

    # --- how ---

    def _left(self, attempt_id: str, line_id: str, why: str, silent_ms: int) -> None:
        if self._held.pop((attempt_id, line_id), None) is not None:
            self._put(_Move(attempt_id, line_id, self._clock.now_ms() - silent_ms, why=why))

    def _put(self, move: _Move) -> None:
        if len(self._moves) == MAX_MOVES:
            _log.error("lines come and go faster than they are written down: the oldest is forgotten")
        self._moves.append(move)
        self._has_moves.set()

    def _is_hopeless(self, move: _Move, error: Exception) -> bool:
        """Did it fail again and again for a reason of its own? A store that is away comes back, others are done some time."""
        if is_for_now(error):
            return False
        self._failed = (move, self._failed[1] + 1 if self._failed[0] is move else 1)
        return self._failed[1] >= MOST_TRIES

    async def _write(self, move: _Move) -> None:
        if move.user_id is None:
            await self._loss.went(move.attempt_id, move.line_id, move.at_ms, move.why)
            return
        if self._beaten_ms is None or self._clock.now_ms() - self._beaten_ms > BEAT_MS:
            await self._beat()  # before it holds anything that nobody would miss
        line = Line(move.line_id, self.node_id, move.at_ms)
        if not await self._loss.came(move.attempt_id, move.user_id, line):
            self._held.pop((move.attempt_id, move.line_id), None)

    async def _beat(self) -> None:
        """Go on, or, when this node was given up meanwhile, come anew with everything that it holds."""
        now_ms = self._clock.now_ms()
        if not await LineKeeper.beat(self.node_id, now_ms):
            await LineKeeper.come(self.node_id, now_ms)
            if self._beaten_ms is not None:
                for (attempt_id, line_id), user_id in self._held.items():
                    self._put(_Move(attempt_id, line_id, now_ms, user_id))
        self._beaten_ms = now_ms

    async def _give_up(self, node_id: str, last_ms: int) -> None:
        seen: set[str] = set()
        while found := set(await attempt_lines.find_on_nodes(node_id, limit=ATTEMPTS_AT_ONCE)) - seen:
            for attempt_id in sorted(found):
                await self._loss.lost(attempt_id, node_id, last_ms)
            seen |= found

    async def _work_loop(self) -> None:
        while True:
            await self._has_moves.wait()
            self._has_moves.clear()
            try:
                await self.work()
            except Exception:  # noqa: BLE001 - the database is away: the same is written once it is back
                _log.exception("lines that came or went were not written down")
                self._has_moves.set()
                await self._clock.sleep(_AGAIN_SECONDS)

    async def _keep_loop(self) -> None:
        while True:
            try:
                await self.keep()
            except Exception:  # noqa: BLE001 - the next round finds the same
                _log.exception("nobody looked for lines that are lost")
            await self._clock.sleep(BEAT_MS / 1000)


def _attempt_of(channel: str) -> str | None:
    parsed = find_channel(channel)
    return parsed.subject_id if parsed is not None and parsed.kind is ChannelKind.ATTEMPT else None
