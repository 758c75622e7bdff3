"""Proving oneself by a password or a code, each try counted before it is looked at, over all ways in which it is tried.

Five tries (`SIGN_IN_LOCK_FAILURES`) that failed within the window, and the account waits. Only who knows its password can
bring that about. It is counted in the database: no restart and no absent Redis gives anybody more tries.
"""

from __future__ import annotations

from datetime import timedelta

from config.settings import Settings
from documents.mfa import SecondStep
from documents.user import User
from lms_rt.clock import Clock, from_ms, rfc3339
from lms_rt.contracts.mfa import CodeKind
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id
from lms_rt.security.mfa import MailedCodes, find_totp_step, recovery_hash
from lms_rt.security.passwords import PasswordHasher
from lms_rt.security.sealing import Sealer, Unsealable
from lms_rt.services.jobs import Jobs


class MfaCodes:
    """Sends codes, and says whether one is right."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        jobs: Jobs,
        passwords: PasswordHasher,
        sealer: Sealer,
        mailed: MailedCodes,
    ) -> None:
        self._clock, self._jobs, self._passwords = clock, jobs, passwords
        self._sealer, self._mailed = sealer, mailed
        self._limit = settings.sign_in_lock_failures
        self._window = timedelta(minutes=settings.sign_in_lock_window_minutes)
        self.life = timedelta(minutes=settings.mfa_challenge_expire_minutes)

    async def begin_try(self, user: User) -> None:
        """Count a try that is about to be looked at. Refused when too many have failed lately."""
        now_ms = self._clock.now_ms()
        window_ms = self._window // timedelta(milliseconds=1)
        since_ms = max(now_ms - window_ms, user.unlocked_ms)
        if await SecondStep.add_try(user.id, now_ms, since_ms=since_ms, limit=self._limit):
            return
        tries = await SecondStep.find_tries(user.id)
        free_ms = (tries[0] if tries else now_ms) + window_ms
        await self._tell_lock(user.id, free_ms)
        raise Refused(Code.ACCOUNT_LOCKED, retry_after_seconds=max(1, -(-(free_ms - now_ms) // 1000)))

    async def end_try(self, user: User) -> None:
        """It was right: those before it are forgotten."""
        await SecondStep.forget_tries(user.id)

    async def require_password(self, user: User, password: str) -> None:
        """Refuse a wrong one."""
        if not await self._passwords.is_right(password, user.password_hash):
            raise Refused(Code.INVALID_CREDENTIALS, "The password is wrong.")

    async def require_code(self, user: User, typed: str, *, occasion: str | None) -> None:
        """Use a code of the account up: of its app, of its last mail (`occasion`), or a recovery code."""
        if not await self._is_right(user, typed, occasion):
            raise Refused(Code.INVALID_CODE)

    def is_mailed(self, typed: str, *, occasion: str) -> bool:
        """Is it the code that was mailed on that occasion?"""
        return self._mailed.is_right(occasion, typed)

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
        """Have the code of an occasion sent by mail; again changes nothing. The job knows the occasion, not the code."""
        data = {"occasion": occasion, "expires_minutes": self.life // timedelta(minutes=1)}
        args = {"template": "mfa_code", "user_id": user_id, "data": data}
        await self._jobs.put(derived_id("job", "mfa_code", occasion), "mail.send", args)

    async def _is_right(self, user: User, typed: str, occasion: str | None) -> bool:
        step = user.mfa or {}
        hashed = recovery_hash(typed)
        if hashed is not None:
            return await SecondStep.use_recovery_code(user.id, hashed)
        if step.get("method") == "email":
            return occasion is not None and self.is_mailed(typed, occasion=occasion)
        time_step = self.find_step(user.id, step.get("secret", ""), typed, after=step.get("last_step", 0))
        return time_step is not None and await SecondStep.use_totp_step(user.id, time_step)

    async def _tell_lock(self, user_id: str, free_ms: int) -> None:
        """One mail for one lock."""
        data = {"until": rfc3339(from_ms(free_ms))}
        args = {"template": "account_locked", "user_id": user_id, "data": data}
        await self._jobs.put(derived_id("job", "mfa_locked", user_id, str(free_ms)), "mail.send", args)


def kinds_of(user: User) -> list[CodeKind]:
    """The kinds of codes that are taken from an account whose second step is on."""
    kind: CodeKind = "email" if (user.mfa or {}).get("method") == "email" else "totp"
    return [kind, "recovery_code"]
