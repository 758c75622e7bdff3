"""The integrity log: what happened around an attempt, as the server saw it, in one order. Facts, never a verdict. No rules."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, IndexModel

from documents.base import Record, Row


class IntegrityRecord(Record):
    """One fact. `n` counts them within the attempt, from 1, without gaps; `told` those until here that a client told."""

    attempt_id: str
    quiz_id: str
    student_id: str
    n: int
    kind: str
    at_ms: int
    data: dict[str, Any] = Field(default_factory=dict)
    told: int = 0

    class Settings(Record.Settings):
        """Collection and indexes; the unique one makes the order."""

        name = "integrity_log"
        indexes: ClassVar = [
            IndexModel([("attempt_id", ASCENDING), ("n", ASCENDING)], unique=True),
            IndexModel([("student_id", ASCENDING)]),
        ]

    @classmethod
    async def find_last(cls, attempt_id: str) -> Row | None:
        """The newest fact of an attempt."""
        found = await cls.rows().find({"attempt_id": attempt_id}).sort("n", -1).limit(1).to_list(1)
        return found[0] if found else None

    @classmethod
    async def add(cls, row: Row) -> bool:
        """Store a fact; False: its number is taken."""
        return await cls.insert_row(row)

    @classmethod
    async def page_of(
        cls, attempt_id: str, *, kind: str | None, skip: int, limit: int, is_newest_first: bool
    ) -> tuple[list[Row], int]:
        """One page of an attempt's facts, and how many there are."""
        wanted: Row = {"attempt_id": attempt_id}
        if kind is not None:
            wanted["kind"] = kind
        cursor = cls.rows().find(wanted).sort("n", -1 if is_newest_first else 1).skip(skip).limit(limit)
        return await cursor.to_list(limit), await cls.rows().count_documents(wanted)
