"""The assignment: what is to be handed in, until when, and for whom the date is another. Its queries; no rules.

What somebody handed in is `submission.py`'s. What comes off for being late is stored nowhere: it follows from these dates.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, IndexModel

from documents.base import Aggregate, Row, by_ids

HEAD: dict[str, int] = {"outbox": 0, "outbox_at": 0}


class Assignment(Aggregate):
    """An assignment of a course. `points` and `late_penalty` (percent per day begun) are hundredths.

    A day of lateness ends by the wall clock of `timezone`. `overrides` are other dates, each for one student or one group:
    `{id, student_id or group, due_date, allow_late_submission}`; a student's own counts before that of the group.
    The ids of what is handed in are derived from `salt`, which is told to nobody. Since somebody began, it `is_begun`.
    """

    course_id: str
    lesson_id: str | None = None
    instructor_id: str
    title: str
    description: str = ""
    due_date: datetime | None = None
    timezone: str = "UTC"
    points: int
    allow_late_submission: bool = False
    late_penalty: int = 0
    overrides: list[Row] = Field(default_factory=list)
    rubric: Row | None = None
    is_marking_anonymous: bool = False
    metadata: dict[str, Any] = Field(default_factory=dict)
    is_published: bool = True
    is_archived: bool = False
    salt: str | None = None
    is_begun: bool = False

    class Settings(Aggregate.Settings):
        """The collection and its indexes."""

        name = "assignments"
        indexes: ClassVar = [
            IndexModel([("course_id", ASCENDING), ("is_published", ASCENDING)]),
            IndexModel([("lesson_id", ASCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_row(cls, assignment_id: str) -> Row | None:
        """One assignment."""
        return await cls.rows().find_one({"_id": assignment_id}, dict(HEAD))

    @classmethod
    async def find_rows(cls, assignment_ids: Collection[str]) -> dict[str, Row]:
        """Those of these that exist, by id."""
        if not assignment_ids:
            return {}
        return {row["_id"]: row async for row in cls.rows().find(by_ids(assignment_ids), dict(HEAD))}

    @classmethod
    async def find_of_courses(cls, course_ids: Collection[str], *, is_published: bool | None = True) -> list[Row]:
        """All of these courses that were not put away, by their dates; `is_published` None: drafts too."""
        if not course_ids:
            return []
        wanted: Row = {"course_id": {"$in": sorted(course_ids)}, "is_archived": False}
        if is_published is not None:
            wanted["is_published"] = is_published
        rows = [row async for row in cls.rows().find(wanted, dict(HEAD))]
        return sorted(rows, key=lambda row: (row.get("due_date") is None, row.get("due_date"), row["_id"]))

    @classmethod
    async def find_all_of_course(cls, course_id: str) -> list[Row]:
        """Drafts, and what was put away, too."""
        return await cls.rows().find({"course_id": course_id}, dict(HEAD)).to_list(length=None)

    @classmethod
    async def find_page(
        cls, wanted: Row, sort: Sequence[tuple[str, int]], *, skip: int, limit: int
    ) -> tuple[list[Row], int]:
        """One page, and how many there are."""
        rows = cls.rows()
        cursor = rows.find(wanted, dict(HEAD)).sort(list(sort)).skip(skip).limit(limit)
        return await cursor.to_list(limit), await rows.count_documents(wanted)

    @classmethod
    async def add(cls, row: Row) -> None:
        """Store a new one."""
        await cls.rows().insert_one(row)

    @classmethod
    async def begin(cls, assignment_id: str) -> bool:
        """Note that somebody begins, before they do; False where it is not there to be done. No edit: the version stays."""
        which = {"_id": assignment_id, "is_published": True}
        return bool((await cls.rows().update_one(which, {"$set": {"is_begun": True}})).matched_count)

    @classmethod
    async def has_group_dates(cls, course_id: str) -> list[str]:
        """Those of a course in which a group has another date."""
        wanted = {"course_id": course_id, "overrides.group": {"$exists": True}}
        return [row["_id"] async for row in cls.rows().find(wanted, {"_id": 1}).sort("_id", ASCENDING)]

    @classmethod
    async def forget_student(cls, student_id: str) -> None:
        """Take away the dates that are this student's alone. No edit that others hear of: the version stays."""
        gone = {"overrides": {"student_id": student_id}}
        await cls.rows().update_many({"overrides.student_id": student_id}, {"$pull": gone})

    @classmethod
    async def remove_at(cls, assignment_id: str, version: int) -> bool:
        """Remove one whose version still is `version` and that has nothing left to tell."""
        which = {"_id": assignment_id, "version": version, "outbox_at": {"$exists": False}}
        return bool((await cls.rows().delete_one(which)).deleted_count)
