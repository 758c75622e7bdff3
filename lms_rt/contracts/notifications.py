"""Notifications and what people wish to hear of, at the border. Who is told of what is `services/notification_rules.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from lms_rt.contracts.base import (
    Change,
    CursorPage,
    CursorQuery,
    Draft,
    Identifier,
    Instant,
    NewestFirst,
    Page,
    PageQuery,
    View,
)

KindName = Literal[
    "enrollment.created",
    "enrollment.completed",
    "enrollment.expired",
    "attempt.submitted",
    "attempt.graded",
    "attempt.regraded",
    "assignment.graded",
    "certificate.issued",
    "certificate.revoked",
    "payment.completed",
    "payment.failed",
    "payment.refunded",
    "webhook.disabled",
    "announcement",
    "chat.mention",
    "review.created",
    "file.refused",
    "weekly_progress",
    "course_reminder",
]
"""What a person may wish to hear of or not: event types that notify, and mails that are sent at their time."""
KINDS: tuple[KindName, ...] = get_args(KindName)
KINDS_OF_MAILS: frozenset[KindName] = frozenset({"weekly_progress", "course_reminder"})
"""Those that are never told live."""
KINDS_BY_PERMISSION: Mapping[KindName, str] = {"webhook.disabled": "webhooks:manage"}
"""Those that concern who holds a permission, and nobody else."""
ALL_KINDS = "all"
"""Every kind at once: the unsubscribe link of a digest of several kinds."""

Channel = Literal["live", "email"]
Digest = Literal["none", "daily"]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
"""By the reader's wall clock: "22:00"."""


# --- preferences ---


class ChannelsChange(Draft):
    """Which ways to be told by; what is left out stays."""

    live: bool | None = None
    email: bool | None = None


class QuietHours(Draft):
    """No mail from then to then, by the reader's wall clock; over midnight when `from` is the later one."""

    model_config = ConfigDict(serialize_by_alias=True, frozen=True)

    from_: TimeOfDay = Field(alias="from")
    to: TimeOfDay

    @model_validator(mode="after")
    def _are_some_hours(self) -> QuietHours:
        if self.from_ == self.to:
            raise PydanticCustomError("quiet_hours", "Begin and end should differ; null is for no quiet hours")
        return self


class PreferencesChange(Change):
    """What of one's preferences is to change. Kinds that are left out stay; `quiet_hours: null` ends them."""

    read_only: ClassVar[frozenset[str]] = frozenset({"version", "created_at", "updated_at"})

    channels: ChannelsChange = Field(default_factory=ChannelsChange)
    kinds: dict[KindName, ChannelsChange] = Field(default_factory=dict)
    quiet_hours: QuietHours | None = None
    digest: Digest = "none"


class ChannelsView(View):
    """Which ways to be told by. Live off: a notification is kept and counted, but no open page is told at once."""

    live: bool
    email: bool


class PreferencesView(View):
    """What a person wishes to hear of, how and when. Mails about the account itself are sent whatever stands here."""

    channels: ChannelsView
    kinds: dict[str, ChannelsView]
    quiet_hours: QuietHours | None
    digest: Digest
    version: int
    created_at: Instant
    updated_at: Instant


# --- notifications ---


class NotificationView(View):
    """One notification, in its reader's language. `kind` is the type of the event that caused it."""

    id: str
    kind: str
    title: str
    body: str
    link: str | None
    data: dict[str, Any]
    read_at: Instant | None
    created_at: Instant
    version: int


class NotificationPage(Page[NotificationView]):
    """One page of them; `unread` counts all that are unread, not only here."""

    unread: int


class NotificationStretch(CursorPage[NotificationView]):
    """The same by cursor."""

    unread: int


class NotificationQuery(PageQuery, CursorQuery):
    """One's own, newest first: in pages, or by cursor when `after` or `limit` is given."""

    is_read: bool | None = None
    sort: NewestFirst = "-created_at"

    @property
    def is_by_cursor(self) -> bool:
        """Was a cursor asked for?"""
        return bool({"after", "limit"} & self.model_fields_set)


class UnreadView(View):
    """How many are unread now."""

    unread: int


class NotificationReadCommand(Draft):
    """`notification.read`: one that was read, or all of them."""

    notification_id: Identifier | None = None
    all: bool = False

    @model_validator(mode="after")
    def _names_what(self) -> NotificationReadCommand:
        if self.all == (self.notification_id is not None):
            raise PydanticCustomError("notification_read", "Name one notification, or all of them")
        return self
