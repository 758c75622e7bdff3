"""Nodes: the processes that answer requests, as they report themselves. No rules."""

from __future__ import annotations

from documents.reporting import ReportedRecord


class NodeRecord(ReportedRecord):
    """One process that answers requests."""

    connections: int = 0

    class Settings(ReportedRecord.Settings):
        """Collection."""

        name = "nodes"
