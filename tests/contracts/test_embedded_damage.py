"""Opening the embedded store when something is wrong: each kind of damage, a second process, no right to write.

Damage is set aside under a new name, never overwritten, and the next start refuses until somebody has decided.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from lms_rt.storage.embedded import EmbeddedClient, StoreDamaged, StoreError, StoreInUse, open_store, versions

_PARTS = ("", "-wal", ".marker")


@pytest.fixture
async def killed(tmp_path: Path) -> Path:
    """A store as a killed process leaves it: a part of it in the file, a part in the log."""
    client = await _filled(tmp_path / "running" / "lms.db")
    path = tmp_path / "killed" / "lms.db"
    path.parent.mkdir()
    for part in _PARTS:
        shutil.copy(f"{client.store.path}{part}", f"{path}{part}")
    client.close()
    return path


async def _filled(path: Path) -> EmbeddedClient:
    first = open_store(path)
    await first["lms"].rows.insert_many([{"_id": f"old{n}", "text": "x" * 3000} for n in range(30)])
    first.close()
    client = open_store(path)
    for n in range(30):
        await client["lms"].rows.insert_one({"_id": f"new{n}"})
    return client


def _cut_to_nothing(path: Path) -> None:
    os.truncate(path, 0)


def _lose_the_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def _cut_the_log(path: Path) -> None:
    log = Path(f"{path}-wal")
    os.truncate(log, log.stat().st_size // 2)


def _empty_the_log(path: Path) -> None:
    os.truncate(f"{path}-wal", 0)


def _write_over_the_head(path: Path) -> None:
    _fold_the_log(path)
    with path.open("r+b") as file:
        file.write(b"no database at all")


def _zero_some_pages(path: Path) -> None:
    _fold_the_log(path)
    with path.open("r+b") as file:
        file.seek(4096 * 6)
        file.write(bytes(4096 * 8))


def _spoil_a_document(path: Path) -> None:
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("UPDATE documents SET body = x'0102' WHERE position = 3")
        sql.commit()


def _fold_the_log(path: Path) -> None:
    """Else what is damaged in the file would be mended from its log."""
    open_store(path).close()


def _put_another_store_there(path: Path) -> None:
    client = open_store(path.with_name("other.db"))
    client.close()
    path.with_name("other.db").replace(path)
    Path(f"{path}-wal").unlink()


_DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (_cut_to_nothing, "it is empty"),
    (_lose_the_log, "lms.db-wal is lost"),
    (_cut_the_log, "its log was cut"),
    (_empty_the_log, "lms.db-wal is lost"),
    (_write_over_the_head, "not a database"),
    (_zero_some_pages, "is damaged"),
    (_spoil_a_document, "is damaged"),
    (_put_another_store_there, "another store"),
]


@pytest.mark.parametrize(("damage", "words"), _DAMAGES, ids=[damage.__name__.strip("_") for damage, _ in _DAMAGES])
def test_damage_is_set_aside_named_and_refused_again(killed: Path, damage: Callable[[Path], None], words: str) -> None:
    damage(killed)
    before = killed.read_bytes()
    with pytest.raises(StoreDamaged, match=words) as caught:
        open_store(killed)
    aside = next(
        path for path in killed.parent.iterdir() if path.name.startswith("lms.db.damaged-") and _is_store(path)
    )
    assert str(aside) in str(caught.value)
    assert not killed.exists()
    assert aside.stat().st_size >= len(before)
    with pytest.raises(StoreDamaged, match="restore a backup, or move the damaged files away"):
        open_store(killed)
    for part in killed.parent.glob("lms.db.damaged-*"):
        part.unlink()
    open_store(killed).close()


def _is_store(path: Path) -> bool:
    return path.name.rpartition("-")[2].isdigit()


def test_a_store_that_is_gone_is_not_made_anew_without_a_word(killed: Path) -> None:
    killed.unlink()
    for _ in range(2):
        with pytest.raises(StoreDamaged, match="remove the marker to start empty"):
            open_store(killed)
    Path(f"{killed}.marker").unlink()
    open_store(killed).close()


async def test_what_a_killed_process_left_is_whole(killed: Path) -> None:
    client = open_store(killed)
    assert await client["lms"].rows.count_documents({}) == 60
    client.close()


async def test_a_process_killed_between_commit_and_count_lost_nothing(killed: Path) -> None:
    _set_marker_back(killed)
    client = open_store(killed)
    assert await client["lms"].rows.count_documents({}) == 60
    client.close()


def _set_marker_back(path: Path) -> None:
    marker = Path(f"{path}.marker")
    count, rest = marker.read_text().split("\n", 1)
    marker.write_text(f"{int(count) - 1:020d}\n{rest}")


def test_an_unreadable_marker_is_named(killed: Path) -> None:
    Path(f"{killed}.marker").write_text("")
    with pytest.raises(StoreDamaged, match=r"lms\.db\.marker is not readable; remove it"):
        open_store(killed)
    assert killed.exists()


def test_after_a_power_cut_the_loss_is_told_and_the_store_opens(killed: Path, caplog: pytest.LogCaptureFixture) -> None:
    _lose_the_log(killed)
    marker = Path(f"{killed}.marker")
    count, store_id, _, *_ = marker.read_text().split("\n")
    marker.write_text(f"{count}\n{store_id}\nanother-start-of-the-machine\n")
    with caplog.at_level(logging.WARNING):
        open_store(killed).close()
    assert "LMS_DURABILITY=power keeps them" in caplog.text


def test_a_store_of_a_newer_version_is_left_alone(killed: Path) -> None:
    with closing(sqlite3.connect(killed)) as sql:
        sql.execute("UPDATE meta SET format = 2")
        sql.commit()
    with pytest.raises(StoreError, match=r"newer version of lms_rt \(format 2\)"):
        open_store(killed)
    assert killed.exists()


def test_a_second_opening_names_the_process_that_holds_the_store(tmp_path: Path) -> None:
    client = open_store(tmp_path / "lms.db")
    with pytest.raises(StoreInUse, match=f"is in use by process {os.getpid()};") as caught:
        open_store(tmp_path / "lms.db")
    assert caught.value.process_id == str(os.getpid())
    client.close()
    open_store(tmp_path / "lms.db").close()


def test_a_directory_that_takes_no_writes_is_named() -> None:
    with _read_only_directory() as directory, pytest.raises(StoreError, match=f"{directory}.*Permission denied"):
        open_store(directory / "lms.db")


def test_a_path_through_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write to the data directory"):
        open_store(tmp_path / "file" / "lms.db")


@contextmanager
def _read_only_directory() -> Iterator[Path]:
    """A directory that this process may read; as root it becomes somebody else for that time."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65_534)
    try:
        yield directory
    finally:
        if is_root:
            os.seteuid(0)
        directory.rmdir()


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    client = open_store(tmp_path / "data" / "lms.db")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    client.close()


def test_packages_that_nobody_tried_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(versions.PINNED, "mongomock", "4.2.0")
    with pytest.raises(StoreError, match=r"does not know mongomock 4\.3\.0 \(wants 4\.2\.0\)"):
        open_store(tmp_path / "lms.db")
