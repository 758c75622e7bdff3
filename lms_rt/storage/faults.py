"""The driver's faults in the house's words: what passes by itself becomes `unavailable`, the rest stays a bug.

Applied once at each border, where errors become replies: `handlers/rest/base.py`, `handlers/live/`, and the
loops of the relay and of the attempts' clock. Services let driver errors pass.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from pymongo.errors import (
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from lms_rt.errors import Code, Refused
from lms_rt.storage.embedded import StoreError

_WRITE_CONFLICT = 112
_PASSING_CODES = frozenset({6, 7, 50, 64, 89, 91, 112, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436})
"""Server codes for: host unreachable, time-outs, shutting down, stepping down, not primary, interrupted by either."""
_PASSING = (StoreError, ConnectionFailure, ExecutionTimeout, WTimeoutError)
_RETRY_AFTER_SECONDS = 2
_CONFLICT_TRIES = 6
_T = TypeVar("_T")


def translated(error: BaseException) -> Refused | None:
    """The refusal that a client is given for a fault of the store; None when it is none, or a mistake of ours."""
    if isinstance(error, DocumentTooLarge):
        return Refused(Code.TOO_LARGE, "The document would become too large.")
    if is_passing(error):
        return Refused(Code.UNAVAILABLE, retry_after_seconds=_RETRY_AFTER_SECONDS)
    return None


def is_passing(error: BaseException) -> bool:
    """Whether the fault is of the store's health: a lost connection, a change of primary, a time-out, a full disk."""
    if isinstance(error, OperationFailure):
        return isinstance(error, _PASSING) or error.code in _PASSING_CODES
    if isinstance(error, InvalidOperation):
        return "after close" in str(error)  # a request that was still running at the shutdown
    return isinstance(error, _PASSING)


@contextmanager
def faults_translated() -> Iterator[None]:
    """Around a call of a service: raise the refusal in place of the driver's fault."""
    try:
        yield
    except PyMongoError as error:
        if (refused := translated(error)) is None:
            raise
        raise refused from error


async def again_on_conflict(write: Callable[[], Awaitable[_T]]) -> _T:
    """Run an idempotent `update_many` again, with jitter, when the engine answers that it met another one."""
    for tried in range(1, _CONFLICT_TRIES):
        try:
            return await write()
        except OperationFailure as error:
            if error.code != _WRITE_CONFLICT:
                raise
            await asyncio.sleep(random.uniform(0.005, 0.02) * 2**tried)  # noqa: S311 - spreads, hides nothing
    return await write()
