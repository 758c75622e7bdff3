"""`python -m tests.perf.bare_updates URL`: the bare Motor update loop that saving answers is held against.

It knows nothing but the update: filter and fields are those of the ledger, on documents of the same shape. Orders come on
standard input, each answered by a line of JSON:

    make DOCUMENTS QUESTIONS   so many documents with as many answers
    save UPDATES               every document at once, so many updates one after the other
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient

_LEASE = "0123456789abcdef0123456789abcdef"
_POOL = 100


def _answer(question: int, revision: int) -> dict[str, Any]:
    return {
        "value": "abc"[revision % 3],
        "op_id": f"op-{revision:08}-0123-4567-89ab",
        "seq": revision,
        "device_id": "laptop",
        "revision": revision,
        "saved_at_ms": 1_790_000_000_000 + revision,
    }


def _document(number: int, questions: int) -> dict[str, Any]:
    return {
        "_id": f"att_{number:020}",
        "status": "in_progress",
        "revision": 0,
        "ops_count": 0,
        "writer": {"device_id": "laptop", "lease": _LEASE, "wrote_at_ms": 0},
        "answers": {f"qst_{question:020}": _answer(question, 0) for question in range(questions)},
        "ops": {},
    }


class Loop:
    """The documents, and how far each is."""

    def __init__(self, url: str) -> None:
        client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(url, maxPoolSize=_POOL, w="majority")
        self._rows = client["bare"]["attempts"]
        self._revisions: list[int] = []
        self._questions = 1

    async def make(self, documents: int, questions: int) -> None:
        """Store them."""
        await self._rows.drop()
        await self._rows.insert_many([_document(number, questions) for number in range(documents)])
        self._revisions, self._questions = [0] * documents, questions

    async def save(self, updates: int) -> dict[str, Any]:
        """Every document at once."""
        began = time.monotonic()
        await asyncio.gather(*(self._one(number, updates) for number in range(len(self._revisions))))
        return {"count": updates * len(self._revisions), "seconds": time.monotonic() - began}

    async def _one(self, number: int, updates: int) -> None:
        for _ in range(updates):
            seen = self._revisions[number]
            answer = _answer(seen % self._questions, seen + 1)
            wanted = {"_id": f"att_{number:020}", "status": "in_progress", "revision": seen, "writer.lease": _LEASE}
            stored = {
                f"answers.qst_{seen % self._questions:020}": answer,
                f"ops.{answer['op_id']}": [seen + 1, "digest of the value", answer["saved_at_ms"], False],
                "revision": seen + 1,
                "writer.wrote_at_ms": answer["saved_at_ms"],
            }
            result = await self._rows.update_one(wanted, {"$set": stored, "$inc": {"ops_count": 1}})
            assert result.matched_count == 1
            self._revisions[number] += 1


async def _obey(url: str) -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    loop = Loop(url)
    _print("ready")
    while words := (await orders.readline()).decode().split():
        match words:
            case ["make", documents, questions]:
                await loop.make(int(documents), int(questions))
                _print("{}")
            case ["save", updates]:
                _print(json.dumps(await loop.save(int(updates))))


def _print(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> None:
    """Update when told to, until the input ends."""
    asyncio.run(_obey(sys.argv[1]))


if __name__ == "__main__":
    main()
