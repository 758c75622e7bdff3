"""`python -m tests.perf.archiving DIRECTORY`: courses of files taken out as archives and put in again, in one process.

Orders come on standard input, each answered by a line of JSON:

    course MEBIBYTES    a course with so much in files of 32 MiB (or one file of all), out and in again: seconds and CPU seconds of
                        each, the most memory that the process has had, and how much was left over or lost
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from config.settings import Settings
from documents.stored_file import StoredFile
from lms_rt.bootstrap import Services, open_services
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.bulk import RunView
from lms_rt.contracts.course_archives import CourseImportDraft
from lms_rt.contracts.courses import CourseDraft
from lms_rt.ids import new_id

_MEBIBYTE = 1 << 20
_FILE_MEBIBYTES = 32
_PIECE = os.urandom(_MEBIBYTE)
_KEY = "0123456789abcdefghijklmnopqrstuv"  # of no use outside the benchmarks


class Library:
    """A school without people."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._actor: Actor | None = None

    async def course(self, mebibytes: int) -> dict[str, Any]:
        """Out and in again."""
        actor, runs = await self._teacher(), self._services.import_runs
        made = await self._services.courses.create(actor, read_model(CourseDraft, {"title": "Large"}))
        left = mebibytes
        while left > 0:
            await self._file(made.id, min(left, _FILE_MEBIBYTES), name="lecture.mp4", use=f"lesson:{new_id('les')}")
            left -= _FILE_MEBIBYTES
        out = await self._timed(await self._services.course_archives.begin_export(actor, made.id))
        _, chunks = await runs.fetch(actor, out["id"])
        file_id = await self._kept(chunks, "course.zip")
        draft = CourseImportDraft(file_id=file_id)
        back = await self._timed(await self._services.course_archives.begin_import(actor, draft))
        view = await runs.show(actor, back["id"])
        there = await StoredFile.sum_bytes({"course_id": view.made_course_id})
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"out": out, "in": back, "peak_mib": peak, "lost": mebibytes * _MEBIBYTE - there, "fault": view.error}

    async def _timed(self, run: RunView) -> dict[str, Any]:
        began, cpu = time.monotonic(), time.process_time()
        await self._services.import_runs.run(run.id)
        return {"id": run.id, "seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}

    async def _teacher(self) -> Actor:
        if self._actor is not None:
            return self._actor
        accounts = self._services.accounts
        user = await accounts.create_admin(f"{new_id('usr')}@example.org", "correct horse battery staple", "Ada")
        self._actor = Actor(user.id, user.role, self._services.console_actor.permissions, full_name=user.full_name)
        return self._actor

    async def _file(self, course_id: str, mebibytes: int, *, name: str, use: str) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"\x00\x00\x00\x18ftypmp42" + _PIECE[12:]
            for _ in range(mebibytes - 1):
                yield _PIECE

        await self._kept(pieces(), name, course_id=course_id, uses=[use])

    async def _kept(self, chunks: AsyncIterator[bytes], name: str, **more: Any) -> str:
        blob_id, file_id, at = new_id("blb"), new_id("fil"), datetime.now(UTC)
        saved = await self._services.file_store.save(blob_id, chunks)
        owner = {"uploader_id": (await self._owner())}
        row = {
            "_id": file_id, **owner, "original_filename": name, "extension": name.rpartition(".")[2], "uses": [],
            "file_type": "video", "mime_type": "video/mp4", "file_size": saved.size_bytes, "sha256": saved.sha256,
            "folder": "", "storage_provider": "local", "is_public": False, "is_counted": True, "reserved_bytes": 0,
            "state": "ready", "blob_id": blob_id, "created_at": at, "updated_at": at, "touched_at": at, **more,
        }  # fmt: skip
        assert await StoredFile.add(row)
        return file_id

    async def _owner(self) -> str:
        return self._services.console_actor.user_id


async def _work(directory: Path) -> None:
    secret = SecretStr(_KEY)
    wishes: dict[str, Any] = {"max_storage_mb_per_user": 1_000_000, "max_storage_mb_per_course": 1_000_000}
    settings = Settings(
        _env_file=None, lms_data_dir=directory, secret_key=secret, password_pepper=SecretStr(_KEY[::-1]), **wishes
    )
    async with open_services(settings) as services:
        library, loop = Library(services), asyncio.get_running_loop()
        _say("ready")
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order, _, value = line.strip().partition(" ")
            assert order == "course", order
            _say(json.dumps(await library.course(int(value))))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_work(Path(sys.argv[1])))
