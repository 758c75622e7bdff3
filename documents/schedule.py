"""How far each schedule has been dealt with, by its name and place. What is scheduled, and what falls due, is services'."""

from __future__ import annotations

from datetime import datetime

from pymongo.errors import DuplicateKeyError

from documents.base import Record


class ScheduleMark(Record):
    """Everything that was due up to `dealt_until` was asked for, or was too late to be."""

    dealt_until: datetime

    class Settings(Record.Settings):
        """Collection; everything goes by `_id`."""

        name = "schedules"

    @classmethod
    async def find_or_begin(cls, mark_id: str, begins: datetime) -> datetime:
        """How far it is; one that is new begins there."""
        row = await cls.rows().find_one({"_id": mark_id})
        if row is None:
            try:
                await cls.rows().insert_one({"_id": mark_id, "dealt_until": begins})
            except DuplicateKeyError:  # another scheduler was first, and asks for the same
                row = await cls.rows().find_one({"_id": mark_id})
        moment: datetime = begins if row is None else row["dealt_until"]
        return moment

    @classmethod
    async def move(cls, mark_id: str, until: datetime) -> None:
        """It is as far as that; never back."""
        await cls.rows().update_one({"_id": mark_id}, {"$max": {"dealt_until": until}})
