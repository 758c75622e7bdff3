"""Writing where others write: read, decide, compare-and-set, and again when somebody was first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from lms_rt.errors import Code, Refused
from lms_rt.storage.faults import is_passing

MAX_TRIES = 60
"""Of n writers at once one wins every round, so that n tries are enough for each."""

Written = TypeVar("Written")


def is_for_now(error: Exception) -> bool:
    """Is it likely that the same goes well later: the store is away, or others are writing?"""
    if isinstance(error, Refused):
        return error.code in (Code.BUSY, Code.UNAVAILABLE)
    return isinstance(error, OSError) or is_passing(error)


async def until_written(step: Callable[[], Awaitable[Written | None]]) -> Written:
    """What `step` made, once it made something: None says that somebody else was first. `busy` when that never ends."""
    for tries in range(MAX_TRIES):
        written = await step()
        if written is not None:
            return written
        await asyncio.sleep(min(tries, 20) / 1000)
    raise Refused(Code.BUSY, retry_after_seconds=1)
