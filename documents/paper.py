"""The question paper of an attempt: what its student was given, keys included. Written once, before the attempt.

Kept beside the attempt so that saving an answer touches a small document. Never shown as it is.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from documents.base import Record, Row
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
    async def add(cls, row: Row) -> None:
        """Store a paper."""
        await cls.rows().insert_one(row)

    @classmethod
    async def remove(cls, attempt_id: str) -> None:
        """Remove the paper of an attempt that did not come to be."""
        await cls.rows().delete_one({"_id": attempt_id})
