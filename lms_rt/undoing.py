"""Taking back what was begun, when what it was begun for does not come to its end; and writes that are not broken off."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from lms_rt.errors import Refused

UNDO_SECONDS = 4.0
"""So long may taking back, and what is not broken off, go on once its caller is cancelled meanwhile, however often."""
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
    """Do a few writes to their end, also when the caller is cancelled meanwhile, once or often; it ends as cancelled, after them.

    A write that is broken off may have been done or not: nobody has to guess after this. With `undo`, what was done for a
    caller who is cancelled is taken back then.
    """
    doing = asyncio.create_task(work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        if await _comes_to_its_end(doing) and undo is not None:
            await _comes_to_its_end(asyncio.create_task(_try(undo)))
        raise


async def _take_back(undo: Undo) -> None:
    taking_back = asyncio.create_task(_try(undo))
    try:
        await asyncio.shield(taking_back)
    except asyncio.CancelledError:
        await _comes_to_its_end(taking_back)
        raise


async def _comes_to_its_end(doing: asyncio.Task[Any]) -> bool:
    """Wait for it, whoever cancels meanwhile. Nobody else hears how it ended: what went wrong is logged."""
    loop = asyncio.get_running_loop()
    until = loop.time() + UNDO_SECONDS
    while not doing.done() and (left := until - loop.time()) > 0:
        with contextlib.suppress(asyncio.CancelledError):  # whoever waits ends as cancelled in any case
            await asyncio.wait({doing}, timeout=left)
    if doing.cancel():
        _log.error(
            "what must not be broken off was: it had not ended %g s after its caller was cancelled", UNDO_SECONDS
        )
        return False
    if doing.cancelled():
        return False
    error = doing.exception()
    if error is not None and not isinstance(error, Refused):
        _log.error("what must not be broken off ended by a fault, after its caller was cancelled", exc_info=error)
    return error is None


async def _try(undo: Undo) -> None:
    try:
        await undo()
    except Exception:  # noqa: BLE001 - why the block broke off is what its caller has to know
        _log.exception("what was begun could not be taken back")
