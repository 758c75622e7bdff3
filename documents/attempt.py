"""One student's attempt at a quiz: small and hot, written with every answer. Its questions are in `documents/paper.py`.

Every write here is one atomic step that filters on the state it depends on and says whether it took place; what to
write is decided in `lms_rt/services`. Times that are compared or moved are epoch milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.base import Aggregate, Row, by_ids, with_intents
from documents.enums import AttemptStatus, Grading, SubmittedBy

OPEN = [AttemptStatus.IN_PROGRESS.value, AttemptStatus.PAUSED.value]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_STATE: Row = {"answers": 0, "ops": 0, "outbox": 0, "outbox_at": 0}
_WHOLE: Row = {"ops": 0, "outbox": 0, "outbox_at": 0}
_LEDGER = (
    "student_id",
    "quiz_id",
    "is_preview",
    "status",
    "deadline_ms",
    "paused_at_ms",
    "submitted_at",
    "submitted_by",
    "revision",
    "writer",
    "ops_count",
    "receipt_head",
)
_MARKS: Row = dict.fromkeys(
    ("revision", "version", "status", "deadline_ms", "updated_ms", "take_overs", "offline.asked_ms"), 1
)
_FEW = 100


def moment(now_ms: int) -> datetime:
    """Epoch milliseconds as a time."""
    return _EPOCH + timedelta(milliseconds=now_ms)


@dataclass(frozen=True, slots=True)
class LedgerWrite:
    """What one atomic step of the ledger stores: answers by question, marks by op_id, and the revision it leads to."""

    seen_revision: int
    lease: str
    answers: Mapping[str, Row]
    marks: Mapping[str, Sequence[Any]]
    now_ms: int
    receipt_head: Sequence[Any] | None = None

    def filter(self, attempt_id: str) -> Row:
        """The attempt as it was read, still open, still this writer's, none of the operations known."""
        return {
            "_id": attempt_id,
            "status": AttemptStatus.IN_PROGRESS.value,
            "revision": self.seen_revision,
            "writer.lease": self.lease,
            **{f"ops.{op_id}": {"$exists": False} for op_id in self.marks},
        }

    def update(self) -> Row:
        """Answers, marks and counters. An operation that was overtaken leaves a mark alone."""
        stored: Row = {f"ops.{op_id}": list(mark) for op_id, mark in self.marks.items()}
        if self.answers:
            stored |= {f"answers.{question_id}": answer for question_id, answer in self.answers.items()}
            stored |= {"revision": max(answer["revision"] for answer in self.answers.values())}
            stored |= {"writer.wrote_at_ms": self.now_ms, "updated_ms": self.now_ms, "updated_at": moment(self.now_ms)}
            if self.receipt_head is not None:
                stored["receipt_head"] = list(self.receipt_head)
        return {"$set": stored, "$inc": {"ops_count": len(self.marks)}}


class Attempt(Aggregate):
    """An attempt. `revision` counts what its student's screens and the dashboard show, `version` what others hear of.

    `answers.<question>` is {value, op_id, seq, device_id, revision, saved_at_ms}; `ops.<op_id>` is
    [revision, digest of the value, saved_at_ms, superseded, question]; `writer` is {device_id, lease, wrote_at_ms,
    connection}. `open_key` is there while the attempt is open. Points are hundredths. `marks.<question>` is what a person
    gave (`documents/attempt_marks.py`), `waiting` names the questions that wait for one. `live_version` is the last
    control of the quiz that reached it, `controls` are those that did something to it, `seen.<n>` is when a screen had it.
    """

    quiz_id: str
    course_id: str
    lesson_id: str | None = None
    enrollment_id: str | None = None
    student_id: str
    student_name: str
    attempt_number: int
    is_preview: bool = False
    metadata: dict[str, Any] = Field(default_factory=dict)
    status: AttemptStatus
    open_key: str | None = None
    grading: Grading | None = None
    started_at: datetime
    deadline_ms: int | None = None
    closes_ms: int | None = None
    paused_at_ms: int | None = None
    submitted_at: datetime | None = None
    submitted_by: SubmittedBy | None = None
    graded_at: datetime | None = None
    graded_key_version: int | None = None
    grade_failed_ms: int | None = None
    revision: int = 0
    live_version: int = 0
    controls: list[int] = Field(default_factory=list)
    seen: dict[str, int] = Field(default_factory=dict)
    group: str | None = None
    accommodation: Row | None = None
    offline: Row | None = None
    paused_ms: int = 0
    key_version: int = 0
    updated_ms: int
    writer: Row | None = None
    take_overs: int = 0
    answers: dict[str, Row] = Field(default_factory=dict)
    ops: dict[str, list[Any]] = Field(default_factory=dict)
    ops_count: int = 0
    receipt_head: list[Any] | None = None
    receipt: Row | None = None
    awarded: dict[str, int] | None = None
    marks: dict[str, Row] | None = None
    waiting: list[str] | None = None
    score: int | None = None
    max_score: int | None = None
    percentage: int | None = None
    exact_percentage: str | None = None
    is_passed: bool | None = None

    class Settings(Aggregate.Settings):
        """The collection and its indexes."""

        name = "attempts"
        indexes: ClassVar = [
            IndexModel([("enrollment_id", ASCENDING), ("status", ASCENDING), ("submitted_at", ASCENDING)]),
            IndexModel([("quiz_id", ASCENDING), ("status", ASCENDING), ("submitted_at", ASCENDING)]),
            IndexModel([("status", ASCENDING), ("deadline_ms", ASCENDING)]),
            IndexModel([("grading", ASCENDING), ("updated_ms", ASCENDING)]),
            IndexModel([("open_key", ASCENDING)], unique=True, sparse=True),
            IndexModel([("student_id", ASCENDING), ("quiz_id", ASCENDING), ("attempt_number", ASCENDING)], unique=True),
            IndexModel([("student_id", ASCENDING), ("started_at", DESCENDING)]),
            IndexModel([("quiz_id", ASCENDING), ("updated_ms", ASCENDING)]),
            IndexModel([("quiz_id", ASCENDING), ("live_version", ASCENDING)]),
            IndexModel([("quiz_id", ASCENDING), ("controls", ASCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    # --- reading ---

    @classmethod
    async def find_state(cls, attempt_id: str) -> Row | None:
        """An attempt without its answers."""
        return await cls.rows().find_one({"_id": attempt_id}, dict(_STATE))

    @classmethod
    async def find_standing(cls, attempt_id: str) -> Row | None:
        """How an attempt stands: its times and numbers alone."""
        fields = ("status", "deadline_ms", "paused_at_ms", "revision", "live_version")
        return await cls.rows().find_one({"_id": attempt_id}, dict.fromkeys(fields, 1))

    @classmethod
    async def find_owners(cls, attempt_ids: Collection[str]) -> dict[str, Row]:
        """Student and course of those of these attempts that exist, by attempt."""
        if not attempt_ids:
            return {}
        fields = {"student_id": 1, "course_id": 1}
        return {row["_id"]: row async for row in cls.rows().find(by_ids(attempt_ids), fields)}

    @classmethod
    async def find_whole(cls, attempt_id: str) -> Row | None:
        """An attempt with its answers, without its operations."""
        return await cls.rows().find_one({"_id": attempt_id}, dict(_WHOLE))

    @classmethod
    async def find_whole_ones(cls, attempt_ids: Collection[str]) -> dict[str, Row]:
        """These attempts with their answers, by id."""
        return {row["_id"]: row async for row in cls.rows().find(by_ids(attempt_ids), dict(_WHOLE))}

    @classmethod
    async def find_open(cls, student_id: str, quiz_id: str) -> Row | None:
        """The one open attempt of a student at a quiz, with its answers."""
        return await cls.rows().find_one({"open_key": open_key(student_id, quiz_id)}, dict(_WHOLE))

    @classmethod
    async def find_for_ledger(cls, attempt_id: str, question_ids: Iterable[str], op_ids: Iterable[str]) -> Row | None:
        """What the ledger decides by: the state, the stored answers of these questions, the marks of these operations."""
        fields = dict.fromkeys(_LEDGER, 1)
        fields |= {f"answers.{question_id}": 1 for question_id in question_ids}
        fields |= {f"ops.{op_id}": 1 for op_id in op_ids}
        return await cls.rows().find_one({"_id": attempt_id}, fields)

    @classmethod
    async def find_for_sync(cls, attempt_id: str, op_ids: Sequence[str]) -> Row | None:
        """The state with all answers, and the marks of these operations (of all, where many are asked for)."""
        fields = dict.fromkeys((*_LEDGER, "answers", "live_version"), 1)
        fields |= {"ops": 1} if len(op_ids) > _FEW else {f"ops.{op_id}": 1 for op_id in op_ids}
        return await cls.rows().find_one({"_id": attempt_id}, fields)

    @classmethod
    async def find_operations(cls, attempt_id: str) -> dict[str, list[Any]] | None:
        """The marks of all operations, overtaken ones too; None: there are none any more."""
        row = await cls.rows().find_one({"_id": attempt_id}, {"ops": 1})
        return None if row is None else row.get("ops")

    @classmethod
    async def find_numbers(cls, student_id: str, quiz_id: str) -> tuple[int, int]:
        """The highest attempt number of a student at a quiz, and how many of those attempts count."""
        wanted = {"student_id": student_id, "quiz_id": quiz_id}
        cursor = cls.rows().find(wanted, {"attempt_number": 1, "is_preview": 1})
        rows = await cursor.to_list(None)
        return max((row["attempt_number"] for row in rows), default=0), sum(not row["is_preview"] for row in rows)

    @classmethod
    async def page_of_enrollment(cls, enrollment_id: str, *, after: str = "", limit: int) -> list[Row]:
        """The attempts that count for an enrolment, without answers and operations, by id, those after this one."""
        which = {"enrollment_id": enrollment_id, "is_preview": False, "_id": {"$gt": after}}
        found = cls.rows().find(which, dict(_STATE)).sort("_id", ASCENDING).limit(limit)
        return await found.to_list(length=limit)

    @classmethod
    async def standings_of(cls, student_id: str, course_id: str) -> list[Row]:
        """How the attempts of a student in a course stand, newest first."""
        fields = dict.fromkeys(("student_id", "quiz_id", "course_id", "status", "grading", "is_passed"), 1)
        found = cls.rows().find({"student_id": student_id, "course_id": course_id}, fields)
        return await found.sort([("started_at", DESCENDING), ("_id", DESCENDING)]).to_list(length=None)

    @classmethod
    async def find_percentages(cls, student_id: str, quiz_id: str) -> dict[int, int | str]:
        """The percentages of a student's graded attempts at a quiz, by attempt number. Previews do not count.

        In hundredths; before they were rounded, as the text of a fraction.
        """
        return (await cls.find_decided(student_id, quiz_id))[0]

    @classmethod
    async def find_decided(cls, student_id: str, quiz_id: str) -> tuple[dict[int, int | str], bool]:
        """The same, and whether another of these attempts is about to be graded. Read together: none is between the two."""
        states = {"$in": [Grading.DONE.value, Grading.PENDING.value]}
        wanted = {"student_id": student_id, "quiz_id": quiz_id, "is_preview": False, "grading": states}
        fields = {"attempt_number": 1, "percentage": 1, "exact_percentage": 1, "grading": 1}
        found: dict[int, int | str] = {}
        is_any_pending = False
        async for row in cls.rows().find(wanted, fields):
            if row["grading"] == Grading.DONE:
                found[row["attempt_number"]] = row.get("exact_percentage", row["percentage"])
            else:
                is_any_pending = True
        return found, is_any_pending

    @classmethod
    async def has_any(cls, quiz_id: str) -> bool:
        """Has anybody begun this quiz?"""
        return await cls.rows().find_one({"quiz_id": quiz_id}, {"_id": 1}) is not None

    @classmethod
    async def find_page(
        cls, wanted: Row, sort: Sequence[tuple[str, int]], *, skip: int, limit: int
    ) -> tuple[list[Row], int]:
        """One page of attempts without their answers, and how many there are."""
        rows = cls.rows()
        cursor = rows.find(wanted, dict(_STATE)).sort(list(sort)).skip(skip).limit(limit)
        return await cursor.to_list(limit), await rows.count_documents(wanted)

    @classmethod
    async def find_before(cls, wanted: Row, place: tuple[datetime, str] | None, *, limit: int) -> list[Row]:
        """The next attempts, newest first, after a place in the list: (started_at, id) of its last one."""
        if place is not None:
            started_at, attempt_id = place
            older = [{"started_at": {"$lt": started_at}}, {"started_at": started_at, "_id": {"$lt": attempt_id}}]
            wanted = {"$and": [wanted, {"$or": older}]}
        cursor = cls.rows().find(wanted, dict(_STATE)).sort([("started_at", -1), ("_id", -1)]).limit(limit)
        return await cursor.to_list(limit)

    @classmethod
    async def find_changed(cls, quiz_id: str, since_ms: int) -> list[Row]:
        """The attempts at a quiz that changed since, with their answers, for the live dashboard. Previews do not count."""
        wanted = {"quiz_id": quiz_id, "updated_ms": {"$gte": since_ms}, "is_preview": False}
        return await cls.rows().find(wanted, dict(_WHOLE)).to_list(None)

    @classmethod
    async def find_changed_states(cls, quiz_id: str, since_ms: int) -> list[Row]:
        """What tells the states of the attempts apart that changed since. Previews do not count."""
        wanted = {"quiz_id": quiz_id, "updated_ms": {"$gte": since_ms}, "is_preview": False}
        return await cls.rows().find(wanted, dict(_MARKS)).to_list(None)

    @classmethod
    async def find_those(cls, quiz_id: str, since_ms: int, attempt_ids: Iterable[str]) -> list[Row]:
        """Some of the attempts that changed since, with their answers."""
        wanted = {"quiz_id": quiz_id, "updated_ms": {"$gte": since_ms}, "_id": {"$in": list(attempt_ids)}}
        return await cls.rows().find(wanted, dict(_WHOLE)).to_list(None)

    @classmethod
    async def find_sittings(cls, attempt_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Quiz and student of these attempts, by attempt. Previews are left out."""
        # one by one: the embedded store finds an id at once, but looks at every attempt for a list of them
        fields = {"quiz_id": 1, "student_id": 1, "is_preview": 1}
        found = await asyncio.gather(*(cls.rows().find_one({"_id": attempt_id}, fields) for attempt_id in attempt_ids))
        counted = [row for row in found if row is not None and not row["is_preview"]]
        return {row["_id"]: (row["quiz_id"], row["student_id"]) for row in counted}

    # --- one atomic step each ---

    @classmethod
    async def add(cls, row: Row) -> bool:
        """Store a new attempt; False: its number is taken, or there is an open one."""
        return await cls.insert_row(row)

    @classmethod
    async def record(cls, attempt_id: str, write: LedgerWrite) -> bool:
        """Store what the ledger decided, if the attempt is still as it was read."""
        result = await cls.rows().update_one(write.filter(attempt_id), write.update())
        return result.matched_count == 1

    @classmethod
    async def grant(cls, attempt_id: str, writer: Row, *, seen: Row | None) -> bool:
        """Make a device the writer of an open attempt; with `seen`, only while writer and revision are those read.

        Without `seen` it is a take-over: counted, so that the teacher's dashboard can tell of it.
        """
        wanted: Row = {"_id": attempt_id, "status": {"$in": OPEN}}
        update: Row = {"$set": {"writer": writer}}
        if seen is not None:
            lease = (seen.get("writer") or {}).get("lease")
            wanted |= {"revision": seen["revision"], "writer.lease": {"$exists": False} if lease is None else lease}
        else:
            now_ms = writer["wrote_at_ms"]
            update = {"$set": {"writer": writer, "updated_ms": now_ms, "updated_at": moment(now_ms)}}
            update["$inc"] = {"take_overs": 1}
        result = await cls.rows().update_one(wanted, update)
        return result.matched_count == 1

    @classmethod
    async def submit(
        cls, attempt_id: str, *, revision: int | None, now_ms: int, write: LedgerWrite | None = None
    ) -> bool:
        """Close an attempt for its student; with `revision`, only at that one; with `write`, storing answers as well."""
        update = closing(AttemptStatus.SUBMITTED, SubmittedBy.STUDENT, now_ms)
        wanted: Row = {"_id": attempt_id, "status": AttemptStatus.IN_PROGRESS.value}
        if revision is not None:
            wanted["revision"] = revision
        if write is not None:
            stored = write.update()
            steps = stored["$set"].pop("revision", write.seen_revision) - write.seen_revision
            wanted = write.filter(attempt_id)
            update["$set"] = stored["$set"] | update["$set"]
            update["$inc"] = {"revision": steps + 1, **stored["$inc"]}
        result = await cls.rows().update_one(wanted, update)
        return result.matched_count == 1

    @classmethod
    async def grade(cls, seen: Row, fields: Row, *, intents: Sequence[Row], now_ms: int) -> bool:
        """Store a grade, if the attempt still waits for one and is as it was read; the version moves by one."""
        wanted = {
            "_id": seen["_id"],
            "grading": Grading.PENDING.value,
            "revision": seen["revision"],
            "key_version": seen["key_version"],
            "version": seen["version"],
        }
        stored = {**fields, "version": seen["version"] + 1, "updated_ms": now_ms, "updated_at": moment(now_ms)}
        update = with_intents({"$set": stored, "$inc": {"revision": 1}}, intents, moment(now_ms))
        result = await cls.rows().update_one(wanted, update)
        return result.matched_count == 1


def open_key(student_id: str, quiz_id: str) -> str:
    """What no two open attempts share."""
    return f"{student_id}:{quiz_id}"


def closing(status: AttemptStatus, by: SubmittedBy, now_ms: int) -> Row:
    """The update of every closing."""
    stored = {
        "status": status.value,
        "grading": Grading.PENDING.value,
        "submitted_by": by.value,
        "submitted_at": moment(now_ms),
        "updated_ms": now_ms,
        "updated_at": moment(now_ms),
    }
    return {"$set": stored, "$unset": {"open_key": ""}, "$inc": {"revision": 1}}
