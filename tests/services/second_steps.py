"""Second steps for tests, beside the people of `people.py`: as the wiring makes them, and mails as they would be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyotp

from config.settings import Settings
from documents.job import Job
from documents.user import User
from lms_rt.bus.memory import SilentWakeUps
from lms_rt.contracts.accounts import TokensView
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.mails import MailOrder
from lms_rt.contracts.mfa import MfaAnswer, MfaRequest, MfaRequiredView, TotpSetupView, required_of
from lms_rt.errors import Code, Refused
from lms_rt.security.keyring import keyring_of
from lms_rt.security.one_time import OneTimeTokens
from lms_rt.security.sessions import UNKNOWN_DEVICE, Device
from lms_rt.services.jobs import Jobs
from lms_rt.services.mfa import Mfa
from lms_rt.services.mfa_codes import MfaCodes
from lms_rt.services.second_step import SecondSteps
from tests.services.people import PASSWORD, People
from tests.services.relaying import relay_over


@dataclass
class Guarded:
    """Somebody with an app, and what was shown to them once."""

    user_id: str
    actor: Actor
    secret: str
    recovery_codes: list[str]


@dataclass
class Steps:
    """One node's second steps, and the people who have them."""

    people: People
    codes: MfaCodes
    mfa: Mfa
    second_steps: SecondSteps

    async def joined(self, email: str = "mona@example.org") -> Actor:
        """Somebody new, signed in."""
        tokens = await self.people.join(email)
        return await self.people.sessions.authenticate(tokens.access_token)

    async def with_app(self, email: str = "mona@example.org", *, seconds_ago: float = 60) -> Guarded:
        """Somebody new whose second step is an app, for so long already."""
        actor = await self.joined(email)
        setup = await self.mfa.request(actor, MfaRequest(password=PASSWORD, method="totp"))
        assert isinstance(setup, TotpSetupView)
        shown = await self.mfa.confirm(actor, self.app_code(setup.secret))
        self.people.clock.advance(seconds_ago)
        return Guarded(actor.user_id, actor, setup.secret, shown.recovery_codes)

    async def with_mail(self) -> Actor:
        """Somebody new whose codes come by mail. What was sent for that lies behind."""
        actor = await self.joined()
        await self.mfa.request(actor, MfaRequest(password=PASSWORD, method="email"))
        await self.mfa.confirm(actor, await self.mailed_code())
        self.people.clock.advance(60)
        return actor

    def app_code(self, secret: str, *, steps: int = 0) -> str:
        """What the app shows now, or so many steps from now."""
        return pyotp.TOTP(secret).generate_otp(self.people.clock.now_ms() // 30_000 + steps)

    async def challenge(self, email: str = "mona@example.org", password: str = PASSWORD) -> MfaRequiredView:
        """The password is right; what is asked for next."""
        try:
            await self.people.sign_in(email, password)
        except Refused as refused:
            return required_of(refused)
        raise AssertionError("no second step was asked for")

    async def answer(self, challenge: MfaRequiredView, code: str, device: Device = UNKNOWN_DEVICE) -> TokensView:
        """The second step of a sign-in."""
        draft = MfaAnswer(challenge_token=challenge.challenge_token, code=code)
        return await self.second_steps.enter(draft, device)

    async def refusal(self, challenge: MfaRequiredView, code: str, device: Device = UNKNOWN_DEVICE) -> Code:
        """Why it is refused."""
        try:
            await self.answer(challenge, code, device)
        except Refused as refused:
            return refused.code
        raise AssertionError("the code was taken")

    async def mails(self, template: str) -> list[dict[str, Any]]:
        """The jobs that would send these, oldest first."""
        found = Job.rows().find({"args.template": template}).sort("created_at", 1)
        return [row async for row in found]

    async def mailed_code(self) -> str:
        """The code of the last mail, as it stands in it."""
        job = (await self.mails("mfa_code"))[-1]
        made = await self.codes.complete(_order(job))
        assert made is not None
        return str(made["code"])

    async def is_mail_over(self) -> bool:
        """Would the last mail with a code come too late to be written?"""
        return await self.codes.complete(_order((await self.mails("mfa_code"))[-1])) is None

    async def row(self) -> dict[str, Any]:
        """The only account, as it is stored."""
        row = await User.rows().find_one({})
        assert row is not None
        return row


def _order(job: dict[str, Any]) -> MailOrder:
    return MailOrder(job["args"]["template"], job["args"]["user_id"], job["args"]["data"], seed=job["_id"])


def steps_of(people: People, settings: Settings | None = None) -> Steps:
    """Second steps at this entrance; with other settings, as a node with those would have them."""
    settings, clock = settings or people.settings, people.clock
    keyring, jobs = keyring_of(settings), Jobs(clock=clock, wake_ups=SilentWakeUps())
    codes = MfaCodes(settings=settings, clock=clock, jobs=jobs, guard=people.sign_in_guard, keyring=keyring)
    relay = relay_over(people.bus.fan_out, clock, [User])
    tokens = OneTimeTokens(keyring=keyring, clock=clock)
    return Steps(
        people=people,
        codes=codes,
        mfa=Mfa(issuer=settings.project_name, clock=clock, relay=relay, codes=codes, sign_ins=people.sign_ins),
        second_steps=SecondSteps(clock=clock, tokens=tokens, codes=codes, sign_ins=people.sign_ins),
    )
