"""A file that somebody uploaded, or that the school made: what it is called, where its bytes lie, and what it is used for. No rules.

The bytes lie in the file store under `blob_id`; other bytes of the same file lie under another one. `uses` are words such as
`lesson:les_…`: a file without any is nobody's but its uploader's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument

from documents.base import Record, Row, by_ids

Sorting = Sequence[tuple[str, int]]


class FileUse(StrEnum):
    """What a file is for; who may read it follows from that."""

    LESSON = "lesson"
    QUESTION = "question"
    QUESTION_KEY = "question_key"
    ASSIGNMENT = "assignment"
    SUBMISSION = "submission"
    AVATAR = "avatar"
    COURSE_IMAGE = "course_image"
    ANNOUNCEMENT = "announcement"
    CERTIFICATE = "certificate"
    CERTIFICATE_LOGO = "certificate_logo"
    INVOICE = "invoice"
    IMPORT = "import"
    ARCHIVE = "archive"


class FileState(StrEnum):
    """How far a file is. What `UPLOADING` is not there yet; what is `PROCESSING` is its uploader's alone until it is clean.

    What is `REFUSED` stays theirs alone: an image that could not be drawn anew.
    """

    UPLOADING = "uploading"
    PROCESSING = "processing"
    READY = "ready"
    REFUSED = "refused"


THERE = (FileState.PROCESSING.value, FileState.READY.value, FileState.REFUSED.value)


class StoredFile(Record):
    """One file. `reserved_bytes` count against the quotas until `file_size` is known; what is not `is_counted` never does.

    What was handed in, or kept to be, `is_work`: its uploader's, and nobody's among those who teach before it is handed in.
    `version` moves with what is shown of it, `access_epoch` with what it is used for, and whether it is public: links are of one epoch.
    What `is_withheld` was used for more than everybody in its course may see. `touched_at` is when somebody last had to do with it: what is used for nothing goes some days after.
    """

    uploader_id: str
    original_filename: str
    extension: str = ""
    file_type: str = "other"
    mime_type: str = "application/octet-stream"
    charset: str | None = None
    file_size: int = 0
    sha256: str = ""
    folder: str = ""
    storage_provider: str
    is_public: bool = False
    course_id: str | None = None
    assignment_id: str | None = None
    uses: list[str] = Field(default_factory=list)
    is_withheld: bool = False
    is_work: bool = False
    access_epoch: int = 0
    state: str = FileState.UPLOADING.value
    refused_because: str | None = None
    blob_id: str
    thumbnail_blob_id: str | None = None
    width: int | None = None
    height: int | None = None
    is_counted: bool = True
    reserved_bytes: int = 0
    version: int = 0
    created_at: datetime
    updated_at: datetime
    touched_at: datetime

    class Settings(Record.Settings):
        """Collection and indexes."""

        name = "stored_files"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel([("uploader_id", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("course_id", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("uses", ASCENDING)]),
            IndexModel([("blob_id", ASCENDING)]),
            IndexModel([("thumbnail_blob_id", ASCENDING)], sparse=True),
            IndexModel([("state", ASCENDING), ("touched_at", ASCENDING)]),
        ]

    # --- one ---

    @classmethod
    async def add(cls, row: Row) -> bool:
        """Insert; False when there is one of this id."""
        return await cls.insert_row(row)

    @classmethod
    async def find_row(cls, file_id: str) -> Row | None:
        """One file that is there."""
        return await cls.rows().find_one({"_id": file_id, "state": {"$in": list(THERE)}})

    @classmethod
    async def find_any(cls, file_id: str) -> Row | None:
        """One file, there or only begun."""
        return await cls.rows().find_one({"_id": file_id})

    @classmethod
    async def change(cls, file_id: str, which: Row, update: Row) -> Row | None:
        """The row after this change, if it still is so; else None."""
        return await cls.rows().find_one_and_update(
            {"_id": file_id, **which}, update, return_document=ReturnDocument.AFTER
        )

    @classmethod
    async def take_away(cls, file_id: str, which: Row) -> Row | None:
        """Remove the row of a file that is so; the row as it was, or None."""
        return await cls.rows().find_one_and_delete({"_id": file_id, **which})

    # --- some ---

    @classmethod
    async def find_rows(cls, file_ids: Collection[str]) -> dict[str, Row]:
        """Those of these files that are there, by id."""
        if not file_ids:
            return {}
        which = {**by_ids(file_ids), "state": {"$in": list(THERE)}}
        return {row["_id"]: row async for row in cls.rows().find(which)}

    @classmethod
    async def page(cls, which: Row, sorting: Sorting, *, skip: int, limit: int) -> tuple[list[Row], int]:
        """Files for a list that are there, and how many there are in all."""
        which = {**which, "state": {"$in": list(THERE)}}
        total = await cls.rows().count_documents(which)
        found = cls.rows().find(which).sort([*sorting, ("_id", sorting[0][1])]).skip(skip).limit(limit)
        return await found.to_list(length=limit), total

    @classmethod
    async def find_used(cls, use: str) -> list[Row]:
        """The files of this use, such as `submission:sub_…`, oldest first."""
        which = {"uses": use, "state": {"$in": list(THERE)}}
        return await cls.rows().find(which).sort([("created_at", ASCENDING), ("_id", ASCENDING)]).to_list(length=None)

    @classmethod
    async def put_to_use(cls, file_ids: Collection[str], which: Row, use: str, fields: Row) -> int:
        """Let all of these that are so be used for this; how many are. Links to those that were not end."""
        asked = {**by_ids(file_ids), "state": {"$in": list(THERE)}, **which}
        new = {"$push": {"uses": use}, "$set": fields, "$inc": _moved_by(use)}
        await cls.rows().update_many({**asked, "uses": {"$ne": use}}, new)
        return int((await cls.rows().update_many({**asked, "uses": use}, {"$set": fields})).matched_count)

    @classmethod
    async def tell_assignment(cls, use: str, assignment_id: str) -> None:
        """Let the files of this use, some student's work, say for which assignment it is."""
        which: Row = {"uses": use, "assignment_id": {"$ne": assignment_id}}
        await cls.rows().update_many(which, {"$set": {"assignment_id": assignment_id}, "$inc": {"version": 1}})

    @classmethod
    async def release(cls, use: str, at: datetime, *, keep: Collection[str] = (), only: Collection[str] = ()) -> None:
        """Let them be used for this no more: all but those to `keep`, or `only` these."""
        which: Row = {"uses": use}
        if keep:
            which["_id"] = {"$nin": sorted(keep)}
        if only:
            which |= by_ids(only)
        await cls.rows().update_many(
            which,
            {"$pull": {"uses": use}, "$set": {"touched_at": at, "updated_at": at}, "$inc": _moved_by(use)},
        )

    # --- what there is of all ---

    @classmethod
    async def find_left(cls, which: Row, *, limit: int) -> list[Row]:
        """Some rows that are so, whatever their state, for clean-ups."""
        return await cls.rows().find(which).sort("_id", ASCENDING).limit(limit).to_list(length=limit)

    @classmethod
    async def find_named(cls, blob_ids: Collection[str]) -> set[str]:
        """Which of these bytes a file speaks of."""
        wanted, named = sorted(blob_ids), set[str]()
        for field in ("blob_id", "thumbnail_blob_id"):
            async for row in cls.rows().find({field: {"$in": wanted}}, {field: 1}):
                named.add(row[field])
        return named

    @classmethod
    async def sum_bytes(cls, which: Row) -> int:
        """How many bytes the files have together that are so and count."""
        total = {"$group": {"_id": None, "size": {"$sum": "$file_size"}, "reserved": {"$sum": "$reserved_bytes"}}}
        stages: list[dict[str, Any]] = [{"$match": {**which, "is_counted": True}}, total]
        return sum([int(row["size"] + row["reserved"]) async for row in cls.rows().aggregate(stages)])

    @classmethod
    async def sum_stored(cls, *, but_in: str) -> int:
        """How many bytes all files have together that lie in another store than this."""
        which = {"$match": {"storage_provider": {"$ne": but_in}}}
        stages: list[dict[str, Any]] = [which, {"$group": {"_id": None, "size": {"$sum": "$file_size"}}}]
        return sum([int(row["size"]) async for row in cls.rows().aggregate(stages)])

    @classmethod
    async def walk_of(cls, which: Row) -> AsyncIterator[Row]:
        """All that are so, whatever their state, by id; what is added meanwhile may be left out."""
        after = ""
        while page := await cls.find_left({"$and": [which, {"_id": {"$gt": after}}]}, limit=100):
            for row in page:
                yield row
            after = page[-1]["_id"]


def _moved_by(use: str) -> dict[str, int]:
    """What moves when a file is put to this use, or let go: of an assignment its view tells."""
    is_shown = use.partition(":")[0] in (FileUse.ASSIGNMENT, FileUse.SUBMISSION)
    return {"access_epoch": 1, "version": 1} if is_shown else {"access_epoch": 1}


def use_of(use: str, subject_id: str) -> str:
    """The word under which a file knows what it is used for."""
    return f"{use}:{subject_id}"


def uses_of(row: Row) -> list[tuple[FileUse, str]]:
    """What a file is used for: kinds with the ids of their subjects."""
    pairs = (use.partition(":") for use in row.get("uses", ()))
    return [(FileUse(kind), subject_id) for kind, _, subject_id in pairs]
