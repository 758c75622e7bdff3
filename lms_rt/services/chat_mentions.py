"""Telling those who were called by name in a chat: once for each message, and as they wish. The words stay in the chat."""

from __future__ import annotations

from typing import Any

from documents.course import Course
from documents.message import Message
from lms_rt.clock import Clock
from lms_rt.contracts.mails import ChatMention
from lms_rt.services.chat_places import called_among
from lms_rt.services.notification_rules import Notice, NoticeMail
from lms_rt.services.notifications import Notifications
from lms_rt.services.relay import EffectHandler


def telling_of_mentions(notifications: Notifications, clock: Clock) -> EffectHandler:
    """What carries out the intent that a message leaves. What was said is not repeated: it may be taken away again."""

    async def tell(_: str, facts: dict[str, Any]) -> None:
        row = await Message.find_row(facts["message_id"])
        course = None if row is None else (await Course.heads([row["course_id"]])).get(row["course_id"])
        if row is None or course is None or row.get("deleted_at") is not None:
            return
        link = f"/courses/{course.slug}/chat"
        data = {
            "message_id": row["_id"],
            "course_id": course.id,
            "course_title": course.title,
            "author_id": row["sender_id"],
            "author_name": row["sender_name"],
        }
        mail = ChatMention(course_title=course.title, author_name=row["sender_name"], link=link)
        present = await called_among(course, facts["user_ids"], but=row["sender_id"], now_ms=clock.now_ms())
        by_mail = NoticeMail("chat_mention", mail, gathers=True)
        notices = [Notice(one, "chat.mention", "chat.mention", data, link, by_mail) for one in present]
        await notifications.tell_all(notices, cause=row["_id"])

    return tell
