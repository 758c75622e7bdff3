"""Switching the second step of signing in on and off. What is asked at a sign-in is `second_step.py`'s.

It is on once a first good code has come back, in one write with what must follow; recovery codes are made then and shown
once. Whoever is signed in proves the password again, for switching it off also a code.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from documents.base import Row
from documents.mfa import SecondStep
from documents.user import User
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.mfa import MailedCodeView, MfaEnd, MfaMethod, MfaRequest, RecoveryCodesView, TotpSetupView
from lms_rt.contracts.outbox import Intent, Write, audited, event, job
from lms_rt.errors import Code, Refused
from lms_rt.ids import new_id
from lms_rt.security.mfa import new_recovery_codes, new_totp_secret, otpauth_uri, qr_svg, recovery_hash
from lms_rt.security.sessions import UNKNOWN_DEVICE, Device
from lms_rt.services.contended import until_written
from lms_rt.services.mfa_codes import MfaCodes
from lms_rt.services.relay import Relay
from lms_rt.services.second_step import MAIL_PAUSE_MS, MAX_TRIES
from lms_rt.services.sign_ins import SignIns

_Act = Literal["on", "off"]


class Mfa:
    """The second step of one's own account."""

    def __init__(self, *, issuer: str, clock: Clock, relay: Relay, codes: MfaCodes, sign_ins: SignIns) -> None:
        self._issuer, self._clock, self._relay = issuer, clock, relay
        self._codes, self._sign_ins = codes, sign_ins

    async def find_method(self, actor: Actor) -> MfaMethod | None:
        """How the actor's codes come; None: there is no second step."""
        user = await self._require_user(actor)
        method: MfaMethod | None = None if user.mfa is None else user.mfa["method"]
        return method

    async def request(
        self, actor: Actor, draft: MfaRequest, device: Device = UNKNOWN_DEVICE
    ) -> TotpSetupView | MailedCodeView:
        """Begin switching it on: the secret of an app, or a mail with a code. Nothing holds yet."""
        user = await self._require_user(actor)
        if user.mfa is not None:
            raise Refused(Code.CONFLICT, "The second step is on; switch it off first.")
        await self._sign_ins.require_password(user, draft.password, device)
        if draft.method == "email":
            return await self._mail_code(user, "on")
        secret = new_totp_secret()
        await self._put_pending(user, "on", method="totp", secret=self._codes.sealed(user.id, secret))
        uri = otpauth_uri(secret, account=user.email, issuer=self._issuer)
        return TotpSetupView(secret=secret, otpauth_uri=uri, qr_svg=qr_svg(uri))

    async def confirm(self, actor: Actor, code: str) -> RecoveryCodesView:
        """Switch it on by the first good code; the recovery codes."""
        recovery_codes = new_recovery_codes()
        hashes = [recovery_hash(each) for each in recovery_codes]

        async def step() -> bool | None:
            user = await self._require_user(actor)
            if user.mfa is not None:
                raise Refused(Code.CONFLICT, "The second step is on.")
            return await self._switch_on(actor, user, code, hashes=hashes)

        await until_written(step)
        await self._relay.hand_over(User, actor.user_id)
        return RecoveryCodesView(recovery_codes=recovery_codes)

    async def disable(self, actor: Actor, draft: MfaEnd, device: Device = UNKNOWN_DEVICE) -> MailedCodeView | None:
        """Switch it off; without a code, where codes come by mail, send one first and tell so."""
        user = await self._require_user(actor)
        if user.mfa is None:
            raise Refused(Code.CONFLICT, "There is no second step.")
        await self._sign_ins.require_password(user, draft.password, device)
        if draft.code is None:
            if user.mfa["method"] != "email":
                raise Refused(Code.INVALID_CODE)
            return await self._mail_code(user, "off")
        async with self._codes.trial(user, device):
            await self._codes.require_code(user, draft.code, occasion=self._occasion_of(user, "off"))

        async def step() -> bool | None:
            present = await self._require_user(actor)
            intents = self._intents(actor, present, is_enabled=False)
            is_done = await SecondStep.switch_off(present, self._clock.now(), intents=intents)
            return is_done or present.mfa is None or None

        await until_written(step)
        await self._relay.hand_over(User, actor.user_id)
        return None

    # --- parts ---

    async def _switch_on(self, actor: Actor, user: User, code: str, *, hashes: list[str | None]) -> bool | None:
        """True once it is; None when the account was changed meanwhile. A wrong code is refused."""
        pending = self._pending_of(user, "on")
        if pending is None or not await SecondStep.add_pending_try(user.id, pending["id"], limit=MAX_TRIES):
            raise Refused(Code.INVALID_CODE)
        step: Row = {"method": pending["method"], "recovery": hashes, "since": self._clock.now()}
        if pending["method"] == "email":
            if not self._codes.is_mailed(code, occasion=pending["id"]):
                raise Refused(Code.INVALID_CODE)
        else:
            time_step = self._codes.find_step(user.id, pending["secret"], code, after=0)
            if time_step is None:
                raise Refused(Code.INVALID_CODE)
            step |= {"secret": pending["secret"], "last_step": time_step}
        intents = self._intents(actor, user, is_enabled=True)
        return await SecondStep.switch_on(user, pending["id"], step, self._clock.now(), intents=intents) or None

    async def _mail_code(self, user: User, act: _Act) -> MailedCodeView:
        before, now_ms = user.mfa_pending or {}, self._clock.now_ms()
        wait_ms = before.get("sent_ms", 0) + MAIL_PAUSE_MS - now_ms
        if wait_ms > 0:
            raise Refused(Code.RATE_LIMITED, "A code was sent a moment ago.", retry_after_seconds=-(-wait_ms // 1000))
        occasion = await self._put_pending(user, act, method="email", sent_ms=now_ms)
        await self._codes.send(user.id, occasion)
        return MailedCodeView(expires_in=self._codes.life // timedelta(seconds=1))

    async def _put_pending(self, user: User, act: _Act, **more: Any) -> str:
        """Let it wait for a code, in place of what waited; the name of the occasion."""
        expires_ms = self._clock.now_ms() + self._codes.life // timedelta(milliseconds=1)
        pending: Row = {"id": new_id("mfa"), "act": act, "tries": 0, "expires_ms": expires_ms, **more}
        before = (user.mfa_pending or {}).get("id")
        if not await SecondStep.put_pending(user.id, pending, before=before):
            raise Refused(Code.CONFLICT, "Somebody has just asked for the same.")
        return str(pending["id"])

    def _pending_of(self, user: User, act: _Act) -> Row | None:
        pending = user.mfa_pending
        is_it = pending is not None and pending["act"] == act and pending["expires_ms"] > self._clock.now_ms()
        return pending if is_it else None

    def _occasion_of(self, user: User, act: _Act) -> str | None:
        pending = self._pending_of(user, act)
        return pending["id"] if pending else None

    def _intents(self, actor: Actor, user: User, *, is_enabled: bool) -> list[Intent]:
        write = Write(user.version + 1, self._clock.now())
        told = {"user_id": user.id, "changed": ["mfa_enabled"]}
        before, after = {"mfa_enabled": user.mfa_enabled}, {"mfa_enabled": is_enabled}
        mail = {"is_enabled": is_enabled, "at": rfc3339(write.at)}
        return [
            event(write, "user_updated", n=0, channels=[], data=told, record="user.updated"),
            job(write, "mail.send", {"template": "mfa_changed", "user_id": user.id, "data": mail}),
            *audited(write, actor, "user.change", kind="user", target_id=user.id, before=before, after=after),
        ]

    async def _require_user(self, actor: Actor) -> User:
        user = await User.find_by_id(actor.user_id)
        if user is None:
            raise Refused(Code.NOT_FOUND)
        return user
