"""Accounts as administrators make and change them: invited, given a role and permissions, closed, opened, unlocked.

Every change is one write of the account that carries its event, its record in the audit log and what must follow: sessions
that end, subscriptions that are looked at again. Lists are `users.py`'s, erasing is `erasure.py`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from documents.enums import Role
from documents.people import is_an_admin_left, is_another_awaited
from documents.user import User
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.accounts import find_email_key
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import refuse_changed_read_only
from lms_rt.contracts.controls import ACCESS_CHANGED, access_changed
from lms_rt.contracts.outbox import Intent, Write, audit, effect, event, job
from lms_rt.contracts.users import AccountChange, AccountView, UserDraft
from lms_rt.errors import Code, Refused, invalid
from lms_rt.ids import new_id
from lms_rt.security.access.users import (
    refuse_beyond,
    refuse_for_oneself,
    require_account_rights,
    require_governed,
)
from lms_rt.services.audit import Audit
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.invitations import Invitations
from lms_rt.services.relay import EffectHandler, Relay
from lms_rt.services.sessions import Sessions
from lms_rt.services.user_search import found_by
from lms_rt.services.users import account_view_of

CLOSED = "accounts.closed"
CHANGED = "accounts.changed"
ADMIN_LESS = "accounts.admin_less"
"""Names of effects: what follows when an account was closed, or may do something else than before, or when an administrator
is one no more."""

Fields = dict[str, Any]
_FAVOURS = ("unlock", "invite", "write_again", "reset_mfa")
"""What is asked for by saying so, and is no field of the account."""


class AdminUsers:
    """What can be done with other people's accounts."""

    def __init__(
        self, *, clock: Clock, bus: Bus, relay: Relay, audit: Audit, sessions: Sessions, invitations: Invitations
    ) -> None:
        self._clock, self._bus, self._relay, self._audit = clock, bus, relay, audit
        self._sessions, self._invitations = sessions, invitations

    def effects(self) -> Mapping[str, EffectHandler]:
        """What the relay carries out in the name of this service."""
        return {CLOSED: self._end_sessions, CHANGED: self._look_again, ADMIN_LESS: self._keep_an_admin}

    async def create(self, actor: Actor, draft: UserDraft) -> AccountView:
        """An account without a password; the mail that invites its owner leads to where they choose one."""
        require_account_rights(actor)
        role, permissions = Role(draft.role), sorted(set(draft.permissions))
        refuse_beyond(actor, role, permissions)
        email_key = find_email_key(draft.email)
        if email_key is None:
            raise invalid("email", "This is no e-mail address.", "email")
        now = self._clock.now()
        user = User(
            id=new_id("usr"),
            email=draft.email,
            email_key=email_key,
            password_hash="",
            full_name=draft.full_name,
            role=role,
            permissions=permissions,
            locale=draft.locale,
            timezone=draft.timezone,
            metadata=draft.metadata,
            created_at=now,
            updated_at=now,
            outbox_at=now,
            **found_by(draft.full_name, draft.email),
        )
        user.outbox = self._of_new(actor, user)
        if not await User.add(user):
            raise Refused(Code.EMAIL_TAKEN)
        await self._relay.hand_over(User, user.id)
        return account_view_of(user)

    async def change(
        self, actor: Actor, user_id: str, change: AccountChange, *, expected_version: int | None = None
    ) -> AccountView:
        """Role, permissions, open or closed; `unlock` lets somebody try again who failed too often, and so on."""
        given = change.given()
        asked = {name for name in _FAVOURS if given.pop(name, False)}
        reason = given.pop("reason", None) or ""
        if "reset_mfa" in asked and not reason:
            raise invalid("reason", "Say why; it is kept.", "required")

        async def step() -> User | None:
            user = await require_governed(actor, user_id)
            refuse_other_version(user.version, expected_version)
            refuse_changed_read_only(change, account_view_of(user))
            fields = _differing(user, given)
            if fields:
                _refuse_change(actor, user, fields)
            elif given.get("is_active") is False:
                fields = _closing(actor, user)
            if fields and "reset_mfa" in asked:  # whoever looks for closings and new roles in the audit log finds all
                raise invalid("reset_mfa", "Ask for it alone: it stands in the audit log for itself.")
            fields |= self._favoured(actor, user, asked)
            return user if not fields else await self._write(actor, user, fields, reason=reason)

        user = await until_written(step)
        if "invite" in asked:
            await self._audit.record(actor, "user.invite", kind="user", target_id=user.id)
            await self._invitations.invite_again(user, actor)
        return account_view_of(user)

    async def close(self, actor: Actor, user_id: str, *, expected_version: int | None = None) -> None:
        """Let nobody in by this account any more; what was done by it stays. Closed already, it stays so, for its owner too."""

        async def step() -> User | None:
            user = await require_governed(actor, user_id)
            refuse_other_version(user.version, expected_version)
            refuse_for_oneself(actor, user)
            fields = _closing(actor, user)
            return user if not fields else await self._write(actor, user, fields)

        await until_written(step)

    async def let_erase(self, actor: Actor, user_id: str, *, expected_version: int | None = None) -> None:
        """May the actor have this account erased? Refused when not; how it is done is `erasure.py`'s."""
        user = await require_governed(actor, user_id)
        refuse_other_version(user.version, expected_version)
        refuse_for_oneself(actor, user)

    def _favoured(self, actor: Actor, user: User, asked: Collection[str]) -> Fields:
        """What is written of things that are done for somebody; for nobody who is being erased: it would be found again."""
        if asked and user.erasing_at is not None:
            raise Refused(Code.CONFLICT, "This account is being erased.")
        fields: Fields = {}
        if "unlock" in asked:
            refuse_for_oneself(actor, user)  # failures count for whoever holds a session of theirs, too
            fields["unlocked_ms"] = self._clock.now_ms()
        if "write_again" in asked and user.mail_refusal is not None:
            fields["mail_refusal"] = None
        if "reset_mfa" in asked and user.mfa is not None:
            refuse_for_oneself(actor, user)  # one's own is switched off with one's password
            fields["mfa_enabled"] = False
        return fields

    # --- writing ---

    async def _write(self, actor: Actor, user: User, fields: Fields, *, reason: str = "") -> User | None:
        """One write, if nobody was first. Whoever took away the last administrator takes it back."""
        written = await self._change(actor, user, fields, reason=reason)
        if written is None:
            return None
        if user.role == Role.ADMIN and user.is_active and not await is_an_admin_left():
            was: Fields = {name: getattr(user, name) for name in ("role", "is_active") if name in fields}
            await until_written(lambda: self._take_back(actor, user.id, was))
            await self._relay.hand_over(User, user.id)
            raise Refused(Code.CONFLICT, "The school needs an administrator.")
        await self._relay.hand_over(User, user.id)
        return written

    async def _take_back(self, actor: Actor, user_id: str, was: Fields) -> User | None:
        """As it was before, whatever else became of the account meanwhile; whom somebody erases by then stays closed."""
        user = await User.find_by_id(user_id)
        if user is None:
            raise Refused(Code.NOT_FOUND)
        kept = {"is_active"} if user.erase_at is not None else set()
        fields = {name: value for name, value in was.items() if name not in kept and getattr(user, name) != value}
        return user if not fields else await self._change(actor, user, fields)

    async def _change(self, actor: Actor, user: User, fields: Fields, *, reason: str = "") -> User | None:
        at = self._clock.now()
        intents = _of_change(Write(user.version + 1, at), actor, user, fields, reason=reason)
        unset = ("mfa", "mfa_pending") if "mfa_enabled" in fields else ()
        if not await User.change(user.id, fields, at, expected_version=user.version, unset=unset, intents=intents):
            return None
        written: User = user.model_copy(update={**fields, "version": user.version + 1, "updated_at": at})
        return written

    def _of_new(self, actor: Actor, user: User) -> list[Intent]:
        write = Write(1, user.created_at)
        made = {name: getattr(user, name) for name in ("email", "full_name", "role", "permissions")}
        return [
            event(write, "user_registered", n=0, channels=[], data={"user_id": user.id}, record="user.registered"),
            audit(write, actor, "user.create", kind="user", target_id=user.id, after=made),
            self._invitations.invite(write, user, actor),
        ]

    # --- what follows ---

    async def _end_sessions(self, _intent_id: str, data: dict[str, Any]) -> None:
        await self._sessions.end_all(data["user_id"], reason="account_closed")

    async def _keep_an_admin(self, _intent_id: str, data: dict[str, Any]) -> None:
        """What `_write` does at once: should its process have ended before, the school is not left without one.

        This may come late. Whoever was lowered since then is put back and nobody else: the one before may go on purpose.
        """
        if await is_an_admin_left():
            return
        if "at" not in data or not await is_another_awaited(ADMIN_LESS, data["at"], beside=data["user_id"]):
            actor = Actor(data["actor_id"], Role.ADMIN)
            await until_written(lambda: self._take_back(actor, data["user_id"], data["was"]))

    async def _look_again(self, _intent_id: str, data: dict[str, Any]) -> None:
        await self._sessions.forget(data["user_id"])
        await self._sessions.end_acting(data["user_id"])  # whoever may still act for others begins anew
        await self._bus.fan_out.publish_control(ACCESS_CHANGED, access_changed(data["user_id"]))


def _differing(user: User, given: Fields) -> Fields:
    """What a change would write."""
    wanted = {**given, "permissions": sorted(set(given["permissions"]))} if "permissions" in given else given
    present = {"role": user.role, "is_active": user.is_active, "permissions": sorted(user.permissions)}
    return {name: value for name, value in wanted.items() if present[name] != value}


def _closing(actor: Actor, user: User) -> Fields:
    """What closing it would write. Who has left by themself is erased when it was said, and cannot come back any more."""
    if user.is_leaving:
        refuse_for_oneself(actor, user)
        return {"is_active": False, "erase_by": actor.user_id}
    return {"is_active": False} if user.is_active else {}


def _refuse_change(actor: Actor, user: User, fields: Fields) -> None:
    """Refuse what is nobody's to do to themself, and what the actor cannot give; an account that is being erased stays so."""
    refuse_for_oneself(actor, user)
    if user.erase_at is not None:
        raise Refused(Code.CONFLICT, "This account is about to be erased.")
    role = Role(fields.get("role", user.role))
    refuse_beyond(actor, role, fields.get("permissions", user.permissions))


def _of_change(write: Write, actor: Actor, user: User, fields: Fields, *, reason: str) -> list[Intent]:
    is_closed = fields.get("is_active") is False
    told: dict[str, Any] = {"user_id": user.id}
    if is_closed:
        name, record, action = "user_deactivated", "user.deactivated", "user.deactivate"
        told["reason"] = "closed"
    else:
        name, record, action = "user_updated", "user.updated", "user.change"
        told["changed"] = ["unlocked" if field == "unlocked_ms" else field for field in sorted(fields)]
    if "mfa_enabled" in fields:
        action = "user.reset_mfa"
    before = {field: getattr(user, field) for field in fields}
    intents = [
        event(write, name, n=0, channels=[], data=told, record=record),
        audit(write, actor, action, kind="user", target_id=user.id, before=before, after=fields, reason=reason),
    ]
    if "mfa_enabled" in fields:
        mail = {"is_enabled": False, "at": rfc3339(write.at)}
        intents.append(job(write, "mail.send", {"template": "mfa_changed", "user_id": user.id, "data": mail}))
    if user.role == Role.ADMIN and user.is_active and fields.keys() & {"role", "is_active"}:
        was = {name: before[name] for name in ("role", "is_active") if name in fields}
        intents.append(
            effect(write, ADMIN_LESS, {"user_id": user.id, "actor_id": actor.user_id, "was": was, "at": write.at})
        )
    if is_closed:
        intents.append(effect(write, CLOSED, {"user_id": user.id}))
    if fields.keys() & {"role", "permissions", "is_active"}:
        intents.append(effect(write, CHANGED, {"user_id": user.id}))
    return intents
