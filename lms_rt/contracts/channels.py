"""The names of live channels: how they are made and taken apart. Who may listen is decided in `services/subscriptions`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ChannelKind(StrEnum):
    """The kinds of channels there are."""

    USER = "user"
    COURSE = "course"
    COURSE_STAFF = "course_staff"
    COURSE_CHAT = "course_chat"
    ATTEMPT = "attempt"
    QUIZ_LIVE = "quiz_live"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel's kind and the id of what it is about ("" for `system`)."""

    kind: ChannelKind
    subject_id: str = ""


SYSTEM = "system"

_MAX_NAME = 300
_SUFFIXES = {
    ("course", ""): ChannelKind.COURSE,
    ("course", "staff"): ChannelKind.COURSE_STAFF,
    ("course", "chat"): ChannelKind.COURSE_CHAT,
    ("user", ""): ChannelKind.USER,
    ("attempt", ""): ChannelKind.ATTEMPT,
    ("quiz", "live"): ChannelKind.QUIZ_LIVE,
}


def user_channel(user_id: str) -> str:
    """What concerns one user alone."""
    return f"user:{user_id}"


def course_channel(course_id: str) -> str:
    """What everybody in a course hears."""
    return f"course:{course_id}"


def course_staff_channel(course_id: str) -> str:
    """What the instructors of a course hear."""
    return f"course:{course_id}:staff"


def course_chat_channel(course_id: str) -> str:
    """The chat of a course."""
    return f"course:{course_id}:chat"


def attempt_channel(attempt_id: str) -> str:
    """One attempt: its student and the instructors."""
    return f"attempt:{attempt_id}"


def quiz_live_channel(quiz_id: str) -> str:
    """The live dashboard of a quiz."""
    return f"quiz:{quiz_id}:live"


def find_channel(name: str) -> Channel | None:
    """What a name says, or None: no channel has such a name."""
    if name == SYSTEM:
        return Channel(ChannelKind.SYSTEM)
    parts = name.split(":")
    if len(name) > _MAX_NAME or not 2 <= len(parts) <= 3 or not parts[1]:
        return None
    kind = _SUFFIXES.get((parts[0], parts[2] if len(parts) == 3 else ""))
    if kind is None or (len(parts) == 3 and not parts[2]):
        return None
    return Channel(kind, parts[1])
