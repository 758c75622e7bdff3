"""The proof: everything read back by REST and the channels' histories, compared with what the students remember.

The invariant: what is stored, and graded, is the acknowledged and not superseded operation of the highest revision.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from lms_rt.client.live import LiveClient
from lms_rt.console.simulate.room import Room
from lms_rt.console.simulate.student import Diary, Operation

_OPEN = ("in_progress", "paused")
_PATIENCE_SECONDS = 60
_AT_ONCE = 16
_HISTORY_SECONDS = 0.15
"""Between two histories: a connection may send 30 commands a second."""


@dataclass(slots=True)
class Proof:
    """What held, and what did not."""

    facts: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def settle(self, what: str, faults: list[str]) -> None:
        """One promise: it held, or here is where it did not."""
        self.faults += faults
        if not faults:
            self.facts.append(what)


async def prove(room: Room, *, has_restarted: bool = False) -> Proof:
    """Read everything back and compare. A server that has restarted tells no history from before."""
    proof = Proof()
    proof.settle(f"all {len(room.students)} students came to the end", list(room.faults))
    diaries = [student.diary for student in room.students if student.diary.attempt_id]
    attempts = await _attempts(room, diaries)
    acknowledged = sum(len(diary.acknowledged) for diary in diaries)
    proof.settle(
        f"{acknowledged} acknowledged answers: each is stored, or was followed by a newer one",
        [fault for diary in diaries for fault in ledger_faults(diary, attempts[diary.attempt_id])],
    )
    closed = [attempt for attempt in attempts.values() if attempt["status"] not in _OPEN]
    proof.settle(f"{len(closed)} closed attempts are graded", _grading_faults(closed))
    least_told = 0 if has_restarted else 1
    proof.settle("each of them exactly once", await _repeated_grades(room, closed, least_told))
    proof.settle("the dashboard's totals equal the database", await _dashboard_faults(room))
    return proof


def ledger_faults(diary: Diary, attempt: dict[str, Any]) -> list[str]:
    """Where what is stored is not the newest acknowledged operation of a question, nor one whose ack was lost."""
    newest: dict[str, tuple[int, Operation]] = {}
    for operation, revision, is_superseded in diary.acknowledged.values():
        known = newest.get(operation.question_id)
        if not is_superseded and (known is None or known[0] < revision):
            newest[operation.question_id] = revision, operation
    unanswered = {operation.op_id: operation for operation in diary.unanswered}
    # Options may be shown in another order than that in which a set is kept.
    sets = {one["id"] for one in attempt.get("questions", ()) if one["question_type"] == "multiple_select"}
    return [
        f"{diary.attempt_id} {question_id}: {fault}"
        for question_id, (revision, operation) in newest.items()
        if (fault := _answer_fault(attempt["answers"].get(question_id), revision, operation, unanswered))
        or (fault := _value_fault(attempt["answers"][question_id], operation, unanswered, is_set=question_id in sets))
    ]


def _answer_fault(
    stored: dict[str, Any] | None, revision: int, newest: Operation, unanswered: dict[str, Operation]
) -> str:
    """What is wrong with one stored answer; "" when it is the newest one, or a later one whose ack was lost."""
    if stored is None or stored["revision"] < revision:
        return f"revision {revision} was acknowledged and is not stored"
    operation = newest if stored["op_id"] == newest.op_id else unanswered.get(stored["op_id"])
    if operation is None:
        return f"{stored['op_id']} is stored, {newest.op_id} was the newest"
    if operation is newest and stored["revision"] != revision:
        return f"{newest.op_id} was acknowledged as revision {revision} and is stored as {stored['revision']}"
    return ""


def _value_fault(stored: dict[str, Any], newest: Operation, unanswered: dict[str, Operation], *, is_set: bool) -> str:
    """What is wrong with the value of the operation that is stored."""
    operation = newest if stored["op_id"] == newest.op_id else unanswered[stored["op_id"]]
    kept, sent = stored["value"], operation.value
    if is_set and kept is not None and sent is not None:
        kept, sent = sorted(kept), sorted(sent)
    return "" if kept == sent else f"{stored['value']!r} is stored, {operation.value!r} was sent"


def _grading_faults(closed: list[dict[str, Any]]) -> list[str]:
    return [
        f"{attempt['id']} is {attempt['status']} with grading {attempt['grading']}"
        for attempt in closed
        if attempt["grading"] not in ("done", "manual") or (attempt["grading"] == "done" and attempt["score"] is None)
    ]


async def _attempts(room: Room, diaries: list[Diary]) -> dict[str, dict[str, Any]]:
    """Every attempt as it is stored, once those whose time is over are closed and graded."""
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def settled(attempt_id: str) -> dict[str, Any]:
        async with at_once:
            attempt: dict[str, Any] = await room.reader.get(f"/attempts/{attempt_id}")
        patience = time.monotonic() + _PATIENCE_SECONDS + (attempt["remaining_ms"] or 0) / 1000
        is_timed = attempt["remaining_ms"] is not None
        while (attempt["status"] in _OPEN and is_timed) or attempt["grading"] == "pending":
            if time.monotonic() > patience:
                break
            await asyncio.sleep(0.5)
            async with at_once:
                attempt = await room.reader.get(f"/attempts/{attempt_id}")
        return attempt

    found = await asyncio.gather(*(settled(diary.attempt_id) for diary in diaries))
    return {attempt["id"]: attempt for attempt in found}


async def _repeated_grades(room: Room, closed: list[dict[str, Any]], least_told: int) -> list[str]:
    """Attempts whose channel does not tell of exactly one grading (none for those that wait for a person)."""
    faults = []
    async with LiveClient(room.school.live_url, ticket=room.reader.ticket) as live:
        for attempt in closed:
            channel = f"attempt:{attempt['id']}"
            await live.insist("subscribe", channel=channel)
            told, before = 0, None
            while True:
                fields: dict[str, int] = {} if before is None else {"before": before}
                page = await live.insist("history", channel=channel, limit=100, **fields)
                told += sum(event["event"] == "attempt_graded" for event in page["events"])
                if not page["events"] or page["events"][0]["offset"] <= page["first_offset"]:
                    break
                before = page["events"][0]["offset"]
            await live.insist("unsubscribe", channel=channel)
            await asyncio.sleep(_HISTORY_SECONDS)
            if not (least_told <= told <= 1 if attempt["grading"] == "done" else told == 0):
                faults.append(f"{attempt['id']}: attempt_graded was told {told} times")
    return faults


async def _dashboard_faults(room: Room) -> list[str]:
    quiz_id = room.quiz["id"]
    shown = (await room.reader.get(f"/quizzes/{quiz_id}/live"))["totals"]
    rows = await _all_rows(room)
    statuses = [row["status"] for row in rows]
    answers = [await room.reader.get(f"/attempts/{row['id']}") for row in rows]
    stored = {
        "students": len({row["student_id"] for row in rows}),
        "in_progress": statuses.count("in_progress"),
        "paused": statuses.count("paused"),
        "submitted": statuses.count("submitted"),
        "graded": statuses.count("graded") + statuses.count("abandoned"),
        "answers_saved": sum(
            answer["value"] is not None for attempt in answers for answer in attempt["answers"].values()
        ),
    }
    return [
        f"the dashboard says {name} {shown[name]}, the database {count}"
        for name, count in stored.items()
        if shown[name] != count
    ]


async def _all_rows(room: Room) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        params = {"limit": 100, "is_preview": "false", **after}
        page = await room.reader.get(f"/quizzes/{room.quiz['id']}/attempts", params=params)
        rows += page["items"]
        if page["next"] is None:
            return rows
        after = {"after": page["next"]}
