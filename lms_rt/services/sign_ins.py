"""Signing in: a password is tried under guard, then a session begins. What else a sign-in asks for is `accounts.py`'s.

Whatever is wrong, words and time are the same; an account that does not exist is counted and locked like any other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from documents.session import Session
from documents.user import User
from lms_rt.clock import Clock, from_ms
from lms_rt.contracts.accounts import SignInDraft, TokensView, find_email_key
from lms_rt.contracts.mails import AccountLocked, MailData, NewDevice
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id
from lms_rt.security.passwords import PasswordHasher
from lms_rt.security.rate_limits import LimitClass, network_of
from lms_rt.security.sessions import Device
from lms_rt.security.sign_in_guard import Admission, Candidate, SignInGuard, account_text
from lms_rt.services import figures
from lms_rt.services.jobs import Jobs
from lms_rt.services.later import Later
from lms_rt.services.sessions import Sessions

_TOLD_ONCE_IN_MS = 3_600_000
"""Of a locked account its owner hears once an hour, however many take turns at it."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Somebody whose password was right, from where, and when their credentials were read."""

    user: User
    device: Device
    proved_ms: int


Step = Callable[[Proof], Awaitable[None]]


class SignIns:
    """Tries passwords and begins sessions."""

    def __init__(
        self,
        *,
        clock: Clock,
        passwords: PasswordHasher,
        sessions: Sessions,
        guard: SignInGuard,
        jobs: Jobs,
        later: Later,
    ) -> None:
        self._clock, self._passwords, self._sessions = clock, passwords, sessions
        self._guard, self._jobs, self._later = guard, jobs, later
        self._steps: list[Step] = []

    async def prove(self, draft: SignInDraft, device: Device, *, tells_unconfirmed: bool = False) -> Proof:
        """Whose password it is; refused when it is wrong, nobody's, or tried too often.

        Who is not confirmed yet is like nobody, unless whoever asks tells them what is missing.
        """
        self._passwords.refuse_full(*self._guard.shares_before(device))  # many at once cost next to nothing
        proved_ms = self._clock.now_ms()
        email_key = find_email_key(draft.email)
        user = await User.find_by_email_key(email_key) if email_key else None
        account = email_key or account_text(draft.email)
        is_right = await self._is_right(draft.password, user, account, device, tells_unconfirmed=tells_unconfirmed)
        if user is None or not is_right:
            raise Refused(Code.INVALID_CREDENTIALS)
        await self._renew_hash(user, draft.password)
        return Proof(user, device, proved_ms)

    async def require_password(self, user: User, password: str, device: Device) -> None:
        """Somebody who is signed in shows their password again. A wrong one is counted like one at the entrance."""
        if not await self._is_right(password, user, user.email_key, device):
            raise Refused(Code.INVALID_CREDENTIALS)

    def add_step(self, step: Step) -> None:
        """Ask for more between a password and a session: who does not pass is refused by the step."""
        self._steps.append(step)

    async def enter(self, proof: Proof) -> TokensView:
        """A new session, once nothing more is asked for."""
        for step in self._steps:
            await step(proof)
        return await self.begin(proof)

    async def begin(self, proof: Proof) -> TokensView:
        """A new session of somebody who has passed every step; its owner is told by mail when it is from where they never were."""
        user, device = proof.user, proof.device
        is_elsewhere = user.last_login_at is not None and not await self._knows(user, device)
        now = self._clock.now()
        await User.note_sign_in(user.id, now)
        user.last_login_at = now
        # An end of all sessions that was seen in what was read came before, though in the same millisecond.
        proved_ms = max(proof.proved_ms, user.sessions_valid_after_ms + 1)
        if is_elsewhere:  # before the session: with it the place is known, and a second try would tell nobody
            told = NewDevice(device=device.program, ip_address=device.address, at=now)
            seed = device.program, network_of(device.address), str(user.password_reset_ms)
            await self._order("new_device", user.id, told, *seed)
        return await self._sessions.begin(user, device, proved_ms=proved_ms)

    # --- parts ---

    async def _is_right(
        self, password: str, user: User | None, account: str, device: Device, *, tells_unconfirmed: bool = False
    ) -> bool:
        """Is it theirs, and may they sign in? Counted before it is hashed, forgotten when it was right."""
        since_ms = max(user.unlocked_ms, user.password_reset_ms) if user else 0
        marks_since_ms = user.password_reset_ms if user else 0
        candidate = Candidate(account, device, user.id if user else "", since_ms, marks_since_ms)
        admitted: list[Admission] = []

        async def count() -> None:
            admitted.append(await self._guard.admit(candidate))

        try:
            is_right = await self._passwords.is_right(
                password, user.password_hash if user else None, shares=self._guard.shares_of(candidate), at_turn=count
            )
        except Refused as refused:
            _count_refused(refused)
            raise
        is_right = is_right and user is not None and user.may_sign_in
        # Where nobody may learn it, who is not confirmed yet is like nobody, by the count of failures too.
        is_right = is_right and user is not None and (tells_unconfirmed or not user.is_unconfirmed)
        figures.SIGN_INS.labels("right" if is_right else "wrong").inc()
        if is_right:
            await admitted[0].succeeded()
        elif admitted[0].locks_by_failing:
            self._tell_locked(user)
        return is_right

    def _tell_locked(self, user: User | None) -> None:
        """After the answer, which shall not come later because there is somebody to tell."""
        now = self._clock.now()
        until = now + timedelta(minutes=self._guard.lock_minutes)
        hour = str(self._clock.now_ms() // _TOLD_ONCE_IN_MS)
        order = partial(self._order, "account_locked", user.id if user else "", AccountLocked(until=until), hour)
        with contextlib.suppress(Refused):  # too much else is to be done afterwards
            self._later.put("the mail about a locked account", order)

    async def _knows(self, user: User, device: Device) -> bool:
        """By the mark of a browser, else (a program has none) by what it calls itself and where it is."""
        if self._guard.knows(user.id, device, since_ms=user.password_reset_ms):
            return True
        since = from_ms(user.password_reset_ms)
        return await Session.is_known_place(user.id, device=device.program, address=device.address, since=since)

    async def _order(self, template: str, user_id: str, data: MailData, *seed: str) -> None:
        """Ask for a mail; for the same reason only once."""
        if not user_id:
            return
        args: dict[str, Any] = {"template": template, "user_id": user_id, "data": data.model_dump(mode="json")}
        await self._jobs.put(derived_id("job", template, user_id, *seed), "mail.send", args)

    async def _renew_hash(self, user: User, password: str) -> None:
        if not self._passwords.is_outdated(user.password_hash):
            return
        try:
            renewed = await self._passwords.hash(password)
        except Refused:  # the pool is full: the next sign-in renews it
            return
        await User.renew_password_hash(user.id, user.password_hash, renewed)


def _count_refused(refused: Refused) -> None:
    if refused.code is Code.ACCOUNT_LOCKED:
        figures.SIGN_INS.labels("locked").inc()
    elif refused.code is Code.RATE_LIMITED:
        figures.SIGN_INS.labels("limited").inc()
        figures.RATE_LIMITED.labels(LimitClass.FAILED_SIGN_IN.value).inc()
