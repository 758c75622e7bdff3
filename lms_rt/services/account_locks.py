"""Whether somebody is locked out at sign-in, for who sees to accounts.

Locks are counted on the bus, under hashed names, by `security/sign_in_guard.py`; here they are only looked at. They end by
themselves, or by `unlock` in `admin_users.py`.
"""

from __future__ import annotations

from datetime import timedelta

from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.users import AccountLockView
from lms_rt.security.access.users import require_account
from lms_rt.security.sessions import UNKNOWN_DEVICE
from lms_rt.security.sign_in_guard import Candidate, SignInGuard


class AccountLocks:
    """Tells of locks."""

    def __init__(self, *, clock: Clock, guard: SignInGuard) -> None:
        self._clock, self._guard = clock, guard

    async def show(self, actor: Actor, user_id: str) -> AccountLockView:
        """In how many places the account is locked now, and until when; passwords and codes alike."""
        user = await require_account(actor, user_id)
        password, code = (
            Candidate(user.email_key, UNKNOWN_DEVICE, user.id, since_ms)
            for since_ms in (max(user.unlocked_ms, user.password_reset_ms), user.unlocked_ms)
        )
        locked, now = await self._guard.find_locked(password, code), self._clock.now()
        until = [now + timedelta(milliseconds=left_ms) for left_ms in locked.left_ms]
        return AccountLockView(
            places=len(until),
            until=until[0] if until else None,
            shut_until=now + timedelta(milliseconds=locked.shut_ms) if locked.shut_ms else None,
        )
