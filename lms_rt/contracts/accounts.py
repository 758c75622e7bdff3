"""People and sessions at the border: signing in and out, tokens, one's own profile."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from documents.enums import Role
from lms_rt.contracts.base import Change, Draft, Identifier, Instant, Metadata, View, check_line, check_shown
from lms_rt.contracts.writing import has_unseen, has_unseen_in_name, is_of_one_script, tidied

_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_FORBIDDEN_IN_LOCAL = frozenset('<>()[],;:\\"@')
_TWO_DOMAINS = frozenset("\u00df\u03c2\u200c\u200d")
"""Letters of a domain that older rules (IDNA 2003) write as others: the mail would go to another's house."""
_DOTS = re.compile("[.\u3002\uff0e\uff61]")
MAX_EMAIL = 254
DEMO_DOMAIN = "demo.school"
"""Of the demo school's people, who are made up: no mail is ever sent there."""


def find_email_key(address: str) -> str | None:
    """The one spelling of an address by which it is unique; None: it is no address.

    Compatible forms and letter case do not make another mailbox, nor do the two spellings of an international domain.
    """
    text = unicodedata.normalize("NFKC", address.strip()).casefold()
    local, _, domain = text.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode()
    except UnicodeError:
        return None
    if not _is_local_part(local) or not _is_domain(ascii_domain) or len(local) + len(ascii_domain) >= MAX_EMAIL:
        return None
    return f"{local}@{ascii_domain}"


def _is_local_part(local: str) -> bool:
    if not 1 <= len(local) <= 64 or local[0] == "." or local[-1] == "." or ".." in local:
        return False
    return all(sign.isprintable() and not sign.isspace() and sign not in _FORBIDDEN_IN_LOCAL for sign in local)


def _is_domain(domain: str) -> bool:
    labels = domain.split(".")
    return len(labels) >= 2 and all(
        label and label[0] != "-" and label[-1] != "-" and label.replace("-", "").isalnum() for label in labels
    )


def _check_email(address: str) -> str:
    if find_email_key(address) is None or has_unseen(address):
        raise PydanticCustomError("email", "Input should be an e-mail address")
    local, _, domain = unicodedata.normalize("NFKC", address).rpartition("@")
    labels = [_written(label) for label in _DOTS.split(domain)]
    if not all(is_of_one_script(word) for word in (local, *labels)):
        raise PydanticCustomError("mixed_scripts", "Input should not mix letters of several scripts, which look alike")
    if _TWO_DOMAINS & set(domain.lower()):
        raise PydanticCustomError("ambiguous_domain", "Write this domain as the network does, beginning with xn--")
    return address


def _written(label: str) -> str:
    """A domain's label in its own letters."""
    if not label.lower().startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _check_name(text: str) -> str:
    """What turns the text around it, or is not seen, would make a list or a mail say something else."""
    if _TURNING.search(text):
        raise PydanticCustomError("control_character", "Input should not hold characters that turn the text around it")
    text = tidied(text)
    if has_unseen_in_name(text):
        raise PydanticCustomError("unseen_character", "Input should not hold characters that cannot be seen")
    return unicodedata.normalize("NFC", text)


def _check_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # unknown, a path, a folder of the database
        raise PydanticCustomError("timezone", "Input should be a time zone's name such as Africa/Cairo") from None
    return name


Email = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=3, max_length=MAX_EMAIL), AfterValidator(_check_email)
]
FullName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=120),
    AfterValidator(check_line),
    AfterValidator(check_shown),
    AfterValidator(_check_name),
]
NewPassword = Annotated[
    str, StringConstraints(min_length=1, max_length=512), Field(json_schema_extra={"format": "password"})
]
"""A password that is being chosen; the rules and their words are security's."""
KnownPassword = Annotated[str, StringConstraints(max_length=1024), Field(json_schema_extra={"format": "password"})]
"""A password that is being tried: whatever it is, the answer is only yes or no."""
LocaleTag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{1,8}){0,5}$")]
"""A language, with what else it says (BCP 47): "ar-EG", "ar-u-nu-arab" with Eastern digits."""
TimezoneName = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_check_timezone)]


class RegistrationDraft(Draft):
    """Somebody new."""

    email: Email
    password: NewPassword
    full_name: FullName
    role: Role = Role.STUDENT


class SignInDraft(Draft):
    """Address and password."""

    email: Annotated[str, StringConstraints(max_length=512)]
    password: KnownPassword


class PasswordGrantForm(Draft):
    """OAuth2's password grant as standard clients send it; parameters that we do not know are ignored (RFC 6749)."""

    model_config = ConfigDict(extra="ignore")

    username: Annotated[str, StringConstraints(max_length=512)]
    password: KnownPassword
    grant_type: Literal["password"] = "password"


class RefreshDraft(Draft):
    """The refresh token that is to be replaced."""

    refresh_token: Annotated[str, StringConstraints(max_length=512)]


class SignOutDraft(Draft):
    """How far to sign out."""

    everywhere: bool = False


class ProfileChange(Change):
    """What people may change of themselves."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "email",
            "role",
            "is_active",
            "mfa_enabled",
            "email_verified_at",
            "last_login_at",
            "permissions",
            "version",
            "created_at",
            "updated_at",
        }
    )

    # Only the avatar may be null; the other defaults merely say "not sent".
    full_name: FullName = Field(default_factory=str)
    locale: LocaleTag = Field(default_factory=str)
    timezone: TimezoneName = Field(default_factory=str)
    avatar_file_id: Identifier | None = None
    metadata: Metadata = Field(default_factory=dict)


class UserView(View):
    """A person, as they see themselves."""

    id: str
    email: str
    full_name: str
    role: Role
    is_active: bool
    locale: str
    timezone: str
    avatar_file_id: str | None
    mfa_enabled: bool
    email_verified_at: Instant | None
    last_login_at: Instant | None
    permissions: list[str]
    metadata: dict[str, Any]
    version: int
    created_at: Instant
    updated_at: Instant


class TokensView(View):
    """A session's tokens and whose it is. `expires_in` is the access token's life in seconds."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the kind of token
    expires_in: int
    user: UserView
    marks_since_ms: SkipJsonSchema[int] = Field(0, exclude=True)
    """For the border alone: the browser's mark is made for sign-ins since then."""


class BrowserSessionView(View):
    """What a browser is told: its tokens are in cookies that scripts cannot read."""

    user: UserView
    expires_in: int


class TicketView(View):
    """A one-time ticket for opening a WebSocket within `expires_in` seconds."""

    ticket: str
    expires_in: int
