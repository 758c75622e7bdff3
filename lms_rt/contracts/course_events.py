"""Live events of courses' chats and reviews, one model per name. Where they are told stands in `events.py`."""

from __future__ import annotations

from lms_rt.contracts.event_data import EventData, OfRecord


class ReviewReceived(OfRecord):
    """A student rated the course, for the first time or anew."""

    course_id: str
    enrollment_id: str
    student_id: str
    student_name: str
    rating: int
    review: str | None
    is_new: bool


class ChatMessageTold(OfRecord):
    """Somebody said something in the chat of a course. `number` orders its messages; `mentions` are called by name."""

    message_id: str
    course_id: str
    sender_id: str
    sender_name: str
    is_staff: bool
    text: str
    mentions: list[str]
    op_id: str | None
    number: int
    created_at: str
    edited_at: str | None


class ChatMessageEdited(ChatMessageTold):
    """It was said in other words."""


class ChatMessageDeleted(OfRecord):
    """It was taken away, by who said it or by who sees to the course's students."""

    message_id: str
    course_id: str
    number: int
    deleted_at: str
    deleted_by: str


class ChatMuted(OfRecord):
    """The user may only read the chat of a course until then; null: they may write again."""

    member_id: str
    course_id: str
    muted_until: str | None
    reason: str | None


class ChatRead(EventData):
    """The user has read the chat of a course up to this number, on some device."""

    course_id: str
    read_number: int
    unread: int


class ChatTyping(EventData):
    """Somebody is writing in the chat, and is shown as such for so long."""

    user_id: str
    full_name: str
    for_ms: int
