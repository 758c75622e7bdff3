"""Files in MongoDB: every node and worker reaches them, and they are in the same backup as what speaks of them.

They lie as GridFS lays them, so that its tools read them. They are written by ourselves, chunk by chunk: the driver gathers up
to 48 MB before it sends any.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from bson import ObjectId
from gridfs.errors import NoFile
from motor.motor_asyncio import AsyncIOMotorDatabase, AsyncIOMotorGridFSBucket
from pymongo import ASCENDING

from lms_rt.clock import Clock
from lms_rt.storage.files.base import CHUNK_BYTES, Counting, FileMissing, FileStore, SavedFile, checked_id, in_pieces
from lms_rt.undoing import undoing

BUCKET = "files"


class GridFiles(FileStore):
    """Files of the bucket `files`. What is half written has chunks, but no row in `files.files`: it is not there."""

    provider = "gridfs"

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]], *, clock: Clock) -> None:
        self._clock = clock
        self._files, self._chunks = database[f"{BUCKET}.files"], database[f"{BUCKET}.chunks"]
        self._bucket = AsyncIOMotorGridFSBucket(database, bucket_name=BUCKET, chunk_size_bytes=CHUNK_BYTES)
        self._is_indexed = False

    async def save(self, file_id: str, chunks: AsyncIterator[bytes]) -> SavedFile:
        """Chunks first, the row last. What a crash left under this id goes first."""
        await self.remove(checked_id(file_id))
        await self._make_indexes()
        passing, count = Counting(), 0
        async with undoing(lambda: self._chunks.delete_many({"files_id": file_id})):
            async for piece in in_pieces(chunks):
                await self._chunks.insert_one({"files_id": file_id, "n": count, "data": passing.take(piece)})
                count += 1
            await self._files.insert_one(self._row_of(file_id, passing.saved))
        return passing.saved

    def _row_of(self, file_id: str, saved: SavedFile) -> dict[str, Any]:
        now = self._clock.now()
        size = {"length": saved.size_bytes, "chunkSize": CHUNK_BYTES}
        return {"_id": file_id, "filename": file_id, **size, "uploadDate": now, "metadata": {"saved_at": now}}

    async def _make_indexes(self) -> None:
        """Those that GridFS has; there already, it is as good."""
        if not self._is_indexed:
            await self._files.create_index([("filename", ASCENDING), ("uploadDate", ASCENDING)])
            await self._chunks.create_index([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)
            self._is_indexed = True

    async def read(self, file_id: str, *, start: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
        """Chunk by chunk, from the one that holds `start` on."""
        row = await self._files.find_one({"_id": checked_id(file_id)}, {"length": 1, "chunkSize": 1})
        if row is None:
            raise FileMissing(file_id)
        end = row["length"] if size is None else min(row["length"], start + size)
        if start >= end:
            return
        first, last = start // row["chunkSize"], (end - 1) // row["chunkSize"]
        for number in range(first, last + 1):  # one at a time: a cursor would gather ahead of a slow reader
            chunk = await self._chunks.find_one({"files_id": file_id, "n": number}, {"data": 1})
            if chunk is None:
                raise FileMissing(file_id)
            begin = number * row["chunkSize"]
            yield bytes(chunk["data"])[max(0, start - begin) : end - begin]

    async def remove(self, file_id: str) -> None:
        """Row and chunks; chunks without a row, too."""
        with contextlib.suppress(NoFile):
            await self._bucket.delete(checked_id(file_id))

    async def find_ids(self, *, before: datetime, limit: int, prefix: str = "", after: str = "") -> list[str]:
        """By the time of their saving, as our clock told it; what has no row, by the time in the ids of its chunks."""
        named = _between(prefix, after)
        old = {"metadata.saved_at": {"$lt": before}, "_id": named}
        rows = self._files.find(old, {"_id": 1}).sort("_id", ASCENDING).limit(limit)
        found = [row["_id"] for row in await rows.to_list(length=limit)]
        first: dict[str, Any] = {"n": 0, "_id": {"$lt": ObjectId.from_datetime(before)}, "files_id": named}
        async for chunk in self._chunks.find(first, {"files_id": 1}).sort("files_id", ASCENDING):
            if len(found) >= limit and chunk["files_id"] > max(found):
                break
            if await self._files.find_one({"_id": chunk["files_id"]}, {"_id": 1}) is None:
                found.append(chunk["files_id"])
        return sorted(found)[:limit]

    async def ping(self) -> None:
        """Does the collection answer?"""
        await self._files.find_one({}, {"_id": 1})


def _between(prefix: str, after: str) -> dict[str, str]:
    """The filter for ids that begin so and come after this one, as a range: what an index walks through."""
    from_on = {"$gt": after} if after >= prefix else {"$gte": prefix}
    return from_on | ({"$lt": f"{prefix}~"} if prefix else {})
