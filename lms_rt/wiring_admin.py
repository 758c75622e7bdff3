"""What administrators use, wired: people, teachers, acting in another's place, figures, settings. `bootstrap.py` does the rest.

No rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from config.settings import Settings
from lms_rt.afterwards import Afterwards
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock
from lms_rt.security.keyring import keyring_of
from lms_rt.security.ways_back import WaysBack
from lms_rt.services.account_locks import AccountLocks
from lms_rt.services.admin_stats import AdminStats
from lms_rt.services.admin_users import AdminUsers
from lms_rt.services.health import Health
from lms_rt.services.impersonation import Impersonation
from lms_rt.services.instructors import Instructors
from lms_rt.services.node_reports import NodeReports
from lms_rt.services.runtime_settings import RuntimeSettings
from lms_rt.services.users import Users
from lms_rt.storage.mongo import OpenDatabase
from lms_rt.wiring_accounts import AccountServices


@dataclass(frozen=True)
class AdminServices:
    """The services of administrators, and those of teachers' profiles."""

    users: Users
    admin_users: AdminUsers
    account_locks: AccountLocks
    impersonation: Impersonation
    instructors: Instructors
    runtime_settings: RuntimeSettings
    node_reports: NodeReports
    admin_stats: AdminStats


@dataclass(frozen=True, slots=True)
class Beside:
    """What they are wired to. `connections` tells how many sockets this node holds."""

    after: Afterwards
    accounts: AccountServices
    bus: Bus
    database: OpenDatabase
    health: Health
    connections: Callable[[], int]


def wired_admin(settings: Settings, clock: Clock, beside: Beside) -> AdminServices:
    """All of them."""
    relay, audit, accounts = beside.after.relay, beside.after.audit, beside.accounts
    admin_users = AdminUsers(
        clock=clock,
        bus=beside.bus,
        relay=relay,
        audit=audit,
        sessions=accounts.sessions,
        invitations=accounts.invitations,
    )
    for name, handler in admin_users.effects().items():
        relay.register_effect(name, handler)
    node_reports = NodeReports(
        clock=clock,
        node_id=beside.health.node_id,
        is_alone=beside.database.is_embedded,
        connections=beside.connections,
    )
    return AdminServices(
        users=Users(audit=audit),
        admin_users=admin_users,
        account_locks=AccountLocks(clock=clock, guard=accounts.sign_in_guard),
        impersonation=Impersonation(
            sessions=accounts.sessions, audit=audit, ways_back=WaysBack(keyring_of(settings), clock)
        ),
        instructors=Instructors(clock=clock, relay=relay),
        runtime_settings=RuntimeSettings(settings=settings, clock=clock, bus=beside.bus, relay=relay),
        node_reports=node_reports,
        admin_stats=AdminStats(clock=clock, database=beside.database, health=beside.health, nodes=node_reports),
    )
