"""Clean-ups: what is older than `RETENTION_…` says is removed, a page at a time. Not what has limits of its own (mails, tickets)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from config.settings import Settings
from documents.enums import JobState
from documents.event_record import EventRecord
from documents.grading_claim import GradingClaim
from documents.idempotency import IdempotencyRecord
from documents.job import Job
from documents.notification import Notification
from documents.one_time import OneTime
from documents.session import Session
from documents.ticket import SpareTicket
from documents.webhook_delivery import WebhookDelivery
from documents.worker import WorkerRecord
from lms_rt.clock import Clock, to_ms
from lms_rt.services.promises import TASK as PROMISE

PAGE = 500
IDEMPOTENCY_DAYS = 1
"""An answer is given again for so long, and no longer."""
LINK_DAYS = 1
"""A link of a mail is known as one that is over for so long; then it is none of ours."""

Forget = Callable[..., Awaitable[int]]
"""Given a moment and `limit`: removes so many at most from before then, and says how many."""

_log = logging.getLogger(__name__)


class Retention:
    """Forgets what nobody needs any more."""

    def __init__(self, *, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._more: dict[str, tuple[int, Forget]] = {}

    def add_rule(self, name: str, days: int, forget: Forget) -> None:
        """Forget one thing more: what takes more than a document to be forgotten."""
        self._more[name] = (days, forget)

    async def clean_up(self) -> Mapping[str, int]:
        """Remove all that is too old; how much of each. One thing that fails holds up nothing else, and is told at last."""
        now, removed, faults = self._clock.now(), dict[str, int](), list[Exception]()
        for name, (days, forget) in self._rules().items():
            try:
                removed[name] = await self._forget_all(forget, now - timedelta(days=days))
            except Exception as error:  # noqa: BLE001 - it is raised below, after the others had their turn
                faults.append(error)
        await SpareTicket.forget_until(to_ms(now))
        await GradingClaim.forget_until(to_ms(now))
        await WorkerRecord.forget_before(now - timedelta(days=1))
        _log.info("removed as too old: %s", {name: count for name, count in removed.items() if count} or "nothing")
        if faults:
            raise faults[0]
        return removed

    def _rules(self) -> Mapping[str, tuple[int, Forget]]:
        """How many days each is kept, and how it is forgotten."""
        kept = self._settings
        return {
            "events": (kept.retention_events_days, EventRecord.forget_before),
            "done jobs": (kept.retention_done_jobs_days, partial(Job.forget, JobState.DONE)),
            "dead letters": (kept.retention_dead_letters_days, partial(Job.forget, JobState.DEAD)),
            # They are sealed, so that erasing a person does not find what they hold of them.
            "promises that failed": (LINK_DAYS, partial(Job.forget, JobState.DEAD, task=PROMISE)),
            "notifications": (kept.retention_notifications_days, Notification.forget),
            "webhook deliveries": (kept.retention_webhook_deliveries_days, WebhookDelivery.forget),
            "sessions": (kept.retention_ended_sessions_days, Session.forget_ended),
            "links that held once": (LINK_DAYS, OneTime.forget_over),
            "idempotency keys": (IDEMPOTENCY_DAYS, _forget_keys),
            **self._more,
        }

    @staticmethod
    async def _forget_all(forget: Forget, before: datetime) -> int:
        removed = 0
        while count := await forget(before, limit=PAGE):
            removed += count
        return removed


async def _forget_keys(before: datetime, *, limit: int) -> int:
    return await IdempotencyRecord.forget_before(to_ms(before), limit=limit)
