# mypy: disallow-untyped-calls=False
"""The documents and indexes of one collection, in memory; every change goes to the file first."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import bson
from mongomock.store import CollectionStore
from pymongo.errors import DocumentTooLarge

from lms_rt.storage.embedded.errors import StoreError
from lms_rt.storage.embedded.file import Document
from lms_rt.storage.embedded.indexes import DeclaredIndexes

if TYPE_CHECKING:
    from lms_rt.storage.embedded.server import DatabaseData

_MAX_BYTES = 16 * 1024 * 1024  # as MongoDB
_MANY_DOCUMENTS = 10_000  # beyond this, what no index narrows is felt: a scan of 10,000 costs some 30 ms
_EXPIRY_EVERY_SECONDS = 1.0
_IDS = (str, bytes, bson.ObjectId)
_log = logging.getLogger(__name__)


def key_of(_id: Any) -> bytes:
    """The identity of a document, the same in memory and in the file."""
    return bytes(bson.encode({"": _id}))


class CollectionData(CollectionStore):
    """One collection of the store."""

    def __init__(self, name: str, database: DatabaseData) -> None:
        """An empty collection; :meth:`load` fills it."""
        super().__init__(name)
        self.database, self.server = database, database.server
        self._lookup = DeclaredIndexes()
        self._next_expiry = 0.0

    def load(self) -> None:
        """Make memory equal to the file."""
        file, db = self.server.file, self.database.name
        super().drop()
        if (indexes := file.find_indexes(db, self.name)) is not None:
            super().create()
            for name, index in indexes.items():
                super().create_index(name, index | {"key": [(field, order) for field, order in index["key"]]})
        self._documents.update(file.documents(db, self.name))
        self._lookup.rebuild(self.indexes, self._documents)

    def find_candidates(self, filter_: Document) -> list[Document] | None:
        """The stored documents that may match, in order; None when all have to be looked at."""
        _id = filter_.get("_id")
        if isinstance(_id, _IDS):
            document = self._documents.get(key_of(_id))
            return [] if document is None else [document]
        wanted = _id.get("$in") if isinstance(_id, dict) else None
        if isinstance(wanted, list) and all(isinstance(one, _IDS) for one in wanted):
            keys: list[bytes] | None = self._lookup.in_order(map(key_of, wanted))
        else:
            keys = self._lookup.find_candidates(filter_)
        return None if keys is None else [self._documents[key] for key in keys]

    def find_sorted(self, filter_: Document, sort: Any) -> Iterator[Document] | None:
        """The same in order, one after the other as they are asked for; None when they have to be sorted."""
        (by, direction), *more = sort.items() if isinstance(sort, dict) else sort
        keys = None if more else self._lookup.find_sorted(filter_, by, descending=direction < 0)
        return None if keys is None else (self._documents[key] for key in keys)

    def find_stored(self, _id: Any) -> Document | None:
        """The stored document itself, not a copy."""
        document: Document | None = self._documents.get(key_of(_id))
        return document

    def expire(self) -> None:
        """Remove what its TTL index has run out for, as a part of a command, at most once a second.

        mongomock would look through the whole collection at every access, and remove outside of any command.
        """
        if self._ttl_indexes and time.monotonic() >= self._next_expiry:
            self._next_expiry = time.monotonic() + _EXPIRY_EVERY_SECONDS
            super()._remove_expired_documents()

    def _remove_expired_documents(self) -> None:
        """Not at every access: see :meth:`expire`."""

    def create(self) -> None:
        """Make the collection, also in the file."""
        super().create()
        self._require_command()
        self.server.file.save_indexes(self.database.name, self.name, self.indexes)

    def create_index(self, index_name: str, index_dict: Document) -> None:
        """Add an index."""
        super().create_index(index_name, index_dict)
        self.create()
        self._lookup.rebuild(self.indexes, self._documents)

    def drop_index(self, index_name: str) -> None:
        """Remove an index."""
        super().drop_index(index_name)
        self.create()
        self._lookup.rebuild(self.indexes, self._documents)

    def drop(self) -> None:
        """Remove everything."""
        self._require_command()
        self.server.file.remove_collection(self.database.name, self.name)
        super().drop()
        self._lookup.rebuild(self.indexes, self._documents)

    def __contains__(self, _id: Any) -> bool:
        return key_of(_id) in self._documents

    def __getitem__(self, _id: Any) -> Document:
        document: Document = self._documents[key_of(_id)]
        return document

    def __setitem__(self, _id: Any, document: Document) -> None:
        self._require_command()
        if not self._is_force_created:
            self.create()
        key, body = key_of(_id), bson.encode(document)
        if len(body) > _MAX_BYTES:
            raise DocumentTooLarge(f"the document has {len(body)} bytes, more than {_MAX_BYTES}")
        self.server.file.save_document(self.database.name, self.name, key, body)
        is_new = key not in self._documents
        super().__setitem__(key, bson.decode(body))  # what is read now is what will be read after a restart
        self._lookup.add(key, self._documents[key])
        if is_new and len(self._documents) == _MANY_DOCUMENTS + 1:
            self._warn_of_size()

    def __delitem__(self, _id: Any) -> None:
        self._require_command()
        key = key_of(_id)
        self.server.file.remove_document(self.database.name, self.name, key)
        super().__delitem__(key)
        self._lookup.remove(key)

    def _require_command(self) -> None:
        if not self.server.is_running:
            raise StoreError("a write outside of a command would not be saved")
        self.server.touched.add((self.database, self.name))

    def _warn_of_size(self) -> None:
        _log.warning(
            "the collection %s has passed %d documents: the embedded store is meant for a small class; "
            "set MONGODB_URL and REDIS_URL for more",
            self.name,
            _MANY_DOCUMENTS,
        )
