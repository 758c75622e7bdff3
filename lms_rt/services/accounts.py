"""Accounts: who may sign in, and what people keep of themselves. What follows a sign-in is `sessions.py`'s."""

from __future__ import annotations

from dataclasses import dataclass

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
from lms_rt.errors import Code, Refused, invalid
from lms_rt.ids import new_id
from lms_rt.security.password_rules import check_password
from lms_rt.security.passwords import PasswordHasher
from lms_rt.security.sessions import UNKNOWN_DEVICE, Device
from lms_rt.services import figures
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

    def __init__(self, *, settings: Settings, clock: Clock, passwords: PasswordHasher, sessions: Sessions) -> None:
        self._settings, self._clock = settings, clock
        self._passwords, self._sessions = passwords, sessions

    async def register(self, draft: RegistrationDraft, device: Device = UNKNOWN_DEVICE) -> TokensView:
        """A new account, signed in."""
        role = Role(draft.role)
        if role is not Role.STUDENT and not (role is Role.INSTRUCTOR and self._settings.allow_public_role_registration):
            raise Refused(Code.FORBIDDEN, "An account with this role cannot be registered by oneself.")
        proved_ms = self._clock.now_ms()
        user = await self._create(draft.email, draft.password, draft.full_name, role)
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
        present = await self._require_user(actor.user_id)
        if expected_version not in {None, present.version}:
            raise Refused(Code.VERSION_MISMATCH, current_version=present.version)
        refuse_changed_read_only(change, user_view(present))
        fields = change.given()
        if fields.get("avatar_file_id") not in {None, present.avatar_file_id}:
            raise invalid("avatar_file_id", "There is no such file of yours.", "not_found")
        if not any(getattr(present, name) != value for name, value in fields.items()):
            return user_view(present)
        at = self._clock.now()
        if not await User.change(actor.user_id, fields, at, expected_version=expected_version):
            newest = await self._require_user(actor.user_id)
            raise Refused(Code.VERSION_MISMATCH, current_version=newest.version)
        await self._sessions.forget(actor.user_id)
        return user_view(await self._require_user(actor.user_id))

    async def create_admin(self, email: str, password: str, full_name: str) -> UserView:
        """An administrator, made at the console by whoever runs the server."""
        return user_view(await self._create(email.strip(), password, full_name.strip(), Role.ADMIN))

    async def add(self, account: NewAccount) -> User | None:
        """Store a new account; None when the address is taken."""
        now = self._clock.now()
        user = User(
            id=account.user_id or new_id("usr"),
            email=account.email,
            email_key=account.email_key,
            full_name=account.full_name,
            role=account.role,
            password_hash=account.password_hash,
            created_at=now,
            updated_at=now,
        )
        return user if await User.add(user) else None

    async def _create(self, email: str, password: str, full_name: str, role: Role) -> User:
        email_key = find_email_key(email)
        if email_key is None:
            raise invalid("email", "This is no e-mail address.", "email")
        if not full_name:
            raise invalid("full_name", "A name is needed.", "required")
        self._check_password(password, role, (full_name, email, email.rpartition("@")[0]))
        if await User.find_by_email_key(email_key) is not None:  # before the costly part; the insert decides
            raise Refused(Code.EMAIL_TAKEN)
        password_hash = await self._passwords.hash(password)
        user = await self.add(NewAccount(email, email_key, full_name, role, password_hash))
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
