"""What people give for answers, stored in the attempt, and the queries for what waits for them. No rules.

`marks.<question>` is {points, comment?, rubric?, reason?, by, at_ms, revision, history: [{from, to, reason, at_ms}]}.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from documents.attempt import Attempt
from documents.base import Row, by_ids, with_intents
from documents.enums import Grading

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GRADED = [Grading.MANUAL.value, Grading.DONE.value]
_QUEUED = dict.fromkeys(("waiting", "submitted_at", "quiz_id"), 1)
_WHOLE: Row = {"ops": 0, "outbox": 0, "outbox_at": 0}


async def store_mark(seen: Row, fields: Row, *, intents: Sequence[Row], now_ms: int) -> bool:
    """Store a mark with the grade that follows from it, if the attempt is graded and is as it was read."""
    wanted = {
        "_id": seen["_id"],
        "grading": {"$in": _GRADED},
        "revision": seen["revision"],
        "key_version": seen["key_version"],
        "version": seen["version"],
    }
    at = _EPOCH + timedelta(milliseconds=now_ms)
    stored = {**fields, "version": seen["version"] + 1, "updated_ms": now_ms, "updated_at": at}
    update = with_intents({"$set": stored, "$inc": {"revision": 1}}, intents, at)
    return bool((await Attempt.rows().update_one(wanted, update)).matched_count)


async def find_waiting(which: Row, *, question_id: str | None, order: int, limit: int) -> list[Row]:
    """The attempts with answers that wait for a person: id, quiz and questions, by the time of their submission."""
    wanted = _waiting(which, question_id)
    found = Attempt.rows().find(wanted, dict(_QUEUED)).sort([("submitted_at", order), ("_id", order)]).limit(limit)
    return await found.to_list(length=limit)


async def find_waiting_from(
    which: Row, place: tuple[datetime, str] | None, *, question_id: str | None, limit: int
) -> list[Row]:
    """The same, the oldest first, from an attempt on: (submitted_at, id) of it."""
    wanted = _waiting(which, question_id)
    if place is not None:
        at, attempt_id = place
        wanted = {
            "$and": [
                wanted,
                {"$or": [{"submitted_at": {"$gt": at}}, {"submitted_at": at, "_id": {"$gte": attempt_id}}]},
            ]
        }
    found = Attempt.rows().find(wanted, dict(_QUEUED)).sort([("submitted_at", 1), ("_id", 1)]).limit(limit)
    return await found.to_list(length=limit)


async def count_waiting(which: Row, *, question_id: str | None, limit: int) -> int:
    """How many answers wait for a person; of no more attempts than that, where it is not of one question."""
    wanted = _waiting(which, question_id)
    if question_id is not None:
        return await Attempt.rows().count_documents(wanted)
    return sum([len(row["waiting"]) async for row in Attempt.rows().find(wanted, {"waiting": 1}).limit(limit)])


def _waiting(which: Row, question_id: str | None) -> Row:
    wanted: Row = {**which, "grading": Grading.MANUAL.value, "is_preview": False}
    return wanted | {"waiting": question_id if question_id is not None else {"$exists": True}}


async def find_answered(attempt_ids: Collection[str]) -> dict[str, Row]:
    """These attempts with their answers, by id."""
    if not attempt_ids:
        return {}
    return {row["_id"]: row async for row in Attempt.rows().find(by_ids(attempt_ids), dict(_WHOLE))}
