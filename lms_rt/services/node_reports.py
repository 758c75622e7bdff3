"""Nodes tell each other that they are there, and how many sockets they hold. The embedded store's one process knows it all."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from datetime import timedelta

from config.settings import VERSION
from documents.base import Row
from documents.node import NodeRecord
from lms_rt.clock import Clock
from lms_rt.contracts.admin import NodeView

EVERY_SECONDS = 10.0
SEEN_SECONDS = 35.0
"""A node that was silent for so long is gone."""
KEPT = timedelta(hours=1)
MAX_NODES = 200

_log = logging.getLogger(__name__)


class NodeReports:
    """What one node says of itself, and what it heard of the others."""

    def __init__(self, *, clock: Clock, node_id: str, is_alone: bool, connections: Callable[[], int]) -> None:
        self._clock, self.node_id, self._is_alone, self._connections = clock, node_id, is_alone, connections
        self.started_at = clock.now()

    async def run(self) -> None:
        """Report every few seconds, until cancelled; then leave."""
        if self._is_alone:
            return
        try:
            while True:
                await NodeRecord.report(self.node_id, self.report())
                await NodeRecord.forget_before(self._clock.now() - KEPT)
                await self._clock.sleep(EVERY_SECONDS)
        finally:
            try:
                await NodeRecord.leave(self.node_id)
            except Exception:  # noqa: BLE001 - then the others notice by its silence
                _log.info("this node could not say that it leaves")

    async def list(self) -> list[NodeView]:
        """All nodes, this one as it stands now; the oldest first."""
        found = {self.node_id: {"_id": self.node_id, **self.report()}}
        if not self._is_alone:
            since = self._clock.now() - timedelta(seconds=SEEN_SECONDS)
            found = {row["_id"]: row for row in await NodeRecord.find_seen_since(since, limit=MAX_NODES)} | found
        rows = sorted(found.values(), key=lambda row: (row["started_at"], row["_id"]))
        return [_view(row) for row in rows]

    def report(self) -> Row:
        """How this node stands now."""
        return {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": VERSION,
            "started_at": self.started_at,
            "seen_at": self._clock.now(),
            "connections": self._connections(),
        }


def _view(row: Row) -> NodeView:
    names = ("host", "pid", "version", "connections", "started_at", "seen_at")
    return NodeView(id=row["_id"], **{name: row[name] for name in names})
