"""Backups beside a running store, and what they restore: documents, keys and uploads, or nothing at all."""

from __future__ import annotations

import asyncio
import io
import stat
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lms_rt.storage.backup import back_up, restore
from lms_rt.storage.embedded import EmbeddedClient, StoreError, open_store
from lms_rt.storage.mongo import STORE_NAME
from lms_rt.storage.secrets import open_secrets


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    (path / "uploads" / "ab").mkdir(parents=True)
    (path / "uploads" / "ab" / "picture.png").write_bytes(b"\x89PNG" * 1000)
    return path


@pytest.fixture
def client(data_dir: Path) -> Iterator[EmbeddedClient]:
    with closing(open_store(data_dir / STORE_NAME)) as opened:
        open_secrets(data_dir, can_make=True)
        yield opened


async def test_a_backup_beside_the_running_store_restores_all_of_it(
    client: EmbeddedClient, data_dir: Path, tmp_path: Path
) -> None:
    rows, archive, place = client["lms"].rows, tmp_path / "backup.tar", tmp_path / "restored"
    await rows.create_index("email", unique=True)
    await rows.insert_many([{"_id": str(n), "email": f"{n}@x"} for n in range(200)])
    report = await asyncio.to_thread(back_up, data_dir, archive)
    await rows.insert_one({"_id": "later", "email": "later@x"})
    assert (report.documents, report.uploads) == (200, 1)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert restore(place, archive) == report
    with closing(open_store(place / STORE_NAME)) as again:
        assert await again["lms"].rows.count_documents({}) == 200
        assert "email_1" in await again["lms"].rows.index_information()
    assert open_secrets(place, can_make=False) == open_secrets(data_dir, can_make=False)
    assert (place / "uploads" / "ab" / "picture.png").read_bytes() == b"\x89PNG" * 1000
    assert {stat.S_IMODE((place / name).stat().st_mode) for name in (STORE_NAME, "secrets")} == {0o600}


async def test_a_backup_taken_while_others_write_is_whole(
    client: EmbeddedClient, data_dir: Path, tmp_path: Path
) -> None:
    rows, archive = client["lms"].rows, tmp_path / "backup.tar"
    await rows.insert_many([{"_id": f"seed{n}", "text": "x" * 2000} for n in range(500)])
    taking = asyncio.ensure_future(asyncio.to_thread(back_up, data_dir, archive))
    groups = 0
    while not taking.done():
        await rows.insert_many([{"_id": f"{groups}-{n}", "group": groups} for n in range(10)])
        groups += 1
        await asyncio.sleep(0)
    await taking
    restore(tmp_path / "restored", archive)
    with closing(open_store(tmp_path / "restored" / STORE_NAME)) as again:
        found = await again["lms"].rows.count_documents({"group": {"$exists": True}})
        assert found % 10 == 0
        assert found <= groups * 10


def test_a_backup_of_a_stopped_store_works_too(data_dir: Path, tmp_path: Path) -> None:
    open_store(data_dir / STORE_NAME).close()
    assert back_up(data_dir, tmp_path / "backup.tar").documents == 0
    assert _names(data_dir) == [STORE_NAME, f"{STORE_NAME}.lock", f"{STORE_NAME}.marker", "uploads"]


_OUTSIDE = "uploads/../../../out.txt"  # from the directory where the archive is unpacked to the test's own


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_backup_overwrites_nothing(client: EmbeddedClient, data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "backup.tar").write_text("mine")
    with pytest.raises(StoreError, match="is there already"):
        back_up(data_dir, tmp_path / "backup.tar")
    assert (tmp_path / "backup.tar").read_text() == "mine"


def test_a_backup_that_cannot_be_written_leaves_nothing(client: EmbeddedClient, data_dir: Path, tmp_path: Path) -> None:
    before = _names(data_dir)
    with pytest.raises(StoreError, match="the backup was not made"):
        back_up(data_dir, tmp_path / "nowhere" / "backup.tar")
    assert _names(data_dir) == before


def test_a_directory_without_a_store_has_no_backup(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store in"):
        back_up(tmp_path, tmp_path / "backup.tar")


def test_a_restore_wants_an_empty_directory(client: EmbeddedClient, data_dir: Path, tmp_path: Path) -> None:
    back_up(data_dir, tmp_path / "backup.tar")
    with pytest.raises(StoreError, match="is not empty"):
        restore(data_dir, tmp_path / "backup.tar")


def _archive_of(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    "members",
    [{}, {"notes.txt": b"hello"}, {STORE_NAME: b"no database"}, {f"{STORE_NAME}": b""}],
    ids=["nothing", "something else", "no database", "an empty store"],
)
def test_what_is_no_backup_restores_nothing(tmp_path: Path, members: dict[str, bytes]) -> None:
    archive = _archive_of(tmp_path / "odd.tar", members)
    with pytest.raises(StoreError, match="was not restored"):
        restore(tmp_path / "place", archive)
    assert _names(tmp_path / "place") == []


def test_a_text_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "text.tar").write_text("hello" * 1000)
    with pytest.raises(StoreError, match="was not restored"):
        restore(tmp_path / "place", tmp_path / "text.tar")


def test_a_member_that_leads_out_of_the_directory_is_refused(
    client: EmbeddedClient, data_dir: Path, tmp_path: Path
) -> None:
    good = back_up(data_dir, tmp_path / "good.tar")
    with tarfile.open(good.file) as archive, archive.extractfile(STORE_NAME) or io.BytesIO() as store:
        content = store.read()
    odd = _archive_of(tmp_path / "odd.tar", {STORE_NAME: content, "uploads/a": b"", _OUTSIDE: b"out"})
    with pytest.raises(StoreError, match="was not restored"):
        restore(tmp_path / "place", odd)
    assert not (tmp_path / "out.txt").exists()
