"""Closing attempts by themselves, and finding what waits for a grade: the finalisers' queries, as updates of many.

Each filters on everything that it depends on, the deadline and the newest control included, so one that was extended a
moment ago is not closed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from documents.attempt import OPEN, Attempt, closing, moment
from documents.base import Row, with_intents
from documents.enums import AttemptStatus, Grading, SubmittedBy

_RUNNING, _PAUSED = AttemptStatus.IN_PROGRESS.value, AttemptStatus.PAUSED.value
_DUE: Row = dict.fromkeys(
    ("quiz_id", "course_id", "student_id", "live_version", "deadline_ms", "is_preview", "offline"), 1
)


async def find_due(due_ms: int, attempt_id: str | None = None) -> list[Row]:
    """The running attempts (or this one) whose deadline is not after `due_ms`."""
    wanted: Row = {"status": _RUNNING, "deadline_ms": {"$lte": due_ms}}
    if attempt_id is not None:
        wanted["_id"] = attempt_id
    return await Attempt.rows().find(wanted, dict(_DUE)).to_list(None)


async def close_due(
    quiz_id: str,
    *,
    now_ms: int,
    due_ms: int,
    live_version: int,
    attempt_id: str | None = None,
    left_ids: Collection[str] = (),
) -> bool:
    """Close the running attempts at a quiz (or this one) whose deadline, as it stands, is not after `due_ms`.

    Only those that have every control up to `live_version`: what the others miss may move their deadlines. `left_ids` are
    left open.
    """
    wanted: Row = {
        "status": _RUNNING,
        "deadline_ms": {"$lte": due_ms},
        "quiz_id": quiz_id,
        "live_version": {"$gte": live_version},
    }
    if attempt_id is not None:
        wanted["_id"] = attempt_id
    elif left_ids:
        wanted["_id"] = {"$nin": sorted(left_ids)}
    result = await Attempt.rows().update_many(wanted, closing(AttemptStatus.SUBMITTED, SubmittedBy.DEADLINE, now_ms))
    return result.matched_count > 0


def _idle(since_ms: int) -> Row:
    """The untimed running attempts that nobody wrote in since then: what controls do to them is no sign of life."""
    return {
        "status": _RUNNING,
        "deadline_ms": {"$exists": False},
        "started_at": {"$lte": moment(since_ms)},
        "$nor": [{"writer.wrote_at_ms": {"$gt": since_ms}}],
    }


async def find_idle(since_ms: int) -> list[Row]:
    """The untimed running attempts that nobody answered in since then."""
    return await Attempt.rows().find(_idle(since_ms), dict(_DUE)).to_list(None)


async def abandon(quiz_id: str, *, now_ms: int, idle_since_ms: int, live_version: int) -> bool:
    """Close the untimed attempts at a quiz that nobody answered in since `idle_since_ms`, and that have every control."""
    wanted = _idle(idle_since_ms) | {"quiz_id": quiz_id, "live_version": {"$gte": live_version}}
    result = await Attempt.rows().update_many(wanted, closing(AttemptStatus.ABANDONED, SubmittedBy.DEADLINE, now_ms))
    return result.matched_count > 0


async def quizzes_with_paused() -> list[str]:
    """The quizzes that have paused attempts."""
    rows = Attempt.rows()
    if await rows.find_one({"status": _PAUSED}, {"_id": 1}) is None:
        return []
    return sorted(await rows.distinct("quiz_id", {"status": _PAUSED}))


async def has_paused_behind(quiz_id: str, live_version: int) -> bool:
    """Does a paused attempt of this quiz miss a control?"""
    wanted = {"quiz_id": quiz_id, "status": _PAUSED, "live_version": {"$lt": live_version}}
    return await Attempt.rows().find_one(wanted, {"_id": 1}) is not None


async def first_paused_since(quiz_id: str, until_ms: int) -> Row | None:
    """An attempt at this quiz that is paused since then, or longer."""
    wanted = {"quiz_id": quiz_id, "status": _PAUSED, "paused_at_ms": {"$lte": until_ms}}
    return await Attempt.rows().find_one(wanted, {"course_id": 1, "paused_at_ms": 1})


async def close_paused(
    quiz_id: str, *, now_ms: int, paused_until_ms: int, live_version: int, intents: Sequence[Row]
) -> bool:
    """Close the attempts at a quiz that are paused since then or longer, and have every control; with what follows."""
    wanted: Row = {
        "quiz_id": quiz_id,
        "status": _PAUSED,
        "paused_at_ms": {"$lte": paused_until_ms},
        "live_version": {"$gte": live_version},
    }
    update = closing(AttemptStatus.SUBMITTED, SubmittedBy.DEADLINE, now_ms)
    update["$unset"]["paused_at_ms"] = ""
    result = await Attempt.rows().update_many(wanted, with_intents(update, intents, moment(now_ms)))
    return result.matched_count > 0


async def find_begun(student_id: str, course_id: str, until_ms: int) -> list[Row]:
    """The open attempts of a student in a course that were begun until then. Previews are left out."""
    wanted: Row = {
        "student_id": student_id,
        "course_id": course_id,
        "status": {"$in": OPEN},
        "is_preview": False,
        "started_at": {"$lte": moment(until_ms)},
    }
    return await Attempt.rows().find(wanted, dict(_DUE) | {"status": 1}).to_list(None)


async def close_one(attempt_id: str, by: SubmittedBy, now_ms: int) -> bool:
    """Close this attempt, running or paused, whatever its deadline; False: it is closed already."""
    update = closing(AttemptStatus.SUBMITTED, by, now_ms)
    update["$unset"]["paused_at_ms"] = ""
    result = await Attempt.rows().update_one({"_id": attempt_id, "status": {"$in": OPEN}}, update)
    return result.matched_count == 1


async def find_ungraded(*, until_ms: int, failed_ms: int, limit: int) -> list[str]:
    """Closed attempts that wait for their grade since `until_ms` or longer, the oldest first.

    Without those that could not be graded after `failed_ms`.
    """
    wanted: Row = {"grading": Grading.PENDING.value, "updated_ms": {"$lte": until_ms}}
    wanted["$nor"] = [{"grade_failed_ms": {"$gt": failed_ms}}]
    cursor = Attempt.rows().find(wanted, {"_id": 1}).sort([("updated_ms", 1), ("_id", 1)]).limit(limit)
    return [row["_id"] async for row in cursor]


async def put_back(attempt_id: str, now_ms: int) -> bool:
    """Note that an attempt could not be graded; False: it waits no longer."""
    wanted = {"_id": attempt_id, "grading": Grading.PENDING.value}
    result = await Attempt.rows().update_one(wanted, {"$set": {"grade_failed_ms": now_ms}})
    return result.matched_count == 1


async def find_closed_at(now_ms: int) -> list[str]:
    """The attempts that a closing with this `now` left for grading."""
    wanted = {"grading": Grading.PENDING.value, "updated_ms": now_ms}
    return [row["_id"] async for row in Attempt.rows().find(wanted, {"_id": 1})]
