"""The second step of an account's sign-in, as it is stored with the account, so that one write switches it. No rules.

`mfa` of a user is there while it is on: `{method, secret, last_step, recovery, since}`; the secret is sealed, of recovery
codes the hashes lie there. `mfa_pending` is what waits for a code: `{id, act, method, secret, sent_ms, expires_ms, tries}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from documents.base import Row, with_intents
from documents.user import User


class SecondStep:
    """Its writes, each one atomic. Only `switch` moves the version: codes that are used change nothing that people see."""

    @staticmethod
    async def put_pending(user_id: str, pending: Row, *, before: str | None) -> bool:
        """Let something wait for a code, in place of what waited `before`; False when another one came between."""
        place = {"$exists": False} if before is None else before
        which = {"_id": user_id, "mfa_pending.id": place}
        return bool((await User.rows().update_one(which, {"$set": {"mfa_pending": pending}})).matched_count)

    @staticmethod
    async def add_pending_try(user_id: str, pending_id: str, *, limit: int) -> bool:
        """Count a try before it is looked at; False when there were as many as there may be."""
        which = {"_id": user_id, "mfa_pending.id": pending_id, "mfa_pending.tries": {"$lt": limit}}
        return bool((await User.rows().update_one(which, {"$inc": {"mfa_pending.tries": 1}})).matched_count)

    @staticmethod
    async def switch_on(user: User, pending_id: str, step: Row, at: datetime, *, intents: Sequence[Row]) -> bool:
        """Let `step` hold; False when the account, or what waited for its code, is another one by now."""
        which = {"_id": user.id, "version": user.version, "mfa_pending.id": pending_id, "mfa": {"$exists": False}}
        update = {
            "$set": {"mfa": step, "mfa_enabled": True, "updated_at": at},
            "$unset": {"mfa_pending": ""},
            "$inc": {"version": 1},
        }
        return bool((await User.rows().update_one(which, with_intents(update, intents, at))).matched_count)

    @staticmethod
    async def switch_off(user: User, at: datetime, *, intents: Sequence[Row]) -> bool:
        """Nothing of it is left; False when the account is another one by now."""
        which = {"_id": user.id, "version": user.version, "mfa": {"$exists": True}}
        update = {
            "$set": {"mfa_enabled": False, "updated_at": at},
            "$unset": {"mfa": "", "mfa_pending": ""},
            "$inc": {"version": 1},
        }
        return bool((await User.rows().update_one(which, with_intents(update, intents, at))).matched_count)

    @staticmethod
    async def use_totp_step(user_id: str, time_step: int) -> bool:
        """Take the code of a time step; False when it, or a later one, was taken before."""
        which = {"_id": user_id, "mfa.last_step": {"$lt": time_step}}
        return bool((await User.rows().update_one(which, {"$set": {"mfa.last_step": time_step}})).matched_count)

    @staticmethod
    async def use_recovery_code(user_id: str, code_hash: str) -> bool:
        """Take a recovery code; False when there is none such, or no more."""
        which = {"_id": user_id, "mfa.recovery": code_hash}
        return bool((await User.rows().update_one(which, {"$pull": {"mfa.recovery": code_hash}})).matched_count)
