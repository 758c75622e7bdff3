"""Sessions at the border: where somebody is signed in, a new password, and a session in somebody else's place."""

from __future__ import annotations

from typing import Literal

from lms_rt.contracts.accounts import KnownPassword, NewPassword, UserView
from lms_rt.contracts.base import Draft, Instant, View


class SessionView(View):
    """A place where the caller is signed in.

    `device` is what the program there says it is, `last_used_at` when it last replaced its tokens.
    """

    id: str
    device: str
    ip_address: str
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant
    is_current: bool


class PasswordChangeDraft(Draft):
    """The password of now, and the one to be."""

    current_password: KnownPassword
    new_password: NewPassword


class ImpersonationView(View):
    """A short session in somebody else's place. There is no refresh token: it ends by itself."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the kind of token
    expires_in: int
    user: UserView
