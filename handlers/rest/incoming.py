"""The body of one request as it comes: piece by piece, the client held back while nobody takes the next. Nothing is parsed here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

IDLE_SECONDS = 30.0
"""A client that sends nothing for so long has gone, or wants to keep us waiting."""
FREE_SECONDS = 30.0
"""So long one may be waited for in all; from then on it has to send so many bytes for each second of waiting."""
LEAST_BYTES_PER_SECOND = 4096
_HELD = 2
"""Pieces that wait here; what more comes waits with the client."""


class BodyCut(Exception):
    """The client went away before its body was whole."""


class BodyStalled(Exception):
    """The client sends too slowly to be meant."""


class Incoming(AsyncIterator[bytes]):
    """A body on its way from the connection, which gives, to the operation, which takes."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_HELD)
        self._is_wanted, self._is_cut, self._is_over = True, False, False
        self._waited_seconds, self._taken_bytes, self.dropped_bytes = 0.0, 0, 0

    # --- the connection's side ---

    async def give(self, piece: bytes) -> None:
        """One piece more; returns once there is room for it, or nobody wants it any more."""
        if self._is_wanted:
            await self._pieces.put(piece)
        if not self._is_wanted:
            self.dropped_bytes += len(piece)

    async def end(self) -> None:
        """That was all."""
        if self._is_wanted:
            await self._pieces.put(None)

    def cut(self) -> None:
        """The client is gone: whoever takes is told so, once they have taken what came before."""
        self._is_cut = True
        if self._pieces.empty():
            self._pieces.put_nowait(None)

    # --- the operation's side ---

    def refuse(self) -> None:
        """Nothing more of it is wanted: what comes is dropped."""
        self._is_wanted = False
        while not self._pieces.empty():
            self._pieces.get_nowait()

    def __aiter__(self) -> Incoming:
        """Itself: a body comes once."""
        return self

    async def __anext__(self) -> bytes:
        """The next piece. Raises `BodyCut` or `BodyStalled`."""
        if self._is_over:
            raise StopAsyncIteration
        piece = await self._next()
        if piece is None and self._is_cut:
            raise BodyCut
        if piece is None:
            self._is_over = True
            raise StopAsyncIteration
        self._taken_bytes += len(piece)
        return piece

    async def _next(self) -> bytes | None:
        if not self._pieces.empty():
            return self._pieces.get_nowait()
        if self._is_cut:
            return None
        now = asyncio.get_running_loop().time
        began = now()
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                piece = await self._pieces.get()
        except TimeoutError:
            raise BodyStalled from None
        self._waited_seconds += now() - began
        if self._waited_seconds > FREE_SECONDS + self._taken_bytes / LEAST_BYTES_PER_SECOND:
            raise BodyStalled
        return piece
