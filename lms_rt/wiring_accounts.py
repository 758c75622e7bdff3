"""What accounts need, wired: passwords, sessions, signing in, and all that is asked of a person. `bootstrap.py` does the rest.

No rules. Each service of accounts is a field of `AccountServices`, and is made in `wired_accounts`.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from config.settings import Settings
from lms_rt.afterwards import Afterwards
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock
from lms_rt.security.passwords import HashingPool, PasswordHasher
from lms_rt.services.accounts import Accounts
from lms_rt.services.sessions import Sessions


@dataclass(frozen=True)
class AccountServices:
    """The services of accounts."""

    passwords: PasswordHasher
    sessions: Sessions
    accounts: Accounts


def wired_accounts(
    settings: Settings, clock: Clock, *, bus: Bus, after: Afterwards, stack: AsyncExitStack
) -> AccountServices:
    """All of them; what they hold open ends with the stack."""
    passwords = _hasher(settings, stack)
    sessions = Sessions(settings=settings, clock=clock, bus=bus)
    return AccountServices(
        passwords=passwords,
        sessions=sessions,
        accounts=Accounts(settings=settings, clock=clock, passwords=passwords, sessions=sessions, relay=after.relay),
    )


def _hasher(settings: Settings, stack: AsyncExitStack) -> PasswordHasher:
    """The hasher, with a pool of its own that ends with the services."""
    pool = HashingPool()
    stack.callback(pool.close)
    pepper = settings.password_pepper.get_secret_value()
    return PasswordHasher(pepper=pepper, cost=settings.password_hash_cost, pool=pool)
