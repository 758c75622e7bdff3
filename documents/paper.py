"""The question paper of an attempt: what its student was given, keys included. Written once, before the attempt.

Kept beside the attempt so that saving an answer touches a small document. Never shown as it is.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar

from documents.base import Record, Row, by_ids
from documents.enums import GradingPolicy, ShowAnswers


class AttemptPaper(Record):
    """The drawn and ordered questions under the attempt's id, with what the quiz promised at the start."""

    quiz_id: str
    quiz_version: int
    key_version: int = 0
    seed: str
    title: str
    instructions: str = ""
    passing_score: int
    grading_policy: GradingPolicy
    show_correct_answers: ShowAnswers
    question_ids: list[str]
    questions: dict[str, Row]
    created_at: datetime

    class Settings(Record.Settings):
        """The collection; it is only ever asked by id."""

        name = "attempt_papers"
        indexes: ClassVar[list[object]] = []

    @classmethod
    async def find_row(cls, attempt_id: str) -> Row | None:
        """The paper of an attempt."""
        return await cls.rows().find_one({"_id": attempt_id})

    @classmethod
    async def find_rows(cls, attempt_ids: Collection[str]) -> dict[str, Row]:
        """The papers of these attempts, by attempt."""
        return {row["_id"]: row async for row in cls.rows().find(by_ids(attempt_ids))}

    @classmethod
    async def find_one_with(cls, attempt_ids: Collection[str], question_id: str) -> Row | None:
        """A paper of one of these attempts that asks this question."""
        return await cls.rows().find_one({**by_ids(attempt_ids), "question_ids": question_id})

    @classmethod
    async def find_asking(cls, attempt_ids: Collection[str], question_id: str) -> list[Row]:
        """The papers of these attempts that ask this question, without their questions."""
        wanted = {**by_ids(attempt_ids), "question_ids": question_id}
        return await cls.rows().find(wanted, {"questions": 0}).to_list(length=None)

    @classmethod
    async def ids_asking(cls, attempt_ids: Collection[str], question_ids: Collection[str]) -> set[str]:
        """Which of these attempts have a paper that asks one of these questions."""
        wanted = {**by_ids(attempt_ids), "question_ids": {"$in": sorted(question_ids)}}
        return {row["_id"] async for row in cls.rows().find(wanted, {"_id": 1})}

    @classmethod
    async def add(cls, row: Row) -> None:
        """Store a paper."""
        await cls.rows().insert_one(row)

    @classmethod
    async def remove(cls, attempt_id: str) -> None:
        """Remove the paper of an attempt that did not come to be."""
        await cls.rows().delete_one({"_id": attempt_id})
