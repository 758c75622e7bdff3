"""Who has taken which answer to mark, and until when. A claim whose time is over is as none; `forget_until` tidies up."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Record, Row, by_ids


class GradingClaim(Record):
    """One answer, by attempt and question, in one person's hands."""

    user_id: str
    quiz_id: str
    until_ms: int

    class Settings(Record.Settings):
        """Collection and indexes."""

        name = "grading_claims"
        indexes: ClassVar = [IndexModel([("until_ms", ASCENDING)]), IndexModel([("user_id", ASCENDING)])]

    @classmethod
    async def take(cls, item_id: str, user_id: str, quiz_id: str, *, now_ms: int, until_ms: int) -> bool:
        """Take it, or keep it for longer; False: somebody else has it."""
        free = {"_id": item_id, "$or": [{"user_id": user_id}, {"until_ms": {"$lte": now_ms}}]}
        row = {"user_id": user_id, "quiz_id": quiz_id, "until_ms": until_ms}
        if (await cls.rows().update_one(free, {"$set": row})).matched_count:
            return True
        try:
            await cls.rows().insert_one({"_id": item_id, **row})
        except DuplicateKeyError:
            return False
        return True

    @classmethod
    async def release(cls, item_id: str, user_id: str) -> None:
        """Give it back, for who has it."""
        await cls.rows().delete_one({"_id": item_id, "user_id": user_id})

    @classmethod
    async def find_held(cls, item_ids: Collection[str], now_ms: int) -> dict[str, Row]:
        """The claims on these that hold now, by item."""
        if not item_ids:
            return {}
        wanted = {**by_ids(item_ids), "until_ms": {"$gt": now_ms}}
        return {row["_id"]: row async for row in cls.rows().find(wanted)}

    @classmethod
    async def forget_until(cls, now_ms: int) -> None:
        """Remove those whose time is over."""
        await cls.rows().delete_many({"until_ms": {"$lte": now_ms}})
