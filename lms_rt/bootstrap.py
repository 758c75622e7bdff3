"""The only wiring, with `afterwards.py` and `wiring_*.py`: settings → clients → services → the tasks that run with them. No rules."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from config.settings import Settings
from documents.enums import Role
from lms_rt.afterwards import Afterwards, wired_afterwards
from lms_rt.bus.base import Bus, SharedTime, WakeUps
from lms_rt.bus.counted import counted
from lms_rt.bus.memory import memory_bus
from lms_rt.bus.redis.bus import RedisLimits, open_redis_bus
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.channels import ChannelKind
from lms_rt.errors import Refused
from lms_rt.realtime.authority import Authority
from lms_rt.realtime.hub import Hub
from lms_rt.realtime.metrics import LiveMetrics
from lms_rt.realtime.node import Node, NodeLimits
from lms_rt.realtime.projections import DifferingProjection, Projection
from lms_rt.realtime.timers import QuizTimer
from lms_rt.security.permissions import permissions_of
from lms_rt.services.attempts import Attempts
from lms_rt.services.background import Background, running
from lms_rt.services.categories import Categories
from lms_rt.services.clock_keeper import ClockKeeper
from lms_rt.services.courses import Courses
from lms_rt.services.dashboards import Dashboards
from lms_rt.services.enrollments import Enrollments
from lms_rt.services.health import Health, health_of
from lms_rt.services.idempotency import Idempotency
from lms_rt.services.imports import Imports
from lms_rt.services.lesson_files import LessonFiles
from lms_rt.services.lessons import Lessons
from lms_rt.services.payments.entitlements import AccessRules
from lms_rt.services.pictures import Pictures
from lms_rt.services.progress import Progress
from lms_rt.services.public_views import PublicViews
from lms_rt.services.recalculation import Recalculation
from lms_rt.services.reconciling import Reconciling
from lms_rt.services.relay import Relay
from lms_rt.services.reviews import review_by
from lms_rt.services.sessions import Sessions
from lms_rt.services.subscriptions import Subscriptions
from lms_rt.services.task_figures import TaskFigures
from lms_rt.services.vault_keeper import VaultKeeper
from lms_rt.storage.embedded import StoreError
from lms_rt.storage.files.base import FileStore
from lms_rt.storage.files.opening import open_file_store
from lms_rt.storage.mongo import OpenDatabase, open_database
from lms_rt.storage.secrets import open_secrets
from lms_rt.wiring_accounts import AccountServices, wired_accounts
from lms_rt.wiring_admin import AdminServices, Beside, wired_admin
from lms_rt.wiring_exams import ExamServices, wired_exams
from lms_rt.wiring_learning import LearningGround, LearningServices, wired_learning
from lms_rt.wiring_payments import PaymentGround, PaymentServices, wired_payments
from lms_rt.wiring_privacy import Around, PrivacyServices, wired_privacy

__all__ = ["Services", "StoreError", "open_services"]

EMBEDDED_SWEEP_SECONDS = 30.0
SERVER_SWEEP_SECONDS = 2.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services(
    Afterwards, AccountServices, PrivacyServices, AdminServices, ExamServices, LearningServices, PaymentServices
):
    """Everything that handlers, workers and the console call."""

    settings: Settings
    clock: Clock
    bus: Bus
    node: Node
    courses: Courses
    lessons: Lessons
    categories: Categories
    enrollments: Enrollments
    progress: Progress
    recalculation: Recalculation
    reconciling: Reconciling
    imports: Imports
    dashboards: Dashboards
    subscriptions: Subscriptions
    idempotency: Idempotency
    health: Health
    database: OpenDatabase
    file_store: FileStore
    registry: CollectorRegistry

    @property
    def console_actor(self) -> Actor:
        """Who acts for a command at the machine itself: whoever may run it may do all that an administrator may."""
        return Actor("usr_console", Role.ADMIN, permissions_of(Role.ADMIN), full_name="Console")


@asynccontextmanager
async def open_services(
    settings: Settings,
    *,
    clock: Clock | None = None,
    limits: NodeLimits | None = None,
    wake_ups: WakeUps | None = None,
    is_worker: bool = False,
) -> AsyncIterator[Services]:
    """The services on an open database, with their background tasks running. Raises `StoreError` in one line.

    `wake_ups` tells workers of new jobs. A process that `is_worker` has no live connections to care for. At the end the
    background tasks are cancelled first, then what they used is closed.
    """
    clock, limits = clock or Clock(), limits or NodeLimits()
    settings = settings.model_copy()  # its own: some of them move while it runs
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        if settings.is_embedded:
            settings = _with_secrets(settings, database)
        registry = CollectorRegistry()
        bus = counted(await _opened_bus(settings, clock, limits, stack), registry)
        if wake_ups is not None:
            bus = replace(bus, wake_ups=wake_ups)
        clock_keeper = None if bus.time is None else await _kept_clock(clock, bus, bus.time, stack)
        files = await stack.enter_async_context(open_file_store(settings, clock, database))
        services = _wired(settings, clock, _Place(database, bus, limits, registry, files), stack)
        tasks = _tasks_of(services, is_worker=is_worker)
        if settings.vault_addr:
            tasks["vault"] = VaultKeeper(settings).run
        if clock_keeper is not None:
            tasks["clock"] = clock_keeper.run
        stack.push_async_callback(bus.reachability.watch(services.relay).stop)
        await services.sessions.listen()
        stack.push_async_callback(services.sessions.close)
        await services.runtime_settings.open()
        stack.push_async_callback(services.runtime_settings.close)
        if not is_worker:
            await services.node.open()
        await stack.enter_async_context(running(tasks))
        yield services


@dataclass(frozen=True, slots=True)
class _Place:
    """What a node stands on, how much it may hold, where its figures are, and where files lie."""

    database: OpenDatabase
    bus: Bus
    limits: NodeLimits
    registry: CollectorRegistry
    files: FileStore


async def _opened_bus(settings: Settings, clock: Clock, limits: NodeLimits, stack: AsyncExitStack) -> Bus:
    """The bus that the settings name, chosen once. Without Redis a node starts all the same, and says so."""
    if settings.is_embedded:
        return memory_bus(clock)
    url, redis_limits = settings.redis_url.get_secret_value(), RedisLimits(presence_seconds=limits.presence_seconds)
    try:
        replicas = settings.redis_replicas
        opening = open_redis_bus(url, settings.mongodb_database, clock, replicas=replicas, limits=redis_limits)
        bus = await stack.enter_async_context(opening)
    except ValueError as error:
        raise StoreError(f"REDIS_URL cannot be used: {error}") from error
    try:
        await bus.open()
    except Refused:
        _log.warning("no answer from Redis at REDIS_URL: this node starts without live events, and waits for it")
    return bus


async def _kept_clock(clock: Clock, bus: Bus, time: SharedTime, stack: AsyncExitStack) -> ClockKeeper:
    """The clock of this process at the time of all nodes."""
    keeper = ClockKeeper(clock=clock, time=time)
    await keeper.open()
    stack.push_async_callback(bus.reachability.watch(keeper).stop)
    return keeper


def _with_secrets(settings: Settings, database: OpenDatabase) -> Settings:
    """The embedded installation's own keys, where the environment names none."""
    kept = open_secrets(settings.lms_data_dir, can_make=database.is_new)
    keys = {"secret_key": kept.secret_key, "password_pepper": kept.password_pepper, "signing_key": kept.signing_key}
    unset = {name: SecretStr(key) for name, key in keys.items() if not getattr(settings, name).get_secret_value()}
    return settings.model_copy(update=unset)


def _wired(settings: Settings, clock: Clock, place: _Place, stack: AsyncExitStack) -> Services:
    bus = place.bus
    after = wired_afterwards(settings, clock, bus=bus, stack=stack)
    accounts = wired_accounts(settings, clock, bus=bus, after=after, stack=stack)
    relay, sessions = after.relay, accounts.sessions
    enrollments, progress = _learning(settings, bus, clock, relay)
    recalculation = Recalculation(progress=progress)
    exams = wired_exams(settings, clock, bus=bus, after=after)
    around = Around(after, accounts, bus, place.database, enrollments, exams.attempt_clock, place.files)
    privacy = wired_privacy(settings, clock, around)
    ground = LearningGround(after, accounts, exams, bus, place.files, enrollments, progress)
    learning = wired_learning(settings, clock, ground)
    payments = wired_payments(settings, clock, PaymentGround(after, accounts, learning, bus, enrollments, stack=stack))
    dashboards, subscriptions = Dashboards(bus=bus, clock=clock), Subscriptions(clock=clock)
    node = _node(
        place, clock, sessions=sessions, subscriptions=subscriptions, dashboards=dashboards, attempts=exams.attempts
    )
    node.hear_lines(exams.lines)
    health = _health(place, clock, after.task_figures, files=place.files)
    views = PublicViews(settings, clock=clock, marks=bus.marks)
    beside = Beside(after, accounts, bus, place.database, health, connections=lambda: len(node.connections))
    return Services(
        **vars(after) | vars(accounts) | vars(privacy) | vars(exams) | vars(learning) | vars(payments),
        **vars(wired_admin(settings, clock, beside)),
        **_shown(place),
        settings=settings,
        clock=clock,
        node=node,
        courses=_courses(clock, relay, learning, views),
        lessons=Lessons(clock=clock, relay=relay, files=LessonFiles(learning.files), views=views),
        categories=Categories(clock=clock),
        enrollments=enrollments,
        progress=progress,
        recalculation=recalculation,
        reconciling=Reconciling(clock=clock, jobs=after.jobs, recalculation=recalculation),
        imports=Imports(questions=exams.questions),
        dashboards=dashboards,
        subscriptions=subscriptions,
        idempotency=Idempotency(clock=clock),
        health=health,
    )


def _shown(place: _Place) -> dict[str, Any]:
    """What a node stands on, as everybody may reach it."""
    return {"bus": place.bus, "database": place.database, "file_store": place.files, "registry": place.registry}


def _courses(clock: Clock, relay: Relay, learning: LearningServices, views: PublicViews) -> Courses:
    courses = Courses(clock=clock, relay=relay, views=views)
    courses.keep_pictures_by(Pictures(learning.files))
    return courses


def _health(place: _Place, clock: Clock, task_figures: TaskFigures, *, files: FileStore) -> Health:
    health = health_of(clock=clock, database=place.database, bus=place.bus, task_figures=task_figures)
    health.storage = files.ping
    return health


def _learning(settings: Settings, bus: Bus, clock: Clock, relay: Relay) -> tuple[Enrollments, Progress]:
    """Enrolments and progress, with what the relay carries out in their name."""
    enrollments = Enrollments(clock=clock, relay=relay, bus=bus, rules=AccessRules.of(settings))
    progress = Progress(clock=clock, relay=relay, bus=bus)
    for name, handler in (enrollments.effects() | progress.effects()).items():
        relay.register_effect(name, handler)
    return enrollments, progress


def _node(
    place: _Place,
    clock: Clock,
    *,
    sessions: Sessions,
    subscriptions: Subscriptions,
    dashboards: Dashboards,
    attempts: Attempts,
) -> Node:
    """The live side of this process: its channels, what they show while somebody watches, and who may listen."""

    def dashboard(quiz_id: str) -> Projection:
        return DifferingProjection("dashboard", dashboards.source_of(quiz_id), clock)

    def timer(attempt_id: str) -> Projection:
        return QuizTimer(attempt_id, attempts.find_timer, clock)

    metrics = LiveMetrics(place.registry)
    hub = Hub(bus=place.bus, clock=clock, metrics=metrics)
    hub.register_projection(ChannelKind.QUIZ_LIVE, dashboard)
    hub.register_projection(ChannelKind.ATTEMPT, timer)
    authority = Authority(
        may_listen=subscriptions.may_listen,
        actor_now=sessions.actor_now,
        review=review_by(sessions, subscriptions),
    )
    node = Node(bus=place.bus, clock=clock, hub=hub, metrics=metrics, authority=authority, limits=place.limits)
    node.presence.listen(dashboards.presence_changed)
    return node


def _tasks_of(services: Services, *, is_worker: bool) -> dict[str, Background]:
    """The background tasks of this process, by name."""
    interval_seconds = EMBEDDED_SWEEP_SECONDS if services.settings.is_embedded else SERVER_SWEEP_SECONDS

    async def relay() -> None:
        await services.relay.run(interval_seconds=interval_seconds)

    tasks = {
        "relay": relay,
        "audit": services.audit.witness.run,
        "queues": services.jobs.watch,
        "findings": services.findings.watch,
        "comparisons": services.comparison_state.watch,
        "mails": services.mails.run,
        "sessions": services.sessions.run,
        "settings": services.runtime_settings.run,
    }
    if not services.settings.tasks_force_inline:
        tasks["outboxes"] = services.relay.finish
    if is_worker:
        return tasks
    return tasks | {
        "attempt_clock": services.attempt_clock.run,
        "control_receipts": services.control_receipts.run,
        "enrollments": services.enrollments.run,
        "orders": services.orders.run,
        "node": services.node.run,
        "node_reports": services.node_reports.run,
        "dashboards": services.dashboards.run,
        "lines": services.lines.run,
    }
