"""Nodes that hold lines of students in exams, and when each last said so: of one that fell silent the others take note. No rules."""

from __future__ import annotations

from typing import ClassVar

from pymongo import ASCENDING, IndexModel

from documents.base import Record, Row


class LineKeeper(Record):
    """One node. `is_lost`: the others gave up on it, and its lines are counted as gone."""

    at_ms: int
    is_lost: bool | None = None

    class Settings(Record.Settings):
        """Collection and indexes."""

        name = "line_keepers"
        indexes: ClassVar = [IndexModel([("at_ms", ASCENDING)])]

    @classmethod
    async def beat(cls, node_id: str, now_ms: int) -> bool:
        """Say that it is there; False: it is not known, or was given up, and has to come anew."""
        wanted = {"_id": node_id, "is_lost": {"$exists": False}}
        return bool((await cls.rows().update_one(wanted, {"$set": {"at_ms": now_ms}})).matched_count)

    @classmethod
    async def come(cls, node_id: str, now_ms: int) -> None:
        """Begin to hold lines, or begin again."""
        update = {"$set": {"at_ms": now_ms}, "$unset": {"is_lost": ""}}
        await cls.rows().update_one({"_id": node_id}, update, upsert=True)

    @classmethod
    async def give_up(cls, *, until_ms: int, limit: int) -> list[Row]:
        """The nodes that were silent since, which are lost from now on."""
        silent = await cls.rows().find({"at_ms": {"$lte": until_ms}}).limit(limit).to_list(limit)
        lost: list[Row] = []
        for row in silent:
            wanted = {"_id": row["_id"], "at_ms": row["at_ms"]}  # one that spoke meanwhile is not lost
            if (await cls.rows().update_one(wanted, {"$set": {"is_lost": True}})).matched_count:
                lost.append(row)
        return lost

    @classmethod
    async def leave(cls, node_id: str) -> None:
        """It ended as it should, and wrote down that its lines are gone."""
        await cls.rows().delete_one({"_id": node_id})

    @classmethod
    async def forget(cls, row: Row) -> None:
        """Its lines were counted: it is not needed any more, unless it came anew."""
        await cls.rows().delete_one({"_id": row["_id"], "at_ms": row["at_ms"], "is_lost": True})
