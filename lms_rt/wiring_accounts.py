"""What accounts need, wired: passwords, sessions, signing in, and all that is asked of a person. `bootstrap.py` does the rest.

No rules. Each service of accounts is a field of `AccountServices`, and is made in `wired_accounts`.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TypedDict

from config.settings import Settings
from lms_rt.afterwards import Afterwards
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock
from lms_rt.security import common_passwords
from lms_rt.security.devices import DeviceMarks
from lms_rt.security.keyring import keyring_of
from lms_rt.security.one_time import OneTimeTokens
from lms_rt.security.passwords import HashingPool, PasswordHasher
from lms_rt.security.rate_limits import RateLimiter
from lms_rt.security.sign_in_guard import SignInGuard
from lms_rt.services.accounts import Accounts
from lms_rt.services.invitations import Invitations
from lms_rt.services.jobs import Jobs
from lms_rt.services.later import Later
from lms_rt.services.mail_links import MailLinks
from lms_rt.services.mfa import Mfa
from lms_rt.services.mfa_codes import MfaCodes
from lms_rt.services.own_passwords import OwnPasswords
from lms_rt.services.own_sessions import OwnSessions
from lms_rt.services.password_resets import PasswordResets
from lms_rt.services.promises import Promises
from lms_rt.services.registration import Registration
from lms_rt.services.resealing import Resealing
from lms_rt.services.second_step import SecondSteps
from lms_rt.services.sessions import Sessions
from lms_rt.services.sign_ins import SignIns
from lms_rt.services.verification import Verification


@dataclass(frozen=True)
class AccountServices:
    """The services of accounts."""

    passwords: PasswordHasher
    sessions: Sessions
    accounts: Accounts
    own_sessions: OwnSessions
    own_passwords: OwnPasswords
    resealing: Resealing
    sign_ins: SignIns
    sign_in_guard: SignInGuard
    limiter: RateLimiter
    device_marks: DeviceMarks
    later: Later
    promises: Promises
    registration: Registration
    verification: Verification
    password_resets: PasswordResets
    invitations: Invitations
    mfa: Mfa
    second_steps: SecondSteps


class _SecondStep(TypedDict):
    mfa: Mfa
    second_steps: SecondSteps


class _Flows(TypedDict):
    verification: Verification
    password_resets: PasswordResets


def wired_accounts(
    settings: Settings, clock: Clock, *, bus: Bus, after: Afterwards, stack: AsyncExitStack
) -> AccountServices:
    """All of them; what they hold open ends with the stack."""
    passwords, later = _hasher(settings, stack), Later()
    stack.push_async_callback(later.close)
    later.put("the list of common passwords", partial(asyncio.to_thread, common_passwords.load))
    sessions = Sessions(settings=settings, clock=clock, bus=bus)
    guard = guard_of(settings, bus)
    sign_ins = SignIns(clock=clock, passwords=passwords, sessions=sessions, guard=guard, jobs=after.jobs, later=later)
    links = _links(settings, clock, jobs=after.jobs, later=later)
    accounts = Accounts(
        settings=settings, clock=clock, passwords=passwords, sessions=sessions, sign_ins=sign_ins, relay=after.relay
    )
    flows = _flows(settings, clock, after=after, links=links, passwords=passwords, sessions=sessions)
    own_passwords = OwnPasswords(
        settings=settings, clock=clock, passwords=passwords, sessions=sessions, sign_ins=sign_ins, relay=after.relay
    )
    return AccountServices(
        **flows,
        **_second_step(settings, clock, after=after, tokens=links.tokens, sign_ins=sign_ins, guard=guard),
        passwords=passwords,
        sessions=sessions,
        own_sessions=OwnSessions(clock=clock, sessions=sessions),
        own_passwords=own_passwords,
        resealing=Resealing(keyring_of(settings)),
        accounts=accounts,
        later=later,
        promises=links.promises,
        registration=Registration(settings=settings, clock=clock, accounts=accounts, links=links),
        invitations=Invitations(links=links),
        sign_ins=sign_ins,
        sign_in_guard=guard,
        limiter=guard.limiter,
        device_marks=guard.marks,
    )


def guard_of(settings: Settings, bus: Bus) -> SignInGuard:
    """Who watches the entrance, and with it who counts all other requests."""
    keyring = keyring_of(settings)
    limiter = RateLimiter(settings=settings, rate_limits=bus.rate_limits, keyring=keyring)
    marks = DeviceMarks(keyring)
    return SignInGuard(settings=settings, rate_limits=bus.rate_limits, limiter=limiter, marks=marks)


def _links(settings: Settings, clock: Clock, *, jobs: Jobs, later: Later) -> MailLinks:
    """Mails with links that hold once."""
    keyring = keyring_of(settings)
    promises = Promises(clock=clock, jobs=jobs, later=later, keyring=keyring)
    tokens = OneTimeTokens(keyring=keyring, clock=clock)
    return MailLinks(clock=clock, jobs=jobs, promises=promises, tokens=tokens)


def _flows(
    settings: Settings,
    clock: Clock,
    *,
    after: Afterwards,
    links: MailLinks,
    passwords: PasswordHasher,
    sessions: Sessions,
) -> _Flows:
    """What the links of mails open, and who writes those links."""
    verification = Verification(settings=settings, clock=clock, links=links, sessions=sessions, relay=after.relay)
    resets = PasswordResets(
        settings=settings, clock=clock, links=links, passwords=passwords, sessions=sessions, relay=after.relay
    )
    after.mails.complete("email_verification", verification.mail)
    after.mails.complete("password_reset", resets.reset_mail)
    after.mails.complete("invitation", resets.invitation_mail)
    return {"verification": verification, "password_resets": resets}


def _second_step(
    settings: Settings,
    clock: Clock,
    *,
    after: Afterwards,
    tokens: OneTimeTokens,
    sign_ins: SignIns,
    guard: SignInGuard,
) -> _SecondStep:
    """The second step of signing in, asked for at the entrance."""
    codes = MfaCodes(settings=settings, clock=clock, jobs=after.jobs, guard=guard, keyring=keyring_of(settings))
    after.mails.complete("mfa_code", codes.complete)
    return {
        "mfa": Mfa(issuer=settings.project_name, clock=clock, relay=after.relay, codes=codes, sign_ins=sign_ins),
        "second_steps": SecondSteps(clock=clock, tokens=tokens, codes=codes, sign_ins=sign_ins),
    }


def _hasher(settings: Settings, stack: AsyncExitStack) -> PasswordHasher:
    """The hasher, with a pool of its own that ends with the services."""
    pool = HashingPool()
    stack.callback(pool.close)
    pepper = settings.password_pepper.get_secret_value()
    return PasswordHasher(pepper=pepper, cost=settings.password_hash_cost, pool=pool)
