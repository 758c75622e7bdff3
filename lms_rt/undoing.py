"""Taking back what was begun, when what it was begun for does not come to its end; and writes that are not broken off."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

UNDO_SECONDS = 5.0
"""So long may taking back, and what is not broken off, go on once its caller is cancelled meanwhile."""
MadeT = TypeVar("MadeT")
Undo = Callable[[], Awaitable[object]]

_log = logging.getLogger(__name__)


@asynccontextmanager
async def undoing(undo: Undo) -> AsyncIterator[None]:
    """Call `undo` unless the block comes to its end. What broke it off, a cancellation too, is raised on.

    A fault of `undo` is only logged, and who is cancelled while it runs ends as cancelled, but not before it.
    """
    async with AsyncExitStack() as left:
        left.push_async_callback(_take_back, undo)
        yield
        left.pop_all()


async def whole(work: Coroutine[Any, Any, MadeT], *, undo: Undo | None = None) -> MadeT:
    """Do a few writes to their end, also when the caller is cancelled meanwhile; it ends as cancelled, but not before them.

    A write that is broken off may have been done or not: nobody has to guess after this. With `undo`, what was done for a
    caller who is cancelled is taken back then.
    """
    doing = asyncio.create_task(work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait({doing}, timeout=UNDO_SECONDS)
        if doing.cancel() or doing.cancelled() or doing.exception() is not None or undo is None:
            raise
        await _take_back(undo)
        raise


async def _take_back(undo: Undo) -> None:
    taking_back = asyncio.create_task(_try(undo))
    try:
        await asyncio.shield(taking_back)
    except asyncio.CancelledError:
        await asyncio.wait({taking_back}, timeout=UNDO_SECONDS)
        taking_back.cancel()  # what is done by then does not hear of it
        raise


async def _try(undo: Undo) -> None:
    try:
        await undo()
    except Exception:  # noqa: BLE001 - why the block broke off is what its caller has to know
        _log.exception("what was begun could not be taken back")
