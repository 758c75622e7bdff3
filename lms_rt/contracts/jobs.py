"""The catalogue of background tasks: queue, arguments, time limit and retries of each. What they do is `workers/tasks`."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Queue = Literal["emails", "certificates", "webhooks", "progress", "payments"]
QUEUES: tuple[Queue, ...] = ("emails", "certificates", "webhooks", "progress", "payments")


@dataclass(frozen=True, slots=True)
class Retries:
    """How long to wait after each failure, in seconds; after the last wait's run there is none more."""

    waits_seconds: tuple[float, ...]
    jitter: Literal["full", "tenth"] = "full"
    """full: anything from nothing to the whole wait (many that failed together come back apart); tenth: ±10 %."""

    def wait_seconds(self, failures: int) -> float | None:
        """The wait after so many failures (from 1), drawn at random; None: it was the last."""
        if failures > len(self.waits_seconds):
            return None
        wait = self.waits_seconds[failures - 1]
        low, high = (0.0, wait) if self.jitter == "full" else (wait * 0.9, wait * 1.1)
        return random.uniform(low, high)  # noqa: S311 - nothing to guess


MAX_WAIT_SECONDS = 900.0
FIVE_RETRIES = Retries(tuple(min(10.0 * 2**n, MAX_WAIT_SECONDS) for n in range(5)))
_MINUTE, _HOUR = 60.0, 3600.0
OVER_DAYS = Retries(
    (5, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR), "tenth"
)
"""The schedule that Standard Webhooks 1.0.0 gives as its example."""


class JobArgs(BaseModel):
    """The arguments of a task: small, JSON, ids rather than copies."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


class NoArgs(JobArgs):
    """For tasks that need none."""


class MailArgs(JobArgs):
    """One mail to one account, in its language; `data` is what its template shows."""

    template: str
    user_id: str
    data: dict[str, Any] = Field(default_factory=dict)


class EventArgs(JobArgs):
    """An event of record, by its id."""

    event_id: str


class NotificationMailArgs(JobArgs):
    """The mail about a notification, or about all of its kind that gathered meanwhile."""

    user_id: str
    notification_id: str


class AnnouncementArgs(JobArgs):
    """What a teacher told everybody in a course."""

    announcement_id: str


class DeliveryArgs(JobArgs):
    """One event of record for one webhook. `is_again`: somebody asked for it, so it does not wait its turn."""

    webhook_id: str
    event_id: str
    is_again: bool = False


class LocalDayArgs(JobArgs):
    """Everybody of one timezone, on one of their days (ISO date)."""

    timezone: str
    date: str


class RecalculationArgs(JobArgs):
    """One enrolment, or all of a course."""

    enrollment_id: str | None = None
    course_id: str | None = None


class CourseArgs(JobArgs):
    """One course."""

    course_id: str


class AssignmentArgs(JobArgs):
    """One assignment."""

    assignment_id: str


class ExportArgs(JobArgs):
    """A copy of what is held about somebody."""

    export_id: str


class CertificateArgs(JobArgs):
    """The certificate of an enrolment; or the file of one, which may be the successor of `replaces_id`."""

    enrollment_id: str | None = None
    certificate_id: str | None = None
    replaces_id: str | None = None
    is_by_hand: bool = False


class AccessArgs(JobArgs):
    """Whose enrolment is brought in line with what they paid: in this course, or in all that they ever bought."""

    user_id: str
    course_id: str | None = None


class InvoiceArgs(JobArgs):
    """What a payment is to have: its invoice, and a credit note for each refund."""

    payment_id: str


class GatewayEventArgs(JobArgs):
    """A word of a gateway, as it is kept."""

    event_id: str


class PaymentArgs(JobArgs):
    """A payment."""

    payment_id: str


class WalkArgs(JobArgs):
    """Going on where the run before was cut; `since_ms`: when the first run of them was asked for. None: this is the first."""

    since_ms: int | None = None


class RefundArgs(JobArgs):
    """A refund."""

    refund_id: str


class SubscriptionArgs(JobArgs):
    """A subscription to a plan."""

    subscription_id: str


class SandboxArgs(JobArgs):
    """A checkout of the sandbox."""

    checkout_id: str


class FileArgs(JobArgs):
    """A file that was uploaded."""

    file_id: str


class ImportArgs(JobArgs):
    """A run over many things: people, or a course."""

    import_id: str


class RegradeArgs(JobArgs):
    """A regrade, to be carried out or taken back."""

    regrade_id: str


class ErasureArgs(JobArgs):
    """Somebody whose account ends."""

    user_id: str


class PromiseArgs(JobArgs):
    """Something of this kind that was promised; what it is about is sealed."""

    kind: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TaskKind:
    """One row of the catalogue. `forgets` are arguments (objects) that are emptied once it is done: they are private."""

    name: str
    queue: Queue
    args: type[JobArgs]
    time_limit_seconds: float = 60.0
    retries: Retries = FIVE_RETRIES
    forgets: tuple[str, ...] = ()


TASK_KINDS: tuple[TaskKind, ...] = (
    TaskKind("mail.send", "emails", MailArgs, time_limit_seconds=180, forgets=("data",)),
    TaskKind("accounts.promised", "emails", PromiseArgs, forgets=("facts",)),
    TaskKind("notifications.mail", "emails", NotificationMailArgs, time_limit_seconds=180),
    TaskKind("reports.weekly", "emails", LocalDayArgs, time_limit_seconds=3_600),
    TaskKind("reminders.daily", "emails", LocalDayArgs, time_limit_seconds=3_600),
    TaskKind("announcements.tell", "progress", AnnouncementArgs, time_limit_seconds=600),
    TaskKind("events.follow", "progress", EventArgs),
    TaskKind("progress.recalculate", "progress", RecalculationArgs, time_limit_seconds=600),
    TaskKind("assignments.retell", "progress", AssignmentArgs, time_limit_seconds=900),
    TaskKind("analytics.refresh_course", "progress", CourseArgs, time_limit_seconds=300),
    TaskKind("counters.reconcile", "progress", NoArgs, time_limit_seconds=900),
    TaskKind("audit.check", "progress", NoArgs, time_limit_seconds=900),
    TaskKind("retention.clean_up", "progress", NoArgs, time_limit_seconds=900),
    TaskKind("exports.build", "progress", ExportArgs, time_limit_seconds=900),
    TaskKind("files.thumbnail", "progress", FileArgs, time_limit_seconds=420),
    TaskKind("certificates.generate", "certificates", CertificateArgs),
    TaskKind("payments.access", "payments", AccessArgs),
    TaskKind("payments.settle", "payments", GatewayEventArgs, time_limit_seconds=120, retries=OVER_DAYS),
    TaskKind("payments.close", "payments", PaymentArgs, time_limit_seconds=120, retries=OVER_DAYS),
    TaskKind("invoices.make", "certificates", InvoiceArgs, time_limit_seconds=180),
    TaskKind("payments.refund", "payments", RefundArgs, time_limit_seconds=180, retries=OVER_DAYS),
    TaskKind("payments.look_again", "payments", WalkArgs, time_limit_seconds=900),
    TaskKind("payments.reconcile", "payments", WalkArgs, time_limit_seconds=3_600),
    TaskKind("subscriptions.access", "payments", SubscriptionArgs, time_limit_seconds=300),
    TaskKind("subscriptions.sweep", "payments", NoArgs, time_limit_seconds=3_600),
    TaskKind("sandbox.pay", "payments", SandboxArgs),
    TaskKind("imports.run", "progress", ImportArgs, time_limit_seconds=900),
    TaskKind("regrades.apply", "progress", RegradeArgs, time_limit_seconds=900),
    TaskKind("erasure.run", "progress", ErasureArgs, time_limit_seconds=900, retries=OVER_DAYS),
    TaskKind("erasure.sweep", "progress", NoArgs, time_limit_seconds=900),
    TaskKind("webhooks.deliver", "webhooks", DeliveryArgs, time_limit_seconds=30, retries=OVER_DAYS),
)
"""Every task that can be asked for."""

_BY_NAME: Mapping[str, TaskKind] = MappingProxyType({kind.name: kind for kind in TASK_KINDS})


def task_kind(name: str) -> TaskKind:
    """The row of a task. Raises `KeyError` for a name that no row has."""
    return _BY_NAME[name]
