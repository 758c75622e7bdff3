"""Workers: the processes that run jobs, as they report themselves. No rules."""

from __future__ import annotations

from documents.reporting import ReportedRecord


class WorkerRecord(ReportedRecord):
    """One process that runs jobs."""

    queues: list[str]
    running: int = 0
    done: int = 0
    failed: int = 0

    class Settings(ReportedRecord.Settings):
        """Collection."""

        name = "workers"
