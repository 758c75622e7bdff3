"""Writes that must not be lost because the database is away for a moment: they are made again. What is written is not known here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

SOON = (0.1, 0.5, 2.0, 5.0)
"""A database that is away for a moment must not make what was done be done again."""
LONG = (0.1, 0.5, *(1.0,) * 100)
"""For what others wait behind: until the time limit of the job, which ends it."""

_log = logging.getLogger(__name__)


async def insist(
    write: Callable[[], Awaitable[None]],
    waits_seconds: Iterable[float] = SOON,
    *,
    gives_up: tuple[type[Exception], ...] = (),
) -> None:
    """Write, again when the database does not answer; only for writes that are the same the second time.

    `gives_up`: what is an answer, and raised at once.
    """
    for wait_seconds in waits_seconds:
        try:
            await write()
        except gives_up:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, after the last wait it is raised
            _log.info("what was done could not be written down yet: %s", type(error).__name__)
            await asyncio.sleep(wait_seconds)
        else:
            return
    await write()
