"""The settings: the only reader of the environment and of `.env`. Every fault is named at once, before anything starts."""

from __future__ import annotations

import base64
import ipaddress
import logging
import re
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.settings_accounts import LimitSettings, RetentionSettings, SignInSettings, Words
from config.settings_checks import faults_of
from config.settings_files import FileSettings, Provider
from config.settings_payments import PaymentSettings
from config.settings_sources import FileSource, SecretsReader, file_faults, kept_elsewhere

VERSION = "0.1.0"
HOME = Path(__file__).resolve().parent.parent
"""Where run.py is: what is kept beside it is found from any working directory."""
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_LOOPBACK_NETWORKS = ("127.0.0.0/8", "::1/128")
_log = logging.getLogger(__name__)


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


class Settings(PaymentSettings, FileSettings, RetentionSettings, LimitSettings, SignInSettings):
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
    api_v1_prefix: str = Field(
        "/api/v1", description="Where the API answers; at /api/v1 it always does, where pages and links lead to."
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

    # what strangers are shown of courses, kept for a while
    cache_enabled: bool = Field(False, description="Keep the catalogue and courses as strangers see them in memory.")
    cache_prefix: str = Field(
        "lms",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="Begins the name of the mark in Redis that ends all of it.",
    )
    cache_ttl_courses_seconds: int = Field(60, ge=1, le=3600, description="The catalogue and courses are no older.")
    cache_ttl_lessons_seconds: int = Field(60, ge=1, le=3600, description="Nor are the lessons of a course.")
    cache_ttl_quizzes_seconds: int = Field(30, ge=1, le=3600, description="Nor is which quizzes are in lessons.")

    # background work
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
    smtp_handovers: int = Field(
        1,
        ge=1,
        le=5,
        description="Mails of a worker that the mail server may have unnoted: so many repeat when it is killed.",
    )
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

    # errors and secrets elsewhere
    security_contact: str = Field(
        "", description="Where faults of security are reported, for security.txt: mailto:… or https://…"
    )
    sentry_dsn: SecretStr = Field(SecretStr(""), description="Errors are told to this Sentry; empty: to nobody.")
    sentry_environment: str = Field("", description="Its name for this installation; default: ENVIRONMENT.")
    sentry_release: str = Field("", description="Its name for this version; default: the version.")
    sentry_traces_sample_rate: float = Field(0.0, ge=0, le=1, description="This part of all requests is traced there.")
    vault_addr: str = Field("", description="HashiCorp Vault that holds secrets; empty: none.")
    vault_token: SecretStr = Field(SecretStr(""), description="Token for it.")
    vault_role_id: str = Field("", description="AppRole instead of a token: its id.")
    vault_secret_id: SecretStr = Field(SecretStr(""), description="AppRole instead of a token: its secret.")
    vault_path: str = Field("secret/lms", description="Where they lie there: mount and path of a KV v2 secret.")
    vault_namespace: str = Field("", description="Namespace there; empty: none.")
    vault_cacert: Path | None = Field(
        None, description="File of the authorities that vouch for it; default: the usual."
    )
    vault_required: bool | None = Field(
        None,
        description="Do not start while it gives nothing; default: in production. Else what is set elsewhere holds.",
    )
    vault_timeout_seconds: float = Field(5.0, gt=0, le=60, description="Every wait for it ends then.")

    # attempts and the live socket
    attempt_grace_seconds: int = Field(
        2, ge=0, le=60, description="An answer counts until this long after the deadline."
    )
    attempt_abandon_days: int = Field(
        30, ge=1, le=365, description="An untimed attempt without answers ends after so long."
    )
    attempt_pause_max_hours: int = Field(
        24, ge=1, le=720, description="A pause that nobody ends is closed after so long."
    )
    ws_allow_query_token: bool | None = Field(None, description="Take ?token= on /ws; default: not in production.")

    @field_validator(
        "allowed_hosts",
        "trusted_proxies",
        "cors_origins",
        "auth_modes",
        "webhook_allow_networks",
        "rate_limit_exempt_networks",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value

    @field_validator("rate_limit_exempt_networks")
    @classmethod
    def _no_network(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return () if value == ("none",) else value

    @field_validator("trusted_proxies", "webhook_allow_networks", "rate_limit_exempt_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for word in value or ():
            ipaddress.ip_network(word, strict=False)
        return value

    @field_validator("email_from")
    @classmethod
    def _mailbox(cls, value: str) -> str:
        if value and not re.fullmatch(rf"{_ATOM}(\.{_ATOM})*@[\w-]+(\.[\w-]+)*", value):
            raise ValueError("use an address such as school@lms.example.org; the name is EMAIL_FROM_NAME")
        return value

    @field_validator("api_v1_prefix")
    @classmethod
    def _below(cls, value: str) -> str:
        if not re.fullmatch(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+", value):
            raise ValueError("use a path without a slash at its end, such as /school/api/v1")
        return value

    @field_validator("vault_addr")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^/?#@\s]+/?", value):
            raise ValueError("use https://host:port")
        return value

    @field_validator("sentry_dsn")
    @classmethod
    def _dsn(cls, value: SecretStr) -> SecretStr:
        if value and not re.fullmatch(r"https?://[^/@\s]+@[^/@\s]+(/[^\s?#]*)?/\d+", value.get_secret_value()):
            raise ValueError("use https://key@host/number")
        return value

    @field_validator("vault_path")
    @classmethod
    def _mount_and_path(cls, value: str) -> str:
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)+", value) or {".", ".."} & set(value.split("/")):
            raise ValueError("use the mount and the path, such as secret/lms")
        return value

    @field_validator("signing_key")
    @classmethod
    def _seed(cls, value: SecretStr) -> SecretStr:
        if not value:
            return value
        text = value.get_secret_value().strip().replace("+", "-").replace("/", "_").rstrip("=")
        if not re.fullmatch(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", text):
            raise ValueError("use 32 bytes in base64, such as `openssl rand -base64 32` gives")
        return SecretStr(f"{text}=")

    @field_validator("security_contact")
    @classmethod
    def _contact(cls, value: str) -> str:
        if value and not re.fullmatch(r"(mailto:[^\s@]+@[^\s@]+|https://\S+|tel:\+?[\d-]+)", value):
            raise ValueError("use mailto:security@lms.example.org or https://…")
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
        return init_settings, FileSource(settings_cls, env_settings, dotenv_settings), env_settings, dotenv_settings

    @property
    def is_production(self) -> bool:
        """The strict environment."""
        return self.environment == Environment.PRODUCTION

    @property
    def is_vault_required(self) -> bool:
        """Is it better not to start than to start without what lies in Vault?"""
        return self.is_production if self.vault_required is None else self.vault_required

    @property
    def is_embedded(self) -> bool:
        """One process on the embedded store."""
        return not self.mongodb_url.get_secret_value()

    @property
    def file_store_kind(self) -> Provider:
        """Where files lie: by themselves in MongoDB, or beside the embedded store."""
        if self.file_storage_provider != "auto":
            return self.file_storage_provider
        return "local" if self.is_embedded else "gridfs"

    @property
    def payment_gateways_on(self) -> tuple[str, ...]:
        """The gateways that take money here."""
        return self.gateways_on(is_embedded=self.is_embedded, is_production=self.is_production)

    @property
    def former_keys(self) -> tuple[str, ...]:
        """Keys that were SECRET_KEY before, the latest first."""
        return tuple(key.strip() for key in self.secret_key_previous.get_secret_value().split(",") if key.strip())

    @property
    def signing_seed(self) -> bytes | None:
        """The 32 bytes of SIGNING_KEY, if there is one."""
        text = self.signing_key.get_secret_value()
        return base64.b64decode(text, altchars=b"-_") if text else None

    @property
    def exempt_networks(self) -> tuple[str, ...]:
        """Networks without limits of asking."""
        if self.rate_limit_exempt_networks is not None:
            return self.rate_limit_exempt_networks
        return () if self.is_production else _LOOPBACK_NETWORKS

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


def load_settings(secrets_by: SecretsReader | None = None, **overrides: Any) -> Settings:
    """The settings of this process. Raises `SettingsError` with every fault at once.

    `secrets_by` asks Vault, when the settings name one; what lies there goes before files and the environment.
    """
    faults = file_faults(Settings, **overrides)
    settings, wrong = _validated(overrides)
    found, unknown, silent = kept_elsewhere(settings, secrets_by)
    if found:
        settings, wrong = _validated(overrides | found)
    faults += wrong + unknown + faults_of(settings)
    if silent is not None and settings.is_vault_required:
        faults.append(f"VAULT_ADDR: {silent}")
    if faults:
        raise SettingsError(faults)
    if silent is not None:
        _log.warning("Vault: %s; what is set elsewhere is used", silent)
    return settings


def _validated(given: dict[str, Any]) -> tuple[Settings, list[str]]:
    """The settings, and a fault for each value that is none; the defaults stand in for those."""
    try:
        return Settings(**given), []
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors()]
        wrong = {str(fault["loc"][0]) for fault in error.errors()} & set(Settings.model_fields)
        # The defaults stand in for them, so that what else is wrong is told in the same breath.
        return Settings(**given | {name: Settings.model_fields[name].default for name in wrong}), faults
