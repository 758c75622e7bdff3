"""Archives of courses that lie to be fetched: how many, how long, and in whose room. How one is written is not known here."""

from __future__ import annotations

from datetime import datetime

from config.settings import Settings
from documents.base import Row
from documents.file_quota import FileQuota
from documents.import_run import ImportRun
from lms_rt.clock import Clock
from lms_rt.errors import Code, Refused
from lms_rt.services.import_runs import MAX_OPEN, Run, file_ids_of
from lms_rt.storage.files.base import FileStore
from lms_rt.undoing import undoing, whole

MEBIBYTE = 1 << 20
NEWEST = 3
"""So many of one course are kept for one person; an older one goes when a newer one is there."""
_MOST = 1_000


class KeptArchives:
    """Looks to it that archives take no more room than their owner has."""

    def __init__(self, *, settings: Settings, clock: Clock, store: FileStore) -> None:
        self._settings, self._clock, self._store = settings, clock, store

    async def require_room(self, user_id: str) -> None:
        """413 where somebody's files and their other archives leave no room at all."""
        if await FileQuota.find_used(user_id) >= self._limit_bytes:
            raise self._full()

    async def make_room(self, run: Run, size_bytes: int) -> None:
        """Take the room of the one that was just written, in one write with what all but the newest of its course had; these go.

        It is given back with the run, unless that ends with this archive.
        """
        user_id, course_id, at = run.row["user_id"], run.row["course_id"], self._clock.now()

        async def undo() -> None:
            row = await ImportRun.find_row(run.run_id)
            if row is None or row.get("file_id") != run.file_id:
                await FileQuota.give_back(user_id, size_bytes, at=self._clock.now())

        which = {"user_id": user_id, "kind": "course_export", "course_id": course_id}
        older = (await ImportRun.find_files(which, limit=_MOST + MAX_OPEN))[NEWEST - 1 :]
        foreseen = sum(row.get("size_bytes") or 0 for row in older)
        taken = freed = 0  # so far: wherever this breaks off, that is what is given back

        async def take() -> None:
            nonlocal taken
            if not await FileQuota.take(user_id, size_bytes - foreseen, limit_bytes=self._limit_bytes, at=at):
                raise self._full()
            taken = size_bytes - foreseen

        async def let_go(row: Row) -> None:
            nonlocal freed
            freed += await self._let_go(row)

        async def settle() -> None:
            nonlocal taken
            await FileQuota.give_back(user_id, freed - foreseen, at=at)  # what others let go meanwhile, they gave back
            taken = size_bytes - freed

        async with undoing(lambda: FileQuota.give_back(user_id, taken + freed, at=at)):
            await whole(take())
            for row in older:
                await whole(let_go(row))
            await whole(settle())
        run.undo = undo

    @property
    def _limit_bytes(self) -> int:
        return self._settings.max_storage_mb_per_user * MEBIBYTE

    def _full(self) -> Refused:
        words = "There is no room left for files of this user: archives that may be fetched count, too."
        return Refused(Code.TOO_LARGE, words, quota="user", limit_bytes=self._limit_bytes)

    async def forget(self, before: datetime, *, limit: int) -> int:
        """Remove some that are too old; how many. That they were made is told of as long as of other runs."""
        rows = await ImportRun.find_files({"kind": "course_export", "created_at": {"$lt": before}}, limit=limit)
        for row in rows:
            await whole(self._forget(row))
        return len(rows)

    async def _forget(self, row: Row) -> None:
        freed = await self._let_go(row)
        await FileQuota.give_back(row["user_id"], freed, at=self._clock.now())

    async def _let_go(self, row: Row) -> int:
        """Remove it; how much room it had, if nobody else has just removed it."""
        for file_id in {str(row["file_id"]), *file_ids_of(row)}:
            await self._store.remove(file_id)
        return await ImportRun.let_go(str(row["_id"]))
