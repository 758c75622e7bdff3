"""Who may look into the machinery and set it right (`settings:manage`), and who may read the audit log (`audit:view`)."""

from __future__ import annotations

from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import Permission


def require_operator(actor: Actor) -> None:
    """Let an operator pass."""
    if not actor.has_permission(Permission.SETTINGS_MANAGE):
        raise Refused(Code.FORBIDDEN)


def require_auditor(actor: Actor) -> None:
    """Let somebody pass who may read the audit log: who holds `audit:view`, as administrators do."""
    if not actor.has_permission(Permission.AUDIT_VIEW):
        raise Refused(Code.FORBIDDEN)
