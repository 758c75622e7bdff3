"""Who asks: the first argument of every service method. Made by security from a verified token, never from a body."""

from __future__ import annotations

from dataclasses import dataclass

from documents.enums import Role


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in person with what their role and their own permissions allow, or a stranger.

    `session_id` is the refresh family; `expires_at_ms` the end of the access token in epoch milliseconds. An administrator
    who acts as this person is `impersonator_id`. Who `is_leaving` has closed
    their account, and may do nothing but keep it.
    """

    user_id: str
    role: Role | None
    permissions: frozenset[str] = frozenset()
    session_id: str = ""
    full_name: str = ""
    expires_at_ms: int = 0
    impersonator_id: str = ""
    impersonator_name: str = ""
    is_leaving: bool = False

    @property
    def is_stranger(self) -> bool:
        """Nobody has signed in."""
        return not self.user_id

    @property
    def is_admin(self) -> bool:
        """May do all that owners may."""
        return self.role == Role.ADMIN

    @property
    def is_staff(self) -> bool:
        """An instructor or an admin."""
        return self.role in (Role.ADMIN, Role.INSTRUCTOR)

    @property
    def is_impersonated(self) -> bool:
        """Somebody else acts as this person."""
        return bool(self.impersonator_id)

    def has_permission(self, permission: str) -> bool:
        """Is it among those of the role or their own?"""
        return permission in self.permissions


STRANGER = Actor(user_id="", role=None)
"""Nobody in particular."""
