"""The chat of a course at the border: messages, how far one has read, and who may not write for a while. No rules."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from lms_rt.contracts.base import (
    MAX_INTEGER,
    Change,
    CursorPage,
    Draft,
    Identifier,
    Instant,
    Key,
    Line,
    View,
    check_shown,
)
from lms_rt.contracts.dashboards import AsOf
from lms_rt.contracts.reviews import Reason

MAX_TEXT = 2_000
MAX_MENTIONS = 10
MAX_MUTE_MINUTES = 30 * 24 * 60

ChatText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT), AfterValidator(check_shown)
]
"""Plain words on as many lines as one likes; never Markdown, never HTML."""
Mentions = Annotated[list[Identifier], Field(max_length=MAX_MENTIONS)]
"""Whom the text calls by name. Who is not in the course is left out."""
Number = Annotated[int, Field(ge=0, le=MAX_INTEGER)]


class MessageDraft(Draft):
    """Something to say. The same `op_id` again is the same message."""

    text: ChatText
    op_id: Key | None = None
    mentions: Mentions = Field(default_factory=list)


class MessageChange(Change):
    """Other words for one's own message."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {
            "id", "course_id", "sender_id", "sender_name", "is_staff", "op_id", "number", "created_at", "edited_at",
            "deleted_at", "deleted_by", "version", "updated_at",
        }
    )  # fmt: skip

    text: ChatText = ""
    mentions: Mentions = Field(default_factory=list)


class MessageRemovalQuery(BaseModel):
    """Why staff takes a message away; only the audit log is told."""

    model_config = ConfigDict(extra="ignore")

    reason: Line | None = None


class ReadDraft(Draft):
    """The number of the newest message that was read."""

    number: Number


class MuteDraft(Draft):
    """Who may not write for so many minutes, and why: they are told."""

    student_id: Identifier
    minutes: Annotated[int, Field(ge=1, le=MAX_MUTE_MINUTES)]
    reason: Reason


class ChatMessageView(View):
    """One message; of a deleted one the text is empty. `number` orders the messages of a course."""

    id: str
    course_id: str
    sender_id: str
    sender_name: str
    is_staff: bool
    text: str
    mentions: list[str]
    op_id: str | None
    number: int
    created_at: Instant
    edited_at: Instant | None
    deleted_at: Instant | None
    deleted_by: str | None
    version: int
    updated_at: Instant


class ReadView(View):
    """How far one has read, and how many messages of others came since (100: that many or more)."""

    course_id: str
    read_number: int
    unread: int


class MessagePage(CursorPage[ChatMessageView]):
    """A stretch of the chat, newest first. `muted_until`: until then the caller may only read, and why.

    `as_of` is the place of `course:{id}:chat` that it stands behind.
    """

    read_number: int
    unread: int
    muted_until: Instant | None
    mute_reason: str | None
    may_moderate: bool
    as_of: AsOf | None


class MuteView(View):
    """Somebody who may not write at this time."""

    student_id: str
    full_name: str | None
    muted_until: Instant
    reason: str | None
    muted_by: str | None


# --- live ---


class ChatSendCommand(Draft):
    """`chat.send`."""

    course_id: Identifier
    text: ChatText
    op_id: Key
    mentions: Mentions = Field(default_factory=list)


class ChatEditCommand(Draft):
    """`chat.edit`: one's own message, for a quarter of an hour."""

    message_id: Identifier
    text: ChatText
    mentions: Mentions = Field(default_factory=list)


class ChatDeleteCommand(Draft):
    """`chat.delete`."""

    message_id: Identifier


class ChatTypingCommand(Draft):
    """`chat.typing`: somebody is writing; others are told once in three seconds at most."""

    course_id: Identifier


class ChatReadCommand(Draft):
    """`chat.read`."""

    course_id: Identifier
    number: Number
