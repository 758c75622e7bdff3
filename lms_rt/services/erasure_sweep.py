"""Erasures that should have come to their end and have not: each gets a job again. How one is carried out is `erasure.py`'s.

The job that an account's closing asked for is tried for days and is then a dead letter, which may be discarded or forgotten;
the account stays closed with everything in it. So the accounts themselves are looked through by night.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from documents import erasing
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.jobs import task_kind
from lms_rt.ids import derived_id
from lms_rt.services import figures
from lms_rt.services.jobs import Jobs

TASK = "erasure.run"
LATE = timedelta(hours=1)
"""Within so long the job that was asked for has begun."""
FAR_TOO_LATE = timedelta(days=2)

_log = logging.getLogger(__name__)


class ErasureSweep:
    """Finds them."""

    def __init__(self, *, clock: Clock, jobs: Jobs) -> None:
        self._clock, self._jobs = clock, jobs

    async def sweep(self) -> int:
        """Ask again for what nobody is at work on; how many that were. Again on the same day it is the same job."""
        now, overdue, asked = self._clock.now(), 0, 0
        async for page in erasing.walk(User, erasing.due_before(now - LATE), ("erase_at",)):
            for row in page:
                overdue += 1
                if row["erase_at"] < now - FAR_TOO_LATE:
                    late = (now - row["erase_at"]).days
                    _log.error(
                        "%s should have been erased %s days ago: see the dead letters of %s", row["_id"], late, TASK
                    )
                if not await erasing.has_job(task_kind(TASK).queue, TASK, row["_id"]):
                    once = derived_id("job", TASK, row["_id"], now.date().isoformat())
                    await self._jobs.put(once, TASK, {"user_id": row["_id"]})
                    asked += 1
        figures.ERASURES_OVERDUE.set(overdue)
        return asked
