"""What nobody needs any more of files, found by night: uploads that broke off, files that are used for nothing, bytes of no file.

A file whose bytes are gone is told of and stays: somebody may have named the wrong bucket.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from config.settings import Settings
from documents.base import Row
from documents.course import Course
from documents.file_quota import FileQuota
from documents.stored_file import THERE, FileState, FileUse, StoredFile, uses_of
from documents.upload_session import UploadSession
from lms_rt.clock import Clock
from lms_rt.services.files import BLOB_PREFIX, Files
from lms_rt.services.retention import Retention
from lms_rt.services.upload_sessions import PART_PREFIX
from lms_rt.storage.files.base import FileStore

HALF_DAYS = 3
"""An upload that was not finished by then will not be: one that can be gone on with ends earlier."""
FORM_LIFE = timedelta(hours=7)
"""A form has come by then, or never will."""
YOUNG = timedelta(days=1)
"""Bytes are there before their file says so."""
_PAGE = 200

_log = logging.getLogger(__name__)


class FileSweep:
    """Finds and removes."""

    def __init__(self, *, settings: Settings, clock: Clock, store: FileStore, files: Files) -> None:
        self._settings, self._clock, self._store, self._files = settings, clock, store, files

    def register(self, retention: Retention) -> None:
        """Let it be done with the other clean-ups."""
        retention.add_rule("uploads that broke off", HALF_DAYS, self.forget_half)
        retention.add_rule("untouched uploads", 1, self.forget_untouched)
        retention.add_rule("files of courses that are gone", 1, self.forget_of_gone_courses)
        retention.add_rule("bytes of no file", 1, self.forget_unnamed)
        retention.add_rule("counts of files", 1, self.count_anew)

    async def forget_half(self, before: datetime, *, limit: int) -> int:
        """Some uploads that broke off: those that nobody can go on with after some hours."""
        latest, removed = self._clock.now() - FORM_LIFE, 0
        which: Row = {"state": FileState.UPLOADING.value, "updated_at": {"$lt": latest}}
        async for row in StoredFile.walk_of(which):
            if row["updated_at"] < before or not await UploadSession.is_for(row["_id"]):
                removed += await self._files.drop(row, which)
            if removed >= limit:
                break
        return removed

    async def forget_untouched(self, before: datetime, *, limit: int) -> int:
        """Some that are used for nothing, belong to no course, are not public, and were not looked at for so long."""
        kept = timedelta(days=self._settings.retention_untouched_uploads_days)
        which: Row = {
            "state": {"$in": list(THERE)},
            "uses": [],
            "course_id": {"$exists": False},
            "is_public": False,
            "touched_at": {"$lt": min(before, self._clock.now() - kept)},
        }
        return await self._drop(await StoredFile.find_left(which, limit=limit), which)

    async def forget_of_gone_courses(self, before: datetime, *, limit: int) -> int:
        """Some files of courses that were deleted; certificates stay their owners'."""
        after, removed = "crs_", 0
        while (page := await FileQuota.page(after, limit=_PAGE)) and page[0]["_id"].startswith("crs_"):
            ids = [row["_id"] for row in page if row["_id"].startswith("crs_")]
            gone = sorted(set(ids) - set(await Course.heads(ids)))
            for course_id in gone:
                removed += await self._forget_course(course_id, before, limit=limit - removed)
                if removed >= limit:
                    return removed
            after = page[-1]["_id"]
        return removed

    async def forget_unnamed(self, before: datetime, *, limit: int) -> int:
        """Some bytes of which no file speaks; files whose bytes are not there are told of on the way."""
        before, removed = min(before, self._clock.now() - YOUNG), 0
        for prefix in (BLOB_PREFIX, PART_PREFIX):
            removed += await self._forget_unnamed(prefix, before, limit=limit - removed)
        return removed

    async def count_anew(self, _before: datetime, *, limit: int) -> int:  # noqa: ARG002 - as rules are called
        """Correct how much room is taken; it is told once."""
        if corrected := await self._files.quotas.correct():
            _log.warning("counted anew how much room files take: %s counts were wrong", corrected)
        return 0

    # --- within ---

    async def _forget_unnamed(self, prefix: str, before: datetime, *, limit: int) -> int:
        """Some of those whose ids begin so. What is kept is walked past."""
        after, removed, missing = "", 0, 0
        while removed < limit:
            found = await self._store.find_ids(before=before, limit=_PAGE, prefix=f"{prefix}_", after=after)
            named = await StoredFile.find_named(found) | await UploadSession.find_named(found) if found else set()
            for blob_id in found:
                if blob_id not in named:
                    await self._store.remove(blob_id)
                    removed += 1
            until = found[-1] if len(found) == _PAGE else f"{prefix}~"
            missing += await self._tell_missing(found, after or prefix, until, before)
            if len(found) < _PAGE:
                break
            after = until
        if missing:
            _log.error("the bytes of %s files are not in the store", missing)
        return removed

    async def _drop(self, rows: Iterable[Row], which: Row) -> int:
        """Those that are still so."""
        removed = 0
        for row in rows:
            removed += await self._files.drop(row, which)
        return removed

    async def _forget_course(self, course_id: str, before: datetime, *, limit: int) -> int:
        which: Row = {"course_id": course_id, "updated_at": {"$lt": before}}
        rows = await StoredFile.find_left(which, limit=limit)
        return await self._drop((row for row in rows if not _is_kept(row)), {"course_id": course_id})

    async def _tell_missing(self, found: list[str], after: str, until: str, before: datetime) -> int:
        """How many files there are whose bytes should be in this stretch of the store, and are not."""
        which: Row = {
            "state": {"$in": list(THERE)},
            "blob_id": {"$gt": after, "$lte": until},
            "updated_at": {"$lt": before},
        }
        there, missing = set(found), 0
        async for row in StoredFile.walk_of(which):
            if row["blob_id"] not in there and row["storage_provider"] == self._store.provider:
                _log.error("the bytes of file %s are missing", row["_id"])
                missing += 1
        return missing


def _is_kept(row: Row) -> bool:
    return any(use == FileUse.CERTIFICATE for use, _ in uses_of(row))
