"""Accounts: who may sign in, and what people keep of themselves. What follows a sign-in is `sessions.py`'s."""

from __future__ import annotations

from dataclasses import dataclass
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
from lms_rt.contracts.outbox import Write, event, job
from lms_rt.errors import Code, Refused, invalid
from lms_rt.ids import new_id
from lms_rt.security.password_rules import check_password
from lms_rt.security.passwords import PasswordHasher
from lms_rt.security.sessions import UNKNOWN_DEVICE, Device
from lms_rt.services import figures
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.relay import Relay
from lms_rt.services.sessions import Sessions
from lms_rt.services.user_views import user_view


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What an account is made of, checked, its password hashed."""

    email: str
    email_key: str
    full_name: str
    role: Role
    password_hash: str
    user_id: str = ""


class Accounts:
    """Registers people, proves who they are, and changes their profiles."""

    def __init__(
        self, *, settings: Settings, clock: Clock, passwords: PasswordHasher, sessions: Sessions, relay: Relay
    ) -> None:
        self._settings, self._clock, self._relay = settings, clock, relay
        self._passwords, self._sessions = passwords, sessions

    async def register(self, draft: RegistrationDraft, device: Device = UNKNOWN_DEVICE) -> TokensView:
        """A new account, signed in."""
        role = Role(draft.role)
        if role is not Role.STUDENT and not (role is Role.INSTRUCTOR and self._settings.allow_public_role_registration):
            raise Refused(Code.FORBIDDEN, "An account with this role cannot be registered by oneself.")
        proved_ms = self._clock.now_ms()
        user = await self._create(draft.email, draft.password, draft.full_name, role, is_welcomed=True)
        figures.USERS_REGISTERED.inc()
        return await self._sign_in(user, device, proved_ms)

    async def login(self, draft: SignInDraft, device: Device = UNKNOWN_DEVICE) -> TokensView:
        """A new session for an address and its password. Whatever is wrong, words and time are the same."""
        proved_ms = self._clock.now_ms()
        email_key = find_email_key(draft.email)
        user = await User.find_by_email_key(email_key) if email_key else None
        is_right = await self._passwords.is_right(draft.password, user.password_hash if user else None)
        if user is None or not is_right or not user.is_active:
            raise Refused(Code.INVALID_CREDENTIALS)
        await self._renew_hash(user, draft.password)
        return await self._sign_in(user, device, proved_ms)

    async def me(self, actor: Actor) -> UserView:
        """The actor as they are stored."""
        return user_view(await self._require_user(actor.user_id))

    async def update_me(self, actor: Actor, change: ProfileChange, *, expected_version: int | None = None) -> UserView:
        """Change one's own profile; without an expected version the last write wins."""

        async def step() -> User | None:
            present = await self._require_user(actor.user_id)
            refuse_other_version(present.version, expected_version)
            refuse_changed_read_only(change, user_view(present))
            return await self._change(present, change.given())

        user = await until_written(step)
        await self._relay.hand_over(User, user.id)
        return user_view(user)

    async def create_admin(self, email: str, password: str, full_name: str) -> UserView:
        """An administrator, made at the console by whoever runs the server."""
        return user_view(await self._create(email.strip(), password, full_name.strip(), Role.ADMIN))

    async def add(self, account: NewAccount, *, is_welcomed: bool = False) -> User | None:
        """Store a new account; None when the address is taken. Who `is_welcomed` is sent the mail."""
        now, user_id = self._clock.now(), account.user_id or new_id("usr")
        write = Write(1, now)
        intents = [
            event(write, "user_registered", n=0, channels=[], data={"user_id": user_id}, record="user.registered")
        ]
        if is_welcomed:
            intents.append(job(write, "mail.send", {"template": "welcome", "user_id": user_id}))
        user = User(
            id=user_id,
            email=account.email,
            email_key=account.email_key,
            full_name=account.full_name,
            role=account.role,
            password_hash=account.password_hash,
            created_at=now,
            updated_at=now,
            outbox=intents,
            outbox_at=now,
        )
        if not await User.add(user):
            return None
        await self._relay.hand_over(User, user_id)
        return user

    async def _change(self, user: User, fields: dict[str, Any]) -> User | None:
        """Set what is new of these; None when somebody else was first."""
        changed = {name: value for name, value in fields.items() if getattr(user, name) != value}
        if changed.get("avatar_file_id") is not None:
            raise invalid("avatar_file_id", "There is no such file of yours.", "not_found")
        if not changed:
            return user
        at = self._clock.now()
        told = {"user_id": user.id, "changed": sorted(changed)}
        write = Write(user.version + 1, at)
        intents = [event(write, "user_updated", n=0, channels=[], data=told, record="user.updated")]
        if not await User.change(user.id, changed, at, expected_version=user.version, intents=intents):
            return None
        await self._sessions.forget(user.id)
        after: User = user.model_copy(update={**changed, "version": user.version + 1, "updated_at": at})
        return after

    async def _create(
        self, email: str, password: str, full_name: str, role: Role, *, is_welcomed: bool = False
    ) -> User:
        email_key = find_email_key(email)
        if email_key is None:
            raise invalid("email", "This is no e-mail address.", "email")
        if not full_name:
            raise invalid("full_name", "A name is needed.", "required")
        self._check_password(password, role, (full_name, email, email.rpartition("@")[0]))
        if await User.find_by_email_key(email_key) is not None:  # before the costly part; the insert decides
            raise Refused(Code.EMAIL_TAKEN)
        password_hash = await self._passwords.hash(password)
        account = NewAccount(email, email_key, full_name, role, password_hash)
        user = await self.add(account, is_welcomed=is_welcomed)
        if user is None:
            raise Refused(Code.EMAIL_TAKEN)
        return user

    def _check_password(self, password: str, role: Role, own: tuple[str, ...]) -> None:
        settings = self._settings
        least = settings.password_min_length
        if role is not Role.STUDENT:
            least = max(least, settings.password_min_length_staff)
        check_password(password, min_length=least, own=(*own, settings.project_name))

    async def _sign_in(self, user: User, device: Device, proved_ms: int) -> TokensView:
        now = self._clock.now()
        await User.note_sign_in(user.id, now)
        user.last_login_at = now
        # An end of all sessions that was seen in what was read came before, though in the same millisecond.
        return await self._sessions.begin(user, device, proved_ms=max(proved_ms, user.sessions_valid_after_ms + 1))

    async def _renew_hash(self, user: User, password: str) -> None:
        if not self._passwords.is_outdated(user.password_hash):
            return
        try:
            renewed = await self._passwords.hash(password)
        except Refused:  # the pool is full: the next sign-in renews it
            return
        await User.renew_password_hash(user.id, user.password_hash, renewed)

    async def _require_user(self, user_id: str) -> User:
        user = await User.find_by_id(user_id)
        if user is None:
            raise Refused(Code.NOT_FOUND)
        return user
