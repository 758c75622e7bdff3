"""What one student hands in for one assignment: a draft, what was handed in, earlier ones, and the grade. No rules.

The facts are stored: when it was handed in, and what the work is worth. What comes off for being late, and so the grade that
counts, is computed from them wherever it is shown (`lms_rt/services/late_penalty.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, IndexModel

from documents.base import Aggregate, Row, by_ids, setting, with_intents

LIST_FIELDS: dict[str, int] = {"draft": 0, "content": 0, "feedback": 0, "history": 0, "outbox": 0, "outbox_at": 0}
"""Of many at once: without the texts."""
_WHOLE: dict[str, int] = {"outbox": 0, "outbox_at": 0}


class Submission(Aggregate):
    """One per student and assignment: `_id` is derived from the student and the assignment's secret salt, and tells neither.

    `submitted_at` is missing while there is only a draft, `raw_grade` (hundredths of a point) until somebody grades.
    `number` counts how often it was handed in, `revision` every write. `told_grade` is what the student was last told:
    a grade that a moved date makes another one is told once more.
    """

    assignment_id: str
    course_id: str
    student_id: str
    content: str = ""
    file_ids: list[str] = Field(default_factory=list)
    submitted_at: datetime | None = None
    number: int = 0
    history: list[Row] = Field(default_factory=list)
    draft: Row | None = None
    request_seed: str | None = None
    raw_grade: int | None = None
    feedback: str | None = None
    rubric: dict[str, str] | None = None
    graded_at: datetime | None = None
    graded_by: str | None = None
    grade_revision: int = 0
    grade_history: list[Row] = Field(default_factory=list)
    told_grade: int | None = None
    revision: int = 1

    class Settings(Aggregate.Settings):
        """The collection and its indexes."""

        name = "submissions"
        indexes: ClassVar = [
            IndexModel([("assignment_id", ASCENDING), ("student_id", ASCENDING)], unique=True),
            IndexModel([("assignment_id", ASCENDING), ("submitted_at", ASCENDING)]),
            IndexModel([("student_id", ASCENDING), ("course_id", ASCENDING)]),
            IndexModel([("course_id", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_whole(cls, submission_id: str) -> Row | None:
        """One with everything."""
        return await cls.rows().find_one({"_id": submission_id}, dict(_WHOLE))

    @classmethod
    async def find_whole_ones(cls, submission_ids: Collection[str]) -> dict[str, Row]:
        """Those of these that exist, by id."""
        if not submission_ids:
            return {}
        return {row["_id"]: row async for row in cls.rows().find(by_ids(submission_ids), dict(_WHOLE))}

    @classmethod
    async def find_page(
        cls, wanted: Row, sort: Sequence[tuple[str, int]], *, skip: int, limit: int
    ) -> tuple[list[Row], int]:
        """One page without the texts, and how many there are."""
        rows = cls.rows()
        cursor = rows.find(wanted, dict(LIST_FIELDS)).sort(list(sort)).skip(skip).limit(limit)
        return await cursor.to_list(limit), await rows.count_documents(wanted)

    @classmethod
    async def find_texts(cls, submission_ids: Collection[str]) -> dict[str, Row]:
        """What was handed in and what was said to it, `content` and `feedback`, by id."""
        found = cls.rows().find(by_ids(submission_ids), {"content": 1, "feedback": 1})
        return {row["_id"]: row async for row in found}

    @classmethod
    async def find_of_student(cls, student_id: str, assignment_ids: Collection[str]) -> dict[str, Row]:
        """What a student has for these, by assignment, without the texts."""
        if not assignment_ids:
            return {}
        wanted = {"student_id": student_id, "assignment_id": {"$in": sorted(assignment_ids)}}
        return {row["assignment_id"]: row async for row in cls.rows().find(wanted, dict(LIST_FIELDS))}

    @classmethod
    async def page_of_assignment(cls, assignment_id: str, *, after: str = "", limit: int) -> list[Row]:
        """What was handed in, with the texts, by id: those after this one."""
        wanted = {"assignment_id": assignment_id, "_id": {"$gt": after}, "submitted_at": {"$exists": True}}
        found = cls.rows().find(wanted, dict(_WHOLE)).sort("_id", ASCENDING).limit(limit)
        return await found.to_list(length=limit)

    @classmethod
    async def find_waiting(cls, which: Row, *, limit: int) -> list[Row]:
        """What nobody has graded yet, the oldest first, without the texts."""
        wanted = {**which, "submitted_at": {"$exists": True}, "raw_grade": {"$exists": False}}
        found = cls.rows().find(wanted, dict(LIST_FIELDS)).sort([("submitted_at", 1), ("_id", 1)]).limit(limit)
        return await found.to_list(length=limit)

    @classmethod
    async def counts_of(cls, assignment_ids: Collection[str]) -> dict[str, tuple[int, int]]:
        """How many were handed in and how many of them are graded, by assignment."""
        if not assignment_ids:
            return {}
        pipeline: list[Row] = [
            {"$match": {"assignment_id": {"$in": sorted(assignment_ids)}, "submitted_at": {"$exists": True}}},
            {
                "$group": {
                    "_id": "$assignment_id",
                    "submitted": {"$sum": 1},
                    "graded": {"$sum": {"$cond": [{"$ifNull": ["$graded_at", False]}, 1, 0]}},
                }
            },
        ]
        return {row["_id"]: (row["submitted"], row["graded"]) async for row in cls.rows().aggregate(pipeline)}

    @classmethod
    async def has_any(cls, assignment_id: str) -> bool:
        """Did anybody hand in, or begin to?"""
        return await cls.rows().find_one({"assignment_id": assignment_id}, {"_id": 1}) is not None

    @classmethod
    async def has_waiting(cls, assignment_id: str) -> bool:
        """Is there something that nobody has graded?"""
        return bool(await cls.find_waiting({"assignment_id": assignment_id}, limit=1))

    @classmethod
    async def highest_grade(cls, assignment_id: str) -> int | None:
        """The most that was given for any of it."""
        wanted = {"assignment_id": assignment_id, "raw_grade": {"$exists": True}}
        found = await cls.rows().find(wanted, {"raw_grade": 1}).sort("raw_grade", -1).limit(1).to_list(1)
        return found[0]["raw_grade"] if found else None

    @classmethod
    async def submitted_assignments(cls, student_id: str, course_id: str) -> set[str]:
        """The assignments of a course for which this student has handed in."""
        wanted = {"student_id": student_id, "course_id": course_id, "submitted_at": {"$exists": True}}
        return {row["assignment_id"] async for row in cls.rows().find(wanted, {"assignment_id": 1})}

    @classmethod
    async def add(cls, row: Row) -> bool:
        """Store the first write of a student; False: there is one already."""
        return await cls.insert_row(row)

    @classmethod
    async def write(
        cls, submission: Row, fields: Row, *, intents: Sequence[Row] = (), at: datetime, is_edit: bool = True
    ) -> bool:
        """Set `fields` (None takes one away), if it still is as it was read; `is_edit` moves version and `updated_at` as well."""
        moved = {"revision": 1, "version": 1} if is_edit else {"revision": 1}
        update = setting({**fields, "updated_at": at} if is_edit else fields) | {"$inc": moved}
        which = {"_id": submission["_id"], "revision": submission["revision"]}
        return bool((await cls.rows().update_one(which, with_intents(update, intents, at))).matched_count)
