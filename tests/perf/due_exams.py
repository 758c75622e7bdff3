"""`python -m tests.perf.due_exams URL DATABASE`: many attempts whose time is over in the same second, and when they were closed.

It works on the database alone, beside the node. Orders come on standard input, each answered by a line of JSON:

    sit COUNT      copies of the attempt that is there, each of another student of the course, with every question answered
    due SECONDS    their deadlines lie in one second, the last of which is closed so many seconds from now; answered when all
                   are graded: how long after its closing moment the last was closed and graded, and who was not graded once
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient

_GRACE_MS, _SLACK_MS = 2_000, 1_000
_WITHIN_MS = 1_000
_LOOK_SECONDS = 0.25
_PATIENCE_SECONDS = 150


class Hall:
    """The attempts."""

    def __init__(self, url: str, database: str) -> None:
        client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(url, tz_aware=True)
        self._base = client[database]
        self._made: list[str] = []
        self._sat = 0
        self._first: dict[str, Any] = {}

    async def sit(self, count: int) -> dict[str, Any]:
        """Copy the attempt and its paper."""
        if not self._first:
            self._first = await self._base.attempts.find_one({"status": "in_progress"}) or {}
        attempt = self._first
        paper = await self._base.attempt_papers.find_one({"_id": attempt["_id"]})
        assert paper is not None
        enrolled = self._base.enrollments.find({"student_id": {"$ne": attempt["student_id"]}}).limit(count)
        people = await enrolled.to_list(count)
        self._sat += 1
        self._made = [f"att_due{self._sat}x{number:018}" for number in range(len(people))]
        answers = {one: _answer(place) for place, one in enumerate(paper["question_ids"], 1)}
        copies = [
            {
                **attempt,
                "_id": name,
                "open_key": name,
                "attempt_number": self._sat,
                "student_id": person["student_id"],
                "enrollment_id": person["_id"],
                "answers": answers,
                "revision": len(answers),
            }
            for name, person in zip(self._made, people, strict=True)
        ]
        await self._base.attempt_papers.insert_many([{**paper, "_id": name} for name in self._made])
        await self._base.attempts.insert_many(copies)
        return {"count": len(copies)}

    async def due(self, seconds: float) -> dict[str, Any]:
        """Set the deadlines, and wait."""
        last_ms = int(time.time() * 1000) + int(seconds * 1000) - _GRACE_MS - _SLACK_MS
        count = len(self._made)
        for place, name in enumerate(self._made):
            deadline_ms = last_ms - _WITHIN_MS + (place + 1) * _WITHIN_MS // count
            await self._base.attempts.update_one({"_id": name}, {"$set": {"deadline_ms": deadline_ms}})
        give_up = time.monotonic() + seconds + _PATIENCE_SECONDS
        mine = {"attempt_number": self._sat, "_id": {"$gt": f"att_due{self._sat}x", "$lt": f"att_due{self._sat}y"}}
        while time.monotonic() < give_up:
            await asyncio.sleep(_LOOK_SECONDS)
            if not await self._base.attempts.count_documents({**mine, "grading": {"$ne": "done"}}):
                break
        fields = dict.fromkeys(("deadline_ms", "submitted_at", "graded_at", "version", "grading", "score"), 1)
        rows = await self._base.attempts.find(mine, fields).to_list(None)
        return self._told(rows)

    def _told(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        before: int = self._first["version"]
        graded = [row for row in rows if row.get("grading") == "done"]
        return {
            "closed_s": max(_lag_s(row, "submitted_at") for row in graded),
            "graded_s": max(_lag_s(row, "graded_at") for row in graded),
            "not_graded": len(self._made) - len(graded),
            "not_once": sum(row["version"] != before + 1 for row in graded),
        }


def _lag_s(row: dict[str, Any], name: str) -> float:
    at: datetime = row[name]
    closes_ms: int = row["deadline_ms"] + _GRACE_MS + _SLACK_MS
    return (at - datetime.fromtimestamp(closes_ms / 1000, UTC)).total_seconds()


def _answer(place: int) -> dict[str, Any]:
    return {
        "value": "abc"[place % 3],
        "op_id": f"op-{place}",
        "seq": place,
        "device_id": "laptop",
        "revision": place,
        "saved_at_ms": int(time.time() * 1000),
    }


async def _obey(url: str, database: str) -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    hall = Hall(url, database)
    _print("ready")
    while words := (await orders.readline()).decode().split():
        match words:
            case ["sit", count]:
                _print(json.dumps(await hall.sit(int(count))))
            case ["due", seconds]:
                _print(json.dumps(await hall.due(float(seconds))))


def _print(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> None:
    """Wait when told to, until the input ends."""
    asyncio.run(_obey(*sys.argv[1:]))


if __name__ == "__main__":
    main()
