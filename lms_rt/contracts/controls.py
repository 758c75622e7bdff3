"""Words to the nodes, told through the bus when authority ends; their data is what these functions make."""

from __future__ import annotations

from typing import Any

SESSION_REVOKED = "session_revoked"
ACCESS_CHANGED = "access_changed"
ACCOUNT_CHANGED = "account_changed"
SETTINGS_CHANGED = "settings_changed"


def session_revoked(
    user_id: str, *, session_id: str | None = None, except_session_id: str | None = None
) -> dict[str, Any]:
    """One session of the user has ended, or all of them but the one that made the change."""
    return {"user_id": user_id, "session_id": session_id, "except_session_id": except_session_id}


def access_changed(user_id: str | None) -> dict[str, Any]:
    """The user (None: everybody) may have lost a channel: every subscription is checked again."""
    return {"user_id": user_id}


def account_changed(user_id: str) -> dict[str, Any]:
    """What is known of the user must be read again; nothing that they may do has changed."""
    return {"user_id": user_id}
