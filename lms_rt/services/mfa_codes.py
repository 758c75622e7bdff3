"""Codes of accounts: sent, and tried under guard, each try counted before it is looked at.

Five that failed (`SIGN_IN_LOCK_FAILURES`), and whoever it was waits, whatever challenge they come with: only who knows the
password can bring that about, and a browser that the account knows is counted apart even then.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from config.settings import Settings
from documents.mfa import SecondStep
from documents.user import User
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.mails import MailOrder
from lms_rt.contracts.mfa import CodeKind
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id
from lms_rt.security.keyring import Keyring
from lms_rt.security.mfa import MailedCodes, find_totp_step, recovery_hash
from lms_rt.security.sealing import Sealer, Unsealable
from lms_rt.security.sessions import Device
from lms_rt.security.sign_in_guard import Candidate, SignInGuard
from lms_rt.services.jobs import Jobs

_TOLD_ONCE_IN_MS = 3_600_000


class MfaCodes:
    """Sends codes, and says whether one is right."""

    def __init__(self, *, settings: Settings, clock: Clock, jobs: Jobs, guard: SignInGuard, keyring: Keyring) -> None:
        self._clock, self._jobs, self._guard = clock, jobs, guard
        self._sealer, self._mailed = Sealer(keyring, purpose="mfa"), MailedCodes(keyring)
        self.life = timedelta(minutes=settings.mfa_challenge_expire_minutes)

    @asynccontextmanager
    async def trial(self, user: User, device: Device) -> AsyncIterator[None]:
        """The body tries a code. It counts as a failure beforehand, and is forgiven when the body goes through.

        A new password set by mail begins nothing anew: a mailbox that was taken over is what a second step is for. What
        was not looked at, because the database was away or the challenge is over, is no failure.
        """
        candidate = Candidate(
            user.email_key,
            device,
            user_id=user.id,
            since_ms=user.unlocked_ms,
            marks_since_ms=user.password_reset_ms,
        )
        admission = await self._guard.admit_code(candidate)
        try:
            yield
        except Refused as refused:
            if refused.code is not Code.INVALID_CODE:
                await admission.undone()
                raise
            await admission.failed()
            if admission.locks_by_failing:
                await self._tell_locked(user.id)
            raise
        except Exception:
            await admission.undone()
            raise
        await admission.succeeded()

    async def require_code(self, user: User, typed: str, *, occasion: str | None) -> None:
        """Use a code of the account up: of its app, of its last mail (`occasion`), or a recovery code."""
        if not await self._is_right(user, typed, occasion):
            raise Refused(Code.INVALID_CODE)

    async def complete(self, order: MailOrder) -> dict[str, Any] | None:
        """What the mail with a code shows, when it is written; None: the code's time is over by then."""
        left = datetime.fromisoformat(order.data["expires_at"]) - self._clock.now()
        if left <= timedelta(0):
            return None
        minutes = math.ceil(left / timedelta(minutes=1))
        return {"code": self._mailed.code_of(order.seed), "expires_minutes": minutes}

    def is_mailed(self, typed: str, *, occasion: str) -> bool:
        """Is it the code that was mailed on that occasion?"""
        return self._mailed.is_right(_job_id(occasion), typed)

    def find_step(self, user_id: str, sealed: str, typed: str, *, after: int) -> int | None:
        """The time step of a code of the app whose secret is this; None: it is none, or was used."""
        try:
            secret = self._sealer.unseal(sealed, owner=user_id)
        except Unsealable:  # sealed by a key that is gone: recovery codes still open
            return None
        return find_totp_step(secret, typed, now_ms=self._clock.now_ms(), after=after)

    def sealed(self, user_id: str, secret: str) -> str:
        """The secret of an app as it may be stored with this account."""
        return self._sealer.seal(secret, owner=user_id)

    async def send(self, user_id: str, occasion: str) -> None:
        """Have the code of an occasion sent by mail; again changes nothing. The code is made when the mail is written."""
        args = {
            "template": "mfa_code",
            "user_id": user_id,
            "data": {"expires_at": rfc3339(self._clock.now() + self.life)},
        }
        await self._jobs.put(_job_id(occasion), "mail.send", args)

    async def _is_right(self, user: User, typed: str, occasion: str | None) -> bool:
        step = user.mfa or {}
        hashed = recovery_hash(typed)
        if hashed is not None:
            return await SecondStep.use_recovery_code(user.id, hashed)
        if step.get("method") == "email":
            return occasion is not None and self.is_mailed(typed, occasion=occasion)
        time_step = self.find_step(user.id, step.get("secret", ""), typed, after=step.get("last_step", 0))
        return time_step is not None and await SecondStep.use_totp_step(user.id, time_step)

    async def _tell_locked(self, user_id: str) -> None:
        """By mail, once an hour."""
        now_ms = self._clock.now_ms()
        until = self._clock.now() + timedelta(minutes=self._guard.lock_minutes)
        args = {"template": "account_locked", "user_id": user_id, "data": {"until": rfc3339(until)}}
        job_id = derived_id("job", "account_locked", user_id, "code", str(now_ms // _TOLD_ONCE_IN_MS))
        await self._jobs.put(job_id, "mail.send", args)


def kinds_of(user: User) -> list[CodeKind]:
    """The kinds of codes that are taken from an account whose second step is on."""
    kind: CodeKind = "email" if (user.mfa or {}).get("method") == "email" else "totp"
    return [kind, "recovery_code"]


def _job_id(occasion: str) -> str:
    """The job that mails the code of an occasion, and by which the code is made."""
    return derived_id("job", "mfa_code", occasion)
