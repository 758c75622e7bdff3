"""Messages as their readers see them, and as listeners hear of them. Pure."""

from __future__ import annotations

from typing import Any

from documents.base import Row
from lms_rt.clock import rfc3339
from lms_rt.contracts.channels import course_chat_channel
from lms_rt.contracts.chat import ChatMessageView
from lms_rt.contracts.outbox import Intent, Write, effect, event

MENTIONED_EFFECT = "chat.mentioned"
REWORDED_EFFECT = "chat.reworded"
FILL_WORDS = "chat.words"
_SAME = ("course_id", "sender_id", "sender_name", "text", "number", "created_at", "version", "updated_at")
_OPTIONAL = ("op_id", "edited_at", "deleted_at", "deleted_by")


def message_view(row: Row) -> ChatMessageView:
    """One message."""
    return ChatMessageView(
        id=row["_id"],
        is_staff=row.get("is_staff", False),
        mentions=row.get("mentions") or [],
        **{name: row[name] for name in _SAME},
        **{name: row.get(name) for name in _OPTIONAL},
    )


def said_intents(row: Row, write: Write) -> list[Intent]:
    """What follows when something was said: everybody there hears it, and who is called by name is told."""
    told = _told(row, "chat_message", write)
    return [told, *mention_intents(row, row.get("mentions") or [], write)]


def edited_intents(row: Row, before: Row, write: Write) -> list[Intent]:
    """The same when it was said in other words; who was called before is not called again, and what was said is forgotten."""
    told = _told(row, "chat_edited", write)
    called = [one for one in row.get("mentions") or [] if one not in (before.get("mentions") or [])]
    return [told, _reworded(row, write), *mention_intents(row, called, write)]


def deleted_intents(row: Row, by: str, write: Write) -> list[Intent]:
    """What follows when it was taken away: it is told, and nobody is handed its words any more."""
    data = {
        "message_id": row["_id"],
        "course_id": row["course_id"],
        "number": row["number"],
        "deleted_at": rfc3339(write.at),
        "deleted_by": by,
    }
    told = event(write, "chat_deleted", n=0, channels=[course_chat_channel(row["course_id"])], data=data)
    return [told, _reworded(row, write)]


def mention_intents(row: Row, user_ids: list[str], write: Write) -> list[Intent]:
    """The telling of those who are called by name."""
    return [effect(write, MENTIONED_EFFECT, {"message_id": row["_id"], "user_ids": user_ids})] if user_ids else []


def words_of(row: Row) -> dict[str, Any]:
    """What may be told of a message at this time: of one that was taken away, who said something."""
    return {"sender_name": row["sender_name"], "text": row["text"], "mentions": row.get("mentions") or []}


def _told(row: Row, name: str, write: Write) -> Intent:
    """An event whose words are those of the message when it is told, not those of when it was written."""
    view = message_view({**row, "version": write.version}).model_dump(mode="json")
    left_out = {"id", "version", "updated_at", "deleted_at", "deleted_by", *words_of(row)}
    data = {"message_id": row["_id"], **{name: value for name, value in view.items() if name not in left_out}}
    return event(write, name, n=0, channels=[course_chat_channel(row["course_id"])], data=data) | {"fill": FILL_WORDS}


def _reworded(row: Row, write: Write) -> Intent:
    return effect(write, REWORDED_EFFECT, {"message_id": row["_id"]})
