"""The connection-loss ledger in the attempt: `offline` is written whole, by compare-and-set on its `n`. No rules.

It moves neither `revision` nor `version`: who is connected is no part of what a student answered.
"""

from __future__ import annotations

from documents.attempt import OPEN, Attempt, moment
from documents.base import Row
from documents.enums import AttemptStatus

_FIELDS = (
    "quiz_id",
    "course_id",
    "student_id",
    "is_preview",
    "status",
    "deadline_ms",
    "paused_at_ms",
    "paused_ms",
    "offline",
    "live_version",
    "controls",
    "group",
)


async def find(attempt_id: str) -> Row | None:
    """What the ledger of an attempt is decided by."""
    return await Attempt.rows().find_one({"_id": attempt_id}, dict.fromkeys(_FIELDS, 1))


async def find_on_nodes(node_id: str, *, limit: int) -> list[str]:
    """Open attempts whose students have a line on this node."""
    wanted = {"status": {"$in": OPEN}, "offline.lines.node": node_id}
    return [row["_id"] async for row in Attempt.rows().find(wanted, {"_id": 1}).limit(limit)]


async def find_pending(*, until_ms: int, limit: int) -> list[str]:
    """Open attempts with a credit that somebody began to give, and did not end."""
    wanted = {"status": {"$in": OPEN}, "offline.pending.at_ms": {"$lte": until_ms}}
    return [row["_id"] async for row in Attempt.rows().find(wanted, {"_id": 1}).limit(limit)]


def away_unasked(*, now_ms: int, since_ms: int) -> Row:
    """What finds the running attempts whose students are away since then, and whom nobody was asked about yet."""
    return {
        "status": AttemptStatus.IN_PROGRESS.value,
        "deadline_ms": {"$gt": now_ms},
        "offline.since_ms": {"$lt": since_ms},
        "offline.is_counted": False,
        "offline.asked_ms": {"$exists": False},
        "offline.pending": {"$exists": False},
    }


async def quizzes_of(wanted: Row) -> list[str]:
    """The quizzes of such attempts."""
    rows = Attempt.rows()
    if await rows.find_one(wanted, {"_id": 1}) is None:
        return []
    return sorted(await rows.distinct("quiz_id", wanted))


async def find_of_quiz(wanted: Row, quiz_id: str, *, limit: int) -> list[str]:
    """Such attempts at one quiz."""
    found = Attempt.rows().find(wanted | {"quiz_id": quiz_id}, {"_id": 1}).limit(limit)
    return [row["_id"] async for row in found]


async def write(attempt_id: str, before: Row | None, after: Row, *, shown_ms: int | None = None) -> bool:
    """Store a ledger, if it still is as it was read. `shown_ms`: dashboards are to look at it."""
    n = (before or {}).get("n")
    wanted: Row = {"_id": attempt_id, "offline.n": {"$exists": False} if n is None else n}
    fields: Row = {"offline": {**after, "n": (n or 0) + 1}}
    if shown_ms is not None:
        fields |= {"updated_ms": shown_ms, "updated_at": moment(shown_ms)}
    return bool((await Attempt.rows().update_one(wanted, {"$set": fields})).matched_count)
