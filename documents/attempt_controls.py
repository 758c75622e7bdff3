"""What a control does to attempts, as updates of many where the update is the same for all, else one by one.

Each statement is filtered exactly: what is in scope and can be affected first, then the rest, that only gets the number.
So a repeat, a slow node or a crash between any two of them grants nothing twice and skips nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from documents.attempt import OPEN, Attempt, closing, moment
from documents.base import Row, with_intents
from documents.enums import AttemptStatus, ControlKind, Grading, ScopeKind, SubmittedBy
from documents.paper import AttemptPaper

_CLOSED = [AttemptStatus.SUBMITTED.value, AttemptStatus.GRADED.value, AttemptStatus.ABANDONED.value]
_THERE, _GONE = {"$exists": True}, {"$exists": False}
_RUNNING, _PAUSED = AttemptStatus.IN_PROGRESS.value, AttemptStatus.PAUSED.value
Statement = tuple[Row, Row]
"""What else the filter asks, and the numbers that move."""


@dataclass(frozen=True, slots=True)
class Step:
    """One control on its way to the attempts (or to `attempt_id` alone), at `now_ms`, with what is told to who it reaches.

    `unasked_ids`: attempts that were not given what a correction speaks of.
    """

    quiz_id: str
    n: int
    kind: ControlKind
    scope: Row
    now_ms: int
    seconds: int = 0
    intents: Sequence[Row] = field(default_factory=tuple)
    attempt_id: str | None = None
    unasked_ids: Collection[str] = ()

    @property
    def at(self) -> datetime:
        """The moment of it."""
        return moment(self.now_ms)

    def waiting(self) -> Row:
        """The open attempts that have everything before this control, and not this one."""
        wanted: Row = {"quiz_id": self.quiz_id, "status": {"$in": OPEN}, "live_version": self.n - 1}
        return wanted if self.attempt_id is None else wanted | {"_id": self.attempt_id}

    def in_scope(self) -> Row:
        """Whom it concerns, beside its quiz."""
        if self.scope["kind"] == ScopeKind.GROUP:
            return {"group": self.scope["group"]}
        if self.scope["kind"] != ScopeKind.ATTEMPTS:
            return {}
        named: list[str] = self.scope["attempt_ids"]
        if self.attempt_id is None:
            return {"_id": {"$in": named}}
        return {} if self.attempt_id in named else {"_id": {"$in": []}}

    def affected(self) -> Row:
        """Whom it concerns and does something to; the rest only gets the number."""
        if self.kind == ControlKind.PAUSE:
            return self.in_scope() | {"status": _RUNNING}
        if self.kind == ControlKind.RESUME:
            return self.in_scope() | {"status": _PAUSED}
        if self.kind == ControlKind.EXTEND:
            return self.in_scope() | {"deadline_ms": _THERE}
        if self.attempt_id is not None:
            return {"_id": {"$in": []}} if self.attempt_id in self.unasked_ids else self.in_scope()
        return self.in_scope() | ({"_id": {"$nin": sorted(self.unasked_ids)}} if self.unasked_ids else {})


async def apply(step: Step) -> None:
    """Let it reach who is open and has everything before it."""
    if step.kind == ControlKind.RESUME:
        await _resume(step)
    else:
        for extra, moved in _statements(step):
            await Attempt.rows().update_many(step.waiting() | step.affected() | extra, _update(step, moved))
    await _pass_by(step)
    if step.kind == ControlKind.CORRECT:
        await _reopen_grading(step)


async def pass_over(quiz_id: str, *, after: int, until: int) -> None:
    """Give the open attempts between two numbers the higher one: none of the controls between them is theirs."""
    wanted = {"quiz_id": quiz_id, "status": {"$in": OPEN}, "live_version": {"$gte": after, "$lt": until}}
    await Attempt.rows().update_many(wanted, {"$set": {"live_version": until}})


async def skip_to(attempt_id: str, *, after: int, until: int) -> None:
    """The same for one attempt."""
    wanted = {"_id": attempt_id, "status": {"$in": OPEN}, "live_version": {"$gte": after, "$lt": until}}
    await Attempt.rows().update_one(wanted, {"$set": {"live_version": until}})


async def unasked_of(quiz_id: str, n: int, question_ids: Collection[str], attempt_id: str | None = None) -> set[str]:
    """The open attempts (or this one) that control n comes to next, and whose papers ask none of these questions."""
    wanted: Row = {"quiz_id": quiz_id, "status": {"$in": OPEN}, "live_version": n - 1}
    if attempt_id is not None:
        wanted["_id"] = attempt_id
    waiting = {row["_id"] async for row in Attempt.rows().find(wanted, {"_id": 1})}
    return waiting - await AttemptPaper.ids_asking(waiting, question_ids) if waiting else waiting


async def lowest_behind(quiz_id: str, n: int) -> int | None:
    """The lowest `live_version` of the open attempts of a quiz that do not have control n yet; None: all have it."""
    wanted = {"quiz_id": quiz_id, "status": {"$in": OPEN}, "live_version": {"$lt": n}}
    found = Attempt.rows().find(wanted, {"live_version": 1}).sort([("live_version", 1)]).limit(1)
    rows = await found.to_list(1)
    return int(rows[0]["live_version"]) if rows else None


async def reached_by(quiz_id: str, n: int) -> list[str]:
    """The attempts that a control took effect on. Previews count nowhere."""
    wanted = {"quiz_id": quiz_id, "controls": n, "is_preview": False}
    return [row["_id"] async for row in Attempt.rows().find(wanted, {"_id": 1})]


async def left_to_tell(quiz_id: str, n: int) -> list[str]:
    """The attempts that a control took effect on, and whose outbox is not empty."""
    wanted = {"quiz_id": quiz_id, "controls": n, "outbox_at": _THERE}
    return [row["_id"] async for row in Attempt.rows().find(wanted, {"_id": 1})]


async def receipts(quiz_id: str, n: int) -> tuple[int, int]:
    """How many a control took effect on, and how many of their screens said that they saw it."""
    wanted = {"quiz_id": quiz_id, "controls": n, "is_preview": False}
    rows = Attempt.rows()
    return await rows.count_documents(wanted), await rows.count_documents(wanted | {f"seen.{n}": _THERE})


async def receipts_of_many(quiz_id: str, numbers: Collection[int]) -> dict[int, tuple[int, int]]:
    """The same of several: on how many each of these controls took effect, and how many of their screens said that they saw it, in one pass."""
    wanted = {"quiz_id": quiz_id, "controls": {"$in": sorted(numbers)}, "is_preview": False}
    applied, seen = Counter[int](), Counter[int]()
    async for row in Attempt.rows().find(wanted, {"controls": 1, "seen": 1}):
        reached = set(row["controls"]).intersection(numbers)
        applied.update(reached)
        seen.update(n for n in reached if str(n) in (row.get("seen") or {}))
    return {n: (applied[n], seen[n]) for n in numbers}


async def find_unseen(quiz_id: str, n: int, *, skip: int, limit: int) -> tuple[list[Row], int]:
    """One page of those that a control took effect on and whose screens have not said that they saw it, by name."""
    wanted = {"quiz_id": quiz_id, "controls": n, "is_preview": False, f"seen.{n}": _GONE}
    rows = Attempt.rows()
    found = rows.find(wanted, {"student_id": 1, "student_name": 1}).sort([("student_name", 1), ("_id", 1)])
    return await found.skip(skip).limit(limit).to_list(limit), await rows.count_documents(wanted)


async def mark_seen(attempt_id: str, n: int, now_ms: int) -> bool:
    """A screen of this attempt shows the control; False: it never took effect here, or that is known."""
    wanted = {"_id": attempt_id, "controls": n, f"seen.{n}": _GONE}
    result = await Attempt.rows().update_one(wanted, {"$set": {f"seen.{n}": now_ms}})
    return result.matched_count == 1


async def known_of(quiz_id: str, attempt_ids: Sequence[str]) -> set[str]:
    """Which of these are attempts at this quiz?"""
    wanted = {"quiz_id": quiz_id, "_id": {"$in": list(attempt_ids)}}
    return {row["_id"] async for row in Attempt.rows().find(wanted, {"_id": 1})}


async def has_group(quiz_id: str, group: str) -> bool:
    """Did somebody begin the quiz as one of this group?"""
    return await Attempt.rows().find_one({"quiz_id": quiz_id, "group": group}, {"_id": 1}) is not None


async def closed_without(quiz_id: str, n: int, attempt_ids: Sequence[str]) -> list[str]:
    """Which of these were closed before the control came to them?"""
    wanted = {
        "quiz_id": quiz_id,
        "_id": {"$in": list(attempt_ids)},
        "status": {"$in": _CLOSED},
        "controls": {"$ne": n},
    }
    return [row["_id"] async for row in Attempt.rows().find(wanted, {"_id": 1})]


# --- how ---


def _statements(step: Step) -> list[Statement]:
    """A deadline moves where there is one, and the closing limit where there is one: a missing one must stay missing."""
    if not step.seconds or step.kind not in (ControlKind.EXTEND, ControlKind.CORRECT):
        return [({}, {})]
    both: Row = {"deadline_ms": _THERE, "closes_ms": _THERE}
    alone: Row = {"deadline_ms": _THERE, "closes_ms": _GONE}
    later = step.seconds * 1000
    timed: list[Statement] = [(both, {"deadline_ms": later, "closes_ms": later}), (alone, {"deadline_ms": later})]
    return timed if step.kind == ControlKind.EXTEND else [*timed, ({"deadline_ms": _GONE}, {})]


def _update(step: Step, moved: Row) -> Row:
    """What a control writes to an attempt that it takes effect on."""
    stored: Row = {"live_version": step.n, "updated_ms": step.now_ms, "updated_at": step.at}
    gone: Row = {}
    if step.kind == ControlKind.PAUSE:
        stored |= {"status": _PAUSED, "paused_at_ms": step.now_ms}
    elif step.kind == ControlKind.RESUME:
        stored["status"], gone["paused_at_ms"] = _RUNNING, ""
    elif step.kind == ControlKind.END:
        ended = closing(AttemptStatus.SUBMITTED, SubmittedBy.INSTRUCTOR, step.now_ms)
        stored |= ended["$set"]
        gone |= ended["$unset"] | {"paused_at_ms": ""}
    elif step.kind == ControlKind.CORRECT:
        stored["key_version"] = step.n
    update: Row = {"$set": stored, "$inc": {"revision": 1, **moved}, "$push": {"controls": step.n}}
    return with_intents(update | ({"$unset": gone} if gone else {}), step.intents, step.at)


async def _resume(step: Step) -> None:
    """Each gets back the time that it stood still, by compare-and-set on when that began: those of one pause at once."""
    wanted = step.waiting() | step.affected()
    rows = await Attempt.rows().find(wanted, {"paused_at_ms": 1, "deadline_ms": 1}).to_list(None)
    for paused_at_ms, is_timed in sorted({(row["paused_at_ms"], "deadline_ms" in row) for row in rows}):
        since: Row = {"paused_at_ms": paused_at_ms, "deadline_ms": _THERE if is_timed else _GONE}
        stood_ms = max(0, step.now_ms - paused_at_ms)
        moved = {"paused_ms": stood_ms} | ({"deadline_ms": stood_ms} if is_timed else {})  # it was no lost time
        await Attempt.rows().update_many(wanted | since, _update(step, moved))


async def _pass_by(step: Step) -> None:
    """Who is out of scope, or has nothing to be done about, only gets the number; of a correction as what it is graded by."""
    if affected := step.affected():
        wanted = step.waiting() | {"$nor": [affected]}
        numbers = {"live_version": step.n} | ({"key_version": step.n} if step.kind == ControlKind.CORRECT else {})
        await Attempt.rows().update_many(wanted, {"$set": numbers})


async def _reopen_grading(step: Step) -> None:
    """What is closed is graded again, by the corrected key."""
    wanted: Row = {"quiz_id": step.quiz_id, "status": {"$in": _CLOSED}, "key_version": {"$lt": step.n}}
    if step.attempt_id is not None:
        wanted["_id"] = step.attempt_id
    stored = {
        "key_version": step.n,
        "grading": Grading.PENDING.value,
        "updated_ms": step.now_ms,
        "updated_at": step.at,
    }
    await Attempt.rows().update_many(wanted, {"$set": stored, "$inc": {"revision": 1}})
