"""Handlers that stop before every atomic step in the database, so that a test decides what comes next, or that it crashes.

Works on the embedded store alone: nothing there waits for anything, so a coroutine can be driven by hand. An update of many
documents is taken one document after another, as servers do it.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from config.settings import Settings
from documents.attempt import Attempt
from documents.base import Record
from documents.paper import AttemptPaper
from documents.quiz_control import QuizControl
from lms_rt.errors import Refused
from lms_rt.storage.mongo import open_database

_STEPS = ("find_one", "insert_one", "update_one", "delete_one", "count_documents", "distinct")


@types.coroutine
def pause(step: str = "step") -> Generator[str, None, None]:
    """Stop here, before this step."""
    yield step


class _Cursor:
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def sort(self, *args: Any) -> _Cursor:
        return _Cursor(self._cursor.sort(*args))

    def skip(self, skip: int) -> _Cursor:
        return _Cursor(self._cursor.skip(skip))

    def limit(self, limit: int) -> _Cursor:
        return _Cursor(self._cursor.limit(limit))

    async def to_list(self, length: int | None = None) -> list[Any]:
        await pause()
        rows: list[Any] = await self._cursor.to_list(length)
        return rows

    async def __aiter__(self) -> AsyncIterator[Any]:
        for row in await self.to_list():
            yield row


class _Updated:
    def __init__(self, matched_count: int) -> None:
        self.matched_count = matched_count


class _Collection:
    """A collection whose operations are atomic steps."""

    def __init__(self, collection: Any) -> None:
        self._collection = collection

    def __getattr__(self, name: str) -> Any:
        plain = getattr(self._collection, name)
        if name not in _STEPS:
            return plain

        async def step(*args: Any, **options: Any) -> Any:
            await pause(name if name != "insert_one" else f"insert_one {self._collection.name}")
            return await plain(*args, **options)

        return step

    def find(self, *args: Any) -> _Cursor:
        return _Cursor(self._collection.find(*args))

    async def update_many(self, wanted: Any, update: Any) -> _Updated:
        await pause()
        rows = await self._collection.find(wanted, ["_id"]).to_list(None)
        matched = 0
        for row in rows:
            await pause()
            result = await self._collection.update_one({"$and": [wanted, {"_id": row["_id"]}]}, update)
            matched += result.matched_count
        return _Updated(matched)


def stop_before_every_step(patch: pytest.MonkeyPatch, *more: type[Record]) -> None:
    """From now on only `Handler` can run what touches attempts, and these."""
    documents: tuple[type[Record], ...] = (Attempt, AttemptPaper, QuizControl, *more)
    for document in documents:
        collection = _Collection(document.rows())
        patch.setattr(document, "rows", staticmethod(lambda collection=collection: collection))


@contextmanager
def open_stepping(settings: Settings, *more: type[Record]) -> Iterator[None]:
    """An open store of its own, where every handler stops before every step."""
    with asyncio.Runner() as runner, pytest.MonkeyPatch.context() as patch:
        store = open_database(settings)
        runner.run(store.__aenter__())
        stop_before_every_step(patch, *more)
        try:
            yield
        finally:
            runner.run(store.__aexit__(None, None, None))


class Handler:
    """A request on its way: run step by step, to its end, or cut off."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work
        self.is_over = False
        self.next_step = ""
        self.result: Any = None
        self.refused: Refused | None = None

    def step(self) -> None:
        """Do one atomic step, and go on until the next."""
        try:
            self.next_step = self._work.send(None)
        except StopIteration as end:
            self.is_over, self.result = True, end.value
        except Refused as refused:
            self.is_over, self.refused = True, refused

    def run(self) -> Handler:
        """Do all that is left."""
        while not self.is_over:
            self.step()
        return self

    def crash(self) -> None:
        """The process dies here."""
        self.is_over = True
        self._work.close()


def done(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of something that nobody interferes with."""
    handler = Handler(work).run()
    if handler.refused is not None:
        raise handler.refused
    return handler.result
