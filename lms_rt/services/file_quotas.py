"""How much room files may take: of one person, and of one course. Counted before a byte is kept, and given back with the file.

What is counted and the row that it is counted for are two writes. Whoever does both does them `whole`, so that a cancellation
falls before both or after both: only a crash leaves a wrong count, until the night or until somebody would be refused for it.
"""

from __future__ import annotations

from datetime import timedelta

from config.settings import Settings
from documents.base import Row
from documents.file_quota import FileQuota
from documents.import_run import ImportRun
from documents.stored_file import FileState, StoredFile
from lms_rt.clock import Clock
from lms_rt.contracts.files import QuotaView
from lms_rt.errors import Code, Refused
from lms_rt.undoing import undoing, whole

MEBIBYTE = 1024 * 1024
_PAGE = 200
_MOST_ARCHIVES = 1_000
AT_REST = timedelta(minutes=1)
"""When nobody counted for so long, no row is still to be written for what was counted."""


async def _archived_bytes(user_id: str) -> int:
    """What somebody's archives of courses take, as long as they may be fetched."""
    rows = await ImportRun.find_files({"user_id": user_id, "kind": "course_export"}, limit=_MOST_ARCHIVES)
    return sum(row.get("size_bytes") or 0 for row in rows)


def counted_bytes(row: Row) -> int:
    """What a file that is there counts."""
    return int(row["file_size"]) if row["is_counted"] else 0


class FileQuotas:
    """Counts."""

    def __init__(self, *, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock

    async def of_user(self, user_id: str) -> QuotaView:
        """How much a person has, and may have."""
        return QuotaView(used_bytes=await FileQuota.find_used(user_id), limit_bytes=self._user_limit)

    async def take(self, size_bytes: int, *, user_id: str, course_id: str | None) -> None:
        """Count so much for both; 413 where it does not fit. Then, and when the caller is cancelled, for neither."""

        async def undo() -> None:
            await self.give_back(size_bytes, user_id=user_id, course_id=course_id)

        await whole(self._take_for_both(size_bytes, user_id, course_id), undo=undo)

    async def take_for_course(self, course_id: str, size_bytes: int) -> None:
        """Count so much for a course; 413 where it does not fit."""
        await self._take("course", course_id, size_bytes, self._settings.max_storage_mb_per_course * MEBIBYTE)

    async def give_back(self, size_bytes: int, *, user_id: str, course_id: str | None) -> None:
        """Count so much less."""
        at = self._clock.now()
        await FileQuota.give_back(user_id, size_bytes, at=at)
        if course_id is not None:
            await FileQuota.give_back(course_id, size_bytes, at=at)

    async def give_back_for_course(self, course_id: str, size_bytes: int) -> None:
        """Count so much less for a course alone."""
        await FileQuota.give_back(course_id, size_bytes, at=self._clock.now())

    async def correct(self) -> int:
        """Count anew what a crash left counted, or uncounted; how many counts were wrong."""
        corrected, after = 0, ""
        while page := await FileQuota.page(after, limit=_PAGE):
            for seen in page:
                corrected += await self._correct(seen)
            after = page[-1]["_id"]
        return corrected

    async def _correct(self, seen: Row) -> bool:
        field = "course_id" if seen["_id"].startswith("crs_") else "uploader_id"
        which: Row = {field: seen["_id"]}
        if await StoredFile.find_left({**which, "state": FileState.UPLOADING.value}, limit=1):
            return False  # its row and its count are two writes: another time
        if field == "uploader_id" and await ImportRun.count_open(seen["_id"]):
            return False  # the same, of an archive that is being written
        size_bytes = await StoredFile.sum_bytes(which) + await _archived_bytes(seen["_id"])
        return size_bytes != seen["used_bytes"] and await FileQuota.correct(seen, size_bytes)

    async def _take_for_both(self, size_bytes: int, user_id: str, course_id: str | None) -> None:
        await self._take("user", user_id, size_bytes, self._user_limit)
        if course_id is None:
            return
        async with undoing(lambda: FileQuota.give_back(user_id, size_bytes, at=self._clock.now())):
            await self.take_for_course(course_id, size_bytes)

    @property
    def _user_limit(self) -> int:
        return self._settings.max_storage_mb_per_user * MEBIBYTE

    async def _take(self, whose: str, owner_id: str, size_bytes: int, limit_bytes: int) -> None:
        async def is_taken() -> bool:
            return await FileQuota.take(owner_id, size_bytes, limit_bytes=limit_bytes, at=self._clock.now())

        if await is_taken() or (await self._correct_at_rest(owner_id) and await is_taken()):
            return
        raise Refused(
            Code.TOO_LARGE,
            f"There is no room left for files of this {whose}.",
            quota=whose,
            limit_bytes=limit_bytes,
        )

    async def _correct_at_rest(self, owner_id: str) -> bool:
        """Before somebody is refused: was the count wrong since a crash, and is it right now?"""
        seen = await FileQuota.find_row(owner_id)
        return seen is not None and seen["updated_at"] <= self._clock.now() - AT_REST and await self._correct(seen)
