"""What a teacher says one grade is, whatever it was worked out to be: points, or that it does not count. No rules.

`_id` is "<course>:<student>:<item>"; the item "total" is the grade of the whole course. One that was taken back stays as a
row that says nothing, so that its version never goes back and its history is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Aggregate, Row, with_intents

MAX_HISTORY = 50
TOTAL = "total"
_HEAD: Row = {"outbox": 0, "outbox_at": 0}


class GradeOverride(Aggregate):
    """One grade by hand. `points` are hundredths (of the total: of a percent); `history` holds what was said before."""

    course_id: str
    student_id: str
    item_id: str
    points: int | None = None
    is_excused: bool = False
    reason: str
    set_by: str
    history: list[Row] = Field(default_factory=list)

    class Settings(Aggregate.Settings):
        """The collection and its indexes."""

        name = "grade_overrides"
        indexes: ClassVar = [
            IndexModel([("course_id", ASCENDING), ("student_id", ASCENDING)]),
            IndexModel([("student_id", ASCENDING)]),
            IndexModel([("set_by", ASCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_row(cls, key: str) -> Row | None:
        """One, also one that was taken back."""
        return await cls.rows().find_one({"_id": key}, dict(_HEAD))

    @classmethod
    async def in_force(cls, course_id: str, whose: Row | None = None) -> dict[tuple[str, str], Row]:
        """What is said in a course, of everybody or of those students, by (student, item)."""
        said = {"$or": [{"points": {"$exists": True}}, {"is_excused": True}]}
        wanted: Row = {"course_id": course_id, **(whose or {}), **said}
        return {(row["student_id"], row["item_id"]): row async for row in cls.rows().find(wanted, dict(_HEAD))}

    @classmethod
    async def put_at(
        cls, key: str, seen: Row | None, fields: Row, *, intents: Sequence[Row] = (), at: datetime
    ) -> bool:
        """Say it, if nobody said something else since it was `seen`; what was said before goes into the history."""
        if seen is None:
            row = {"_id": key, **_known(fields), "version": 1, "created_at": at, "updated_at": at, "history": []}
            row |= {"outbox": list(intents)} | ({"outbox_at": at} if intents else {})
            try:
                await cls.rows().insert_one(row)
            except DuplicateKeyError:
                return False
            return True
        update: Row = {
            "$set": {**_known(fields), "version": seen["version"] + 1, "updated_at": at},
            "$push": {"history": {"$each": [_past(seen)], "$slice": -MAX_HISTORY}},
        }
        if fields.get("points") is None:
            update["$unset"] = {"points": ""}
        which = {"_id": key, "version": seen["version"]}
        return bool((await cls.rows().update_one(which, with_intents(update, intents, at))).matched_count)


def key_of(course_id: str, student_id: str, item_id: str) -> str:
    """The one id that a grade by hand can have."""
    return f"{course_id}:{student_id}:{item_id}"


def _known(fields: Row) -> Row:
    return {name: value for name, value in fields.items() if value is not None}


def _past(seen: Row) -> Row:
    names = ("points", "is_excused", "reason", "set_by")
    return {**{name: seen.get(name) for name in names}, "at": seen["updated_at"]}
