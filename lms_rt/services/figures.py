"""What happened in this process since it began, as operators watch it. Counted where it happens, served at `/metrics`.

The live core's own figures are `realtime/metrics.py`, those of HTTP `handlers/observing.py`.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge

USERS_REGISTERED = Counter("users_registered_total", "Accounts that people made for themselves.")
ENROLLMENTS = Counter("enrollments_total", "New enrolments.")
ATTEMPTS_STARTED = Counter("attempts_started_total", "Attempts begun, previews left out.")
ATTEMPTS_FINISHED = Counter("attempts_finished_total", "Attempts closed and graded, previews left out.", ("by",))
ANSWERS_SAVED = Counter("answers_saved_total", "Operations on answers that were stored.")
OUTBOX_PENDING = Gauge("outbox_pending", "Aggregates that had waited for the relay when it last looked.")
OUTBOX_OLDEST_SECONDS = Gauge("outbox_oldest_seconds", "How long the oldest of them had waited.")
