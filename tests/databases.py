"""Databases on the real server that tests take in turn: what one wrote is removed again, and the indexes stay.

To make some 150 indexes and to drop them again took more of the second lane's time than most of its tests. Only tests whose
whole work is done in this process share them: what other processes write is not seen here.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from typing import Any

from pymongo import monitoring

_WRITES = frozenset({"insert", "update", "findAndModify"})
_CHANGES_OF_FORM = frozenset({"create", "drop", "dropDatabase", "dropIndexes", "renameCollection", "collMod"})
_written: dict[str, set[str]] = defaultdict(set)
"""Collections by database, written since it was emptied."""
_misshapen: set[str] = set()
_prepared: set[str] = set()
"""Those whose indexes are made."""
_free: list[str] = []


class _Listener(monitoring.CommandListener):
    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in _WRITES:
            _written[event.database_name].add(event.command[event.command_name])
        elif event.command_name in _CHANGES_OF_FORM:
            _misshapen.add(event.database_name)

    def succeeded(self, _: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, _: monitoring.CommandFailedEvent) -> None:
        pass


def watch_writes() -> None:
    """From now on, in this process: before the first client is made."""
    monitoring.register(_Listener())


def new_name() -> str:
    """The name of a database that nobody has used."""
    return f"test_{uuid.uuid4().hex}"


def take_one() -> str:
    """The name of an empty database: one that was given back, else a new one."""
    return _free.pop() if _free else new_name()


def is_prepared(database: Any) -> bool:
    """Are the indexes of this one there, and is it empty? What somebody wrote after the end of a test makes it a new one."""
    if database.name not in _prepared:
        return False
    if database.command("dbStats")["objects"] == 0:
        return True
    database.client.drop_database(database.name)
    return False


async def give_back(motor: Any) -> None:
    """Empty it for the next test; dropped where its form was changed."""
    await asyncio.to_thread(_give_back, motor.delegate)


def _give_back(database: Any) -> None:
    written = _written.pop(database.name, set())
    if database.name in _misshapen:
        _prepared.discard(database.name)
        database.client.drop_database(database.name)
        return
    for collection in written:
        database[collection].delete_many({})
    _prepared.add(database.name)
    _free.append(database.name)
