"""Which quizzes run now: those that can be begun, and those that somebody is sitting, whatever their window says. No rules."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from documents.attempt import OPEN, Attempt
from documents.base import Row, by_ids
from documents.quiz import HEAD, Quiz

MOST_SHOWN = 500
"""So many quizzes are looked at."""


async def find_startable(course_ids: Sequence[str] | None, now: datetime) -> list[Row]:
    """Published quizzes whose window is open, without their questions, the newest first; None: of all courses."""
    wanted: Row = {
        "is_published": True,
        "is_archived": False,
        "$and": [
            {"$or": [{"opens_at": None}, {"opens_at": {"$lte": now}}]},
            {"$or": [{"closes_at": None}, {"closes_at": {"$gt": now}}]},
        ],
    }
    if course_ids is not None:
        wanted["course_id"] = {"$in": list(course_ids)}
    found = Quiz.rows().find(wanted, dict(HEAD)).sort([("created_at", -1), ("_id", -1)])
    return await found.limit(MOST_SHOWN).to_list(MOST_SHOWN)


async def count_open(course_ids: Sequence[str] | None) -> dict[str, int]:
    """How many attempts are open, by quiz; previews left out."""
    wanted: Row = {"status": {"$in": OPEN}, "is_preview": False}
    if course_ids is not None:
        wanted["course_id"] = {"$in": list(course_ids)}
    stages: list[Row] = [{"$match": wanted}, {"$group": {"_id": "$quiz_id", "count": {"$sum": 1}}}]
    return {row["_id"]: row["count"] async for row in Attempt.rows().aggregate(stages)}


async def find_quizzes(quiz_ids: Collection[str]) -> list[Row]:
    """These quizzes without their questions."""
    return await Quiz.rows().find(by_ids(sorted(quiz_ids)), dict(HEAD)).to_list(None)
