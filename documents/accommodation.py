"""Accommodations: more time for one student, in a whole course or at one quiz. No rules; why somebody needs it is not kept."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Record, Row, by_ids


class Accommodation(Record):
    """A profile. `_id` is "<course or quiz>:<student>", so that each place has one; `quiz_id` is there for a quiz's own."""

    course_id: str
    quiz_id: str | None = None
    student_id: str
    factor_percent: int = 100
    extra_minutes: int = 0
    break_minutes: int = 0
    stretches_closing: bool = False
    set_by: str
    version: int = 1
    created_at: datetime
    updated_at: datetime

    class Settings(Record.Settings):
        """Collection and indexes."""

        name = "accommodations"
        indexes: ClassVar = [
            IndexModel([("course_id", ASCENDING), ("student_id", ASCENDING)]),
            IndexModel([("quiz_id", ASCENDING), ("student_id", ASCENDING)]),
            IndexModel([("student_id", ASCENDING)]),
        ]

    @classmethod
    async def find_in_force(cls, student_id: str, quiz_id: str, course_id: str) -> Row | None:
        """The one that holds for a student at a quiz: the quiz's own before the course's."""
        for place in (quiz_id, course_id):
            row = await cls.rows().find_one({"_id": key_of(place, student_id)})
            if row is not None:
                return row
        return None

    @classmethod
    async def find_stretching(cls, quiz_id: str, course_id: str) -> list[Row]:
        """Those that move a quiz's closing time for somebody: its own, and the course's where it has none of its own."""
        at_quiz = await cls.rows().find({"quiz_id": quiz_id}).to_list(None)
        own = {row["student_id"] for row in at_quiz}
        in_course = {"course_id": course_id, "quiz_id": {"$exists": False}, "stretches_closing": True}
        others = [row async for row in cls.rows().find(in_course) if row["student_id"] not in own]
        return [row for row in at_quiz if row["stretches_closing"]] + others

    @classmethod
    async def find_of_student(cls, student_id: str, places: Collection[str]) -> dict[str, Row]:
        """All that a student has in these courses and quizzes, by place."""
        if not places:
            return {}
        wanted = by_ids([key_of(place, student_id) for place in places])
        found = cls.rows().find({"student_id": student_id, **wanted})
        return {row.get("quiz_id") or row["course_id"]: row async for row in found}

    @classmethod
    async def students_with_own(cls, quiz_id: str, student_ids: Collection[str]) -> set[str]:
        """Those of these students for whom the quiz itself says something."""
        wanted = {"quiz_id": quiz_id, **_of(student_ids)}
        return {row["student_id"] async for row in cls.rows().find(wanted, {"student_id": 1})}

    @classmethod
    async def page_of(cls, wanted: Row, *, skip: int, limit: int) -> tuple[list[Row], int]:
        """One page, by student, and how many there are."""
        rows = cls.rows()
        cursor = rows.find(wanted).sort([("student_id", 1), ("_id", 1)]).skip(skip).limit(limit)
        return await cursor.to_list(limit), await rows.count_documents(wanted)

    @classmethod
    async def put(cls, key: str, fields: Row, fixed: Row, at: datetime) -> tuple[Row, bool]:
        """Set a profile; each write moves its version. The row as it is afterwards, and whether there was none before."""
        update = {
            "$set": {**fields, "updated_at": at},
            "$setOnInsert": {**fixed, "created_at": at},
            "$inc": {"version": 1},
        }
        try:
            is_new = (await cls.rows().update_one({"_id": key}, update, upsert=True)).upserted_id is not None
        except DuplicateKeyError:  # somebody else put the first one at the same moment
            is_new = False
            await cls.rows().update_one({"_id": key}, update)
        row = await cls.rows().find_one({"_id": key})
        return row or {"_id": key, **fixed, **fields, "version": 1, "created_at": at, "updated_at": at}, is_new

    @classmethod
    async def find_row(cls, key: str) -> Row | None:
        """One profile."""
        return await cls.rows().find_one({"_id": key})

    @classmethod
    async def remove(cls, key: str) -> bool:
        """Take a profile away; False: there is none."""
        return bool((await cls.rows().delete_one({"_id": key})).deleted_count)


def _of(student_ids: Collection[str]) -> Row:
    return {"student_id": {"$in": sorted(student_ids)}}


def key_of(place_id: str, student_id: str) -> str:
    """The one id that a student's profile in a course or at a quiz can have."""
    return f"{place_id}:{student_id}"
