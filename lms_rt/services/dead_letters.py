"""Dead letters: jobs that nobody could do, for an administrator to read, send again or discard. How they died is `jobs.py`."""

from __future__ import annotations

import logging

from documents.base import Row
from documents.enums import JobState
from documents.job import Job
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.mails import masked_data
from lms_rt.contracts.tasks import DeadLetterQuery, DeadLetterView
from lms_rt.errors import Code, Refused
from lms_rt.security.access.operating import require_operator
from lms_rt.services.audit import Audit
from lms_rt.services.jobs import Jobs
from lms_rt.services.masking import masked, masked_text

_log = logging.getLogger(__name__)


class DeadLetters:
    """What can be done with them."""

    def __init__(self, *, clock: Clock, jobs: Jobs, audit: Audit) -> None:
        self._clock, self._jobs, self._audit = clock, jobs, audit

    async def list(self, actor: Actor, query: DeadLetterQuery) -> Page[DeadLetterView]:
        """The latest first."""
        require_operator(actor)
        asked = {"queue": query.queue, "task": query.task}
        filter_ = {name: value for name, value in asked.items() if value is not None}
        rows, total = await Job.page_of_dead(filter_, skip=query.skip, limit=query.page_size)
        return page_of([_view(row) for row in rows], query, total)

    async def show(self, actor: Actor, job_id: str) -> DeadLetterView:
        """One of them."""
        require_operator(actor)
        return _view(await _require_dead(job_id))

    async def retry(self, actor: Actor, job_id: str) -> DeadLetterView:
        """Send it again, from its first try; the view says that it waits."""
        require_operator(actor)
        row = await _require_dead(job_id)
        await self._audit.record(actor, "dead_letter.retry", kind="dead_letter", target_id=job_id)
        if not await Job.revive(job_id, self._clock.now()):
            raise Refused(Code.NOT_FOUND)  # somebody else was faster
        _log.info("dead letter %s (%s) is sent again by %s", job_id, row["task"], actor.user_id)
        await self._jobs.wake(row["queue"], job_id)
        again: Row = {"state": JobState.WAITING.value, "tries": 0, "crashes": 0, "error": None, "finished_at": None}
        return _view({**row, **again})

    async def discard(self, actor: Actor, job_id: str) -> None:
        """Remove it for good."""
        require_operator(actor)
        row = await _require_dead(job_id)
        await self._audit.record(actor, "dead_letter.discard", kind="dead_letter", target_id=job_id)
        if not await Job.discard(job_id):
            raise Refused(Code.NOT_FOUND)
        _log.info("dead letter %s (%s) is discarded by %s", job_id, row["task"], actor.user_id)


async def _require_dead(job_id: str) -> Row:
    if (row := await Job.find_dead(job_id)) is None:
        raise Refused(Code.NOT_FOUND)
    return row


def _without_private(task: str, args: Row) -> Row:
    """The arguments without what the catalogue of mails says is for the reader alone."""
    data = args.get("data")
    if task != "mail.send" or not isinstance(data, dict):
        return args
    return {**args, "data": masked_data(str(args.get("template")), data)}


def _view(row: Row) -> DeadLetterView:
    error = row.get("error")
    return DeadLetterView(
        id=row["_id"],
        queue=row["queue"],
        task=row["task"],
        args=masked(_without_private(row["task"], row["args"])),
        state=row["state"],
        error=None if error is None else masked_text(error),
        tries=row.get("tries", 0),
        crashes=row.get("crashes", 0),
        created_at=row["created_at"],
        died_at=row.get("finished_at"),
    )
