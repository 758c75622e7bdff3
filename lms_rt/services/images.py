"""Images that were uploaded: drawn anew without what they told of themselves, with a small picture beside; till then nobody's.

The drawing is a process of its own (`image_drawing.py`); here it is given the bytes, watched, and believed or not.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

from config.settings import HOME, Settings
from documents.base import Row
from documents.stored_file import FileState, StoredFile
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id, new_id
from lms_rt.services.files import BLOB_PREFIX, FileKind, Files, Replacement
from lms_rt.services.image_drawing import REFUSED
from lms_rt.services.jobs import Failed, Jobs, NotYet
from lms_rt.services.notification_rules import Notice
from lms_rt.services.notifications import Notifications
from lms_rt.services.uploads import TASK
from lms_rt.storage.files.base import CHUNK_BYTES, FileMissing, FileStore, SavedFile

PROGRAM = ("-m", "lms_rt.services.image_drawing")
DRAW_SECONDS = 300.0
AT_ONCE = 1
"""A drawing takes a processor and a lot of memory: one at a time in each process."""
TURN_SECONDS = 20.0
SOON = timedelta(seconds=5)
NOT_DRAWN = "not_drawn"
"""Why there is no picture where the image may be without fault."""
LATE = timedelta(hours=1)
"""Within so long the job that was asked for has been done."""
LIFE = timedelta(days=2)
"""An upload that is not whole by then will not be."""

_log = logging.getLogger(__name__)


class _Undrawn(Exception):
    """There is no picture: why, in a word, and in more."""

    def __init__(self, because: str, more: str) -> None:
        super().__init__(more)
        self.because = because


class Images:
    """Sees to them."""

    def __init__(
        self, *, settings: Settings, clock: Clock, jobs: Jobs, store: FileStore, files: Files, notify: Notifications
    ) -> None:
        self._settings, self._clock, self._jobs, self._store, self._files = settings, clock, jobs, store, files
        self._notify = notify
        self._drawing = asyncio.Semaphore(AT_ONCE)

    async def thumbnail(self, actor: Actor, file_id: str) -> tuple[str, AsyncGenerator[bytes, None]]:
        """The small picture of an image that the actor may read, and which one it is; 404 until there is one."""
        row = await self._files.access.require(actor, file_id, now_ms=self._clock.now_ms())
        if not row.get("thumbnail_blob_id"):
            raise Refused(Code.NOT_FOUND)
        return row["thumbnail_blob_id"], self._pieces(row["thumbnail_blob_id"])

    async def clean(self, file_id: str, *, is_last_try: bool = False) -> None:
        """Draw an image anew; again after it was does nothing. What cannot be drawn stays its uploader's alone, who is told.

        Raises `Failed` where the machine is at fault; at the last try such an image is given up as well.
        """
        row = await StoredFile.find_any(file_id)
        if row is None or row["state"] in {FileState.READY, FileState.REFUSED}:
            return
        if row["state"] == FileState.UPLOADING:
            if row["created_at"] > self._clock.now() - LIFE:
                raise NotYet(self._clock.now() + SOON, "its upload")
            return
        await self._take_turn()
        try:
            with tempfile.TemporaryDirectory(prefix="lms-image-") as place:
                await self._draw(row, Path(place))
        except _Undrawn as undrawn:
            if undrawn.because == NOT_DRAWN and not is_last_try:
                raise Failed(str(undrawn)) from None
            await self._refuse(row, undrawn)
        finally:
            self._drawing.release()

    async def ask_again(self, before: datetime, *, limit: int) -> int:
        """Ask once more for images that should have been drawn by now; how many. For the clean-up by night."""
        late = min(before, self._clock.now() - LATE)
        rows = await StoredFile.find_left(
            {"state": FileState.PROCESSING.value, "updated_at": {"$lt": late}}, limit=limit
        )
        for row in rows:
            once = derived_id("job", TASK, row["_id"], self._clock.now().date().isoformat())
            await self._jobs.put(once, TASK, {"file_id": row["_id"]})
        return 0  # they are still there: none of them was removed

    # --- within ---

    async def _take_turn(self) -> None:
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._drawing.acquire()
        except TimeoutError:
            raise NotYet(self._clock.now() + SOON, "another drawing") from None

    async def _refuse(self, row: Row, undrawn: _Undrawn) -> None:
        """It stays, whatever it is used for; its uploader is told first: after a crash again, and then that is nothing new."""
        _log.warning("the image %s cannot be drawn: %s", row["_id"], undrawn)
        data = {"file_id": row["_id"], "filename": row["original_filename"]}
        notice = Notice(row["uploader_id"], "file.refused", "file.refused", data, "/files")
        await self._notify.tell(notice, cause=f"{row['_id']}:{row['blob_id']}")
        fields = {"state": FileState.REFUSED.value, "refused_because": undrawn.because, "updated_at": self._clock.now()}
        await StoredFile.change(
            row["_id"],
            {"blob_id": row["blob_id"], "state": FileState.PROCESSING.value},
            {"$set": fields, "$inc": {"version": 1}},
        )

    async def _pieces(self, blob_id: str) -> AsyncGenerator[bytes, None]:
        try:
            async for piece in self._store.read(blob_id):
                yield piece
        except FileMissing:
            raise Refused(Code.NOT_FOUND) from None

    async def _draw(self, row: Row, place: Path) -> None:
        source, clean, small = (place / name for name in ("source", "clean", "small"))
        await _write(source, self._store.read(row["blob_id"]))
        size = await self._drawn(source, clean, small)
        blob_id, thumbnail_id = new_id(BLOB_PREFIX), new_id(BLOB_PREFIX)
        await self._save(thumbnail_id, small)
        replacement = Replacement(
            seen_blob_id=row["blob_id"],
            blob_id=blob_id,
            saved=await self._save(blob_id, clean),
            kind=FileKind(row["mime_type"], row["file_type"]),
            extension=row["extension"],
            more={"thumbnail_blob_id": thumbnail_id, **size},
        )
        if not await self._files.replace(row["_id"], replacement):
            await self._store.remove(thumbnail_id)

    async def _save(self, blob_id: str, path: Path) -> SavedFile:
        return await self._store.save(blob_id, _read(path))

    async def _drawn(self, *paths: Path) -> dict[str, int]:
        """Run the drawing. Raises `_Undrawn`: what the image is at fault for the drawing tells, the rest may be the machine's."""
        words = [sys.executable, *PROGRAM, *map(str, paths)]
        child = await asyncio.create_subprocess_exec(
            *words,
            str(self._settings.max_image_pixels),
            cwd=HOME,
            env={},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(DRAW_SECONDS):
                told, _ = await child.communicate()
        except TimeoutError:
            raise _Undrawn(NOT_DRAWN, "it took too long") from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if child.returncode == 0:
            size: dict[str, int] = json.loads(told)
            return size
        if child.returncode == REFUSED:
            because = str(json.loads(told)["because"])
            raise _Undrawn(because, because)
        raise _Undrawn(NOT_DRAWN, f"the drawing ended with {child.returncode}")


async def _write(path: Path, chunks: AsyncIterator[bytes]) -> None:
    with await asyncio.to_thread(path.open, "wb") as file:
        async for chunk in chunks:
            await asyncio.to_thread(file.write, chunk)


async def _read(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk
