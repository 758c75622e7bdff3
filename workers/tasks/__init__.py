"""The table of tasks: who does what the catalogue (`lms_rt/contracts/jobs.py`) names. One file per domain word."""

from __future__ import annotations

from collections.abc import Mapping

from workers.tasks import (
    access,
    accounts,
    assignments,
    audit,
    certificates,
    events,
    files,
    imports,
    invoices,
    mails,
    notifications,
    payment_care,
    payments,
    plan_subscriptions,
    privacy,
    progress,
    regrades,
    reports,
    retention,
    sandbox,
    webhooks,
)
from workers.tasks.base import Perform

TASKS: Mapping[str, Perform] = {
    **accounts.TASKS,
    "assignments.retell": assignments.retell,
    "audit.check": audit.check,
    "certificates.generate": certificates.generate,
    "events.follow": events.follow,
    **files.TASKS,
    **imports.TASKS,
    "invoices.make": invoices.make,
    **mails.TASKS,
    **notifications.TASKS,
    **payment_care.TASKS,
    **payments.TASKS,
    **plan_subscriptions.TASKS,
    **privacy.TASKS,
    "regrades.apply": regrades.apply,
    "payments.access": access.derive,
    "progress.recalculate": progress.recalculate,
    "analytics.refresh_course": progress.refresh_course,
    "counters.reconcile": progress.reconcile,
    "reports.weekly": reports.weekly,
    "reminders.daily": reports.remind,
    "retention.clean_up": retention.clean_up,
    "sandbox.pay": sandbox.pay,
    "webhooks.deliver": webhooks.deliver,
}
"""Every task of the catalogue by its name; a test holds the two to each other."""
