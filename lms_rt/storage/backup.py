"""Backup and restore of an embedded installation: one archive with the store, the keys and the uploads.

A backup is taken beside the running server, as of one moment. MongoDB installations use MongoDB's own tools.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lms_rt.storage.embedded import StoreError
from lms_rt.storage.mongo import STORE_NAME
from lms_rt.storage.secrets import secrets_path

UPLOADS_NAME = "uploads"
_KEPT = (STORE_NAME, "secrets")
_BUSY_SECONDS = 30.0


@dataclass(frozen=True)
class BackupReport:
    """What an archive holds."""

    file: str
    size_bytes: int
    documents: int
    uploads: int


def back_up(data_dir: Path, file: Path) -> BackupReport:
    """Write the archive `file`. Blocks for as long as it takes: call it in a thread. An existing file is refused."""
    if file.exists():
        raise StoreError(f"{file} is there already; a backup overwrites nothing")
    if not (data_dir / STORE_NAME).exists():
        raise StoreError(f"there is no store in {data_dir}")
    made = file.with_name(f".{file.name}.new")
    try:
        with tempfile.TemporaryDirectory(dir=data_dir, prefix=".backup-") as work:
            copy = Path(work) / STORE_NAME
            documents = _copied(data_dir / STORE_NAME, copy)
            uploads = _packed(made, data_dir, copy)
        made.replace(file)
    except (OSError, sqlite3.Error, tarfile.TarError) as error:
        raise StoreError(f"the backup was not made: {error}") from error
    finally:
        made.unlink(missing_ok=True)
    return BackupReport(str(file), file.stat().st_size, documents, uploads)


def restore(data_dir: Path, file: Path) -> BackupReport:
    """Unpack an archive into an empty or missing directory. A fault leaves the directory as empty as it was."""
    if data_dir.exists() and any(data_dir.iterdir()):
        raise StoreError(f"{data_dir} is not empty; a backup is restored into an empty directory only")
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=data_dir, prefix=".restore-") as work:
            documents, uploads = _unpacked(file, Path(work))
            for part in sorted(Path(work).iterdir(), key=lambda part: part.name == STORE_NAME):  # the store comes last
                part.rename(data_dir / part.name)
    except (OSError, sqlite3.Error, tarfile.TarError, EOFError) as error:
        raise StoreError(f"{file} was not restored: {error}") from error
    return BackupReport(str(file), file.stat().st_size, documents, uploads)


def _copied(source: Path, copy: Path) -> int:
    """A consistent copy of the store, log included, made beside its writer; returns the number of documents."""
    copy.touch(mode=0o600)
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS)) as reading,
        closing(sqlite3.connect(copy)) as writing,
    ):
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode = DELETE")
        return _counted(writing)


def _packed(archive: Path, data_dir: Path, copy: Path) -> int:
    """The archive, synced, readable by its owner only; returns the number of uploads in it.

    The store was copied first: a file that a document names was there before the document.
    """
    with _private(archive) as raw, tarfile.open(fileobj=raw, mode="w") as packing:
        packing.add(copy, STORE_NAME)
        if secrets_path(data_dir).exists():
            packing.add(secrets_path(data_dir), "secrets")
        uploads = 0
        for path in sorted((data_dir / UPLOADS_NAME).rglob("*")):
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                packing.add(path, path.relative_to(data_dir).as_posix(), recursive=False)
                uploads += path.is_file()
    return uploads


@contextlib.contextmanager
def _private(archive: Path) -> Iterator[IO[bytes]]:
    """A new file, mode 0600, on the disk when the body is through."""
    descriptor = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as raw:
        yield raw
        raw.flush()
        os.fsync(raw.fileno())


def _unpacked(file: Path, work: Path) -> tuple[int, int]:
    """Everything that belongs to an installation, checked; returns the numbers of documents and uploads."""
    with tarfile.open(file, mode="r:") as packed:
        members = [member for member in packed.getmembers() if _belongs(member)]
        packed.extractall(work, members, filter="data")
    if not (work / STORE_NAME).exists():
        raise tarfile.TarError("it is no backup of lms_rt: there is no store in it")
    with closing(sqlite3.connect(work / STORE_NAME)) as reading:
        if (report := reading.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(report)
        documents = _counted(reading)
    return documents, sum(member.isfile() and member.name not in _KEPT for member in members)


def _belongs(member: tarfile.TarInfo) -> bool:
    is_plain = member.isfile() or member.isdir()
    return is_plain and (member.name in _KEPT or member.name.split("/")[0] == UPLOADS_NAME)


def _counted(sql: sqlite3.Connection) -> int:
    return int(sql.execute("SELECT count(*) FROM documents").fetchone()[0])
