"""The quiz with its questions, and the queries on it. Questions are a map by id, with an array for their order alone.

No rules: what may be published, drawn or shown is for services.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, IndexModel

from documents.base import Aggregate, Row, by_ids
from documents.enums import GradingPolicy, QuizType, ShowAnswers

HEAD: dict[str, int] = {"questions": 0, "outbox": 0, "outbox_at": 0}
"""Everything but the questions (which may be megabytes)."""


class Quiz(Aggregate):
    """A quiz of a course. `passing_score` and points are hundredths; an absent limit is no limit."""

    course_id: str
    lesson_id: str | None = None
    title: str
    description: str = ""
    instructions: str = ""
    quiz_type: QuizType
    passing_score: int
    time_limit_minutes: int | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    max_attempts: int | None = None
    grading_policy: GradingPolicy
    shuffle_questions: bool = False
    shuffle_options: bool = False
    draw: list[Row] = Field(default_factory=list)
    show_correct_answers: ShowAnswers
    connection_loss_policy: str = "none"
    connection_loss_cap_minutes: int = 10
    is_marking_anonymous: bool = False
    metadata: dict[str, Any] = Field(default_factory=dict)
    is_published: bool = False
    is_archived: bool = False
    questions: dict[str, Row] = Field(default_factory=dict)
    question_ids: list[str] = Field(default_factory=list)
    questions_count: int = 0
    total_points: int = 0
    key_version: int = 0
    """The number of the newest correction that its questions hold."""

    class Settings(Aggregate.Settings):
        """The collection and its indexes."""

        name = "quizzes"
        indexes: ClassVar = [
            IndexModel([("course_id", ASCENDING), ("is_published", ASCENDING)]),
            IndexModel([("lesson_id", ASCENDING)]),
            IndexModel([("question_ids", ASCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_head(cls, quiz_id: str) -> Row | None:
        """A quiz without its questions."""
        return await cls.rows().find_one({"_id": quiz_id}, dict(HEAD))

    @classmethod
    async def find_title(cls, quiz_id: str) -> str | None:
        """What a quiz is called."""
        row = await cls.rows().find_one({"_id": quiz_id}, {"title": 1})
        return None if row is None else str(row["title"])

    @classmethod
    async def find_version(cls, quiz_id: str) -> int | None:
        """Whether a quiz or a question of it was edited since: its version."""
        row = await cls.rows().find_one({"_id": quiz_id}, {"version": 1})
        return None if row is None else int(row["version"])

    @classmethod
    async def find_courses_of(cls, quiz_ids: Collection[str]) -> dict[str, str]:
        """The courses of those of these quizzes that exist, by quiz."""
        if not quiz_ids:
            return {}
        return {row["_id"]: row["course_id"] async for row in cls.rows().find(by_ids(quiz_ids), {"course_id": 1})}

    @classmethod
    async def find_whole(cls, quiz_id: str) -> Row | None:
        """A quiz with its questions."""
        return await cls.rows().find_one({"_id": quiz_id})

    @classmethod
    async def find_with_question(cls, question_id: str) -> Row | None:
        """The quiz that holds a question, without its questions."""
        return await cls.rows().find_one({"question_ids": question_id}, dict(HEAD))

    @classmethod
    async def find_page(
        cls, wanted: Row, sort: Sequence[tuple[str, int]], *, skip: int, limit: int
    ) -> tuple[list[Row], int]:
        """One page of quizzes without their questions, and how many there are."""
        rows = cls.rows()
        cursor = rows.find(wanted, dict(HEAD)).sort(list(sort)).skip(skip).limit(limit)
        return await cursor.to_list(limit), await rows.count_documents(wanted)

    @classmethod
    async def add(cls, row: Row) -> None:
        """Store a new quiz."""
        await cls.rows().insert_one(row)

    @classmethod
    async def ids_of_course(cls, course_id: str) -> list[str]:
        """The ids of all quizzes of a course."""
        return [row["_id"] async for row in cls.rows().find({"course_id": course_id}, {"_id": 1})]

    @classmethod
    async def correct_at(cls, quiz_id: str, version: int, counts: Row) -> bool:
        """Set numbers that follow from the rest, if it still is `version`. That is no edit, so it stays."""
        result = await cls.rows().update_one({"_id": quiz_id, "version": version}, {"$set": counts})
        return result.matched_count == 1

    @classmethod
    async def remove_at(cls, quiz_id: str, version: int) -> bool:
        """Remove a quiz whose version still is `version` and that has nothing left to tell."""
        result = await cls.rows().delete_one({"_id": quiz_id, "version": version, "outbox_at": {"$exists": False}})
        return result.deleted_count == 1
