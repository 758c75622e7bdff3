"""What is known of background work: the workers that report themselves. Not the work itself, which is `jobs.py`'s."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from documents.worker import WorkerRecord
from lms_rt.clock import Clock

SEEN_SECONDS = 10.0
"""A worker that was silent for so long is gone."""


class TaskFigures:
    """Reports of workers, and what they come to."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def report(self, worker_id: str, fields: dict[str, Any]) -> None:
        """A worker says how it stands."""
        await WorkerRecord.report(worker_id, {**fields, "seen_at": self._clock.now()})

    async def leave(self, worker_id: str) -> None:
        """A worker ended as it should."""
        await WorkerRecord.leave(worker_id)

    async def forget_silent(self) -> None:
        """Remove the reports of workers that are long gone."""
        await WorkerRecord.forget_before(self._clock.now() - timedelta(days=1))
