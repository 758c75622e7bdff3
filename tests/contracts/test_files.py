"""What every file store must do, on the disk and in MongoDB."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorGridFSBucket

from config.settings import Settings
from lms_rt.clock import Clock
from lms_rt.storage.backup import UPLOADS_NAME
from lms_rt.storage.files.base import CHUNK_BYTES, FileMissing, FileStore
from lms_rt.storage.files.gridfs import GridFiles
from lms_rt.storage.files.local import LocalFiles
from lms_rt.storage.mongo import OpenDatabase

FILE = "exp_one.zip"


@pytest.fixture
def files(engine: str, settings: Settings, database: OpenDatabase) -> FileStore:
    if engine == "embedded":
        return LocalFiles(settings.lms_data_dir / UPLOADS_NAME)
    return GridFiles(database.motor, clock=Clock())


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def broken() -> AsyncIterator[bytes]:
    yield b"half" * CHUNK_BYTES
    raise ConnectionError("the writer went away")


async def content(files: FileStore, file_id: str = FILE) -> bytes:
    return b"".join([piece async for piece in files.read(file_id)])


async def everything_left(engine: str, settings: Settings, database: OpenDatabase) -> int:
    """How many pieces of files there are, whole or not."""
    if engine == "embedded":
        return len(list((settings.lms_data_dir / UPLOADS_NAME).iterdir()))
    return await database.motor["files.chunks"].count_documents({})


async def test_what_was_saved_is_read_again_and_told_of(files: FileStore) -> None:
    pieces = [b"a", b"", b"b" * (3 * CHUNK_BYTES + 7), b"c"]
    saved = await files.save(FILE, chunks(*pieces))
    whole = b"".join(pieces)
    assert await content(files) == whole
    assert (saved.size_bytes, saved.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    await files.ping()


async def test_it_is_read_in_pieces_of_a_bounded_size(files: FileStore) -> None:
    await files.save(FILE, chunks(b"x" * (4 * CHUNK_BYTES)))
    sizes = [len(piece) async for piece in files.read(FILE)]
    assert len(sizes) >= 4
    assert max(sizes) <= CHUNK_BYTES


async def test_what_comes_is_laid_down_piece_by_piece_and_not_gathered(
    files: FileStore, engine: str, settings: Settings, database: OpenDatabase
) -> None:
    """Whoever makes a file of gigabytes holds two pieces of it at most."""
    down: list[int] = []

    async def watched() -> AsyncIterator[bytes]:
        for number in range(12):
            if engine == "embedded":
                begun = list((settings.lms_data_dir / UPLOADS_NAME).iterdir())
                down.append(number if begun and begun[0].stat().st_size >= number * CHUNK_BYTES // 2 else 0)
            else:
                down.append(await everything_left(engine, settings, database))
            yield b"x" * (CHUNK_BYTES // 2)

    saved = await files.save(FILE, watched())
    assert saved.size_bytes == 6 * CHUNK_BYTES == len(await content(files))
    wanted = range(12) if engine == "embedded" else [number // 2 for number in range(12)]
    assert all(at >= least - 1 for at, least in zip(down, wanted, strict=True)), down


async def test_other_tools_read_it(files: FileStore, engine: str, settings: Settings, database: OpenDatabase) -> None:
    whole = bytes(range(256)) * (CHUNK_BYTES // 100)
    await files.save(FILE, chunks(whole[:1000], whole[1000:]))
    if engine == "embedded":
        assert (settings.lms_data_dir / UPLOADS_NAME / FILE).read_bytes() == whole
        return
    bucket = AsyncIOMotorGridFSBucket(database.motor, bucket_name="files")
    stream: Any = await bucket.open_download_stream(FILE)
    assert await stream.read() == whole
    assert (stream.filename, stream.length, stream.chunk_size) == (FILE, len(whole), CHUNK_BYTES)


async def test_saved_again_it_is_the_new_one(files: FileStore) -> None:
    await files.save(FILE, chunks(b"old" * CHUNK_BYTES))
    await files.save(FILE, chunks(b"new"))
    assert await content(files) == b"new"


async def test_an_empty_file_is_a_file(files: FileStore) -> None:
    saved = await files.save(FILE, chunks())
    assert (saved.size_bytes, await content(files)) == (0, b"")


async def test_of_what_broke_off_nothing_stays(
    files: FileStore, engine: str, settings: Settings, database: OpenDatabase
) -> None:
    with pytest.raises(ConnectionError):
        await files.save(FILE, broken())
    with pytest.raises(FileMissing):
        await content(files)
    assert await everything_left(engine, settings, database) == 0


async def test_removed_it_is_gone_with_all_its_pieces_and_again_is_as_good(
    files: FileStore, engine: str, settings: Settings, database: OpenDatabase
) -> None:
    await files.save(FILE, chunks(b"x" * (2 * CHUNK_BYTES)))
    await files.remove(FILE)
    await files.remove(FILE)
    with pytest.raises(FileMissing):
        await content(files)
    assert await everything_left(engine, settings, database) == 0


async def left_by_a_crash(files: FileStore, engine: str, settings: Settings, database: OpenDatabase) -> None:
    """What a process leaves that dies while it writes: nothing is undone."""
    if engine == "embedded":
        directory = settings.lms_data_dir / UPLOADS_NAME
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f".begun-{FILE}-abcdefgh").write_bytes(b"half")
        return
    for number in range(2):
        await database.motor["files.chunks"].insert_one({"files_id": FILE, "n": number, "data": b"half"})


async def test_what_a_crash_left_goes_with_its_id(
    files: FileStore, engine: str, settings: Settings, database: OpenDatabase
) -> None:
    await left_by_a_crash(files, engine, settings, database)
    await files.remove("exp_on.zip")
    assert await everything_left(engine, settings, database) > 0
    await files.remove(FILE)
    assert await everything_left(engine, settings, database) == 0


async def test_what_a_crash_left_is_found_when_it_is_old(
    files: FileStore, engine: str, settings: Settings, database: OpenDatabase
) -> None:
    await left_by_a_crash(files, engine, settings, database)
    await files.save("exp_whole.zip", chunks(b"x"))
    assert await files.find_ids(before=Clock().now() - timedelta(minutes=1), limit=10) == []
    left = await files.find_ids(before=Clock().now() + timedelta(minutes=1), limit=10)
    assert sorted(left) == (["exp_whole.zip"] if engine == "embedded" else [FILE, "exp_whole.zip"])
    for file_id in left:
        await files.remove(file_id)
    assert await everything_left(engine, settings, database) == 0


async def test_old_ones_are_found_and_young_ones_are_not(files: FileStore) -> None:
    now = Clock().now()
    for number in range(3):
        await files.save(f"exp_{number}.zip", chunks(b"x"))
    assert await files.find_ids(before=now - timedelta(minutes=1), limit=10) == []
    later = now + timedelta(minutes=1)
    assert sorted(await files.find_ids(before=later, limit=10)) == ["exp_0.zip", "exp_1.zip", "exp_2.zip"]
    assert len(await files.find_ids(before=later, limit=2)) == 2


@pytest.mark.parametrize("name", ["", "..", "../lms.db", "/etc/passwd", "exp_a/../../b", "exp_a\x00", "EXP_A", "exp_é"])
async def test_a_name_that_is_none_of_ours_is_refused(files: FileStore, name: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        await files.save(name, chunks(b"x"))
    with pytest.raises(ValueError, match="no id"):
        await content(files, name)
    with pytest.raises(ValueError, match="no id"):
        await files.remove(name)


async def test_on_a_disk_it_is_its_owners_alone(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path / "uploads")
    await files.save(FILE, chunks(b"x"))
    assert stat.S_IMODE((tmp_path / "uploads" / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "uploads").stat().st_mode) == 0o700
