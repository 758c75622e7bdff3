"""What settings must not be, and what goes together: every fault is named at once, before anything starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config.settings import Settings

_WEAK = ("change", "secret", "default", "example", "password", "insecure", "test", "development")
_SUCCESSORS = {
    "DATABASE_URL": "MONGODB_URL",
    "DB_POOL_SIZE": "MONGODB_MAX_POOL_SIZE",
    "DB_MAX_OVERFLOW": "MONGODB_MAX_POOL_SIZE",
    "CELERY_BROKER_URL": "TASKS_REDIS_URL",
    "CELERY_RESULT_BACKEND": "TASKS_REDIS_URL",
}
_ALWAYS_SO = {"STRICT_ROUTER_IMPORTS": "a module of routes that cannot be imported never lets a server start"}
"""What could once be switched, and is as it was meant for production everywhere."""


def faults_of(settings: Settings) -> list[str]:
    """Why these settings, each of them well-formed, cannot be used together or in this environment."""
    files = settings.file_faults(is_embedded=settings.is_embedded, is_production=settings.is_production)
    payments = settings.payment_faults(is_embedded=settings.is_embedded, is_production=settings.is_production)
    return _store_faults(settings) + files + payments + (_production_faults(settings) if settings.is_production else [])


def retired_settings(environ: Mapping[str, str] = os.environ) -> list[str]:
    """A warning for each setting of older designs that is set and read by nobody any more."""
    told = {name: f"use {successor}" for name, successor in _SUCCESSORS.items()} | _ALWAYS_SO
    return [f"{name} is not read any more: {words}" for name, words in told.items() if environ.get(name)]


def _store_faults(settings: Settings) -> list[str]:
    has = {name: bool(getattr(settings, name.lower()).get_secret_value()) for name in ("MONGODB_URL", "REDIS_URL")}
    faults = [
        f"{name} is set without {other}"
        for name, other in zip(has, reversed(has), strict=True)
        if has[name] and not has[other]
    ]
    if settings.redis_replicas and not has["REDIS_URL"]:
        faults.append("REDIS_REPLICAS is set without REDIS_URL")
    if has["MONGODB_URL"]:
        faults += [
            f"{name} must be set: nodes share keys, never a directory"
            for name in ("SECRET_KEY", "PASSWORD_PEPPER", "SIGNING_KEY")
            if not getattr(settings, name.lower()).get_secret_value()
        ]
    keys = {"SECRET_KEY": (settings.secret_key.get_secret_value(),), "SECRET_KEY_PREVIOUS": settings.former_keys}
    return faults + [
        f"{name} is shorter than 32 bytes"
        for name, values in keys.items()
        if any(value and len(value.encode()) < 32 for value in values)
    ]


def _production_faults(settings: Settings) -> list[str]:
    secrets = {name: getattr(settings, name.lower()).get_secret_value() for name in ("SECRET_KEY", "PASSWORD_PEPPER")}
    checks = {
        "DEBUG is on": settings.debug,
        "ENABLE_API_DOCS is on": settings.are_docs_open,
        "MONGODB_URL and REDIS_URL are not set: the embedded stores are not for production": settings.is_embedded,
        "TASKS_FORCE_INLINE is on": settings.tasks_force_inline,
        "ACCESS_TOKEN_BLACKLIST_FAIL_CLOSED is off": not settings.access_token_blacklist_fail_closed,
        "WEBHOOK_ALLOW_HTTP is on": settings.webhook_allow_http,
        "CORS_ORIGINS has a wildcard": any("*" in origin for origin in settings.cors_origins),
        "COOKIE_SECURE is off": not settings.cookie_secure,
        "PASSWORD_HASH_COST is less than 12": settings.password_hash_cost < 12,
        "SIGNING_KEY is weak or a default": len(set(settings.signing_seed or range(10))) < 10,
        "VAULT_ADDR is not https": settings.vault_addr.startswith("http:"),
    } | {f"{name} is weak or a default": _is_weak(value) for name, value in secrets.items()}
    return [fault for fault, is_true in checks.items() if is_true]


def _is_weak(secret: str) -> bool:
    """Too short, too few different characters, or one of the words that examples use."""
    return len(secret.encode()) < 32 or len(set(secret)) < 10 or any(word in secret.lower() for word in _WEAK)
