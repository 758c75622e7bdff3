"""A password chosen anew by the link of a mail: after it was forgotten, or for the first time, by who was invited.

The link proves the mailbox, so the address counts as verified; it opens no session, and ends every one there is. It is
bound to the password that it replaces: once another is chosen, by whatever way, no link from before opens anything. A second
step that was set up before anybody had proved the address goes with it, or a stranger could keep its owner out for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from config.settings import Settings
from documents.enums import Role
from documents.one_time import Purpose
from documents.user import User
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.mails import AtMoment, MailOrder
from lms_rt.contracts.outbox import Intent, Write, effect, job
from lms_rt.contracts.verification import ResetDraft
from lms_rt.errors import Code, Refused
from lms_rt.security.one_time import Issued, Right
from lms_rt.security.passwords import PasswordHasher
from lms_rt.services.chosen_passwords import check_chosen, least_length
from lms_rt.services.contended import until_written
from lms_rt.services.mail_links import MailLinks, account_changed, password_mark
from lms_rt.services.relay import Relay
from lms_rt.services.sessions import PASSWORD_REPLACED, Sessions

BOTH = (Purpose.PASSWORD_RESET, Purpose.INVITATION)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who has chosen a password by a mail, for the browser in which they did: it is known to them from this moment on."""

    user_id: str
    marks_since_ms: int


class PasswordResets:
    """Has the link sent, and takes the new password."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        links: MailLinks,
        passwords: PasswordHasher,
        sessions: Sessions,
        relay: Relay,
    ) -> None:
        self._settings, self._clock, self._links = settings, clock, links
        self._passwords, self._sessions, self._relay = passwords, sessions, relay
        links.offer("password_reset", is_due=lambda _: True)
        relay.register_effect(PASSWORD_REPLACED, sessions.end_former)

    async def ask(self, email: str) -> None:
        """Have the link sent to this address, if it has an account; the caller does not learn whether."""
        await self._links.ask("password_reset", email)

    async def look(self, token: str) -> int:
        """How long the password behind a link has to be. Refused when it opens nothing; it is not used up by that."""
        _, user = await self._find(token)
        return least_length(self._settings, Role(user.role))

    async def confirm(self, draft: ResetDraft) -> Owner | None:
        """The new password; a password that is refused leaves the link as it was. Given back is who owns the mailbox.

        None where a second step is left: from a browser that is known its codes are counted apart, and whoever has only
        the mailbox must not begin anew with them.
        """
        right, user = await self._find(draft.token)
        self._check(draft.new_password, user)
        password_hash = await self._passwords.hash(draft.new_password)

        async def step() -> User | None:
            return await self._replace(right, password_hash)

        changed = await until_written(step)
        await self._sessions.end_all(changed.id, reason="password_changed")
        await self._links.tokens.void(changed.id, *BOTH)
        await self._relay.hand_over(User, changed.id)
        return Owner(changed.id, changed.password_reset_ms) if changed.mfa is None else None

    # --- mails ---

    async def reset_mail(self, order: MailOrder) -> Mapping[str, Any] | None:
        """What the mail of a reset shows; None: there is nobody to reset anything, or it was used by now."""
        issued = await self._issued(order, Purpose.PASSWORD_RESET, self._settings.password_reset_expire_minutes)
        if issued is None:
            return None
        url = f"/reset?token={issued.token}"
        return {"reset_token": issued.token, "reset_url": url, "expires_minutes": self._links.minutes_left(issued)}

    async def invitation_mail(self, order: MailOrder) -> Mapping[str, Any] | None:
        """What an invitation shows besides who invites and to what."""
        issued = await self._issued(order, Purpose.INVITATION, self._settings.invitation_expire_minutes)
        if issued is None:
            return None
        return {"accept_url": f"/invite?token={issued.token}", "expires_minutes": self._links.minutes_left(issued)}

    async def _issued(self, order: MailOrder, purpose: Purpose, minutes: int) -> Issued | None:
        user = await User.find_by_id(order.user_id)
        if user is None or not user.may_sign_in:
            return None
        facts = {"password": password_mark(user)}
        life = timedelta(minutes=minutes)
        return await self._links.tokens.issue_by_mail(order.seed, purpose, user.id, life=life, facts=facts)

    # --- the change ---

    async def _find(self, token: str) -> tuple[Right, User]:
        right = await self._links.tokens.find(token, *BOTH)
        return right, await self._require_user(right)

    async def _require_user(self, right: Right) -> User:
        user = await User.find_by_id(right.user_id)
        if user is None or not user.may_sign_in or right.facts.get("password") != password_mark(user):
            raise Refused(Code.INVALID_TOKEN)
        return user

    def _check(self, password: str, user: User) -> None:
        role, own = Role(user.role), {"full_name": user.full_name, "email": user.email}
        check_chosen(self._settings, password, role=role, field="new_password", **own)

    async def _replace(self, right: Right, password_hash: str) -> User | None:
        """One write decides, for of two at once the second meets another password; None: the account moved meanwhile.

        Given back is the account with what is new of it here.
        """
        user, now, now_ms = await self._require_user(right), self._clock.now(), self._clock.now_ms()
        write, until_ms = Write(user.version + 1, now), max(user.sessions_valid_after_ms, now_ms)
        intents = [effect(write, PASSWORD_REPLACED, {"user_id": user.id, "until_ms": until_ms})]
        ended = {"sessions_valid_after_ms": until_ms}
        fields: dict[str, Any] = {"is_unconfirmed": False, "password_reset_ms": now_ms, **ended}
        if right.purpose is Purpose.PASSWORD_RESET:
            told = AtMoment(at=now).model_dump(mode="json")
            intents.append(job(write, "mail.send", {"template": "password_changed", "user_id": user.id, "data": told}))
        fields |= self._of_proving(user, now)
        unset = ("mfa", "mfa_pending") if "mfa_enabled" in fields else ()
        intents += self._told_of(write, user, fields)
        is_written = await User.change_password(user, password_hash, now, fields=fields, unset=unset, intents=intents)
        new: dict[str, Any] = {"password_reset_ms": now_ms} | ({"mfa": None} if unset else {})
        return user.model_copy(update=new) if is_written else None

    @staticmethod
    def _of_proving(user: User, now: datetime) -> dict[str, Any]:
        """What else is written, since the link proves the mailbox: whoever set the account up need not be who has it."""
        proved_at = user.email_verified_at
        fields: dict[str, Any] = {} if proved_at is not None else {"email_verified_at": now}
        if proved_at is None or (user.mfa is not None and user.mfa["since"] <= proved_at):
            fields["mfa_enabled"] = False
        return fields

    @staticmethod
    def _told_of(write: Write, user: User, fields: Mapping[str, Any]) -> list[Intent]:
        changed = ["email_verified_at"] if "email_verified_at" in fields else []
        if user.mfa is None or "mfa_enabled" not in fields:
            return [account_changed(write, user.id, *changed)] if changed else []
        mail = {"is_enabled": False, "at": rfc3339(write.at)}
        return [
            account_changed(write, user.id, *changed, "mfa_enabled"),
            job(write, "mail.send", {"template": "mfa_changed", "user_id": user.id, "data": mail}),
        ]
