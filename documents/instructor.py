"""What teachers say of themselves. Their names and courses are not here: those are looked up. No rules."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Aggregate, Row


class Instructor(Aggregate):
    """The profile of a teacher; its id is that of the account. Who never wrote one has an empty one of version 1."""

    user_id: str
    title: str | None = None
    bio: str | None = None
    expertise: list[str] = Field(default_factory=list)

    class Settings(Aggregate.Settings):
        """Collection and index."""

        name = "instructors"
        indexes: ClassVar[list[IndexModel]] = [IndexModel([("outbox_at", ASCENDING)], sparse=True)]

    @classmethod
    async def find_of(cls, user_id: str) -> Instructor | None:
        """What this teacher wrote."""
        row = await cls.rows().find_one({"_id": user_id}, {"outbox": 0})
        return None if row is None else cls.model_validate(row)

    @classmethod
    async def begin(cls, user_id: str, since: datetime) -> None:
        """Keep an empty profile, as of the account's beginning, where there is none."""
        empty: Row = {
            "_id": user_id,
            "user_id": user_id,
            "expertise": [],
            "version": 1,
            "created_at": since,
            "updated_at": since,
        }
        try:
            await cls.rows().insert_one(empty)
        except DuplicateKeyError:
            return
