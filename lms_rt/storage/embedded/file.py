"""The SQLite file behind the embedded store: one row per document as BSON, one commit per command, in a write-ahead log.

It knows rows and commits, nothing of queries. What cannot be trusted is set aside or refused at the opening, in
``opening.py``; this is the file in use.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson

from lms_rt.storage.embedded.errors import StoreError
from lms_rt.storage.embedded.marker import Marker

Document = dict[str, Any]
_SAVE = """INSERT INTO documents (db, name, key, body) VALUES (?, ?, ?, ?)
           ON CONFLICT (db, name, key) DO UPDATE SET body = excluded.body"""
_PROBE_BYTES = 64 * 1024  # what must find room before a store that could not save is called well again


class StoreFile:
    """The open file. Everything between two commits is saved together or not at all."""

    def __init__(self, path: Path, sql: sqlite3.Connection, marker: Marker, commits: int) -> None:
        """Take over a file that was found sound, and its marker."""
        self.path = path
        self.can_save = True
        self._sql, self._marker, self._commits = sql, marker, commits

    def collections(self) -> list[tuple[str, str]]:
        """(database, collection) of all that were made."""
        return self._sql.execute("SELECT db, name FROM collections").fetchall()

    def find_indexes(self, db: str, name: str) -> Document | None:
        """The index definitions of a collection; None when there is no such collection."""
        rows = self._sql.execute("SELECT indexes FROM collections WHERE db = ? AND name = ?", (db, name)).fetchall()
        return bson.decode(rows[0][0]) if rows else None

    def documents(self, db: str, name: str) -> Iterator[tuple[bytes, Document]]:
        """Key and content of every document, in the order in which they were first stored."""
        rows = self._sql.execute(
            "SELECT key, body FROM documents WHERE db = ? AND name = ? ORDER BY position", (db, name)
        )
        return ((key, bson.decode(body)) for key, body in rows)

    def save_document(self, db: str, name: str, key: bytes, body: bytes) -> None:
        """Write one document; it keeps its place when it is there already."""
        self._change(_SAVE, db, name, key, body)

    def remove_document(self, db: str, name: str, key: bytes) -> None:
        """Remove one document."""
        self._change("DELETE FROM documents WHERE db = ? AND name = ? AND key = ?", db, name, key)

    def save_indexes(self, db: str, name: str, indexes: Document) -> None:
        """Make the collection, or change its index definitions."""
        self._change("REPLACE INTO collections VALUES (?, ?, ?)", db, name, bson.encode(indexes))

    def remove_collection(self, db: str, name: str) -> None:
        """Remove a collection with all that is in it."""
        self._change("DELETE FROM collections WHERE db = ? AND name = ?", db, name)
        self._change("DELETE FROM documents WHERE db = ? AND name = ?", db, name)

    def rename_collection(self, db: str, name: str, new_name: str) -> None:
        """Give a collection another name."""
        self._change("UPDATE collections SET name = ? WHERE db = ? AND name = ?", new_name, db, name)
        self._change("UPDATE documents SET name = ? WHERE db = ? AND name = ?", new_name, db, name)

    def commit(self) -> None:
        """Save what was changed since the last commit; when this returns, it survives the end of the process."""
        if not self._sql.in_transaction:
            return
        commits = self._commits + 1
        with self._saving():
            self._sql.execute("UPDATE meta SET commits = ?", (commits,))
            self._sql.commit()
        self._commits, self.can_save = commits, True
        self._marker.count(commits)

    def roll_back(self) -> None:
        """Drop what was changed since the last commit."""
        with self._saving():
            self._sql.rollback()

    def probe(self) -> bool:
        """Try again whether the file takes writes, if the last one failed; returns ``can_save``."""
        if not self.can_save and not self._sql.in_transaction:
            with contextlib.suppress(StoreError):
                try:
                    self._change("REPLACE INTO probe VALUES (1, zeroblob(?))", _PROBE_BYTES)
                    self.commit()
                except StoreError:
                    self.roll_back()
                    raise
        return self.can_save

    def settle(self) -> None:
        """Fold the log into the file and empty it: what was removed is overwritten there, and stands nowhere else."""
        with self._saving():
            self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Fold the log into the file. On a full disk that may fail: everything acknowledged stays in the log."""
        with contextlib.suppress(sqlite3.Error):
            self._sql.rollback()
            self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._sql.close()
        self._marker.close()

    def _change(self, statement: str, *values: object) -> None:
        with self._saving():
            self._sql.execute(statement, values)

    @contextlib.contextmanager
    def _saving(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            self.can_save = False
            raise StoreError(f"not saved: {error}") from error
