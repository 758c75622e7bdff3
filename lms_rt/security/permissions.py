"""The one table of what each role may do. Whose course or whose attempt it is, is decided by `security/access`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from documents.enums import Role


class Permission(StrEnum):
    """Every permission there is; another word is refused."""

    COURSE_CREATE = "course:create"
    COURSE_UPDATE = "course:update"
    COURSE_DELETE = "course:delete"
    ANALYTICS_VIEW = "analytics:view"
    ENROLLMENTS_MANAGE = "enrollments:manage"
    USERS_MANAGE = "users:manage"
    QUIZZES_MANAGE = "quizzes:manage"
    PAYMENTS_MANAGE = "payments:manage"
    AUDIT_VIEW = "audit:view"
    SETTINGS_MANAGE = "settings:manage"
    WEBHOOKS_MANAGE = "webhooks:manage"
    IMPERSONATE = "impersonate"


ROLE_PERMISSIONS: Mapping[Role, frozenset[str]] = MappingProxyType(
    {
        Role.ADMIN: frozenset(permission.value for permission in Permission),
        Role.INSTRUCTOR: frozenset(
            permission.value
            for permission in (
                Permission.COURSE_CREATE,
                Permission.COURSE_UPDATE,
                Permission.COURSE_DELETE,
                Permission.ANALYTICS_VIEW,
                Permission.ENROLLMENTS_MANAGE,
                Permission.QUIZZES_MANAGE,
            )
        ),
        Role.STUDENT: frozenset(),
    }
)
"""What a role brings. An instructor's hold for what is their own; an admin's for everything."""

TEACHING = ROLE_PERMISSIONS[Role.INSTRUCTOR]
"""Whoever holds one of these may teach: who made a course is, by them, more than a visitor there."""


def permissions_of(role: Role, own: Iterable[str] = ()) -> frozenset[str]:
    """What somebody of this role with these permissions of their own may do."""
    return ROLE_PERMISSIONS[role] | frozenset(own)
