"""The settings: the only reader of the environment and of `.env`. Every fault is named at once, before anything starts."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

VERSION = "0.1.0"
HOME = Path(__file__).resolve().parent.parent
"""Where run.py is: what is kept beside it is found from any working directory."""
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_WEAK = ("change", "secret", "default", "example", "password", "insecure", "test")
_SUCCESSORS = {
    "DATABASE_URL": "MONGODB_URL",
    "DB_POOL_SIZE": "MONGODB_MAX_POOL_SIZE",
    "DB_MAX_OVERFLOW": "MONGODB_MAX_POOL_SIZE",
    "CELERY_BROKER_URL": "TASKS_REDIS_URL",
    "CELERY_RESULT_BACKEND": "TASKS_REDIS_URL",
}
Words = Annotated[tuple[str, ...], NoDecode]
"""A comma-separated list in the environment."""


class SettingsError(Exception):
    """The settings cannot be used; `faults` names every reason, a line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Environment(StrEnum):
    """Where this runs."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
"""A piece of a mail address between dots."""


class Settings(BaseSettings):
    """Names, defaults and limits; `docs/configuration.md` is made from here."""

    model_config = SettingsConfigDict(
        env_file=(HOME / ".env", ".env"),  # the one in the working directory has the last word
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_default=True,
        populate_by_name=True,
    )

    # the product
    project_name: str = Field("lms_rt", description="Name shown on pages and in tokens' issuer.")
    environment: Environment = Field(Environment.DEVELOPMENT, description="development, staging or production.")
    debug: bool = Field(False, description="More words in logs, Server-Timing in replies.")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="auto: JSON lines in production, else text."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")
    metrics_enabled: bool = Field(True, description="Serve /metrics.")
    metrics_token: SecretStr = Field(
        SecretStr(""), description="Bearer token for /metrics; without one: loopback only."
    )
    api_response_envelope_enabled: bool = Field(
        False, description="Wrap every JSON reply in {success, message, data, meta}."
    )
    enable_api_docs: bool | None = Field(
        None, description="Serve /docs and the OpenAPI document; default: not in production."
    )

    # HTTP
    http_host: str = Field("127.0.0.1", description="Address to listen on.")
    http_port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str = Field(
        "", description="Address by which people reach the school, such as https://lms.example.org."
    )
    allowed_hosts: Words = Field((), description="Further Host names that are answered.")
    trusted_proxies: Words = Field((), description="Networks whose X-Forwarded-* headers are believed.")
    cors_origins: Words = Field((), description="Origins of other sites that may call the API and the socket.")

    # stores
    mongodb_url: SecretStr = Field(
        SecretStr(""), description="MongoDB; empty: the embedded store. Goes with REDIS_URL."
    )
    mongodb_database: str = Field("lms", description="Name of the database.")
    mongodb_max_pool_size: int = Field(100, ge=1, le=10_000, description="Connections to MongoDB at most.")
    redis_url: SecretStr = Field(SecretStr(""), description="Redis; empty: one process alone. Goes with MONGODB_URL.")
    redis_replicas: int = Field(
        0, ge=0, le=10, description="An event of record counts as published when so many replicas of Redis have it."
    )
    tasks_redis_url: SecretStr = Field(SecretStr(""), description="Redis of the workers; default: REDIS_URL.")
    lms_data_dir: Path = Field(
        HOME / ".lms_data", description="Directory of the embedded store, its secrets and uploads."
    )
    lms_durability: Literal["process", "power"] = Field(
        "process", description="power: every write is synced to the disk."
    )

    # accounts
    secret_key: SecretStr = Field(
        SecretStr(""), description="Signs tokens, at least 32 bytes; embedded default: made at first start."
    )
    algorithm: Literal["HS256"] = Field("HS256", description="Signature of access tokens.")
    password_pepper: SecretStr = Field(
        SecretStr(""), description="Keys the password hashes; embedded default: made at first start."
    )
    access_token_expire_minutes: int = Field(15, ge=1, le=1440, description="Life of an access token.")
    refresh_token_expire_days: int = Field(30, ge=1, le=365, description="A session ends when unused for so long.")
    refresh_token_absolute_days: int = Field(90, ge=1, le=730, description="A session ends after so long in any case.")
    password_hash_cost: int = Field(12, ge=4, le=16, description="bcrypt's cost; production refuses less than 12.")
    password_min_length: int = Field(8, ge=8, le=64, description="Least length of a student's password.")
    password_min_length_staff: int = Field(12, ge=8, le=64, description="Least length of a staff password.")
    max_sessions_per_user: int = Field(20, ge=1, le=1000, description="The least recently used session ends beyond it.")
    cookie_secure: bool = Field(False, description="Cookies only over HTTPS, with the __Host- prefix.")
    auth_modes: Words = Field(("bearer", "cookie"), description="How a request may sign in: bearer, cookie.")
    allow_public_role_registration: bool = Field(False, description="Anybody may register as an instructor.")
    access_token_blacklist_fail_closed: bool = Field(
        True, description="Refuse tokens while neither Redis nor the database can say whether they are revoked."
    )
    tasks_force_inline: bool = Field(False, description="Run tasks inside the request; refused in production.")

    # mail
    smtp_host: str = Field(
        "",
        description="Mail server; empty: on the embedded store mails are kept for /dev/mailbox, else none can leave.",
    )
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_username: str = Field("", description="Account at the mail server; empty: none.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Its password.")
    smtp_tls: Literal["none", "starttls", "tls"] = Field(
        "starttls", description="starttls: refused where the server offers none; tls: from the first byte (port 465)."
    )
    smtp_timeout_seconds: float = Field(15.0, gt=0, le=120, description="Every wait for the mail server ends then.")
    email_from: str = Field("", description="Sender's address; empty: no-reply@ the host of PUBLIC_URL.")
    email_from_name: str = Field("", description="Sender's name; empty: PROJECT_NAME.")
    mail_gather_seconds: int = Field(
        60, ge=0, le=3600, description="So long notifications of one kind gather before one mail tells of all."
    )

    # webhooks
    webhook_allow_http: bool = Field(False, description="Deliver to http:// addresses; refused in production.")
    webhook_allow_networks: Words = Field(
        (), description="Networks that webhooks may reach although they are not public."
    )

    # how long things are kept, in days
    retention_notifications_days: int = Field(180, ge=1, description="Notifications.")
    retention_webhook_deliveries_days: int = Field(30, ge=1, description="The log of webhook deliveries.")
    retention_events_days: int = Field(30, ge=1, description="Events of record, for GET /events.")
    retention_done_jobs_days: int = Field(7, ge=1, description="Finished jobs: a late repeat meets them.")
    retention_dead_letters_days: int = Field(30, ge=1, description="Jobs that failed for good.")
    retention_ended_sessions_days: int = Field(30, ge=1, description="Sessions that ended.")

    # attempts and the live socket
    attempt_grace_seconds: int = Field(
        2, ge=0, le=60, description="An answer counts until this long after the deadline."
    )
    attempt_abandon_days: int = Field(
        30, ge=1, le=365, description="An untimed attempt without answers ends after so long."
    )
    ws_allow_query_token: bool | None = Field(None, description="Take ?token= on /ws; default: not in production.")

    @field_validator(
        "allowed_hosts", "trusted_proxies", "cors_origins", "auth_modes", "webhook_allow_networks", mode="before"
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value

    @field_validator("trusted_proxies", "webhook_allow_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            ipaddress.ip_network(word, strict=False)
        return value

    @field_validator("email_from")
    @classmethod
    def _mailbox(cls, value: str) -> str:
        if value and not re.fullmatch(rf"{_ATOM}(\.{_ATOM})*@[\w-]+(\.[\w-]+)*", value):
            raise ValueError("use an address such as school@lms.example.org; the name is EMAIL_FROM_NAME")
        return value

    @field_validator("auth_modes")
    @classmethod
    def _modes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not set(value) <= {"bearer", "cookie"}:
            raise ValueError("use bearer, cookie, or both")
        return value

    @classmethod
    def settings_customise_sources(  # noqa: PLR0917 - pydantic-settings' signature
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - files are named by *_FILE here
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is passed in, then files named by *_FILE, then the environment, then `.env`."""
        return init_settings, _FileSource(settings_cls), env_settings, dotenv_settings

    @property
    def is_production(self) -> bool:
        """The strict environment."""
        return self.environment == Environment.PRODUCTION

    @property
    def is_embedded(self) -> bool:
        """One process on the embedded store."""
        return not self.mongodb_url.get_secret_value()

    @property
    def are_docs_open(self) -> bool:
        """Is the API's documentation served?"""
        return not self.is_production if self.enable_api_docs is None else self.enable_api_docs

    @property
    def is_query_token_allowed(self) -> bool:
        """May a socket be opened with ?token=?"""
        return not self.is_production if self.ws_allow_query_token is None else self.ws_allow_query_token

    @property
    def own_hosts(self) -> frozenset[str]:
        """Host names (lower case, without port) that are answered."""
        public = urlsplit(self.public_url).hostname or ""
        return frozenset(
            name.lower() for name in (*LOOPBACK_NAMES, self.http_host, public, *self.allowed_hosts) if name
        )

    def masked(self) -> dict[str, Any]:
        """Every setting by its environment name, secrets masked."""
        shown = self.model_dump(mode="json")
        secret = {name for name in shown if isinstance(getattr(self, name), SecretStr)}
        return {name.upper(): ("********" if shown[name] else "") if name in secret else shown[name] for name in shown}


class _FileSource(PydanticBaseSettingsSource):
    """Secrets from files: NAME_FILE holds the path of a file that holds NAME."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """The content of the file that is named for this field, if one is; `_file_faults` tells of one that is none."""
        path = _path_of_secret(field_name, field)
        try:
            return (Path(path).read_text().strip() if path else None), field_name, False
        except (OSError, UnicodeDecodeError):
            return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """All fields that come from files."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def _path_of_secret(name: str, field: Any) -> str:
    return os.environ.get(f"{name.upper()}_FILE", "") if field.annotation is SecretStr else ""


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process. Raises `SettingsError` with every fault at once."""
    faults = _file_faults()
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        faults += [f"{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors()]
        wrong = {str(fault["loc"][0]) for fault in error.errors()} & set(Settings.model_fields)
        # The defaults stand in for them, so that what else is wrong is told in the same breath.
        settings = Settings(**overrides | {name: Settings.model_fields[name].default for name in wrong})
    faults += _store_faults(settings)
    if settings.is_production:
        faults += _production_faults(settings)
    if faults:
        raise SettingsError(faults)
    return settings


def _file_faults() -> list[str]:
    """The files that settings name and that cannot be read."""
    faults = []
    for name, field in Settings.model_fields.items():
        if path := _path_of_secret(name, field):
            try:
                Path(path).read_text()
            except OSError as error:
                faults.append(f"{name.upper()}_FILE cannot be read: {error}")
            except UnicodeDecodeError:
                faults.append(f"{name.upper()}_FILE is not UTF-8: {path}")
    return faults


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
            for name in ("SECRET_KEY", "PASSWORD_PEPPER")
            if not getattr(settings, name.lower()).get_secret_value()
        ]
    key = settings.secret_key.get_secret_value()
    return faults + (["SECRET_KEY is shorter than 32 bytes"] if key and len(key.encode()) < 32 else [])


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
    } | {f"{name} is weak or a default": _is_weak(value) for name, value in secrets.items()}
    return [fault for fault, is_true in checks.items() if is_true]


def _is_weak(secret: str) -> bool:
    """Too short, too few different characters, or one of the words that examples use."""
    return len(secret.encode()) < 32 or len(set(secret)) < 10 or any(word in secret.lower() for word in _WEAK)


def retired_settings(environ: Mapping[str, str] = os.environ) -> list[str]:
    """A warning for each setting of older designs that is set and read by nobody any more."""
    return [f"{old} is not read any more: use {new}" for old, new in _SUCCESSORS.items() if environ.get(old)]
