"""Work on many things in the background: what was asked for, how far it is, what came of it; and its rows, some to a document.

No rules. `done` counts the finished rows; a part (`ImportPart`) is finished as a whole, in one write.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.errors import BulkWriteError, DuplicateKeyError

from documents.base import Record, Row, RowAggregate, with_intents

OPEN = ("waiting", "running")
_DUPLICATE = 11_000


class ImportRun(RowAggregate):
    """One run. `open_key` is there while it is open, so that the same thing is not done twice at once.

    `actor` is who asked, as far as it has to be known later; `options` what they asked for. `tries` is counted before
    anything is done. `file_id` is the store's id of what was made, `made_course_id` the course that it made. `is_landing`:
    all is done but the last write, which makes it seen; from then on it is not cancelled any more.
    """

    kind: str
    user_id: str
    actor: Row
    status: str
    course_id: str | None = None
    made_course_id: str | None = None
    options: Row = Field(default_factory=dict)
    filename: str | None = None
    total: int = 0
    done: int = 0
    counts: dict[str, int] = Field(default_factory=dict)
    open_key: str | None = None
    tries: int = 0
    is_landing: bool = False
    file_id: str | None = None
    size_bytes: int | None = None
    error: str | None = None
    error_detail: str | None = None
    finished_at: datetime | None = None

    class Settings(RowAggregate.Settings):
        """Collection and indexes."""

        name = "import_runs"
        indexes: ClassVar = [
            IndexModel([("user_id", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("open_key", ASCENDING)], unique=True, sparse=True),
            IndexModel([("created_at", ASCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_by_open_key(cls, open_key: str) -> Row | None:
        """The open one of this key."""
        return await cls.rows().find_one({"open_key": open_key}, dict(cls.HEAD))

    @classmethod
    async def count_of(cls, user_id: str, since: datetime) -> int:
        """How many rows, or things, a person asked for since then."""
        found = cls.rows().find({"user_id": user_id, "created_at": {"$gte": since}}, {"total": 1})
        return sum([int(row["total"]) async for row in found])

    @classmethod
    async def count_open(cls, user_id: str) -> int:
        """How many of a person's are open."""
        return await cls.rows().count_documents({"user_id": user_id, "status": {"$in": list(OPEN)}})

    @classmethod
    async def begin(cls, run_id: str, at: datetime) -> Row | None:
        """It is being done, once more; None when it is not to be done any more."""
        which = {"_id": run_id, "status": {"$in": list(OPEN)}}
        update = {"$set": {"status": "running", "updated_at": at}, "$inc": {"tries": 1}}
        return await cls.rows().find_one_and_update(which, update, dict(cls.HEAD), return_document=ReturnDocument.AFTER)

    @classmethod
    async def advance(cls, run_id: str, fields: Mapping[str, Any], at: datetime) -> bool:
        """Note how far it is; False when it was cancelled or ended."""
        which = {"_id": run_id, "status": "running"}
        result = await cls.rows().update_one(which, {"$set": {**fields, "updated_at": at}})
        return bool(result.matched_count)

    @classmethod
    async def note(cls, run_id: str, fields: Mapping[str, Any], at: datetime) -> None:
        """How far it came although it was cancelled: what was being done at that moment was done."""
        await cls.rows().update_one({"_id": run_id, "status": "cancelled"}, {"$set": {**fields, "updated_at": at}})

    @classmethod
    async def land(cls, run_id: str, fields: Mapping[str, Any], at: datetime) -> bool:
        """The last write is all that is left; False when it was cancelled or ended before."""
        return await cls.advance(run_id, {**fields, "is_landing": True}, at)

    @classmethod
    async def cancel(cls, run_id: str, *, at: datetime, intents: Sequence[Row] = ()) -> bool:
        """It ends where it is; False when it has ended, or is at its last write."""
        which = {"_id": run_id, "status": {"$in": list(OPEN)}, "is_landing": {"$ne": True}}
        return await cls._end(which, {"status": "cancelled"}, at, intents)

    @classmethod
    async def end(cls, run_id: str, fields: Mapping[str, Any], *, at: datetime, intents: Sequence[Row] = ()) -> bool:
        """It is over; False when somebody else ended it before."""
        return await cls._end({"_id": run_id, "status": {"$in": list(OPEN)}}, fields, at, intents)

    @classmethod
    async def _end(cls, which: Row, fields: Mapping[str, Any], at: datetime, intents: Sequence[Row]) -> bool:
        update: Row = {
            "$set": {**fields, "version": 2, "updated_at": at, "finished_at": at},
            "$unset": {"open_key": ""},
        }
        return bool((await cls.rows().update_one(which, with_intents(update, intents, at))).matched_count)

    @classmethod
    async def find_files(cls, which: Row, *, limit: int) -> list[Row]:
        """Runs whose file is still kept, newest first."""
        found = cls.rows().find(
            {**which, "file_id": {"$exists": True}}, {"file_id": 1, "size_bytes": 1, "tries": 1, "user_id": 1}
        )
        return await found.sort([("created_at", DESCENDING), ("_id", DESCENDING)]).limit(limit).to_list(length=limit)

    @classmethod
    async def let_go(cls, run_id: str) -> int:
        """Its file is not kept any more; how large it was, for the first who says so."""
        which = {"_id": run_id, "file_id": {"$exists": True}}
        update = {"$unset": {"file_id": "", "size_bytes": ""}}
        row = await cls.rows().find_one_and_update(which, update, {"size_bytes": 1})
        return 0 if row is None else int(row.get("size_bytes") or 0)

    @classmethod
    async def find_before(cls, moment: datetime, *, limit: int) -> list[Row]:
        """Some from before then that have nothing left to tell."""
        which = {"created_at": {"$lt": moment}, "outbox_at": {"$exists": False}}
        found = cls.rows().find(which, {"kind": 1, "tries": 1, "status": 1, "options": 1}).limit(limit)
        return await found.to_list(length=limit)

    @classmethod
    async def find_known(cls, run_ids: Collection[str]) -> set[str]:
        """Which of these there are."""
        found = cls.rows().find({"_id": {"$in": sorted(run_ids)}}, {"_id": 1})
        return {row["_id"] async for row in found}

    @classmethod
    async def remove(cls, run_id: str) -> None:
        """Remove one that has nothing left to tell."""
        await cls.rows().delete_one({"_id": run_id, "outbox_at": {"$exists": False}})


class ImportPart(Record):
    """Some rows of a run: `rows` as they came and `results` as they went, both by the place in the part.

    `emails` and `student_ids` are whom it speaks of: an erasure finds them by these.
    """

    run_id: str
    first: int
    rows_by_place: dict[str, Row]
    results: dict[str, Row] = Field(default_factory=dict)
    emails: list[str] = Field(default_factory=list)
    student_ids: list[str] = Field(default_factory=list)
    created_at: datetime | None = None

    class Settings(Record.Settings):
        """Collection and indexes."""

        name = "import_parts"
        indexes: ClassVar = [
            IndexModel([("run_id", ASCENDING), ("first", ASCENDING)]),
            IndexModel([("emails", ASCENDING)]),
            IndexModel([("student_ids", ASCENDING)]),
            IndexModel([("created_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def add_all(cls, parts: Sequence[Row]) -> None:
        """Store them; those that are there stay as they are."""
        try:
            if parts:
                await cls.rows().insert_many([dict(part) for part in parts], ordered=True)
        except BulkWriteError as error:
            if any(fault.get("code") != _DUPLICATE for fault in (error.details or {}).get("writeErrors", [{}])):
                raise
            for part in parts:
                await cls._add_one(part)

    @classmethod
    async def _add_one(cls, part: Row) -> None:
        try:
            await cls.rows().insert_one(dict(part))
        except DuplicateKeyError:
            return

    @classmethod
    async def find_from(cls, run_id: str, first: int) -> Row | None:
        """The part that begins there, or the next one."""
        found = cls.rows().find({"run_id": run_id, "first": {"$gte": first}}).sort("first", ASCENDING).limit(1)
        rows = await found.to_list(length=1)
        return rows[0] if rows else None

    @classmethod
    async def finish(cls, part_id: str, results: Mapping[str, Row], student_ids: Sequence[str]) -> None:
        """Keep what became of its rows."""
        fields = {"results": dict(results), "student_ids": list(student_ids)}
        await cls.rows().update_one({"_id": part_id}, {"$set": fields})

    @classmethod
    async def forget_of(cls, run_id: str) -> None:
        """Remove all of a run."""
        await cls.rows().delete_many({"run_id": run_id})

    @classmethod
    async def run_ids_before(cls, moment: datetime, *, after: str, limit: int) -> list[str]:
        """The runs of some parts from before then, in the order of their ids."""
        which: Row = {"created_at": {"$lt": moment}, "run_id": {"$gt": after}}
        found = cls.rows().find(which, {"run_id": 1}).sort("run_id", ASCENDING).limit(limit)
        return [row["run_id"] async for row in found]
