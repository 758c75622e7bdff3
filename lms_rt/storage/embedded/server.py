# mypy: disallow-untyped-calls=False
"""All databases in memory, the file behind them, and the command: save before answering, or put everything back."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from bson.errors import InvalidBSON
from mongomock.store import DatabaseStore, ServerStore
from pymongo.errors import BulkWriteError, PyMongoError, WriteError

from lms_rt.storage.embedded.collection_data import CollectionData
from lms_rt.storage.embedded.errors import StoreDamaged, StoreError
from lms_rt.storage.embedded.lock import FileLock
from lms_rt.storage.embedded.opening import open_file, set_aside


class ServerData(ServerStore):
    """The whole store of one process. Only the thread that opened it may use it."""

    def __init__(self, path: Path, *, durability: str) -> None:
        """Lock, check and load the file."""
        super().__init__()
        self.path = path
        self.is_running = False
        self.touched: set[tuple[DatabaseData, str]] = set()
        self._owner: tuple[int, int] | None = (os.getpid(), threading.get_ident())
        self._lock = FileLock(path)
        try:
            self.file = open_file(path, durability=durability)
            self._load()
        except BaseException:
            self._lock.release()
            raise

    def __getitem__(self, name: str) -> DatabaseData:
        if name not in self._databases:
            self._databases[name] = DatabaseData(name, self)
        database: DatabaseData = self._databases[name]
        return database

    @property
    def can_save(self) -> bool:
        """Whether the last change could be saved, and memory equals the file."""
        return self._owner is not None and self.file.can_save and not self.touched

    @property
    def document_count(self) -> int:
        """Documents in all collections."""
        databases = self._databases.values()
        return sum(len(collection) for database in databases for collection in database.collections())

    def probe(self) -> bool:
        """Try again what failed, if something did; returns :attr:`can_save`."""
        if not self.can_save and self._owner is not None and not self.is_running:
            with contextlib.suppress(StoreError):
                self._undo()
                self.file.probe()
        return self.can_save

    def settle(self) -> None:
        """Empty the log, in which removed documents still stand."""
        if self._owner is not None and not self.is_running:
            self.file.settle()

    @contextlib.contextmanager
    def command(self) -> Iterator[None]:
        """Around every command that may change something."""
        if self.is_running:  # one step of a larger command, such as bulk_write
            yield
            return
        self._require_ready()
        self.is_running = True
        kept: PyMongoError | None = None
        try:
            try:
                yield
            except (WriteError, BulkWriteError) as error:
                kept = error  # what was done before such an error stays, as in MongoDB
            self.file.commit()
            self.touched.clear()
        except BaseException:
            self._undo()
            raise
        finally:
            self.is_running = False
        if kept is not None:
            raise kept

    def close(self) -> None:
        """Fold the log into the file and let the next process in."""
        if self._owner is not None:
            self._owner = None
            self.file.close()
            self._lock.release()

    def _require_ready(self) -> None:
        if self._owner != (os.getpid(), threading.get_ident()):
            raise StoreError(f"{self.path} is closed, or was opened by another thread or process")
        if self.touched:  # an earlier command could not be undone
            self._undo()

    def _undo(self) -> None:
        """Read the touched collections back from the file. When that fails as well, the next command tries again."""
        self.file.roll_back()
        for database, name in self.touched:
            database[name].load()
        self.touched.clear()

    def _load(self) -> None:
        try:
            for db, name in self.file.collections():
                self[db][name].load()
        except InvalidBSON as error:
            aside = set_aside(self.path)
            self.file.close()
            raise StoreDamaged(f"{self.path} is damaged ({error}); it was moved to {aside}") from error
        except BaseException:
            self.file.close()
            raise


class DatabaseData(DatabaseStore):
    """The collections of one database."""

    def __init__(self, name: str, server: ServerData) -> None:
        """An empty database."""
        super().__init__()
        self.name, self.server = name, server

    def __getitem__(self, name: str) -> CollectionData:
        if name not in self._collections:
            self._collections[name] = CollectionData(name, self)
        collection: CollectionData = self._collections[name]
        return collection

    def collections(self) -> list[CollectionData]:
        """All that were touched or loaded."""
        return list(self._collections.values())

    def rename(self, name: str, new_name: str) -> None:
        """Give a collection another name, also in the file."""
        self.server.touched |= {(self, name), (self, new_name)}
        self.server.file.rename_collection(self.name, name, new_name)
        super().rename(name, new_name)
