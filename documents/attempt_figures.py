"""What statistics read of attempts: who was graded and how, in few fields, and the answers in a stream. No rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

from documents.attempt import OPEN, Attempt
from documents.base import Row, by_ids
from documents.enums import Grading
from documents.paper import AttemptPaper

_GRADED = ("student_id", "attempt_number", "percentage", "revision", "version")
_WHOLE = (
    *("student_id", "started_at", "submitted_at", "percentage", "is_passed"),
    *("awarded", "answers", "key_version"),
)
_AT_ONCE = 200


async def find_graded(quiz_id: str, *, limit: int) -> list[Row]:
    """Who was graded at a quiz, in few fields: the newest attempts first, at most so many. Previews do not count."""
    wanted = {"quiz_id": quiz_id, "is_preview": False, "grading": Grading.DONE.value}
    found = Attempt.rows().find(wanted, dict.fromkeys(_GRADED, 1)).sort([("updated_ms", -1), ("_id", 1)]).limit(limit)
    return await found.to_list(None)


async def count_waiting(quiz_id: str) -> int:
    """How many closed attempts wait for a person's marks."""
    wanted = {"quiz_id": quiz_id, "is_preview": False, "grading": Grading.MANUAL.value}
    return int(await Attempt.rows().count_documents(wanted))


async def stream_graded(attempt_ids: Collection[str]) -> AsyncIterator[list[Row]]:
    """These attempts with their answers and points, some at a time."""
    for some in _in_parts(attempt_ids):
        yield await Attempt.rows().find(by_ids(some), dict.fromkeys(_WHOLE, 1)).to_list(None)


async def find_paper_versions(attempt_ids: Collection[str]) -> dict[str, tuple[int, int]]:
    """Version of the quiz and of its key that each paper was written from, by attempt."""
    fields = {"quiz_version": 1, "key_version": 1}
    return {
        row["_id"]: (row["quiz_version"], row["key_version"])
        for some in _in_parts(attempt_ids)
        for row in await AttemptPaper.rows().find(by_ids(some), fields).to_list(None)
    }


def _in_parts(attempt_ids: Collection[str]) -> list[list[str]]:
    ordered = sorted(attempt_ids)
    return [ordered[at : at + _AT_ONCE] for at in range(0, len(ordered), _AT_ONCE)]


async def has_open(quiz_id: str) -> bool:
    """Does a student still sit this quiz?"""
    wanted: Row = {"quiz_id": quiz_id, "status": {"$in": OPEN}, "is_preview": False}
    return await Attempt.rows().find_one(wanted, {"_id": 1}) is not None
