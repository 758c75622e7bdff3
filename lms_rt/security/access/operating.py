"""Who may look into the machinery and set it right: those who hold `settings:manage`, as administrators do."""

from __future__ import annotations

from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import Permission


def require_operator(actor: Actor) -> None:
    """Let an operator pass."""
    if not actor.has_permission(Permission.SETTINGS_MANAGE):
        raise Refused(Code.FORBIDDEN)
