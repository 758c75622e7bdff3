"""Who may look after money (`payments:manage`): administrators, and whoever was given that. What is one's own, services ask for."""

from __future__ import annotations

from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import Permission


def require_treasurer(actor: Actor) -> None:
    """Let somebody pass who looks after payments."""
    if not actor.has_permission(Permission.PAYMENTS_MANAGE):
        raise Refused(Code.FORBIDDEN)
