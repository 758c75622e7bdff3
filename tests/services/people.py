"""Accounts and sessions wired up for tests: a fake clock, the memory bus, the database of the lane."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from config.settings import Settings
from documents.user import User
from lms_rt.bus.base import Bus, Control, Receiver, Word
from lms_rt.bus.memory import SilentWakeUps, memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.accounts import RegistrationDraft, SignInDraft, TokensView
from lms_rt.errors import Code, Refused
from lms_rt.security.devices import DeviceMarks
from lms_rt.security.keyring import keyring_of
from lms_rt.security.one_time import OneTimeTokens
from lms_rt.security.passwords import HashingPool, PasswordHasher
from lms_rt.security.rate_limits import RateLimiter
from lms_rt.security.sign_in_guard import SignInGuard
from lms_rt.services.accounts import Accounts
from lms_rt.services.demo import DemoPeople
from lms_rt.services.jobs import Jobs
from lms_rt.services.later import Later
from lms_rt.services.mail_links import MailLinks
from lms_rt.services.promises import Promises
from lms_rt.services.registration import Registration
from lms_rt.services.sessions import Sessions
from lms_rt.services.sign_ins import SignIns
from lms_rt.wiring_accounts import guard_of
from tests.services.relaying import relay_over

PASSWORD = "river stone 41"


@dataclass
class Heard(Receiver[Word]):
    """The words that were said to the nodes."""

    words: list[Control] = field(default_factory=list)

    def receive(self, message: Word) -> None:
        if isinstance(message, Control):
            self.words.append(message)

    def named(self, name: str) -> list[dict[str, object]]:
        return [dict(word.data) for word in self.words if word.name == name]


@dataclass
class People:
    """One node's accounts."""

    settings: Settings
    clock: FakeClock
    bus: Bus
    passwords: PasswordHasher
    sessions: Sessions
    accounts: Accounts
    sign_ins: SignIns
    sign_in_guard: SignInGuard
    later: Later
    demo: DemoPeople
    heard: Heard
    registration: Registration

    @property
    def limiter(self) -> RateLimiter:
        """Who counts requests."""
        return self.sign_in_guard.limiter

    @property
    def device_marks(self) -> DeviceMarks:
        """Who knows browsers again."""
        return self.sign_in_guard.marks

    async def join(self, email: str = "mona@example.org", full_name: str = "Mona Farouk") -> TokensView:
        """Somebody new, signed in."""
        return await self.accounts.register(RegistrationDraft(email=email, password=PASSWORD, full_name=full_name))

    async def sign_in(self, email: str = "mona@example.org", password: str = PASSWORD) -> TokensView:
        """Somebody who has joined before."""
        return await self.accounts.login(SignInDraft(email=email, password=password))

    async def refresh_refusal(self, refresh_token: str) -> Code | None:
        """Why the refresh token is refused, if it is; else it was used."""
        try:
            await self.sessions.refresh(refresh_token)
        except Refused as refused:
            return refused.code
        return None

    async def refusal(self, access_token: str) -> Code | None:
        """Why the token is refused, if it is."""
        try:
            await self.sessions.authenticate(access_token)
        except Refused as refused:
            return refused.code
        return None


@asynccontextmanager
async def open_people(
    settings: Settings, *, clock: FakeClock | None = None, bus: Bus | None = None
) -> AsyncIterator[People]:
    """A node; with the clock and the bus of another one, a second node beside it."""
    clock = clock or FakeClock()
    bus = bus or memory_bus(clock)
    pool = HashingPool()
    passwords = PasswordHasher(
        pepper=settings.password_pepper.get_secret_value(), cost=settings.password_hash_cost, pool=pool
    )
    sessions = Sessions(settings=settings, clock=clock, bus=bus)
    relay = relay_over(bus.fan_out, clock, [User])
    guard, later, jobs = guard_of(settings, bus), Later(), Jobs(clock=clock, wake_ups=SilentWakeUps())
    sign_ins = SignIns(clock=clock, passwords=passwords, sessions=sessions, guard=guard, jobs=jobs, later=later)
    accounts = Accounts(
        settings=settings, clock=clock, passwords=passwords, sessions=sessions, sign_ins=sign_ins, relay=relay
    )
    heard = Heard()
    listening = await bus.fan_out.listen_control(heard)
    await sessions.listen()
    try:
        demo = DemoPeople(accounts=accounts, passwords=passwords)
        links = MailLinks(
            clock=clock,
            jobs=jobs,
            promises=Promises(clock=clock, jobs=jobs, later=later, keyring=keyring_of(settings)),
            tokens=OneTimeTokens(keyring=keyring_of(settings), clock=clock),
        )
        registration = Registration(settings=settings, clock=clock, accounts=accounts, links=links)
        yield People(
            settings, clock, bus, passwords, sessions, accounts, sign_ins, guard, later, demo, heard, registration
        )
    finally:
        await later.close()
        await sessions.close()
        await listening.stop()
        pool.close()
