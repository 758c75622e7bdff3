"""Accounts: who may sign in, and what people keep of themselves. What follows a sign-in is `sessions.py`'s."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from config.settings import Settings
from documents.enums import Role
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.accounts import (
    ProfileChange,
    RegistrationDraft,
    SignInDraft,
    TokensView,
    UserView,
    find_email_key,
)
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import refuse_changed_read_only
from lms_rt.contracts.outbox import Deed, Write, audit, event, job
from lms_rt.errors import Code, Refused, invalid
from lms_rt.ids import new_id
from lms_rt.security.passwords import PasswordHasher
from lms_rt.security.sessions import UNKNOWN_DEVICE, Device
from lms_rt.services import figures
from lms_rt.services.chosen_passwords import check_chosen
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.pictures import Pictures
from lms_rt.services.relay import Relay
from lms_rt.services.sessions import Sessions
from lms_rt.services.sign_ins import Proof, SignIns
from lms_rt.services.user_search import found_by
from lms_rt.services.user_views import user_view

_CONSOLE = Actor("usr_console", Role.ADMIN)


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What an account is made of, checked, its password hashed. One that others made stands in the audit log."""

    email: str
    email_key: str
    full_name: str
    role: Role
    password_hash: str
    user_id: str = ""
    is_verified: bool = False
    is_unconfirmed: bool = False
    made_by: Actor | None = None


class Accounts:
    """Registers people, proves who they are, and changes their profiles."""

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
        self._pictures: Pictures | None = None

    async def register(self, draft: RegistrationDraft, device: Device = UNKNOWN_DEVICE) -> TokensView:
        """A new account, signed in."""
        proved_ms = self._clock.now_ms()
        user = await self.add(await self.prepared(draft), is_welcomed=True)
        if user is None:
            raise Refused(Code.EMAIL_TAKEN)
        return await self._sign_ins.enter(Proof(user, device, proved_ms))

    async def prepared(self, draft: RegistrationDraft, *, tells_taken: bool = True) -> NewAccount:
        """What somebody registers with, checked, its password hashed. Whether the address is free, `add` finds out."""
        role = Role(draft.role)
        if role != Role.STUDENT and not (role == Role.INSTRUCTOR and self._settings.allow_public_role_registration):
            raise Refused(Code.FORBIDDEN, "An account with this role cannot be registered by oneself.")
        return await self._checked(draft.email, draft.password, draft.full_name, role, tells_taken=tells_taken)

    async def login(self, draft: SignInDraft, device: Device = UNKNOWN_DEVICE) -> TokensView:
        """A new session for an address and its password."""
        settings = self._settings
        proof = await self._sign_ins.prove(draft, device, tells_unconfirmed=not settings.registration_hides_existing)
        if proof.user.is_unconfirmed or (settings.require_verified_email and proof.user.email_verified_at is None):
            raise Refused(Code.EMAIL_NOT_VERIFIED)
        return await self._sign_ins.enter(proof)

    async def me(self, actor: Actor) -> UserView:
        """The actor as they are stored."""
        return user_view(await self._require_user(actor.user_id))

    async def update_me(self, actor: Actor, change: ProfileChange, *, expected_version: int | None = None) -> UserView:
        """Change one's own profile; without an expected version the last write wins."""

        async def step() -> User | None:
            present = await self._require_user(actor.user_id)
            refuse_other_version(present.version, expected_version)
            refuse_changed_read_only(change, user_view(present))
            return await self._change(actor, present, change.given())

        user = await until_written(step)
        await self._relay.hand_over(User, user.id)
        return user_view(user)

    def keep_pictures_by(self, pictures: Pictures) -> None:
        """Let people's pictures be theirs."""
        self._pictures = pictures

    async def create_admin(self, email: str, password: str, full_name: str) -> UserView:
        """An administrator, made at the console by whoever runs the server."""
        account = await self._checked(email.strip(), password, full_name.strip(), Role.ADMIN)
        user = await self.add(replace(account, is_verified=True, made_by=_CONSOLE))
        if user is None:
            raise Refused(Code.EMAIL_TAKEN)
        return user_view(user)

    async def add(self, account: NewAccount, *, is_welcomed: bool = False) -> User | None:
        """Store a new account; None when the address is taken. Who `is_welcomed` registered, and is sent the mails."""
        now, user_id = self._clock.now(), account.user_id or new_id("usr")
        write = Write(1, now)
        intents = [
            event(write, "user_registered", n=0, channels=[], data={"user_id": user_id}, record="user.registered")
        ]
        if is_welcomed:
            mails = ("welcome", "email_verification")
            intents += [job(write, "mail.send", {"template": mail, "user_id": user_id}) for mail in mails]
        if account.made_by is not None:
            made = {name: getattr(account, name) for name in ("email", "full_name", "role")}
            intents.append(audit(write, account.made_by, "user.create", kind="user", target_id=user_id, after=made))
        user = User(
            id=user_id,
            email=account.email,
            email_key=account.email_key,
            full_name=account.full_name,
            role=account.role,
            password_hash=account.password_hash,
            email_verified_at=now if account.is_verified else None,
            is_unconfirmed=account.is_unconfirmed,
            **found_by(account.full_name, account.email),
            created_at=now,
            updated_at=now,
            outbox=intents,
            outbox_at=now,
        )
        if not await User.add(user):
            return None
        if is_welcomed:
            figures.USERS_REGISTERED.inc()
        await self._relay.hand_over(User, user_id)
        return user

    async def _change(self, actor: Actor, user: User, fields: dict[str, Any]) -> User | None:
        """Set what is new of these; None when somebody else was first."""
        changed = {name: value for name, value in fields.items() if getattr(user, name) != value}
        if not changed:
            return user
        if (file_id := changed.get("avatar_file_id")) is not None:
            if self._pictures is None:
                raise invalid("avatar_file_id", "There is no such file of yours.", "not_found")
            await self._pictures.attach_avatar(actor, file_id)
        at = self._clock.now()
        told = {"user_id": user.id, "changed": sorted(changed)}
        write = Write(user.version + 1, at)
        intents = [event(write, "user_updated", n=0, channels=[], data=told, record="user.updated")]
        before = {name: getattr(user, name) for name in changed}
        intents += Deed(actor, "user.change").intents(write, user.id, before=before, after=changed)
        stored = changed | (found_by(changed["full_name"], user.email) if "full_name" in changed else {})
        if not await User.change(user.id, stored, at, expected_version=user.version, intents=intents):
            return None
        if "avatar_file_id" in changed and self._pictures is not None:
            await self._pictures.keep_avatar(user.id, file_id)
        await self._sessions.forget(user.id)
        after: User = user.model_copy(update={**changed, "version": user.version + 1, "updated_at": at})
        return after

    async def _checked(
        self, email: str, password: str, full_name: str, role: Role, *, tells_taken: bool = True
    ) -> NewAccount:
        email_key = find_email_key(email)
        if email_key is None:
            raise invalid("email", "This is no e-mail address.", "email")
        if not full_name:
            raise invalid("full_name", "A name is needed.", "required")
        check_chosen(self._settings, password, role=role, full_name=full_name, email=email)
        if tells_taken and await User.find_by_email_key(email_key) is not None:  # before the costly part
            raise Refused(Code.EMAIL_TAKEN)
        return NewAccount(email, email_key, full_name, role, await self._passwords.hash(password))

    async def _require_user(self, user_id: str) -> User:
        user = await User.find_by_id(user_id)
        if user is None:
            raise Refused(Code.NOT_FOUND)
        return user
