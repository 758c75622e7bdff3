"""Somebody in the chat of a course: how far they have read, and until when they may not write. `_id` is "<user>:<course>".

Who has never read and was never muted has no row. No rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Aggregate, Row, with_intents

_SHOWN = {"outbox": 0, "outbox_at": 0}


class ChatMember(Aggregate):
    """One person in one chat. `version` moves with being muted and unmuted, never with reading."""

    user_id: str
    course_id: str
    read_number: int = 0
    muted_until_ms: int | None = None
    mute_reason: str | None = None
    muted_by: str | None = None

    class Settings(Aggregate.Settings):
        """Collection and indexes."""

        name = "chat_members"
        indexes: ClassVar = [
            IndexModel([("course_id", ASCENDING), ("muted_until_ms", ASCENDING)]),
            IndexModel([("user_id", ASCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_row(cls, user_id: str, course_id: str) -> Row | None:
        """Somebody in a chat."""
        return await cls.rows().find_one({"_id": member_id_of(user_id, course_id)}, dict(_SHOWN))

    @classmethod
    async def ensure(cls, user_id: str, course_id: str, at: datetime) -> None:
        """There is a row of them."""
        row: Row = {"user_id": user_id, "course_id": course_id, "read_number": 0, "version": 1, "outbox": []}
        try:
            await cls.rows().insert_one(
                {"_id": member_id_of(user_id, course_id), **row, "created_at": at, "updated_at": at}
            )
        except DuplicateKeyError:
            return

    @classmethod
    async def read_to(cls, user_id: str, course_id: str, number: int) -> bool:
        """They have read up to there; never back. False: there is no row of them yet."""
        update = {"$max": {"read_number": number}}
        return bool((await cls.rows().update_one({"_id": member_id_of(user_id, course_id)}, update)).matched_count)

    @classmethod
    async def change(
        cls, member_id: str, version: int, update: dict[str, Any], *, intents: Sequence[Row], at: datetime
    ) -> bool:
        """One change with what follows; False when somebody else wrote since `version` was read."""
        fields = {**update.get("$set", {}), "version": version + 1, "updated_at": at}
        changed = with_intents({**update, "$set": fields}, intents, at)
        return bool((await cls.rows().update_one({"_id": member_id, "version": version}, changed)).matched_count)

    @classmethod
    async def page_of_muted(cls, course_id: str, now_ms: int, *, skip: int, limit: int) -> tuple[list[Row], int]:
        """Who may not write in a course now, those for longest last, and how many they are."""
        which: Row = {"course_id": course_id, "muted_until_ms": {"$gt": now_ms}}
        order = [("muted_until_ms", ASCENDING), ("_id", ASCENDING)]
        found = cls.rows().find(which, dict(_SHOWN)).sort(order).skip(skip).limit(limit)
        return await found.to_list(length=limit), await cls.rows().count_documents(which)


def member_id_of(user_id: str, course_id: str) -> str:
    """The one id of a person in a chat: that of their enrolment, where they have one."""
    return f"{user_id}:{course_id}"
