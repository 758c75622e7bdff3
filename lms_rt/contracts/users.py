"""People as others see them: lists, invitations, what administrators change of an account, and acting in another's place."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from documents.enums import Role
from lms_rt.contracts.accounts import Email, FullName, LocaleTag, TimezoneName, UserView
from lms_rt.contracts.base import Change, Draft, Instant, Metadata, PageQuery, Title, View

PermissionWord = Literal[
    "course:create", "course:update", "course:delete", "analytics:view", "enrollments:manage", "users:manage",
    "quizzes:manage", "payments:manage", "audit:view", "settings:manage", "webhooks:manage", "impersonate",
]  # fmt: skip
"""Every permission there is; a test holds it to the table (`lms_rt/security/permissions.py`)."""
PermissionWords = Annotated[list[PermissionWord], Field(max_length=50)]


class PeopleFilters(PageQuery):
    """The filters of people. `q` searches names, and addresses where the caller may, folding case and diacritics."""

    q: Annotated[str, StringConstraints(max_length=200)] | None = None
    role: Role | None = None
    is_active: bool | None = None


class PeopleQuery(PeopleFilters):
    """People by these filters."""

    sort: Literal["created_at", "-created_at", "full_name", "-full_name"] = "created_at"


class AccountQuery(PeopleFilters):
    """The filters of accounts, for administrators. As CSV the list comes whole, in the order in which they were made."""

    is_verified: bool | None = None
    mfa_enabled: bool | None = None
    has_password: bool | None = None
    permission: PermissionWord | None = None
    format: Literal["json", "csv"] | None = None
    sort: Literal[
        "created_at", "-created_at", "full_name", "-full_name", "email", "-email", "last_login_at", "-last_login_at",
    ] = "created_at"  # fmt: skip


class LearnerView(View):
    """A student as their teachers see them: nothing of how, or how often, they sign in."""

    id: str
    email: str
    full_name: str
    role: Role
    is_active: bool
    locale: str
    timezone: str
    avatar_file_id: str | None
    version: int
    created_at: Instant
    updated_at: Instant


class MailRefusalView(View):
    """Since when a mail server takes nothing for an address, and in which words it said so."""

    at: Instant
    answer: str


class AccountView(UserView):
    """A person as administrators see them.

    Without a password they have not accepted their invitation yet; at `erase_at` an account that was given up is erased.
    With a `mail_refusal` nothing is sent to them for a time but what they ask for.
    """

    has_password: bool
    erase_at: Instant | None
    mail_refusal: MailRefusalView | None


class AccountLockView(View):
    """Whether somebody is locked out who failed to sign in too often.

    In so many `places` (addresses, browsers, the second step) the account is locked, in the last of them `until` then. At
    `shut_until` browsers that it does not know may try again: there are too many failures from too many places.
    """

    places: int
    until: Instant | None
    shut_until: Instant | None


class UserDraft(Draft):
    """Somebody who is to be invited: they choose their password themselves."""

    email: Email
    full_name: FullName
    role: Role = Role.STUDENT
    permissions: PermissionWords = Field(default_factory=list)
    locale: LocaleTag = "en"
    timezone: TimezoneName = "UTC"
    metadata: Metadata = Field(default_factory=dict)


class AccountChange(Change):
    """What administrators change of an account.

    `unlock: true` lets somebody sign in again who failed too often, `invite: true` sends the invitation once more,
    `reset_mfa: true` (with a `reason`, which is kept; nothing else changes with it) switches off the second step of who has
    lost it, `write_again: true` has mails sent again to an address that was refused.
    """

    read_only: ClassVar[frozenset[str]] = frozenset(AccountView.model_fields) - {"role", "is_active", "permissions"}

    # None of these may be null; the defaults merely say "not sent".
    role: Role = Role.STUDENT
    is_active: bool = True
    permissions: PermissionWords = Field(default_factory=list)
    unlock: bool = False
    invite: bool = False
    reset_mfa: bool = False
    reason: Title | None = None
    write_again: bool = False


class ImpersonationDraft(Draft):
    """Why somebody acts in another's place; it is kept."""

    reason: Title
