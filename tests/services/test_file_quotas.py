"""How much room files take, and what they are used for, when many are at it at once: on both engines."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from documents.file_quota import FileQuota
from documents.stored_file import FileUse, StoredFile, use_of
from lms_rt.clock import FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.services.files import FileKind, Files, NewFile
from lms_rt.storage.files.base import SavedFile
from lms_rt.storage.files.local import LocalFiles
from lms_rt.storage.mongo import OpenDatabase

MIB = 1 << 20
SARA = Actor("usr_sara", None)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def files(settings: Settings, database: OpenDatabase, clock: FakeClock, tmp_path: Path) -> Files:
    limited = settings.model_copy(update={"max_storage_mb_per_user": 10, "max_storage_mb_per_course": 8})
    audit: Any = None
    return Files(settings=limited, clock=clock, store=LocalFiles(tmp_path), audit=audit)


async def made(files: Files, size_bytes: int = MIB) -> str:
    row = await files.reserve(SARA, NewFile("a.pdf"), size_bytes=size_bytes)
    saved = SavedFile(size_bytes, "0" * 64)
    return (await files.settle(row, saved, FileKind("application/pdf", "document"))).id


async def test_of_many_at_once_those_get_in_for_which_there_is_room(files: Files) -> None:
    got = await asyncio.gather(*(made(files) for _ in range(16)), return_exceptions=True)
    there = [one for one in got if isinstance(one, str)]
    refused = [one for one in got if isinstance(one, Refused)]
    assert (len(there), {one.code for one in refused}) == (10, {Code.TOO_LARGE})
    assert (
        await FileQuota.find_used(SARA.user_id) == await StoredFile.sum_bytes({"uploader_id": SARA.user_id}) == 10 * MIB
    )
    await asyncio.gather(*(files.discard(file_id) for file_id in there[:4] * 2))
    assert await FileQuota.find_used(SARA.user_id) == 6 * MIB
    assert await files.quotas.correct() == 0


async def test_what_a_crash_left_counted_is_found_before_somebody_is_refused_for_it(
    files: Files, clock: FakeClock
) -> None:
    """A crash between the count and the row leaves room taken by nothing, of the person and of the course."""
    await made(files)
    await files.quotas.take(8 * MIB, user_id=SARA.user_id, course_id="crs_1")
    wanted = {"user_id": SARA.user_id, "course_id": "crs_1"}
    for _ in range(2):  # whoever counted just now may be about to write the row
        with pytest.raises(Refused):
            await files.quotas.take(2 * MIB, **wanted)
    clock.advance(60)
    await files.quotas.take(2 * MIB, **wanted)
    assert [await FileQuota.find_used(one) for one in (SARA.user_id, "crs_1")] == [3 * MIB, 2 * MIB]
    assert await files.quotas.correct() == 2
    await asyncio.gather(*(made(files) for _ in range(9)))
    clock.advance(60)
    with pytest.raises(Refused):  # of whom all is there
        await made(files)
    assert await FileQuota.find_used(SARA.user_id) == 10 * MIB


async def test_files_are_put_to_use_all_or_none_and_fill_their_course_once(files: Files) -> None:
    one, two, large = await made(files), await made(files), await made(files, 7 * MIB)
    unused = await StoredFile.find_row(one)
    assert unused is not None

    async def attach(*file_ids: str, subject_id: str = "sub_1") -> None:
        use = FileUse.SUBMISSION
        await files.attach(SARA, file_ids, use=use, subject_id=subject_id, course_id="crs_1")

    for wanted in ((one, "fil_none"), (one, two, large)):
        with pytest.raises(Refused):
            await attach(*wanted)
    assert await StoredFile.find_used(use_of(FileUse.SUBMISSION, "sub_1")) == []
    assert await FileQuota.find_used("crs_1") == 0
    await files.discard(large)
    await asyncio.gather(*(attach(one, two) for _ in range(4)))
    await attach(one, two)
    await attach(two, subject_id="sub_2")
    used = await StoredFile.find_used(use_of(FileUse.SUBMISSION, "sub_1"))
    assert [row["_id"] for row in used] == [one, two]
    assert await FileQuota.find_used("crs_1") == 2 * MIB
    assert not await files.drop(unused, {"uses": []})  # as somebody deletes it who looked before it was put to use
    with pytest.raises(Refused) as refused:
        await files.remove(SARA, one)
    assert refused.value.code is Code.CONFLICT
    await files.detach(FileUse.SUBMISSION, "sub_1", keep=[two])
    await files.remove(SARA, one)
    assert await FileQuota.find_used("crs_1") == MIB
    elsewhere = {"use": FileUse.SUBMISSION, "subject_id": "sub_3", "course_id": "crs_2"}
    for actor, file_id in ((SARA, two), (Actor("usr_omar", None), two)):
        kind: Any = elsewhere if actor is SARA else elsewhere | {"course_id": "crs_1"}
        with pytest.raises(Refused) as other:
            await files.attach(actor, [file_id], **kind)
        assert other.value.fields[0].code == "unknown_file"
