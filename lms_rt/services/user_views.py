"""How a person is shown to themselves. Nothing is decided here."""

from __future__ import annotations

from documents.user import User
from lms_rt.contracts.accounts import UserView


def user_view(user: User) -> UserView:
    """The person without what is nobody's to see."""
    return UserView(
        id=user.id,
        email=user.email,
        full_name=user.full_name,
        role=user.role,
        is_active=user.is_active,
        locale=user.locale,
        timezone=user.timezone,
        avatar_file_id=user.avatar_file_id,
        mfa_enabled=user.mfa_enabled,
        email_verified_at=user.email_verified_at,
        last_login_at=user.last_login_at,
        permissions=sorted(user.permissions),
        metadata=user.metadata,
        version=user.version,
        created_at=user.created_at,
        updated_at=user.updated_at,
    )
