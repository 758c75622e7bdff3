"""Uploads that are taken up again after a break: begun, written on piece by piece, joined into a file, given up.

Each piece is kept in the store as a whole, so that any node goes on where another one stopped; what came of a piece before its
line was cut counts. The file is there once the last piece is: whoever looks at an upload that is whole joins it, if nobody did, one at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from documents.base import Row
from documents.stored_file import FileState, StoredFile
from documents.upload_session import UploadSession
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.uploads import UploadFields, UploadView
from lms_rt.errors import Code, Refused, invalid
from lms_rt.ids import new_id, random_token
from lms_rt.services.file_insides import Watch, charset_of, watch_for, watched
from lms_rt.services.file_kinds import HEAD_BYTES, KINDS, Kind, refuse_other
from lms_rt.services.files import BLOB_PREFIX
from lms_rt.services.uploads import Uploads, checked, new_file
from lms_rt.storage.files.base import FileStore, SavedFile
from lms_rt.undoing import undoing

PREFIX, PART_PREFIX = "upl", "prt"
KEPT = timedelta(hours=24)
"""So long after its last piece an upload can be taken up again."""
LEASE = timedelta(seconds=45)
"""Whoever is heard nothing of for so long writes no more: longer than a silent client is borne."""
RENEWED_BYTES = 4 << 20
WAIT_SECONDS, LOOK_SECONDS = 5.0, 0.1
"""How long somebody else is waited for, looking so often."""
MAX_PARTS = 1000
ALGORITHMS = ("sha1", "sha256")


class Broken(Exception):
    """The piece did not come to its end; what came of it is kept."""


class Piece(Protocol):
    """Bytes that come; whether they came to their end is known after the last."""

    is_broken: bool

    def __aiter__(self) -> AsyncIterator[bytes]:
        """As they come; where the line is cut they just end."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a piece has to come to."""

    algorithm: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Begun:
    """What an upload is to become."""

    filename: str
    length: int
    fields: UploadFields
    described: str = ""


class UploadSessions:
    """Begins them, goes on with them, joins them."""

    def __init__(self, *, clock: Clock, store: FileStore, uploads: Uploads) -> None:
        self._clock, self._store, self._uploads, self._files = clock, store, uploads, uploads.files

    @property
    def limit_bytes(self) -> int:
        """The largest file that is taken."""
        return self._uploads.limit_bytes

    # --- for people ---

    async def begin(self, actor: Actor, begun: Begun) -> UploadView:
        """A new upload, with room for all of it."""
        if begun.length > self.limit_bytes:
            raise Refused(
                Code.TOO_LARGE, f"The file is larger than {self.limit_bytes} bytes.", limit_bytes=self.limit_bytes
            )
        name = self._uploads.named(begun.filename)
        if begun.length < 1:
            raise invalid("file", "The file is empty.", "empty_file")
        file = await self._files.reserve(actor, new_file(name, begun.fields), size_bytes=begun.length)
        at = self._clock.now()
        row: Row = {
            "_id": new_id(PREFIX),
            "owner_id": actor.user_id,
            "file_id": file["_id"],
            "original_filename": name.original_filename,
            "extension": name.extension,
            "described": begun.described,
            "length": begun.length,
            "offset": 0,
            "parts": [],
            "is_done": False,
            "created_at": at,
            "expires_at": at + KEPT,
        }
        async with undoing(lambda: self._files.release(file)):
            await UploadSession.add(row)
        return await self._view(row)

    async def show(self, actor: Actor, session_id: str) -> UploadView:
        """How far an upload is; one that is whole is joined now, if a crash kept it from being so."""
        return await self._view(await self._whole(await self._own(actor, session_id)))

    async def described(self, actor: Actor, session_id: str) -> str:
        """What the client said of it at its beginning, as it said it."""
        return str((await self._own(actor, session_id))["described"])

    async def write(
        self, actor: Actor, session_id: str, *, offset: int, piece: Piece, checksum: Checksum | None = None
    ) -> UploadView:
        """Go on from here, one at a time: 409 where `offset` is another, and after a while where somebody else writes.

        Raises `Broken` for a piece that did not come to its end: without a checksum, what came of it is kept.
        """
        lease = random_token(12)
        row = await self._claimed(actor, session_id, offset, lease)
        try:
            row = await self._kept(row, lease, piece, checksum)
        finally:
            await UploadSession.leave(session_id, lease=lease)
        if piece.is_broken:
            raise Broken
        return await self._view(await self._whole(row))

    async def give_up(self, actor: Actor, session_id: str) -> None:
        """It will not be finished; a file that came of it already stays."""
        row = await self._own(actor, session_id)
        await self._drop(row)

    # --- for clean-ups ---

    async def forget(self, before: datetime, *, limit: int) -> int:
        """Give up some whose time was over by then; how many. Pieces that no upload speaks of are `file_sweep.py`'s."""
        rows = await UploadSession.find_expired(min(before, self._clock.now()), limit=limit)
        for row in rows:
            with contextlib.suppress(Refused):
                row = await self._whole(row)  # noqa: PLW2901 - one that was whole becomes a file first
                if row["offset"] == row["length"] and not row["is_done"]:
                    continue  # somebody joins it right now
            await self._drop(row)
        return len(rows)

    # --- within ---

    async def _own(self, actor: Actor, session_id: str) -> Row:
        row = await UploadSession.find_row(session_id, actor.user_id, self._clock.now())
        if row is None:
            raise Refused(Code.NOT_FOUND)
        return row

    async def _view(self, row: Row) -> UploadView:
        file = (await self._files.views([row["file_id"]])).get(row["file_id"]) if row["is_done"] else None
        return UploadView(
            id=row["_id"],
            filename=row["original_filename"],
            upload_length=row["length"],
            upload_offset=row["offset"],
            expires_at=row["expires_at"],
            file=file,
        )

    async def _kept(self, row: Row, lease: str, piece: Piece, checksum: Checksum | None) -> Row:
        """The upload with this piece."""
        if len(row["parts"]) >= MAX_PARTS:
            raise Refused(Code.CONFLICT, f"An upload has {MAX_PARTS} pieces at most; begin again with larger ones.")
        blob_id = new_id(PART_PREFIX)
        saved = await self._saved(row, blob_id, _Guarded(self._clock, row["_id"], lease, piece), checksum)
        if saved is None:
            return row
        part = {"blob_id": blob_id, "size_bytes": saved.size_bytes, "sha256": saved.sha256}
        offset, expires_at = row["offset"] + saved.size_bytes, self._clock.now() + KEPT
        after = await UploadSession.put_part(row["_id"], lease=lease, part=part, offset=offset, expires_at=expires_at)
        if after is None:
            await self._store.remove(blob_id)
            raise Refused(Code.CONFLICT, "Another one writes this upload by now.")
        begun = {"state": FileState.UPLOADING.value}
        await StoredFile.change(row["file_id"], begun, {"$set": {"updated_at": self._clock.now()}})  # it is no leftover
        return after

    async def _saved(self, row: Row, blob_id: str, piece: _Guarded, checksum: Checksum | None) -> SavedFile | None:
        """What came; nothing of a piece stays that is not what its checksum says."""
        hashing = hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum else None
        left = row["length"] - row["offset"]
        chunks = _hashed(aiter(piece), hashing)
        if row["offset"] == 0:
            chunks = checked(chunks, KINDS[row["extension"]], limit_bytes=left, is_whole=False)
        saved = await self._store.save(blob_id, _bounded(chunks, left))
        if checksum and hashing and (piece.is_broken or hashing.digest() != checksum.digest):
            await self._store.remove(blob_id)
            if piece.is_broken:
                raise Broken
            raise Refused(Code.CHECKSUM_MISMATCH)
        if not saved.size_bytes:
            await self._store.remove(blob_id)
            return None
        return saved

    async def _claimed(self, actor: Actor, session_id: str, offset: int, lease: str) -> Row:
        """The upload, for nobody else to go on with. Who writes there may have gone without a word: that is waited for."""
        async for _ in _tries():
            present = await self._own(actor, session_id)
            if present["offset"] != offset or present["is_done"]:
                break
            if row := await self._claim(present, lease):
                return row
        raise Refused(Code.CONFLICT, "The upload is not there.", upload_offset=present["offset"])

    async def _claim(self, row: Row, lease: str) -> Row | None:
        now = self._clock.now()
        return await UploadSession.claim(row["_id"], offset=row["offset"], lease=lease, now=now, until=now + LEASE)

    async def _whole(self, row: Row) -> Row:
        """The upload; one of which everything is here has its file after that, unless somebody else takes long to join it."""
        if row["is_done"] or row["offset"] < row["length"]:
            return row
        lease = random_token(12)
        async for _ in _tries():
            if await self._claim(row, lease):
                break
            row = await UploadSession.find_any(row["_id"]) or row
            if row["is_done"]:
                return row
        else:
            return row
        try:
            return await self._ended(row, lease)
        finally:
            await UploadSession.leave(row["_id"], lease=lease)

    async def _ended(self, row: Row, lease: str) -> Row:
        if await StoredFile.find_row(row["file_id"]) is None:
            try:
                await self._join(row, lease)
            except Refused as refused:
                if refused.code is Code.VALIDATION_FAILED:
                    await self._drop(row)
                if await StoredFile.find_row(row["file_id"]) is None:  # else somebody else has joined it meanwhile
                    raise
        await UploadSession.end(row["_id"])
        for part in row["parts"]:
            if not await StoredFile.find_named([part["blob_id"]]):
                await self._store.remove(part["blob_id"])
        return {**row, "is_done": True, "parts": []}

    async def _join(self, row: Row, lease: str) -> None:
        """One piece is the file; several are joined under a name that no other try has."""
        kind, parts = KINDS[row["extension"]], row["parts"]
        watch = watch_for(row["extension"])
        blob_id = parts[0]["blob_id"] if len(parts) == 1 else new_id(BLOB_PREFIX)
        file = await StoredFile.change(
            row["file_id"], {"state": FileState.UPLOADING.value}, {"$set": {"blob_id": blob_id}}
        )
        if file is None:
            raise Refused(Code.CONFLICT, "The upload was given up.")
        if len(parts) == 1:
            await self._look_through(blob_id, kind, watch)
            saved = SavedFile(parts[0]["size_bytes"], parts[0]["sha256"])
        else:
            guarded = _Guarded(self._clock, row["_id"], lease, self._joined(parts))
            joined = checked(watched(aiter(guarded), watch), kind, limit_bytes=row["length"])
            saved = await self._store.save(blob_id, joined)
        await self._uploads.settle(file, saved, kind, charset=charset_of(watch))

    async def _look_through(self, blob_id: str, kind: Kind, watch: Watch | None) -> None:
        """The beginning of what is one piece; all of what only its whole tells."""
        is_first = True
        async for chunk in watched(self._store.read(blob_id, size=HEAD_BYTES if watch is None else None), watch):
            if is_first:
                refuse_other(kind, chunk[:HEAD_BYTES])
            is_first = False

    async def _joined(self, parts: list[Row]) -> AsyncIterator[bytes]:
        for part in parts:
            async for chunk in self._store.read(part["blob_id"]):
                yield chunk

    async def _drop(self, row: Row) -> None:
        """The upload goes, then its room, then its pieces; what a crash leaves of those is found by the clean-up."""
        gone = await UploadSession.take_away(row["_id"], {"is_done": row["is_done"]})
        if gone is None or gone["is_done"]:
            return
        await self._files.release({"_id": gone["file_id"]})
        for part in gone["parts"]:
            await self._store.remove(part["blob_id"])


class _Guarded:
    """Bytes that come as long as nobody else has the upload: renews the lease, or ends with 409."""

    def __init__(self, clock: Clock, session_id: str, lease: str, piece: AsyncIterable[bytes]) -> None:
        self._clock, self._session_id, self._lease, self._piece = clock, session_id, lease, piece

    @property
    def is_broken(self) -> bool:
        """Did they end too early?"""
        return bool(getattr(self._piece, "is_broken", False))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """As they come."""
        seen_at, passed_bytes = self._clock.now(), 0
        async for chunk in self._piece:
            passed_bytes += len(chunk)
            now = self._clock.now()
            if passed_bytes >= RENEWED_BYTES or now - seen_at > LEASE / 4:
                if not await UploadSession.renew(self._session_id, lease=self._lease, until=now + LEASE):
                    raise Refused(Code.CONFLICT, "Another one writes this upload by now.")
                seen_at, passed_bytes = now, 0
            yield chunk


async def _tries() -> AsyncIterator[None]:
    """Now, and again and again for a while."""
    for _ in range(math.ceil(WAIT_SECONDS / LOOK_SECONDS)):
        yield
        await asyncio.sleep(LOOK_SECONDS)


async def _hashed(chunks: AsyncIterator[bytes], hashing: hashlib._Hash | None) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        if hashing is not None:
            hashing.update(chunk)
        yield chunk


async def _bounded(chunks: AsyncIterator[bytes], left: int) -> AsyncIterator[bytes]:
    """Not more than is left."""
    async for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise Refused(Code.TOO_LARGE, "That is more than the upload was to be.")
        yield chunk
