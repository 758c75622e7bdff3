"""The table of tasks: who does what the catalogue (`lms_rt/contracts/jobs.py`) names. One file per domain word."""

from __future__ import annotations

from collections.abc import Mapping

from workers.tasks import events, mails, notifications, webhooks
from workers.tasks.base import Perform

TASKS: Mapping[str, Perform] = {
    "events.follow": events.follow,
    **mails.TASKS,
    **notifications.TASKS,
    "webhooks.deliver": webhooks.deliver,
}
"""Every task of the catalogue by its name; a test holds the two to each other."""
