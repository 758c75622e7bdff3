"""Words to the nodes, numbered: each node hears them all, or knows that it did not.

Nobody waits for a lost word, and on a quiet line no later one would show the gap. So the number of the last word is
compared every few seconds: what was told at one look must have been heard by the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from lms_rt.bus.base import Interrupted, Listening, Position, Receiver, Word
from lms_rt.bus.redis.line import RedisLine, Script
from lms_rt.bus.redis.listening import Ear, Hearing
from lms_rt.bus.redis.messages import UnreadableMessage, read_word, word_message
from lms_rt.errors import Refused
from lms_rt.ids import random_token

COMPARE_SECONDS = 2.0
WORD = Script("word", after=("epoch",))
TOP = Script("top", after=("epoch",))

_log = logging.getLogger(__name__)


class _WordListening(Listening):
    """One who hears the words."""

    def __init__(self, words: Words, receiver: Receiver[Word]) -> None:
        self._words, self._receiver = words, receiver

    async def stop(self) -> None:
        """Hand over nothing more."""
        self._words.stop(self._receiver)


class Words(Ear):
    """Heard from the start of the process to its end."""

    def __init__(self, line: RedisLine, hearing: Hearing, *, compare_seconds: float = COMPARE_SECONDS) -> None:
        self.key = line.keys.words.encode()
        self._line, self._hearing, self._compare_seconds = line, hearing, compare_seconds
        self._receivers: tuple[Receiver[Word], ...] = ()
        self._last: Position | None = None
        """The last word that was heard; None: whatever comes next is the first."""
        self._told: Position | None = None
        """The last word that had been told when we last looked."""
        self._is_due = asyncio.Event()
        self._comparing: asyncio.Task[None] | None = None

    async def tell(self, name: str, data: Mapping[str, Any]) -> None:
        """A word to every node."""
        keys = self._line.keys
        names = (keys.words_top, keys.history("words"), keys.words)
        await self._line.run(
            WORD, names, (random_token(8), self._line.servers.publish_command, word_message(name, data))
        )

    async def listen(self, receiver: Receiver[Word]) -> Listening:
        """Hand the words over from now on."""
        self._receivers += (receiver,)
        return _WordListening(self, receiver)

    def stop(self, receiver: Receiver[Word]) -> None:
        """Hand over nothing more."""
        self._receivers = tuple(other for other in self._receivers if other is not receiver)

    # --- Ear ---

    def heard(self, raw: bytes) -> None:
        """Hand a word over; first of all, that others are missing before it."""
        try:
            place, word = read_word(raw)
        except UnreadableMessage as error:
            _log.warning("a word cannot be read: %s", error)
            self.interrupted()
            return
        last = self._last
        if last is not None and (last.epoch != place.epoch or last.offset + 1 < place.offset):
            self._hand_over(Interrupted(""))
        self._last = place
        self._hand_over(word)

    def interrupted(self) -> None:
        """Words may have been lost; count anew from here."""
        self._last = self._told = None
        self._is_due.set()
        self._hand_over(Interrupted(""))

    # --- comparing ---

    async def open(self) -> None:
        """Begin to hear, and to compare."""
        await self._hearing.keep(self)
        self._comparing = asyncio.create_task(self._compare_for_ever(), name="comparing words")

    async def close(self) -> None:
        """Compare no more."""
        if self._comparing is not None:
            self._comparing.cancel()
            await asyncio.gather(self._comparing, return_exceptions=True)

    async def compare(self) -> None:
        """Was everything heard that had been told when we last looked?"""
        top = await self._top()
        told, self._told = self._told, top
        if self._last is None:
            self._last = top
        elif told is not None and (self._last.epoch != told.epoch or self._last.offset < told.offset):
            self._last = told
            self._hand_over(Interrupted(""))

    async def _compare_for_ever(self) -> None:
        while True:
            self._is_due.clear()
            try:
                await self.compare()
            except Refused:  # away: its return will be an interruption
                pass
            except Exception:  # noqa: BLE001 - a lost word must be noticed by the next comparing all the same
                _log.exception("the words to the nodes could not be compared")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._compare_seconds):
                    await self._is_due.wait()

    async def _top(self) -> Position:
        names = (self._line.keys.words_top, self._line.keys.history("words"))
        epoch, number = await self._line.run(TOP, names, (random_token(8),))
        return Position(epoch.decode(), number)

    def _hand_over(self, word: Word) -> None:
        for receiver in self._receivers:
            receiver.receive(word)
