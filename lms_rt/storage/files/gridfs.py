"""Files in MongoDB: every node and worker reaches them, and they are in the same backup as what speaks of them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from bson import ObjectId
from gridfs.errors import NoFile
from motor.motor_asyncio import AsyncIOMotorDatabase, AsyncIOMotorGridFSBucket

from lms_rt.clock import Clock
from lms_rt.storage.files.base import CHUNK_BYTES, Counting, FileMissing, FileStore, SavedFile, checked_id

BUCKET = "files"


class GridFiles(FileStore):
    """Files of the bucket `files`. What is half written has chunks, but no row in `files.files`: it is not there."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]], *, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._bucket = AsyncIOMotorGridFSBucket(database, bucket_name=BUCKET, chunk_size_bytes=CHUNK_BYTES)

    async def save(self, file_id: str, chunks: AsyncIterator[bytes]) -> SavedFile:
        """Chunks first, the row last. What a crash left under this id goes first."""
        await self.remove(checked_id(file_id))
        passing = Counting()
        stream = self._bucket.open_upload_stream_with_id(
            file_id, file_id, metadata={"saved_at": self._clock.now()}, chunk_size_bytes=CHUNK_BYTES
        )
        try:
            async for chunk in chunks:
                await stream.write(passing.take(chunk))
            await stream.close()
        except BaseException:
            await stream.abort()
            raise
        return passing.saved

    async def read(self, file_id: str) -> AsyncIterator[bytes]:
        """Chunk by chunk."""
        try:
            stream = await self._bucket.open_download_stream(checked_id(file_id))
        except NoFile:
            raise FileMissing(file_id) from None
        while chunk := await stream.readchunk():
            yield chunk

    async def remove(self, file_id: str) -> None:
        """Row and chunks; chunks without a row, too."""
        with contextlib.suppress(NoFile):
            await self._bucket.delete(checked_id(file_id))

    async def find_ids(self, *, before: datetime, limit: int) -> list[str]:
        """By the time of their saving, as our clock told it; what has no row, by the time in the ids of its chunks."""
        files, chunks = self._database[f"{BUCKET}.files"], self._database[f"{BUCKET}.chunks"]
        rows = await files.find({"metadata.saved_at": {"$lt": before}}, {"_id": 1}).limit(limit).to_list(length=limit)
        found = [row["_id"] for row in rows]
        for file_id in await chunks.distinct("files_id", {"_id": {"$lt": ObjectId.from_datetime(before)}}):
            if len(found) >= limit:
                break
            if await files.find_one({"_id": file_id}, {"_id": 1}) is None:
                found.append(file_id)
        return found

    async def ping(self) -> None:
        """Does the collection answer?"""
        await self._database[f"{BUCKET}.files"].find_one({}, {"_id": 1})
