"""The settings that may be changed while the school runs: which they are, and how holders of the settings come by them.

Everything else is read at the start. What the environment says stays the value that a change can be taken back to.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from config.settings import Settings

CHANGEABLE: tuple[str, ...] = (
    "registration_hides_existing",
    "require_verified_email",
    "allow_public_role_registration",
    "rate_limit_enabled",
    "rate_limit_requests_per_minute",
    "rate_limit_auth_per_minute",
    "rate_limit_login_per_minute",
    "rate_limit_sign_ins_per_minute",
    "rate_limit_attempts_per_minute",
    "rate_limit_uploads_per_hour",
    "retention_notifications_days",
    "retention_webhook_deliveries_days",
    "retention_events_days",
    "retention_done_jobs_days",
    "retention_dead_letters_days",
    "retention_ended_sessions_days",
    "retention_exports_days",
    "retention_untouched_uploads_days",
    "max_upload_mb",
    "max_storage_mb_per_user",
    "max_storage_mb_per_course",
    "log_level",
)
"""Those that are safe: no keys, no addresses, nothing that lets people in who were kept out by more than a word. How long
the audit log is kept is none of them, since it tells what whoever may change settings has done.
"""


LEAST: Mapping[str, int] = {
    "retention_events_days": 7,
    "retention_webhook_deliveries_days": 7,
    "retention_dead_letters_days": 7,
    "retention_ended_sessions_days": 7,
}
"""What tells who did what cannot be had removed within days by whoever did it: less is for the environment to say."""


def kind_of(name: str) -> Any:
    """The type of a setting, with the bounds within which it can be changed."""
    kind = Settings.model_fields[name].rebuild_annotation()
    return Annotated[kind, Field(ge=LEAST[name])] if name in LEAST else kind


def defaults() -> dict[str, Any]:
    """What holds by itself, by the names in the environment; secrets masked."""
    return Settings.model_construct().masked()


def description_of(name: str) -> str:
    """What a setting does."""
    return Settings.model_fields[name].description or ""


def adopt(settings: Settings, values: Mapping[str, Any]) -> None:
    """Let everybody who holds these settings read the new values from now on. Only for names of `CHANGEABLE`.

    The settings are frozen for those who hold them; this is the one place that moves them.
    """
    if unknown := values.keys() - set(CHANGEABLE):
        raise KeyError(f"these settings hold from the start: {', '.join(sorted(unknown))}")
    has_level_moved = values.get("log_level", settings.log_level) != settings.log_level
    vars(settings).update(values)
    if has_level_moved:
        logging.getLogger().setLevel(logging.DEBUG if settings.debug else settings.log_level)
