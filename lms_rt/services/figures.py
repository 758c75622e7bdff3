"""What happened in this process since it began, as operators watch it. Counted where it happens, served at `/metrics`.

The live core's own figures are `realtime/metrics.py`, those of HTTP `handlers/observing.py`.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

USERS_REGISTERED = Counter("users_registered_total", "Accounts that people made for themselves.")
SIGN_INS = Counter("sign_ins_total", "Passwords that were tried at the entrance, by what came of it.", ("result",))
RATE_LIMITED = Counter("rate_limited_total", "Requests that were refused because there were too many.", ("class",))
ENROLLMENTS = Counter("enrollments_total", "New enrolments.")
CERTIFICATES_ISSUED = Counter("certificates_issued_total", "Certificates given out, with their file.")
ATTEMPTS_STARTED = Counter("attempts_started_total", "Attempts begun, previews left out.")
ATTEMPTS_FINISHED = Counter("attempts_finished_total", "Attempts closed and graded, previews left out.", ("by",))
ANSWERS_SAVED = Counter("answers_saved_total", "Operations on answers that were stored.")
AUDIT_FINDINGS = Gauge("audit_findings", "Places of the audit log that did not hold when it was last followed.")
PAYMENTS = Counter("payments_total", "Payments by gateway, each time one came to a state.", ("gateway", "status"))
GATEWAY_EVENTS = Counter("gateway_events_total", "Words of gateways by what became of them.", ("gateway", "outcome"))
PAYMENT_FINDINGS = Gauge("payment_findings", "What was found wrong about money and is open, by kind.", ("kind",))
PAYMENTS_FOREIGN = Counter(
    "payments_foreign_total", "Payments of others by the same account, each time the comparison met one.", ("gateway",)
)
PAYMENTS_MENDED = Counter("payments_mended_total", "What reconciling put right about money, by kind.", ("kind",))
PAYMENT_COMPARISON_AGE = Gauge(
    "payment_comparison_age_seconds", "How long ago payments were last compared whole, by gateway.", ("gateway",)
)
PAYMENT_COMPARISON_INCOMPLETE = Gauge(
    "payment_comparison_incomplete", "1: the last comparison with a gateway left something out.", ("gateway",)
)
PAYMENT_COMPARISON_LEFT_OUT = Gauge(
    "payment_comparison_left_out",
    "How many payments the comparison under way, or the last one, left out, by gateway and what of them.",
    ("gateway", "what"),
)
ERASURES_OVERDUE = Gauge("erasures_overdue", "Accounts that should have been erased when that was last looked at.")
OUTBOX_PENDING = Gauge("outbox_pending", "Aggregates that had waited for the relay when it last looked.")
OUTBOX_OLDEST_SECONDS = Gauge("outbox_oldest_seconds", "How long the oldest of them had waited.")
MAILS = Counter("mails_total", "Mails by template and what became of them.", ("template", "result"))
WEBHOOK_DELIVERIES = Counter(
    "webhook_deliveries_total", "Attempts at webhook deliveries by what came of them.", ("result",)
)
TASKS = Counter("tasks_total", "Runs of background tasks by how they ended.", ("queue", "result"))
TASK_SECONDS = Histogram("task_duration_seconds", "How long runs of background tasks took.", ("queue",))
QUEUE_LENGTH = Gauge("queue_length", "Jobs that are due and not taken, when this process last looked.", ("queue",))
