# mypy: disallow-untyped-calls=False
"""mongomock's client, database and collection over the durable store: whole-document updates, commands that commit.

Nothing is patched from outside; these are subclasses that mongomock-motor is handed.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import bson
from mongomock.collection import Collection
from mongomock.database import Database
from mongomock.filtering import filter_applies
from mongomock.helpers import create_index_list, gen_index_name
from mongomock.mongo_client import MongoClient
from mongomock_motor import AsyncMongoMockClient
from mongomock_motor.patches import _normalize_strings
from pymongo.errors import WriteError

from lms_rt.storage.embedded.file import Document
from lms_rt.storage.embedded.matching import test_of
from lms_rt.storage.embedded.reading import LimitedCursor, sorted_natively
from lms_rt.storage.embedded.server import DatabaseData, ServerData
from lms_rt.storage.embedded.versions import require_pinned_versions

_INDEX_OPTIONS = ("unique", "sparse", "expireAfterSeconds", "partialFilterExpression")
_Class = TypeVar("_Class", bound=type)


def open_store(path: str | os.PathLike[str], *, durability: str = "process") -> EmbeddedClient:
    """Lock, check and load the file (made when missing); returns a Motor-like client. Call its ``close()``."""
    require_pinned_versions()
    return EmbeddedClient(ServerData(Path(path), durability=durability))


class EmbeddedClient(AsyncMongoMockClient):  # type: ignore[type-arg]  # not subscriptable at run time
    """A Motor-like client whose acknowledged writes survive the end of the process."""

    def __init__(self, store: ServerData) -> None:
        """Serve this store."""
        super().__init__(mock_mongo_client=_Client(tz_aware=True, _store=store))
        self.store = store

    def close(self) -> None:
        """Close the store and let the next process in."""
        self.store.close()


def _apply_operators(apply: Callable[..., None], document: Document, *args: Any) -> None:
    """Change the document; an operator that does not fit a field's type is a fault of the write, as in MongoDB."""
    try:
        apply(document, *args)
    except (AttributeError, TypeError, KeyError) as error:
        raise WriteError(f"an operator does not fit the type of its field: {error}", 2) from error


def _commands(*names: str) -> Callable[[_Class], _Class]:
    """Run these inherited methods each as one command of the store."""

    def decorated(owner: _Class) -> _Class:
        for name in names:
            setattr(owner, name, _as_command(getattr(owner, name)))
        return owner

    return decorated


def _as_command(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self._server.command():
            if isinstance(self, _Collection):
                self._store.expire()
            return method(self, *args, **kwargs)

    return run


@_commands(
    *("insert_one", "insert_many", "update_one", "update_many", "replace_one", "delete_one", "delete_many"),
    *("find_one_and_update", "find_one_and_replace", "find_one_and_delete", "bulk_write", "aggregate"),
    *("drop", "rename", "drop_index"),
)
class _Collection(Collection):
    """mongomock's collection with whole-document updates, index definitions that can be kept, and quick look-ups."""

    @property
    def _server(self) -> ServerData:
        server: ServerData = self._store.server
        return server

    def _iter_documents(self, filter: Document) -> Iterator[Document]:  # noqa: A002 - mongomock's name
        candidates = self._store.find_candidates(filter)
        if candidates is None:
            candidates = list(self._store.documents)
        if not candidates:
            filter_applies(filter, {})  # a filter that is not valid is refused even if nothing can match
        return self._iter_fitting(filter, candidates)

    @staticmethod
    def _iter_fitting(filter_: Document, documents: Iterable[Document]) -> Iterator[Document]:
        fits = test_of(filter_)
        return (document for document in documents if fits(document))

    def _find_in_order(self, filter_: Document, sort: Any) -> Iterable[Document] | None:
        """What fits, in order; None where mongomock has to sort."""
        plain = _normalize_strings(filter_)  # Beanie's names equal everything; `_iter_documents` is given plain ones
        if (in_order := self._store.find_sorted(plain, sort)) is not None:
            return self._iter_fitting(plain, in_order)
        return sorted_natively(list(self._iter_documents(filter_)), sort)

    def find(self, *args: Any, **kwargs: Any) -> LimitedCursor:
        """A cursor that costs what it brings."""
        return LimitedCursor.like(super().find(*args, **kwargs))

    def find_one(self, filter: Any = None, *args: Any, **kwargs: Any) -> Document | None:  # noqa: A002 - mongomock's name
        """The first that fits; no other is copied."""
        found: Document | None = super().find_one(filter, *args, **kwargs, limit=1)
        return found

    def _get_dataset(self, spec: Document, sort: Any, fields: Any, as_class: type) -> Iterator[Document]:
        documents = self._find_in_order(spec, sort) if sort else self._iter_documents(spec)
        if documents is None:
            yield from super()._get_dataset(spec, sort, fields, as_class)
            return
        for document in documents:
            yield self._copy_only_fields(document, fields, as_class)

    def _apply_update_document(self, existing_document: Document, *args: Any) -> None:
        self._apply(super()._apply_update_document, existing_document, *args)

    def _apply_update_pipeline(self, existing_document: Document, *args: Any) -> None:
        self._apply(super()._apply_update_pipeline, existing_document, *args)

    def _apply(self, apply: Callable[..., None], existing: Document, *args: Any) -> None:
        """Update a copy, then store it: mongomock applies the operators one by one to the stored document."""
        _id = existing.get("_id")
        if self._store.find_stored(_id) is not existing:  # an upsert: it is inserted afterwards
            return _apply_operators(apply, existing, *args)
        changed = bson.decode(bson.encode(existing))
        _apply_operators(apply, changed, *args)
        if changed.get("_id") != _id:
            raise WriteError(f"the (immutable) field '_id' was found to have been altered to {changed.get('_id')}", 66)
        self._store[_id] = changed | {"_id": _id}
        existing.clear()
        existing.update(changed)
        return None

    def create_index(self, key_or_list: Any, cache_for: int = 300, session: None = None, **options: Any) -> str:
        """Make an index; one that is there already with these options costs nothing."""
        keys = [tuple(part) for part in create_index_list(key_or_list)]
        name = options.setdefault("name", gen_index_name(keys))
        kept = {k: options[k] for k in _INDEX_OPTIONS if options.get(k) is not None and options[k] is not False}
        if self._store.indexes.get(name) != {"key": keys} | kept:  # else mongomock would check all documents again
            with self._server.command():
                super().create_index(keys, cache_for, session, **options)
        return str(name)

    def create_indexes(self, indexes: Any, session: None = None) -> list[str]:
        """Make several; mongomock's own would drop partialFilterExpression."""
        with self._server.command():
            return [self._create_index_of(index.document, session) for index in indexes]

    def _create_index_of(self, definition: Document, session: None) -> str:
        options = {option: value for option, value in definition.items() if option != "key"}
        return self.create_index(definition["key"].items(), session=session, **options)

    def drop_indexes(self, session: None = None) -> None:
        """Remove all indexes but that of ``_id``."""
        with self._server.command():
            for name in list(self._store.indexes):
                self.drop_index(name, session)


@_commands("create_collection", "drop_collection", "rename_collection")
class _Database(Database):
    @property
    def _server(self) -> ServerData:
        return cast("DatabaseData", self._store).server

    def get_collection(self, name: str, *args: Any, **kwargs: Any) -> Collection:
        """The collection, made as ours at the first look."""
        if name not in self._collection_accesses:
            self._ensure_valid_collection_name(name)
            self._collection_accesses[name] = _Collection(
                self, name, self._store, read_preference=self.read_preference, codec_options=self._codec_options
            )
        return cast("Collection", super().get_collection(name, *args, **kwargs))


@_commands("drop_database")
class _Client(MongoClient):
    @property
    def _server(self) -> ServerData:
        return cast("ServerData", self._store)

    def get_database(self, name: str | None = None, *args: Any, **kwargs: Any) -> Database:
        """The database, made as ours at the first look."""
        if name is not None and name not in self._database_accesses:
            self._database_accesses[name] = _Database(
                self, name, self._store[name], self.read_preference, self._codec_options
            )
        return cast("Database", super().get_database(name, *args, **kwargs))
