"""Addresses proved by the link of a mail. What that is needed for (nothing, unless the school says so) is `accounts.py`'s.

Anybody may have registered with this address. Where that signed nobody in, the link leads to choosing a password, as an
invitation does, so that who owns the mailbox lets nobody else's password hold; elsewhere mail and page say what it means.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from config.settings import Settings
from documents.one_time import Purpose
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.mails import MailOrder
from lms_rt.contracts.outbox import Write
from lms_rt.contracts.verification import VerificationDraft, VerificationRequest
from lms_rt.errors import Code, Refused, invalid
from lms_rt.security.one_time import Right
from lms_rt.services.contended import until_written
from lms_rt.services.mail_links import MailLinks, account_changed, password_mark
from lms_rt.services.relay import Relay
from lms_rt.services.sessions import Sessions


class Verification:
    """Has the link sent, and takes it back."""

    def __init__(self, *, settings: Settings, clock: Clock, links: MailLinks, sessions: Sessions, relay: Relay) -> None:
        self._settings, self._clock, self._links = settings, clock, links
        self._sessions, self._relay = sessions, relay
        links.offer("email_verification", is_due=_is_unproved)

    async def ask(self, actor: Actor, request: VerificationRequest) -> None:
        """Have the link sent: to an address, or to one's own. The caller does not learn whether it is anybody's."""
        if request.email is None and actor.is_stranger:
            raise invalid("email", "Say which address, or sign in.", "missing")
        if request.email is not None:
            await self._links.ask("email_verification", request.email)
            return
        user = await User.find_by_id(actor.user_id)
        if user is not None and _is_unproved(user):
            await self._links.order("email_verification", user.id)

    async def look(self, token: str) -> None:
        """Refused when a link proves nothing; it is not used up by that."""
        await self._find(token)

    async def confirm(self, draft: VerificationDraft) -> None:
        """The address is proved. A crash before the link is used up leaves one that proves what is proved."""
        right, user = await self._find(draft.token)

        async def step() -> User | None:
            return await self._prove(await self._require_user(right))

        if _is_unproved(user):
            await until_written(step)
            await self._sessions.forget(user.id)
        await self._links.tokens.use(right)
        await self._links.tokens.void(user.id, Purpose.VERIFY_EMAIL)
        await self._relay.hand_over(User, user.id)

    async def mail(self, order: MailOrder) -> Mapping[str, Any] | None:
        """What the mail shows; None: there is nothing to prove any more."""
        user = await User.find_by_id(order.user_id)
        if user is None or not user.is_active or not _is_unproved(user):
            return None
        life, issue = (
            timedelta(minutes=self._settings.email_verification_expire_minutes),
            self._links.tokens.issue_by_mail,
        )
        path, purpose, facts = "/verify-email", Purpose.VERIFY_EMAIL, {"email_key": user.email_key}
        if user.is_unconfirmed:
            path, purpose, facts = "/invite", Purpose.INVITATION, {"password": password_mark(user)}
        issued = await issue(order.seed, purpose, user.id, life=life, facts=facts)
        if issued is None:
            return None
        minutes = self._links.minutes_left(issued)
        return {"verify_url": f"{path}?token={issued.token}", "expires_minutes": minutes}

    async def _find(self, token: str) -> tuple[Right, User]:
        right = await self._links.tokens.find(token, Purpose.VERIFY_EMAIL)
        return right, await self._require_user(right)

    async def _require_user(self, right: Right) -> User:
        """Whose address it is, as long as it is the one that the mail was sent to. No such link confirms a password."""
        user = await User.find_by_id(right.user_id)
        if user is None or not user.is_active or user.is_unconfirmed or user.email_key != right.facts.get("email_key"):
            raise Refused(Code.INVALID_TOKEN)
        return user

    async def _prove(self, user: User) -> User | None:
        if not _is_unproved(user):
            return user
        now = self._clock.now()
        fields = {"email_verified_at": now}
        intents = [account_changed(Write(user.version + 1, now), user.id, "email_verified_at")]
        is_written = await User.change(user.id, fields, now, expected_version=user.version, intents=intents)
        return user if is_written else None


def _is_unproved(user: User) -> bool:
    return user.email_verified_at is None or user.is_unconfirmed
