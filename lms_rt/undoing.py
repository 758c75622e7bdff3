"""Taking back what was begun, when what it was begun for does not come to its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager


@asynccontextmanager
async def undoing(undo: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Call `undo` unless the block comes to its end. What broke it off, a cancellation too, is raised on."""
    async with AsyncExitStack() as left:
        left.push_async_callback(undo)
        yield
        left.pop_all()
