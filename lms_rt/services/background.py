"""Tasks that run as long as the process, whatever befalls them. What they do is others' affair."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

AGAIN_SECONDS = 1.0
"""After a fault: not at once, or a fault that stays would be all that the process does."""

INSIST_SECONDS = 3.0
"""What has not ended by then is told once more."""

Background = Callable[[], Coroutine[Any, Any, None]]
"""What runs until it is cancelled."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def running(tasks: Mapping[str, Background]) -> AsyncIterator[None]:
    """Run the tasks while the body runs; cancelled, and waited for, before anything that they use is closed."""
    started = [asyncio.create_task(_run_for_ever(name, run), name=name) for name, run in tasks.items()]
    try:
        yield
    finally:
        left = set(started)
        while left:  # a library may swallow a cancellation that meets it in the wrong moment
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=INSIST_SECONDS)


async def _run_for_ever(name: str, run: Background) -> None:
    """A background task has no caller: its end by a fault must be seen, and must not be its last."""
    while True:
        try:
            await run()
        except Exception as error:  # noqa: BLE001 - it is seen, and the work goes on
            _log.critical("the background task %s was ended by a fault, and begins again", name, exc_info=error)
        await asyncio.sleep(AGAIN_SECONDS)
