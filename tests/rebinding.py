"""Documents bound to one database after another, as a run of tests does and no server ever: their classes are read once.

Beanie reads all of them anew, and asks the server four times for each, whenever a database is opened. The first one that a
process opens goes through Beanie alone; what it found of each class, its collection's name and indexes, is given to every later one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from beanie import Document
from beanie.odm.utils.init import Initializer
from pymongo import IndexModel

from lms_rt.storage import mongo
from lms_rt.storage.embedded import EmbeddedClient
from tests import databases


class _Noted:
    """A collection whose indexes are noted as they are made."""

    def __init__(self, collection: Any) -> None:
        self._collection = collection
        self.indexes: list[IndexModel] = []

    async def index_information(self) -> Any:
        return await self._collection.index_information()

    async def create_indexes(self, indexes: list[IndexModel]) -> Any:
        self.indexes = indexes
        return await self._collection.create_indexes(indexes)


_read: dict[type[Document], list[IndexModel]] = {}
"""The classes that Beanie has read, each with what it made of its indexes."""


class _Reading(Initializer):
    """Beanie's own, which notes what it finds."""

    async def init_indexes(self, cls: Any, allow_index_dropping: bool = False) -> None:
        collection = cls.get_motor_collection()
        noted = _Noted(collection)
        cls.set_collection(noted)
        try:
            await super().init_indexes(cls, allow_index_dropping)
        finally:
            cls.set_collection(collection)
        _read[cls] = noted.indexes


async def _bind(*, database: Any, document_models: Sequence[type[Document]]) -> None:
    """Stands for `init_beanie`: the same collections and indexes in this database, and the classes bound to it."""
    if not _read.keys() >= set(document_models):
        await _Reading(database=database, document_models=document_models)
        return
    document: Any
    for document in _read:
        document.set_database(database)
        document.set_collection(database[document.get_collection_name()])
    indexes = {document.get_collection_name(): made for document, made in _read.items() if made}
    if isinstance(database.client, EmbeddedClient):
        _make(database.delegate, indexes)
    else:
        await asyncio.to_thread(_make_on_server, database.delegate, indexes)


def _make_on_server(database: Any, indexes: dict[str, list[IndexModel]]) -> None:
    if not databases.is_prepared(database):
        _make(database, indexes)


def _make(database: Any, indexes: dict[str, list[IndexModel]]) -> None:
    """In one thread: the driver would change between two for each collection."""
    for name, made in indexes.items():
        database[name].create_indexes(made)


def read_documents_once() -> None:
    """From now on, in this process."""
    vars(mongo)["init_beanie"] = _bind
