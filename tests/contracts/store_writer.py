"""A process for the kill test: twenty writers on one embedded store, each acknowledged operation told on a line.

Run as a module: `python -m tests.contracts.store_writer FILE [late|piecemeal]`. The last word plants a fault that the
kill test must notice: a commit that comes late, or one commit for each document of a command.
"""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase

from lms_rt.storage.embedded import open_store
from lms_rt.storage.embedded.collection_data import CollectionData
from lms_rt.storage.embedded.file import StoreFile

WRITERS = 20
GROUP = 40
"""Documents of one `insert_many`, which must be there all or none."""

Database = AsyncIOMotorDatabase[dict[str, Any]]


async def main(path: str, fault: str) -> None:
    """Write until killed."""
    client = open_store(path)
    {"": _plant_nothing, "late": _plant_late_commits, "piecemeal": _plant_piecemeal_commits}[fault]()
    _tell("ready")
    await asyncio.gather(*(_write(client["lms"], writer) for writer in range(WRITERS)))


async def _write(database: Database, writer: int) -> None:
    known = await database.counters.find_one({"_id": f"w{writer}"}) or {"n": 0}
    for n in count(known["n"] + 1):
        name = f"{writer}.{os.getpid()}-{n}"  # an earlier life may have come as far without counting it
        await database.groups.insert_many([{"_id": f"{name}-{i}", "group": name} for i in range(GROUP)])
        _tell(f"inserted {name}")
        await asyncio.sleep(0)
        await database.counters.update_one({"_id": f"w{writer}"}, {"$set": {"n": n, "again": n}}, upsert=True)
        _tell(f"counted {writer} {n}")
        await asyncio.sleep(0)
        await database.passing.insert_one({"_id": name})
        await database.passing.delete_one({"_id": name})
        _tell(f"removed {name}")
        await asyncio.sleep(0)


def _tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def _plant_nothing() -> None:
    pass


def _plant_late_commits() -> None:
    commit, calls = StoreFile.commit, count(1)

    def late(self: StoreFile) -> None:
        if next(calls) % 8 == 0:
            commit(self)

    StoreFile.commit = late  # type: ignore[method-assign]


def _plant_piecemeal_commits() -> None:
    set_item = CollectionData.__setitem__

    def piecemeal(self: CollectionData, _id: Any, document: dict[str, Any]) -> None:
        set_item(self, _id, document)
        self.server.file.commit()

    CollectionData.__setitem__ = piecemeal  # type: ignore[method-assign]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
