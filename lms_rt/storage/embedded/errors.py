"""What can go wrong with the embedded store. Nothing here knows how it is reported to users."""

from __future__ import annotations

from pathlib import Path

from pymongo.errors import PyMongoError


class StoreError(PyMongoError):
    """The store could not be opened, or a change could not be saved and was therefore not made."""


class StoreInUse(StoreError):
    """Another process holds the store."""

    def __init__(self, path: Path, process_id: str) -> None:
        """Name the file and the process that holds it."""
        super().__init__(f"{path} is in use by process {process_id}; only one process may open it")
        self.process_id = process_id


class StoreDamaged(StoreError):
    """The file holds less than was acknowledged, or is no store at all; it is never overwritten."""
