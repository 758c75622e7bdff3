"""Waiting until all that happened is in the log of events: it is recorded behind the requests, and the sweeper finishes."""

from __future__ import annotations

import asyncio

from documents import DOCUMENTS
from documents.base import Aggregate

PATIENCE_SECONDS = 60
"""Nothing here is judged by how long it takes; what is not recorded within this time is not recorded."""
_AGGREGATES = [document for document in DOCUMENTS if issubclass(document, Aggregate)]


async def all_recorded() -> None:
    """Return once nothing waits in an outbox."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        for document in _AGGREGATES:
            while await document.rows().find_one({"outbox_at": {"$exists": True}}):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
