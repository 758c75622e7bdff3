"""Opening the store's file: what is sound is opened, what is damaged is set aside under a new name and refused.

Nothing is ever overwritten or started afresh over data that was there: a person decides, by restoring a backup or by
moving the damaged files away. The lock is held by the caller.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lms_rt.clock import Clock
from lms_rt.ids import random_token
from lms_rt.storage.embedded.errors import StoreDamaged, StoreError
from lms_rt.storage.embedded.file import StoreFile
from lms_rt.storage.embedded.marker import Mark, Marker, current_boot_id, find_mark

_FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS collections (db, name, indexes BLOB, PRIMARY KEY (db, name));
CREATE TABLE IF NOT EXISTS documents (position INTEGER PRIMARY KEY, db, name, key BLOB, body BLOB,
                                      UNIQUE (db, name, key));
CREATE TABLE IF NOT EXISTS meta (id INTEGER PRIMARY KEY CHECK (id = 1), store, format, commits);
CREATE TABLE IF NOT EXISTS probe (id INTEGER PRIMARY KEY CHECK (id = 1), filler BLOB);
"""
_COUNT = "INSERT INTO meta VALUES (1, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET commits = excluded.commits"
_SYNCHRONOUS = {"process": "NORMAL", "power": "FULL"}
_PARTS = ("-wal", "-shm", ".marker", "")  # the file itself last: as long as it is there, the rest is looked for
_log = logging.getLogger(__name__)


class _Meta(NamedTuple):
    """The one row in which a store says what it is."""

    store_id: str
    format: int
    commits: int


def open_file(path: Path, *, durability: str) -> StoreFile:
    """Check the file, make it when there is none, and return it open. Raises :class:`StoreError`."""
    _refuse_leftovers(path)
    mark = find_mark(path)
    has_log = _size(Path(f"{path}-wal")) > 0
    sql = _connected(path, is_known=mark is not None)
    try:
        with _faults_named(path):
            found = _inspected(sql, path, durability=durability)
            _compare(path, mark, found, has_log=has_log)
            store_id, commits = _prepared(sql, found)
            marker = Marker(path, Mark(commits, store_id, current_boot_id()))
    except BaseException:
        sql.close()  # after a damaged file was renamed: closing folds the log into the file, but leaves the log
        raise
    return StoreFile(path, sql, marker, commits)


def set_aside(path: Path) -> Path:
    """Rename the file and what belongs to it; returns the new name of the file."""
    aside = path.with_name(f"{path.name}.damaged-{Clock().now_ms()}")
    for suffix in _PARTS:
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{aside}{suffix}")
    return aside


def _refuse_leftovers(path: Path) -> None:
    """A store that was set aside, or that is gone while its marker stays, waits for somebody's decision."""
    if path.exists():
        return
    if aside := sorted(path.parent.glob(f"{path.name}.damaged-*")):
        raise StoreDamaged(
            f"{path} was damaged and is now {aside[0]}: restore a backup, or move the damaged files away"
        )
    if mark := find_mark(path):
        raise StoreDamaged(
            f"{path} is gone, though {path.name}.marker counts {mark.commits} changes in it: "
            f"put it back, restore a backup, or remove the marker to start empty"
        )


def _connected(path: Path, *, is_known: bool) -> sqlite3.Connection:
    try:
        path.touch(mode=0o600)
        if is_known and path.stat().st_size == 0:  # SQLite would take it for a new one, and delete its log
            aside = set_aside(path)
            raise StoreDamaged(f"{path} is damaged (it is empty, though changes were saved); it was moved to {aside}")
        return sqlite3.connect(path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"cannot open {path}: {error}") from error


@contextlib.contextmanager
def _faults_named(path: Path) -> Iterator[None]:
    """Around all that reads the file: damage sets it aside, any other fault leaves it where it is."""
    try:
        yield
    except StoreDamaged as error:
        raise StoreDamaged(f"{path} is damaged ({error}); it was moved to {set_aside(path)}") from error
    except (OSError, sqlite3.Error) as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise StoreDamaged(f"{path} is damaged ({error}); it was moved to {set_aside(path)}") from error
        raise StoreError(f"cannot open {path}: {error}") from error


def _inspected(sql: sqlite3.Connection, path: Path, *, durability: str) -> _Meta | None:
    """What a file that SQLite calls sound says of itself; None in a new file."""
    sql.execute("PRAGMA journal_mode = WAL")
    sql.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten: an erased person is in no free page
    sql.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
    if (report := sql.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
        raise StoreDamaged(report)
    if sql.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'").fetchone()[0] == 0:
        return None
    row = sql.execute("SELECT store, format, commits FROM meta").fetchone()
    found = _Meta(*row) if row else None
    if found and found.format > _FORMAT:
        raise StoreError(f"{path} was written by a newer version of lms_rt (format {found.format})")
    return found


def _compare(path: Path, mark: Mark | None, found: _Meta | None, *, has_log: bool) -> None:
    """The file may be ahead of its marker, never behind it; after a power cut that is what the default allows."""
    if mark is None:
        return
    if found is None:
        raise StoreDamaged(f"it holds nothing, though {mark.commits} changes were saved")
    if mark.store_id != found.store_id:
        raise StoreDamaged("it is another store than the one that its marker belongs to")
    if (missing := mark.commits - found.commits) <= 0:
        return
    if mark.is_from_this_boot:
        how = "its log was cut" if has_log else f"its log {path.name}-wal is lost"
        raise StoreDamaged(f"{missing} saved changes are missing: {how}")
    _log.warning(
        "the machine stopped while %s was open: its last %d changes are lost (LMS_DURABILITY=power keeps them)",
        path,
        missing,
    )


def _prepared(sql: sqlite3.Connection, found: _Meta | None) -> tuple[str, int]:
    """Make the tables and count this opening: a file that takes no writes is refused now, not at the first change."""
    store_id, commits = (found.store_id, found.commits + 1) if found else (random_token(), 1)
    sql.executescript(_SCHEMA)
    sql.execute(_COUNT, (store_id, _FORMAT, commits))
    sql.commit()
    return store_id, commits


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
