"""Which passwords this school takes from whom: by role, and by what is known of the person. The rules are security's."""

from __future__ import annotations

from config.settings import Settings
from documents.enums import Role
from lms_rt.security.password_rules import check_password


def least_length(settings: Settings, role: Role) -> int:
    """How long a password of this role has to be."""
    least = settings.password_min_length
    return least if role == Role.STUDENT else max(least, settings.password_min_length_staff)


def check_chosen(
    settings: Settings, password: str, *, role: Role, full_name: str, email: str, field: str = "password"
) -> None:
    """Refuse (422) what is too short for the role, too common, or little more than the person's own words."""
    own = (full_name, email, email.rpartition("@")[0], settings.project_name)
    check_password(password, min_length=least_length(settings, role), own=own, field=field)
