"""The table of schedules: what runs at which hour. How a firing becomes a job, and when it is too late, services decide."""

from __future__ import annotations

from datetime import time

from lms_rt.services import reminders, reports
from lms_rt.services.schedules import Schedule

MONDAY = 0

SCHEDULES: tuple[Schedule, ...] = (
    Schedule("weekly-progress-report", "reports.weekly", reports.DUE, weekday=MONDAY, is_local=True),
    Schedule("daily-course-reminders", "reminders.daily", reminders.DUE, is_local=True),
    Schedule("payment-reconcile-hourly", "payments.look_again", time(0, 17), is_hourly=True),
    Schedule("payment-reconcile-daily", "payments.reconcile", time(4, 5)),
    Schedule("subscription-sweep", "subscriptions.sweep", time(0, 41), is_hourly=True),
    Schedule("audit-check", "audit.check", time(2, 55)),  # before the clean-ups, which take its oldest records away
    Schedule("clean-ups", "retention.clean_up", time(3, 10)),
    Schedule("erasure-sweep", "erasure.sweep", time(3, 25)),
    Schedule("counters-reconcile", "counters.reconcile", time(3, 40)),
)
"""Every schedule. What has to be looked at each second (outboxes, deadlines, due jobs) is looked at where it is done."""
