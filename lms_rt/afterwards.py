"""What follows a write, wired: jobs, events of record, mails, notifications, webhooks. `bootstrap.py` does the rest.

No rules, and no processes that run jobs: those are `workers`.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from config.settings import Settings
from documents import DOCUMENTS
from documents.audit_beside import AuditReason
from documents.base import Aggregate
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock
from lms_rt.gateways.webhook import WebhookGateway
from lms_rt.security.audit_chain import AuditChain
from lms_rt.security.keyring import keyring_of
from lms_rt.security.sealing import Sealer
from lms_rt.security.ssrf import SystemResolver, TargetGuard
from lms_rt.services.announcements import Announcements
from lms_rt.services.audit import Audit
from lms_rt.services.audit_check import AuditCheck
from lms_rt.services.audit_telling import AuditTelling
from lms_rt.services.audit_views import AuditLog
from lms_rt.services.audit_witness import Witness
from lms_rt.services.dead_letters import DeadLetters
from lms_rt.services.event_log import EventLog
from lms_rt.services.following import Following
from lms_rt.services.jobs import Jobs
from lms_rt.services.mails import Mails, postman_of
from lms_rt.services.notification_mails import NotificationMails
from lms_rt.services.notifications import Notifications
from lms_rt.services.preferences import Preferences
from lms_rt.services.relay import Relay
from lms_rt.services.reminders import Reminders
from lms_rt.services.reports import Reports
from lms_rt.services.retention import Retention
from lms_rt.services.schedules import Schedules
from lms_rt.services.task_figures import TaskFigures
from lms_rt.services.webhook_delivery import WebhookDeliveries
from lms_rt.services.webhook_notices import SWITCHED_OFF, telling_of
from lms_rt.services.webhooks import Webhooks


@dataclass(frozen=True)
class Afterwards:
    """The services that carry out what others asked for."""

    audit: Audit
    audit_check: AuditCheck
    audit_log: AuditLog
    audit_telling: AuditTelling
    jobs: Jobs
    task_figures: TaskFigures
    dead_letters: DeadLetters
    event_log: EventLog
    mails: Mails
    preferences: Preferences
    notifications: Notifications
    announcements: Announcements
    notification_mails: NotificationMails
    following: Following
    relay: Relay
    reminders: Reminders
    reports: Reports
    retention: Retention
    schedules: Schedules
    webhooks: Webhooks
    webhook_deliveries: WebhookDeliveries


def wired_afterwards(settings: Settings, clock: Clock, *, bus: Bus, stack: AsyncExitStack) -> Afterwards:
    """All of them; what they hold open ends with the stack."""
    jobs, following = Jobs(clock=clock, wake_ups=bus.wake_ups), Following()
    event_log = EventLog(jobs=jobs, clock=clock)
    relay, retention = _relay(bus, clock, jobs, event_log), Retention(settings=settings, clock=clock)
    audit, audit_check = _audit(settings, clock, relay, retention)
    preferences = Preferences(clock=clock)
    mails = _mails(settings, clock, preferences, stack)
    notifications = Notifications(settings=settings, clock=clock, relay=relay, preferences=preferences)
    following.add(notifications.follow)
    relay.register_effect(SWITCHED_OFF, telling_of(notifications))
    webhooks, webhook_deliveries = _webhooks(settings, clock, relay=relay, jobs=jobs, stack=stack)
    following.add(webhooks.follow)
    return Afterwards(
        audit=audit,
        audit_check=audit_check,
        audit_log=AuditLog(check=audit_check),
        audit_telling=AuditTelling(settings=settings, clock=clock, jobs=jobs),
        jobs=jobs,
        task_figures=TaskFigures(clock=clock),
        dead_letters=DeadLetters(clock=clock, jobs=jobs, audit=audit),
        event_log=event_log,
        mails=mails,
        preferences=preferences,
        notifications=notifications,
        announcements=Announcements(clock=clock, relay=relay, notifications=notifications),
        notification_mails=NotificationMails(clock=clock, preferences=preferences, mails=mails),
        following=following,
        relay=relay,
        reminders=Reminders(clock=clock, jobs=jobs),
        reports=Reports(clock=clock, jobs=jobs),
        retention=retention,
        schedules=Schedules(clock=clock, jobs=jobs),
        webhooks=webhooks,
        webhook_deliveries=webhook_deliveries,
    )


def _relay(bus: Bus, clock: Clock, jobs: Jobs, event_log: EventLog) -> Relay:
    """The relay over every aggregate there is."""
    aggregates = [document for document in DOCUMENTS if issubclass(document, Aggregate)]
    return Relay(fan_out=bus.fan_out, clock=clock, aggregates=aggregates, jobs=jobs, record=event_log.record)


def _audit(settings: Settings, clock: Clock, relay: Relay, retention: Retention) -> tuple[Audit, AuditCheck]:
    """The audit log's writer, and who checks it and takes away what is too old."""
    chain = AuditChain(keyring_of(settings))
    witness, kept = Witness(clock=clock, chain=chain), timedelta(days=settings.retention_audit_days)
    audit = Audit(clock=clock, chain=chain, witness=witness)
    check = AuditCheck(clock=clock, chain=chain, witness=witness, kept=kept)
    relay.register_audit(audit.append)
    retention.add_rule("audit records", settings.retention_audit_days, check.cut)
    retention.add_rule("audit reasons", settings.retention_audit_days, AuditReason.forget_before)
    return audit, check


def _mails(settings: Settings, clock: Clock, wishes: Preferences, stack: AsyncExitStack) -> Mails:
    """Mails by whoever carries them here; open connections end with the services."""
    mails = Mails(settings=settings, clock=clock, postman=postman_of(settings), wishes=wishes)
    stack.push_async_callback(mails.close)
    return mails


def _webhooks(
    settings: Settings, clock: Clock, *, relay: Relay, jobs: Jobs, stack: AsyncExitStack
) -> tuple[Webhooks, WebhookDeliveries]:
    """Webhooks and their deliveries, with a way out of the house that ends with the services."""
    resolver, gateway = SystemResolver(), WebhookGateway()
    stack.callback(resolver.close)
    stack.push_async_callback(gateway.close)
    guard = TargetGuard(resolver, allowed=settings.webhook_allow_networks, is_http_allowed=settings.webhook_allow_http)
    sealer = Sealer(keyring_of(settings), purpose="webhooks")
    webhooks = Webhooks(clock=clock, relay=relay, jobs=jobs, guard=guard, sealer=sealer)
    deliveries = WebhookDeliveries(clock=clock, relay=relay, jobs=jobs, guard=guard, sealer=sealer, gateway=gateway)
    return webhooks, deliveries
