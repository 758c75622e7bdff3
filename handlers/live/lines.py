"""The open lines of this process, and the work that goes on for them: nothing of it is forgotten when the process ends."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from lms_rt.realtime.close_codes import Close

MAX_NAMELESS = 4_000
"""Lines whose clients have not said who they are: whoever means it does so at once."""


class Line(ABC):
    """One open line."""

    __slots__ = ()

    @abstractmethod
    def close(self, close: Close) -> None:
        """Say so to the client and end; again does nothing."""

    @abstractmethod
    def abort(self) -> None:
        """Cut it off."""


class Lines:
    """Owns the lines and their tasks."""

    def __init__(self) -> None:
        self._open: set[Line] = set()
        self._nameless: dict[Line, None] = {}
        """In the order in which they came."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._all_ended = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, line: Line) -> None:
        """It is open from now on."""
        self._open.add(line)

    def await_name(self, line: Line) -> None:
        """Nobody knows yet who it is; of too many of these, the one that has waited longest is cut off."""
        self._nameless[line] = None
        if len(self._nameless) > MAX_NAMELESS:
            next(iter(self._nameless)).abort()

    def know(self, line: Line) -> None:
        """It has said who it is, or will not any more."""
        self._nameless.pop(line, None)

    def discard(self, line: Line) -> None:
        """It has ended."""
        self._open.discard(line)
        if not self._open:
            self._all_ended.set()

    def carry_out(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something go on beside what reads the line."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, *, patience_seconds: float = 5) -> None:
        """End every line, with a word to who does not know yet; cut off those who have not answered in time."""
        for line in tuple(self._open):
            line.close(Close.RESTARTING)
        self._all_ended.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_seconds):
                while self._open:
                    await self._all_ended.wait()
        await self.abort()

    async def abort(self) -> None:
        """Cut every line off, and end what goes on for them."""
        for line in tuple(self._open):
            line.abort()
        await asyncio.sleep(0)  # what has begun in this turn takes its first step: before, it could not clean up
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
