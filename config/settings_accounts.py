"""The settings of accounts: keys, tokens, passwords, sessions, limits of asking, and how long things are kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode

Words = Annotated[tuple[str, ...], NoDecode]
"""A comma-separated list in the environment."""
MAX_DAYS = 36_500
"""For ever, as far as a school is concerned; a clock can still count back so far."""


class SignInSettings(BaseSettings):
    """Who may sign in, how, and for how long."""

    secret_key: SecretStr = Field(
        SecretStr(""), description="Signs tokens, at least 32 bytes; embedded default: made at first start."
    )
    secret_key_previous: SecretStr = Field(
        SecretStr(""),
        description="Former SECRET_KEYs, separated by commas: what they signed or sealed is read until it expires.",
    )
    algorithm: Literal["HS256"] = Field("HS256", description="Signature of access tokens.")
    password_pepper: SecretStr = Field(
        SecretStr(""), description="Keys the password hashes; embedded default: made at first start."
    )
    signing_key: SecretStr = Field(
        SecretStr(""), description="Signs receipts: 32 bytes in base64; embedded default: made at first start."
    )
    access_token_expire_minutes: int = Field(15, ge=1, le=1440, description="Life of an access token.")
    refresh_token_expire_days: int = Field(30, ge=1, le=365, description="A session ends when unused for so long.")
    refresh_token_absolute_days: int = Field(90, ge=1, le=730, description="A session ends after so long in any case.")
    password_reset_expire_minutes: int = Field(30, ge=1, le=1440, description="Life of a link to set a new password.")
    email_verification_expire_minutes: int = Field(
        1440, ge=5, le=43_200, description="Life of a link that verifies an address."
    )
    invitation_expire_minutes: int = Field(10_080, ge=5, le=86_400, description="Life of an invitation.")
    mfa_challenge_expire_minutes: int = Field(
        10, ge=1, le=60, description="Within so long the second step of signing in has to follow the first."
    )
    password_hash_cost: int = Field(12, ge=4, le=16, description="bcrypt's cost; production refuses less than 12.")
    password_min_length: int = Field(8, ge=8, le=64, description="Least length of a student's password.")
    password_min_length_staff: int = Field(12, ge=8, le=64, description="Least length of a staff password.")
    max_sessions_per_user: int = Field(20, ge=1, le=1000, description="The least recently used session ends beyond it.")
    cookie_secure: bool = Field(False, description="Cookies only over HTTPS, with the __Host- prefix.")
    auth_modes: Words = Field(("bearer", "cookie"), description="How a request may sign in: bearer, cookie.")
    allow_public_role_registration: bool = Field(False, description="Anybody may register as an instructor.")
    registration_hides_existing: bool = Field(
        False,
        description="Registration answers 202 in any case, and the address alone learns whether it had an account.",
    )
    require_verified_email: bool = Field(False, description="Sign-in only after the address has been verified.")
    sign_in_lock_failures: int = Field(
        5, ge=3, le=100, description="After so many failures of one account from one address, it waits."
    )
    sign_in_lock_window_minutes: int = Field(15, ge=1, le=1440, description="Failures count together for so long.")
    sign_in_lock_minutes: int = Field(15, ge=1, le=1440, description="So long it waits then.")
    access_token_blacklist_fail_closed: bool = Field(
        True, description="Refuse tokens while neither Redis nor the database can say whether they are revoked."
    )


class LimitSettings(BaseSettings):
    """How often anybody may ask."""

    rate_limit_enabled: bool = Field(True, description="Limit how often one person or address may ask.")
    rate_limit_requests_per_minute: int = Field(
        100, ge=1, le=1_000_000, description="Requests in general, for each person, else for each address."
    )
    rate_limit_auth_per_minute: int = Field(
        60, ge=1, le=1_000_000, description="Requests about accounts and sessions by strangers, for each address."
    )
    rate_limit_login_per_minute: int = Field(10, ge=1, le=1_000_000, description="Failed sign-ins from one address.")
    rate_limit_sign_ins_per_minute: int = Field(
        300, ge=1, le=1_000_000, description="Successful sign-ins from one address: a class sits behind one."
    )
    rate_limit_attempts_per_minute: int = Field(
        120, ge=1, le=1_000_000, description="Requests about attempts, for each person."
    )
    rate_limit_uploads_per_hour: int = Field(100, ge=1, le=1_000_000, description="Uploads, for each person.")
    rate_limit_exempt_networks: Words | None = Field(
        None,
        description="Networks without limits; default: the loopback ones, unless in production. `none`: no network.",
    )


class RetentionSettings(BaseSettings):
    """How long things are kept, in days."""

    retention_notifications_days: int = Field(180, ge=1, le=MAX_DAYS, description="Notifications.")
    retention_webhook_deliveries_days: int = Field(30, ge=1, le=MAX_DAYS, description="The log of webhook deliveries.")
    retention_events_days: int = Field(30, ge=1, le=MAX_DAYS, description="Events of record, for GET /events.")
    retention_done_jobs_days: int = Field(7, ge=1, le=MAX_DAYS, description="Finished jobs: a late repeat meets them.")
    retention_dead_letters_days: int = Field(30, ge=1, le=MAX_DAYS, description="Jobs that failed for good.")
    retention_ended_sessions_days: int = Field(30, ge=1, le=MAX_DAYS, description="Sessions that ended.")
    retention_chat_days: int = Field(0, ge=0, le=MAX_DAYS, description="What is said in chats; 0: for ever.")
    retention_audit_days: int = Field(730, ge=30, le=MAX_DAYS, description="The audit log.")
    audit_mails: bool = Field(
        True, description="Mail to who may look at the audit log where it ends, by night when something was recorded."
    )
    retention_exports_days: int = Field(7, ge=1, le=90, description="Exports of a person's data, for fetching.")
    erasure_grace_days: int = Field(
        14, ge=0, le=90, description="An account that its owner deletes can be kept for so long; then it is erased."
    )
