"""Who is cancelled in the midst of a write (a client that goes, a worker that closes) leaves counted what the rows say: at once.

Everything that counts is broken off at each of its steps, just before the database does it, and just after, when nobody knows; by
one cancellation, by two of which the second comes right after the first, and by faults of the database and of the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from documents.base import Record
from documents.course import Course
from documents.enums import Role
from documents.file_quota import FileQuota
from documents.import_run import ImportRun
from documents.stored_file import FileState, FileUse, StoredFile
from documents.user import User
from lms_rt.clock import FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.uploads import UploadFields
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import permissions_of
from lms_rt.services.files import FileKind, Files, NewFile, Replacement
from lms_rt.services.import_runs import ImportRuns, Run
from lms_rt.services.kept_archives import NEWEST, KeptArchives
from lms_rt.services.uploads import Uploads
from lms_rt.storage.files.base import SavedFile
from lms_rt.storage.files.local import LocalFiles
from lms_rt.storage.mongo import OpenDatabase
from tests.services.relaying import relay_over

TEACHER = Actor("usr_teacher", Role.INSTRUCTOR, permissions_of(Role.INSTRUCTOR))
PDF = FileKind("application/pdf", "document")
_STEPS = ("insert_one", "update_one", "update_many", "find_one", "find_one_and_update", "find_one_and_delete")


class _Cut:
    """Cancels `task` so many times at a step, or lets that fail where it is none; `seen` counts them."""

    def __init__(self, at: int, *, is_done: bool = False, times: int = 0) -> None:
        self._at, self._is_done, self._times = at, is_done, times
        self.task: asyncio.Task[object] | None = None
        self.seen = 0

    async def step(self, work: Callable[[], Awaitable[Any]]) -> Any:
        self.seen += self.task is not None
        is_here = self.task is not None and self.seen == self._at
        if is_here and not self._times:
            raise ConnectionError("out of order")
        if is_here and not self._is_done:
            await self._cancel()
        result = await work()
        if is_here and self._is_done:
            await self._cancel()
        return result

    async def _cancel(self) -> None:
        assert self.task is not None
        for _ in range(self._times):
            self.task.cancel()
            await asyncio.sleep(0)


class _Collection:
    """One whose steps may be the last of a request."""

    def __init__(self, collection: Any, cut: _Cut) -> None:
        self._collection, self._cut = collection, cut

    def __getattr__(self, name: str) -> Any:
        plain = getattr(self._collection, name)
        if name not in _STEPS:
            return plain

        async def step(*args: Any, **options: Any) -> Any:
            return await self._cut.step(lambda: plain(*args, **options))

        return step


class _Form:
    """A form that names another course at its end than before its file."""

    def __init__(self, at_first: str | None, at_last: str | None) -> None:
        self._at_first, self._at_last = at_first, at_last

    async def file(self) -> str:
        return "paper.pdf"

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b"%PDF-1.7\n" + bytes(991)

    def fields_before(self) -> UploadFields:
        return UploadFields(course_id=self._at_first)

    async def fields(self) -> UploadFields:
        return UploadFields(course_id=self._at_last)


class World:
    """Files, and a file of each kind that something can be done with."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        limited = settings.model_copy(update={"max_storage_mb_per_course": 1})
        anything: Any = None
        self.clock, self.store = FakeClock(), LocalFiles(directory)
        self.files = Files(settings=limited, clock=self.clock, store=self.store, audit=anything)
        self.uploads = Uploads(settings=limited, clock=self.clock, jobs=anything, store=self.store, files=self.files)
        self.kept = KeptArchives(settings=limited, clock=self.clock, store=self.store)
        self.relay = relay_over(anything, self.clock, [])

    async def reserved(self, size_bytes: int = 3_000, course_id: str | None = "crs_one") -> dict[str, Any]:
        return await self.files.reserve(TEACHER, NewFile("a.pdf", "pdf", course_id=course_id), size_bytes=size_bytes)

    async def made(self, course_id: str | None = "crs_one") -> dict[str, Any]:
        row = await self.reserved(course_id=course_id)
        await self.files.settle(row, SavedFile(1_000, "0" * 64), PDF)
        return row

    async def reserve(self) -> Callable[[], Awaitable[object]]:
        return self.reserved

    async def find_no_room(self) -> Callable[[], Awaitable[object]]:
        async def work() -> None:
            with pytest.raises(Refused) as refused:
                await self.reserved(2 << 20)
            assert refused.value.code is Code.TOO_LARGE

        return work

    async def settle(self) -> Callable[[], Awaitable[object]]:
        row = await self.reserved()
        return lambda: self.files.settle(row, SavedFile(1_000, "0" * 64), PDF)

    async def release(self) -> Callable[[], Awaitable[object]]:
        row = await self.reserved()
        return lambda: self.files.release(row)

    async def discard(self) -> Callable[[], Awaitable[object]]:
        row = await self.made()
        return lambda: self.files.discard(row["_id"])

    async def replace(self) -> Callable[[], Awaitable[object]]:
        row = await self.made()
        new = Replacement(row["blob_id"], "blb_other", SavedFile(400, "1" * 64), PDF, "pdf")
        return lambda: self.files.replace(row["_id"], new)

    async def attach(self) -> Callable[[], Awaitable[object]]:
        ids = [(await self.made(None))["_id"] for _ in range(2)]
        place: Any = {"use": FileUse.LESSON, "subject_id": "les_1", "course_id": "crs_two"}
        return lambda: self.files.attach(TEACHER, ids, **place)

    async def take_form(self) -> Callable[[], Awaitable[object]]:
        return lambda: self.uploads.take(TEACHER, _Form(None, "crs_two"), announced_bytes=5_000)

    async def move_form(self) -> Callable[[], Awaitable[object]]:
        return lambda: self.uploads.take(TEACHER, _Form("crs_one", "crs_two"), announced_bytes=5_000)

    async def export(self) -> Callable[[], Awaitable[object]]:
        """The newest three stay: the oldest goes with this one."""
        for number in range(4):
            await ImportRun.rows().insert_one(self._run(f"imp_{number}", f"imp_{number}x1.zip", 700))
            await FileQuota.take(TEACHER.user_id, 700, limit_bytes=1 << 20, at=self.clock.now())
        await ImportRun.rows().insert_one(self._run("imp_new"))
        anything: Any = None
        runs = ImportRuns(clock=self.clock, relay=self.relay, telling=anything, files=self.store)

        async def perform(run: Run) -> None:
            await self.kept.make_room(run, 900)
            run.made |= {"file_id": run.file_id, "size_bytes": 900}

        runs.add_kind("course_export", perform)
        return lambda: runs.run("imp_new")

    async def forget(self) -> Callable[[], Awaitable[object]]:
        await ImportRun.rows().insert_one(self._run("imp_old", "imp_oldx1.zip", 700))
        await FileQuota.take(TEACHER.user_id, 700, limit_bytes=1 << 20, at=self.clock.now())
        later = self.clock.now().replace(year=2999)
        return lambda: self.kept.forget(later, limit=10)

    def _run(self, run_id: str, file_id: str | None = None, size_bytes: int | None = None) -> dict[str, Any]:
        at = self.clock.now()
        row: dict[str, Any] = {
            "_id": run_id,
            "kind": "course_export",
            "user_id": TEACHER.user_id,
            "course_id": "crs_one",
            "actor": {},
            "status": "waiting" if file_id is None else "finished",
            "options": {},
            **dict.fromkeys(("total", "done", "tries"), 0),
            "counts": {},
            "version": 1,
            **dict.fromkeys(("created_at", "updated_at"), at),
        }
        return row if file_id is None else row | {"file_id": file_id, "size_bytes": size_bytes, "tries": 1}


@pytest.fixture
def engine() -> str:
    """Where a request is broken off is decided before any engine."""
    return "embedded"


@pytest.fixture
async def world(settings: Settings, database: OpenDatabase, tmp_path: Path) -> World:
    made = World(settings, tmp_path)
    stamps = {"version": 1, "created_at": made.clock.now(), "updated_at": made.clock.now()}
    lists = {"lesson_ids": [], "published_lesson_ids": [], "tags": [], "price": 0, "currency": "USD"}
    email = "teacher@school.example"
    known = {
        "email": email,
        "email_key": email,
        "full_name": "A Teacher",
        "password_hash": "x",
        "role": Role.INSTRUCTOR.value,
    }
    await User.rows().insert_one({"_id": TEACHER.user_id, **known, **stamps})
    for place in ("crs_one", "crs_two"):
        named = {"_id": place, "slug": place, "title": place, "title_key": place, "instructor_id": TEACHER.user_id}
        await Course.rows().insert_one({**named, **lists, **stamps, "is_published": True, "is_archived": False})
    return made


async def _assert_counts() -> None:
    archives = await ImportRun.find_files({"user_id": TEACHER.user_id}, limit=100)
    uploaded = await StoredFile.sum_bytes({"uploader_id": TEACHER.user_id})
    expected = {TEACHER.user_id: uploaded + sum(row["size_bytes"] for row in archives)}
    expected |= {one: await StoredFile.sum_bytes({"course_id": one}) for one in ("crs_one", "crs_two")}
    assert {one: await FileQuota.find_used(one) for one in expected} == expected


_DONE = (
    *("reserve", "find_no_room", "settle", "release", "discard", "replace", "attach"),
    *("take_form", "move_form", "export", "forget"),
)


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize("is_done", [False, True], ids=["before it is done", "when it is done"])
@pytest.mark.parametrize("name", _DONE)
async def test_a_cancellation_at_any_step_leaves_counted_what_is_there(
    name: str, *, is_done: bool, times: int, world: World
) -> None:
    at, is_over = 0, False
    while not is_over:
        at += 1
        cut = _Cut(at, is_done=is_done, times=times)
        with pytest.MonkeyPatch.context() as patch:
            work = await getattr(world, name)()
            documents: tuple[type[Record], ...] = (FileQuota, StoredFile, ImportRun)
            for document in documents:
                collection = _Collection(document.rows(), cut)
                patch.setattr(document, "rows", staticmethod(lambda collection=collection: collection))
            cut.task = asyncio.ensure_future(work())
            await asyncio.wait({cut.task})
        is_over = cut.seen < at
        assert cut.task.cancelled() is not is_over or cut.task.exception() is None
        if not is_over and name in ("reserve", "take_form", "move_form") and cut.task.cancelled():
            assert await StoredFile.find_left({"state": FileState.UPLOADING.value}, limit=1) == []
        if is_over and name == "export":
            assert len(await ImportRun.find_files({"user_id": TEACHER.user_id}, limit=100)) == NEWEST
        await _assert_counts()
        for document in (StoredFile, FileQuota, ImportRun):
            await document.rows().delete_many({})
    assert at > 1


@pytest.mark.parametrize(
    "name", sorted({*_DONE} - {"find_no_room"})
)  # there the row goes back: the sweep finds it as well
async def test_a_fault_at_any_step_leaves_counted_what_is_there(name: str, world: World) -> None:
    """The store's, or the database's when it does not do what is asked. What is done without saying so, the night finds."""
    at, is_over = 0, False
    while not is_over:
        at += 1
        cut = _Cut(at)
        with pytest.MonkeyPatch.context() as patch:
            work = await getattr(world, name)()
            documents: tuple[type[Record], ...] = (StoredFile, ImportRun)
            for document in documents:
                collection = _Collection(document.rows(), cut)
                patch.setattr(document, "rows", staticmethod(lambda collection=collection: collection))
            patch.setattr(world.store, "remove", _failing(world.store.remove, cut))
            cut.task = asyncio.ensure_future(work())
            await asyncio.wait({cut.task})
        is_over = cut.seen < at
        assert isinstance(cut.task.exception(), ConnectionError | None)  # outboxes stay for the sweeper
        await _assert_counts()
        for document in (StoredFile, FileQuota, ImportRun):
            await document.rows().delete_many({})
    assert at > 1


def _failing(remove: Callable[[str], Awaitable[None]], cut: _Cut) -> Callable[[str], Awaitable[None]]:
    async def failing(file_id: str) -> None:
        await cut.step(lambda: remove(file_id))

    return failing
