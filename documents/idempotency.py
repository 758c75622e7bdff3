"""Idempotency keys: the first request inserts its row, its answer is kept there, repeats find it.

There is no TTL index: reads check the time themselves, and a key that has run out is taken over like a free one.
"""

from __future__ import annotations

from typing import Any

from pymongo.errors import DuplicateKeyError

from documents.base import Record, Row


class IdempotencyRecord(Record):
    """One key of one caller on one route. Times are epoch milliseconds.

    `state` is `running` until the answer is there; a running row whose `lease_until_ms` has passed was left by a
    request that died. `started_ms` names the row's life: ids that derive from it stay the same when it is taken over.
    """

    body_hash: str
    state: str
    started_ms: int
    lease_until_ms: int
    head: dict[str, str] | None = None
    content: bytes | None = None

    class Settings(Record.Settings):
        """Collection; everything goes by `_id`."""

        name = "idempotency"

    @classmethod
    async def begin(cls, key_id: str, *, body_hash: str, now_ms: int, lease_until_ms: int) -> bool:
        """Insert the row; False when there is one."""
        row = _fresh(body_hash, now_ms, lease_until_ms)
        try:
            await cls.rows().insert_one({"_id": key_id, **row})
        except DuplicateKeyError:
            return False
        return True

    @classmethod
    async def find_row(cls, key_id: str) -> Row | None:
        """The row as it is stored."""
        return await cls.rows().find_one({"_id": key_id})

    @classmethod
    async def begin_again(cls, seen: Row, *, body_hash: str, now_ms: int, lease_until_ms: int) -> bool:
        """Start a new life of a row that has run out; False when somebody else moved it since it was seen."""
        update = {"$set": _fresh(body_hash, now_ms, lease_until_ms), "$unset": {"head": "", "content": ""}}
        return await cls._move(seen, update)

    @classmethod
    async def take_over(cls, seen: Row, *, lease_until_ms: int) -> bool:
        """Go on where a request died; False when somebody else moved the row since it was seen."""
        return await cls._move(seen, {"$set": {"lease_until_ms": lease_until_ms}})

    @classmethod
    async def keep(cls, key_id: str, *, lease_until_ms: int, head: dict[str, str], content: bytes) -> bool:
        """Keep the answer of the request that holds the lease; False when it does not hold it any more."""
        result = await cls.rows().update_one(
            {"_id": key_id, "state": "running", "lease_until_ms": lease_until_ms},
            {"$set": {"state": "done", "head": head, "content": content}},
        )
        return bool(result.matched_count)

    @classmethod
    async def replace_answer(cls, seen: Row, *, head: dict[str, str], content: bytes) -> None:
        """Let a kept answer be this one; a row that has moved since it was seen has another one."""
        still = {name: seen[name] for name in ("_id", "state", "started_ms", "content")}
        await cls.rows().update_one(still, {"$set": {"head": head, "content": content}})

    @classmethod
    async def end_lease(cls, key_id: str, *, lease_until_ms: int) -> None:
        """Let the next request with this key go on at once."""
        await cls.rows().update_one(
            {"_id": key_id, "state": "running", "lease_until_ms": lease_until_ms}, {"$set": {"lease_until_ms": 0}}
        )

    @classmethod
    async def forget(cls, key_id: str, *, lease_until_ms: int) -> None:
        """Remove the row of a request that changed nothing."""
        await cls.rows().delete_one({"_id": key_id, "state": "running", "lease_until_ms": lease_until_ms})

    @classmethod
    async def forget_before(cls, before_ms: int, *, limit: int) -> int:
        """Remove some whose life began before then and whose request is over; how many."""
        which: Row = {"started_ms": {"$lt": before_ms}, "lease_until_ms": {"$lt": before_ms}}
        return await cls.forget_some(which, limit=limit)

    @classmethod
    async def _move(cls, seen: Row, update: dict[str, Any]) -> bool:
        still = {name: seen[name] for name in ("_id", "state", "started_ms", "lease_until_ms")}
        result = await cls.rows().update_one(still, update)
        return bool(result.matched_count)


def _fresh(body_hash: str, now_ms: int, lease_until_ms: int) -> Row:
    return {"body_hash": body_hash, "state": "running", "started_ms": now_ms, "lease_until_ms": lease_until_ms}
