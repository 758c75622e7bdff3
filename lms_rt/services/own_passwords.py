"""One's own password, changed by who knows it. One that was forgotten is `password_resets.py`'s."""

from __future__ import annotations

from typing import Any

from config.settings import Settings
from documents.enums import Role
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.mails import AtMoment
from lms_rt.contracts.outbox import Deed, Write, effect, event, job
from lms_rt.contracts.sessions import PasswordChangeDraft
from lms_rt.errors import Code, Refused
from lms_rt.security.passwords import PasswordHasher
from lms_rt.security.sessions import UNKNOWN_DEVICE, Device
from lms_rt.services.chosen_passwords import check_chosen
from lms_rt.services.contended import until_written
from lms_rt.services.relay import Relay
from lms_rt.services.sessions import PASSWORD_REPLACED, Sessions
from lms_rt.services.sign_ins import SignIns


class OwnPasswords:
    """Changes the password of whoever asks."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        passwords: PasswordHasher,
        sessions: Sessions,
        sign_ins: SignIns,
        relay: Relay,
    ) -> None:
        self._settings, self._clock, self._relay = settings, clock, relay
        self._passwords, self._sessions, self._sign_ins = passwords, sessions, sign_ins
        relay.register_effect(PASSWORD_REPLACED, sessions.end_former)

    async def change(self, actor: Actor, draft: PasswordChangeDraft, device: Device = UNKNOWN_DEVICE) -> None:
        """A new password. The session that asks goes on; every other ends, those too that are just being begun."""
        user = await User.find_by_id(actor.user_id)
        if user is None:
            raise Refused(Code.NOT_FOUND)
        await self._sign_ins.require_password(user, draft.current_password, device)
        role, own = Role(user.role), {"full_name": user.full_name, "email": user.email}
        check_chosen(self._settings, draft.new_password, role=role, field="new_password", **own)
        password_hash = await self._passwords.hash(draft.new_password)

        async def step() -> User | None:
            return await self._replace(actor, user.password_hash, password_hash)

        await until_written(step)
        await self._sessions.end_others(user.id, keep=actor.session_id, reason="password_changed")
        await self._relay.hand_over(User, user.id)

    async def _replace(self, actor: Actor, old_hash: str, password_hash: str) -> User | None:
        """One write sets the password and ends what was begun with the old one; None: the account moved meanwhile.

        The session that asks is let through before: a crash in between leaves everything as it was.
        """
        user = await User.find_by_id(actor.user_id)
        if user is None or user.password_hash != old_hash:
            raise Refused(Code.INVALID_CREDENTIALS, "The password was changed a moment ago.")
        at, moment_ms = self._clock.now(), max(self._clock.now_ms(), user.sessions_valid_after_ms)
        await self._sessions.keep_through_end(user.id, actor.session_id, moment_ms)
        write, told = Write(user.version + 1, at), AtMoment(at=at).model_dump(mode="json")
        data = {"user_id": user.id, "changed": ["password"]}
        mail = {"template": "password_changed", "user_id": user.id, "data": told}
        fields: dict[str, Any] = {"sessions_valid_after_ms": moment_ms}
        intents = [
            event(write, "user_updated", n=0, channels=[], data=data, record="user.updated"),
            job(write, "mail.send", mail),
            effect(write, PASSWORD_REPLACED, {"user_id": user.id, "until_ms": moment_ms}),
            *Deed(actor, "user.change").intents(write, user.id, after={"password": write.version}),
        ]
        is_written = await User.change_password(user, password_hash, at, fields=fields, intents=intents)
        return user if is_written else None
