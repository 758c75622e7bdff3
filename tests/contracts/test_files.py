"""What every file store must do: on the disk, in MongoDB, in S3 and in Azure."""

from __future__ import annotations

import asyncio
import hashlib
import stat
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from lms_rt.clock import Clock
from lms_rt.storage.embedded import StoreError
from lms_rt.storage.files.base import CHUNK_BYTES, FileMissing, FileStore, Served
from lms_rt.storage.files.local import LocalFiles
from lms_rt.storage.files.s3 import PART_BYTES, Bucket, S3Files
from tests.contracts.file_places import AzurePlace, GridPlace, LocalPlace, Place, S3Place
from tests.servers.s3_server import S3Server

FILE = "exp_one.zip"
_STORES = ("local", *(pytest.param(name, marks=pytest.mark.real) for name in ("gridfs", "s3", "azure")))


@pytest.fixture(params=_STORES)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param == "local":
        yield LocalPlace(tmp_path / "uploads")
    elif request.param == "gridfs":
        client: Any = AsyncIOMotorClient(request.getfixturevalue("mongodb_url"), tz_aware=True)
        name = f"test_{uuid.uuid4().hex}"
        yield GridPlace(client[name])
        await client.drop_database(name)
        client.close()
    elif request.param == "s3":
        bucket = S3Place(request.getfixturevalue("s3"))
        yield bucket
        await bucket.files.close()
        bucket.empty()
    else:
        container = AzurePlace(request.getfixturevalue("azurite"))
        yield container
        await container.files.close()
        container.empty()


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def broken() -> AsyncIterator[bytes]:
    for _ in range(40):
        yield b"half" * (CHUNK_BYTES // 4)
    raise ConnectionError("the writer went away")


async def content(files: FileStore, file_id: str = FILE, **part: int) -> bytes:
    return b"".join([piece async for piece in files.read(file_id, **part)])


async def test_what_was_saved_is_read_again_and_told_of(place: Place) -> None:
    pieces = [b"a", b"", b"b" * (3 * CHUNK_BYTES + 7), b"c"]
    saved = await place.files.save(FILE, chunks(*pieces))
    whole = b"".join(pieces)
    assert await content(place.files) == await place.bytes_of(FILE) == whole
    assert (saved.size_bytes, saved.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    await place.files.ping()


async def test_it_is_read_in_pieces_of_a_bounded_size_and_in_part(place: Place) -> None:
    whole = bytes(range(251)) * (4 * CHUNK_BYTES // 251)
    await place.files.save(FILE, chunks(whole))
    sizes = [len(piece) async for piece in place.files.read(FILE)]
    assert len(sizes) >= 4
    assert max(sizes) <= CHUNK_BYTES
    for start, size in [(0, 1), (CHUNK_BYTES - 1, 2), (CHUNK_BYTES, CHUNK_BYTES), (7, 3 * CHUNK_BYTES), (5, 0)]:
        assert await content(place.files, start=start, size=size) == whole[start : start + size], (start, size)
    assert await content(place.files, start=len(whole) - 9) == whole[-9:]
    assert await content(place.files, start=len(whole) - 9, size=1000) == whole[-9:]
    assert await content(place.files, start=len(whole)) == b""


async def test_a_file_of_many_parts_is_put_together_in_their_order(place: Place) -> None:
    one = bytes(range(256)) * 1024
    count = (2 * PART_BYTES) // len(one) + 1
    saved = await place.files.save(FILE, chunks(*(one[n % 256 :] + one[: n % 256] for n in range(count))))
    assert saved.size_bytes == count * len(one)
    assert await content(place.files, start=PART_BYTES - 3, size=6) == await _expected(one, PART_BYTES - 3, 6)
    assert hashlib.sha256(await content(place.files)).hexdigest() == saved.sha256


async def _expected(one: bytes, start: int, size: int) -> bytes:
    def at(place: int) -> int:
        number, offset = divmod(place, len(one))
        return one[(offset + number % 256) % len(one)]

    return bytes(at(place) for place in range(start, start + size))


async def test_saved_again_it_is_the_new_one(place: Place) -> None:
    await place.files.save(FILE, chunks(b"old" * CHUNK_BYTES))
    await place.files.save(FILE, chunks(b"new"))
    assert await content(place.files) == b"new"


async def test_an_empty_file_is_a_file(place: Place) -> None:
    saved = await place.files.save(FILE, chunks())
    assert (saved.size_bytes, await content(place.files)) == (0, b"")


async def test_of_what_broke_off_nothing_stays(place: Place) -> None:
    with pytest.raises(ConnectionError):
        await place.files.save(FILE, broken())
    with pytest.raises(FileMissing):
        await content(place.files)
    assert await place.pieces_left() == 0


async def test_removed_it_is_gone_with_all_its_pieces_and_again_is_as_good(place: Place) -> None:
    await place.files.save(FILE, chunks(b"x" * (2 * CHUNK_BYTES)))
    await place.files.remove(FILE)
    await place.files.remove(FILE)
    with pytest.raises(FileMissing):
        await content(place.files)
    with pytest.raises(FileMissing):
        await content(place.files, start=5, size=1)
    assert await place.pieces_left() == 0


async def test_what_a_crash_left_goes_with_its_id(place: Place) -> None:
    await place.leave_by_crash(FILE)
    await place.files.remove("exp_on.zip")
    assert await place.pieces_left() > 0
    await place.files.remove(FILE)
    assert await place.pieces_left() == 0


async def test_what_a_crash_left_is_found_when_it_is_old(place: Place) -> None:
    await place.leave_by_crash(FILE)
    await place.files.save("exp_whole.zip", chunks(b"x"))
    assert await place.files.find_ids(before=Clock().now() - timedelta(minutes=1), limit=10) == []
    assert await place.pieces_left() >= 2 or not place.tells_when_it_was_begun
    left = await place.files.find_ids(before=Clock().now() + timedelta(minutes=1), limit=10)
    assert left == ([FILE, "exp_whole.zip"] if place.shows_the_half_written else ["exp_whole.zip"])
    for file_id in left:
        await place.files.remove(file_id)
    assert await place.pieces_left() == 0


async def test_old_ones_are_found_in_their_order_and_young_ones_are_not(place: Place) -> None:
    now = Clock().now()
    for file_id in ("exp_2.zip", "exp_0.zip", "blb_a", "exp_1.zip"):
        await place.files.save(file_id, chunks(b"x"))
    assert await place.files.find_ids(before=now - timedelta(minutes=1), limit=10) == []
    later = now + timedelta(minutes=1)
    assert await place.files.find_ids(before=later, limit=10) == ["blb_a", "exp_0.zip", "exp_1.zip", "exp_2.zip"]
    assert await place.files.find_ids(before=later, limit=2, prefix="exp_") == ["exp_0.zip", "exp_1.zip"]
    assert await place.files.find_ids(before=later, limit=2, prefix="exp_", after="exp_1.zip") == ["exp_2.zip"]


@pytest.mark.parametrize("name", ["", "..", "../lms.db", "/etc/passwd", "exp_a/../../b", "exp_a\x00", "EXP_A", "exp_é"])
async def test_a_name_that_is_none_of_ours_is_refused(tmp_path: Path, name: str) -> None:
    files = LocalFiles(tmp_path)
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


async def test_what_comes_is_laid_down_piece_by_piece_and_not_gathered(tmp_path: Path) -> None:
    """Whoever makes a file of gigabytes holds two pieces of it at most."""
    place, down = LocalPlace(tmp_path / "uploads"), list[int]()

    async def watched() -> AsyncIterator[bytes]:
        for _ in range(12):
            down.append(sum(path.stat().st_size for path in place.directory.iterdir()))
            yield b"x" * (CHUNK_BYTES // 2)

    await place.files.save(FILE, watched())
    assert all(size >= (number - 2) * CHUNK_BYTES // 2 for number, size in enumerate(down)), down


async def test_a_cloud_gives_the_file_itself_for_a_while_and_no_other(place: Place) -> None:
    await place.files.save(FILE, chunks(b"a film"))
    await place.files.save("exp_other.zip", chunks(b"another"))
    url = await place.files.signed_url(FILE, Served("video/mp4", 'attachment; filename="a.mp4"', 60))
    if place.files.provider in {"local", "gridfs"}:
        assert url is None
        return
    assert url is not None
    async with httpx.AsyncClient() as client:
        got = await client.get(url)
        assert (got.status_code, got.content, got.headers["Content-Type"]) == (200, b"a film", "video/mp4")
        assert got.headers["Content-Disposition"] == 'attachment; filename="a.mp4"'
        if place.files.provider == "azure":  # moto does not look at signatures
            moved = await client.get(url.replace(FILE, "exp_other.zip"))
            assert moved.status_code == 403


@pytest.mark.real
async def test_who_reads_slowly_keeps_no_connection_and_a_store_that_stalls_is_away(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lms_rt.storage.files.s3._CONNECTIONS", 1)
    monkeypatch.setattr("lms_rt.storage.files.s3.PIECE_BYTES", CHUNK_BYTES)
    bucket = S3Place(s3)
    content = bytes(range(256)) * (CHUNK_BYTES // 64)
    await bucket.files.save(FILE, chunks(content))
    async with asyncio.timeout(20):  # the second would wait for the first's connection
        readers = [bucket.files.read(FILE) for _ in range(2)]
        got = [await anext(reader) for reader in readers]
        rest = [b"".join([piece async for piece in reader]) for reader in readers]
    assert [one + other for one, other in zip(got, rest, strict=True)] == [content, content]
    await bucket.files.close()
    bucket.empty()
    monkeypatch.setattr("lms_rt.storage.files.s3._PIECE_SECONDS", 0.2)
    held: list[asyncio.StreamWriter] = []
    quiet = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    files = S3Files(Bucket("b", "x", f"http://127.0.0.1:{quiet.sockets[0].getsockname()[1]}", "a", "b"))
    with pytest.raises(StoreError, match="S3 cannot be reached"):
        await anext(files.read(FILE))
    await files.close()
    quiet.close()
    for writer in held:
        writer.close()


@pytest.mark.real
async def test_a_bucket_that_is_not_there_or_not_reached_is_told_in_words(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lms_rt.storage.files.s3._TRIES", 1)
    for bucket in (
        Bucket("nowhere", "eu-central-1", s3.url, "a", "b"),
        Bucket("b", "x", "http://127.0.0.1:9", "a", "b"),
    ):
        files = S3Files(bucket)
        with pytest.raises(StoreError, match="S3"):
            await files.ping()
        await files.close()
