"""The table of tasks: who does what the catalogue (`lms_rt/contracts/jobs.py`) names. One file per domain word."""

from __future__ import annotations

from collections.abc import Mapping

from workers.tasks import accounts, audit, events, mails, notifications, privacy, progress, reports, retention, webhooks
from workers.tasks.base import Perform

TASKS: Mapping[str, Perform] = {
    **accounts.TASKS,
    "audit.check": audit.check,
    "events.follow": events.follow,
    **mails.TASKS,
    **notifications.TASKS,
    **privacy.TASKS,
    "progress.recalculate": progress.recalculate,
    "analytics.refresh_course": progress.refresh_course,
    "counters.reconcile": progress.reconcile,
    "reports.weekly": reports.weekly,
    "reminders.daily": reports.remind,
    "retention.clean_up": retention.clean_up,
    "webhooks.deliver": webhooks.deliver,
}
"""Every task of the catalogue by its name; a test holds the two to each other."""
