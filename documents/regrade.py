"""A regrade: what is to be corrected at a quiz, how far it is, and what it did to each attempt. No rules.

Its corrections are carried by a control of the quiz (`control_id`, and `undo_control_id` for taking it back); a row is
written with what the grading write of its attempt told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import BulkWriteError, DuplicateKeyError

from documents.attempt import OPEN, Attempt
from documents.base import Record, Row, RowAggregate, with_intents
from documents.enums import Grading
from documents.paper import AttemptPaper

_DUPLICATE = 11_000
_PAGE = 50
_TALLIED: Row = {"outcome": 1, "passing": 1, "kept": 1}


class Regrade(RowAggregate):
    """One regrade. `changes` is what the control says, each with the question as it `was` in the quiz.

    `status`: preview, applying, applied, undoing, undone. `counts` is what its rows came to, once they are all there.
    `asked` is a digest of the request, which its repeats share, whatever has become of the quiz since.
    """

    quiz_id: str
    course_id: str
    status: str
    changes: list[Row]
    reason: str = ""
    seconds: int | None = None
    asked: str | None = None
    by: str
    left_out: list[Row] = Field(default_factory=list)
    counts: Row | None = None
    control_id: str | None = None
    undo_control_id: str | None = None
    undo_reason: str = ""
    undone_by: str | None = None
    n: int | None = None
    undo_n: int | None = None
    applied_at: datetime | None = None
    undone_at: datetime | None = None

    class Settings(RowAggregate.Settings):
        """The collection and its indexes."""

        name = "regrades"
        indexes: ClassVar = [
            IndexModel([("quiz_id", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("control_id", ASCENDING)], unique=True, sparse=True),
            IndexModel([("undo_control_id", ASCENDING)], unique=True, sparse=True),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_of(cls, quiz_id: str, regrade_id: str) -> Row | None:
        """One regrade of this quiz."""
        return await cls.rows().find_one({"_id": regrade_id, "quiz_id": quiz_id}, dict(cls.HEAD))

    @classmethod
    async def find_by_control(cls, control_id: str) -> Row | None:
        """The regrade that gave this control, for doing it or for taking it back."""
        found = await cls.rows().find_one({"control_id": control_id}, dict(cls.HEAD))
        return found or await cls.rows().find_one({"undo_control_id": control_id}, dict(cls.HEAD))

    @classmethod
    async def find_page(cls, quiz_id: str, *, skip: int, limit: int) -> tuple[list[Row], int]:
        """One page of a quiz's regrades, newest first, and how many there are."""
        rows, wanted = cls.rows(), {"quiz_id": quiz_id}
        found = rows.find(wanted, dict(cls.HEAD)).sort([("created_at", DESCENDING), ("_id", DESCENDING)])
        return await found.skip(skip).limit(limit).to_list(limit), await rows.count_documents(wanted)

    @classmethod
    async def move(cls, seen: Row, fields: Row, *, intents: Sequence[Row] = (), at: datetime) -> bool:
        """Store `fields`, if it still is as it was read; its version moves by one."""
        wanted = {"_id": seen["_id"], "version": seen["version"], "status": seen["status"]}
        stored = {**fields, "version": seen["version"] + 1, "updated_at": at}
        result = await cls.rows().update_one(wanted, with_intents({"$set": stored}, intents, at))
        return result.matched_count == 1

    @classmethod
    async def previews_before(cls, quiz_id: str, regrade_id: str, *, limit: int) -> list[str]:
        """Other previews of a quiz: nobody applies an older one."""
        wanted = {"quiz_id": quiz_id, "status": "preview", "_id": {"$ne": regrade_id}, "outbox_at": {"$exists": False}}
        return [row["_id"] async for row in cls.rows().find(wanted, {"_id": 1}).limit(limit)]

    @classmethod
    async def remove_preview(cls, regrade_id: str) -> bool:
        """Remove one that is a preview still, and of which all is told; False: it is being applied, or waits to be told."""
        which: Row = {"_id": regrade_id, "status": "preview", "outbox_at": {"$exists": False}}
        return bool((await cls.rows().delete_one(which)).deleted_count)


class RegradeRow(Record):
    """What a regrade does, or did, to one attempt. `old`, `new` and `undone` are {points by question, and the totals}.

    `applied` and `undone` are there when it happened; `kept` names the questions whose points were not restored, because
    they were no longer what the regrade had given.
    """

    regrade_id: str
    quiz_id: str
    attempt_id: str
    student_id: str
    attempt_number: int
    old: Row | None = None
    new: Row | None = None
    undone: Row | None = None
    outcome: str = "same"
    passing: str | None = None
    difference: int = 0
    kept: list[str] = Field(default_factory=list)
    applied_at: datetime | None = None
    undone_at: datetime | None = None

    class Settings(Record.Settings):
        """The collection and its indexes."""

        name = "regrade_rows"
        indexes: ClassVar = [
            IndexModel([("regrade_id", ASCENDING), ("difference", ASCENDING)]),
            IndexModel([("attempt_id", ASCENDING)]),
        ]

    @classmethod
    async def expect(cls, rows: Sequence[Row]) -> None:
        """Store what is expected of attempts. Who does so twice, or at once, does it once; what has happened stays."""
        try:
            if rows:
                await cls.rows().insert_many([dict(row) for row in rows], ordered=False)
        except BulkWriteError as error:
            if any(fault.get("code") != _DUPLICATE for fault in (error.details or {}).get("writeErrors", [{}])):
                raise
            for row in rows:
                await cls.rows().update_one({"_id": row["_id"], "applied_at": {"$exists": False}}, {"$set": row})

    @classmethod
    async def store(cls, row_id: str, fields: Row, *, facts: Row) -> None:
        """Set these fields of a row, which is made with `facts` if it is not there. Again changes nothing."""
        made = {name: value for name, value in facts.items() if name not in fields}
        try:
            await cls.rows().update_one({"_id": row_id}, {"$set": fields, "$setOnInsert": made}, upsert=True)
        except DuplicateKeyError:  # two at once: it is there now
            await cls.rows().update_one({"_id": row_id}, {"$set": fields})

    @classmethod
    async def find_row(cls, row_id: str) -> Row | None:
        """One row."""
        return await cls.rows().find_one({"_id": row_id})

    @classmethod
    async def find_page(
        cls, wanted: Row, sort: Sequence[tuple[str, int]], *, skip: int, limit: int
    ) -> tuple[list[Row], int]:
        """One page of the rows of a regrade, and how many there are."""
        rows = cls.rows()
        found = rows.find(wanted).sort(list(sort)).skip(skip).limit(limit)
        return await found.to_list(limit), await rows.count_documents(wanted)

    @classmethod
    async def tallied(cls, regrade_id: str) -> list[Row]:
        """Of every row what it counts as."""
        return await cls.rows().find({"regrade_id": regrade_id}, dict(_TALLIED)).to_list(None)

    @classmethod
    async def of_attempt(cls, attempt_id: str) -> list[Row]:
        """What regrades did to an attempt, in their order; what was only a preview is left out."""
        wanted = {"attempt_id": attempt_id, "applied_at": {"$exists": True}}
        return await cls.rows().find(wanted).sort("applied_at", ASCENDING).to_list(None)

    @classmethod
    async def forget_of(cls, regrade_id: str) -> None:
        """Remove the rows of a regrade that never was."""
        await cls.rows().delete_many({"regrade_id": regrade_id})

    @classmethod
    async def forget_expected(cls, regrade_id: str) -> None:
        """Remove what was expected of attempts and did not come: they were closed or gone by then."""
        wanted = {"regrade_id": regrade_id, "applied_at": {"$exists": False}, "undone_at": {"$exists": False}}
        await cls.rows().delete_many(wanted)


# --- the attempts of a quiz, as a regrade goes through them ---

_CLOSED: Row = {"$nin": OPEN}
_GRADED: Row = {"ops": 0, "outbox": 0, "outbox_at": 0}


async def page_of_graded(quiz_id: str, *, after: str, limit: int) -> list[Row]:
    """The closed attempts at a quiz that have been graded once, with their answers, by id. Previews count nowhere."""
    wanted = {
        "quiz_id": quiz_id,
        "status": _CLOSED,
        "graded_key_version": {"$exists": True},
        "is_preview": False,
        "_id": {"$gt": after},
    }
    return await Attempt.rows().find(wanted, dict(_GRADED)).sort("_id", ASCENDING).limit(limit).to_list(limit)


async def count_regraded(quiz_id: str, n: int) -> tuple[int, int]:
    """How many of the closed attempts at a quiz are graded by this correction or a later one, and how many there are."""
    wanted: Row = {"quiz_id": quiz_id, "status": _CLOSED, "is_preview": False}
    rows = Attempt.rows()
    return await rows.count_documents(wanted | {"graded_key_version": {"$gte": n}}), await rows.count_documents(wanted)


async def find_pending(quiz_id: str, *, after: str, limit: int) -> list[str]:
    """The attempts at a quiz that wait to be graded, by id."""
    wanted = {"quiz_id": quiz_id, "grading": Grading.PENDING.value, "_id": {"$gt": after}}
    found = Attempt.rows().find(wanted, {"_id": 1}).sort("_id", ASCENDING).limit(limit)
    return [row["_id"] for row in await found.to_list(limit)]


async def find_untold(quiz_id: str, n: int) -> list[str]:
    """The attempts graded by this correction or a later one of which not all is told yet."""
    wanted = {"quiz_id": quiz_id, "graded_key_version": {"$gte": n}, "outbox_at": {"$exists": True}}
    return [row["_id"] async for row in Attempt.rows().find(wanted, {"_id": 1})]


async def find_given(quiz_id: str, question_id: str) -> Row | None:
    """A question as the newest of the attempts that have it were given it; None: nobody was ever asked it."""
    wanted: Row = {"quiz_id": quiz_id, "is_preview": False}
    while True:
        found = Attempt.rows().find(wanted, {"_id": 1}).sort("_id", DESCENDING).limit(_PAGE)
        ids = [row["_id"] for row in await found.to_list(_PAGE)]
        if not ids:
            return None
        if (paper := await AttemptPaper.find_one_with(ids, question_id)) is not None:
            given: Row = paper["questions"][question_id]
            return given
        wanted["_id"] = {"$lt": ids[-1]}


async def first_start(quiz_id: str) -> datetime | None:
    """When the first attempt at a quiz began; None: nobody has begun."""
    found = Attempt.rows().find({"quiz_id": quiz_id}, {"started_at": 1}).sort("started_at", ASCENDING).limit(1)
    rows: list[dict[str, Any]] = await found.to_list(1)
    return rows[0]["started_at"] if rows else None
