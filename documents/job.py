"""Jobs: what workers have to do, kept until it is done and a while longer. When a job may be taken is decided in services.

Nobody holds a job but by its lease: every write of a worker filters on the token that it took the job with.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from pymongo import ASCENDING, IndexModel
from pymongo.errors import BulkWriteError, DuplicateKeyError

from documents.base import Record, Row, by_ids
from documents.enums import JobState

MAX_AHEAD = 100
"""So many that count as due for longer than they have been there are looked through for one that does not."""


class Job(Record):
    """One run of a task. `_id` is the intent's id, or derived from what it is for, so that it cannot be there twice.

    `tries` counts the runs that ended in a failure, `crashes` those that were never heard of again.
    """

    queue: str
    task: str
    args: dict[str, Any]
    state: JobState
    due_at: datetime
    created_at: datetime
    tries: int = 0
    crashes: int = 0
    lease_until: datetime | None = None
    lease_by: str | None = None
    worker: str | None = None
    error: str | None = None
    unread_since: datetime | None = None
    """Since when workers have met it that do not know its task, or not its arguments."""
    finished_at: datetime | None = None

    class Settings(Record.Settings):
        """Collection and indexes."""

        name = "jobs"
        indexes: ClassVar = [
            IndexModel([("queue", ASCENDING), ("state", ASCENDING), ("due_at", ASCENDING)]),
            IndexModel([("state", ASCENDING), ("finished_at", ASCENDING)]),
        ]

    @classmethod
    async def put(cls, job_id: str, fields: Row) -> None:
        """Insert the job unless it is there, in whatever state: a late repeat meets the one that is done."""
        try:
            await cls.rows().update_one({"_id": job_id}, {"$setOnInsert": fields}, upsert=True)
        except DuplicateKeyError:
            return  # two at once: the other one has put it there

    @classmethod
    async def withdraw(cls, job_id: str) -> None:
        """Remove one that nobody has taken: who asked for it has done it themself."""
        await cls.rows().delete_one({"_id": job_id, "state": JobState.WAITING.value})

    @classmethod
    async def empty(cls, job_id: str, argument: str) -> None:
        """Forget what an argument (an object) of it says."""
        await cls.rows().update_one({"_id": job_id}, {"$set": {f"args.{argument}": {}}})

    @classmethod
    async def put_all(cls, jobs: Mapping[str, Row]) -> None:
        """The same of many, by their ids, in one command; one after the other when some of them are there."""
        try:
            await cls.rows().insert_many([{"_id": job_id, **fields} for job_id, fields in jobs.items()], ordered=True)
        except (BulkWriteError, DuplicateKeyError):  # what is wrong besides shows again
            for job_id, fields in jobs.items():
                await cls.put(job_id, fields)

    @classmethod
    async def find_row(cls, job_id: str) -> Row | None:
        """The job as it is stored."""
        return await cls.rows().find_one({"_id": job_id})

    # --- workers ---

    @classmethod
    async def find_due(cls, queue: str, now: datetime, *, limit: int) -> list[Row]:
        """Jobs that may be taken now, those first whose worker was lost, then the longest due."""
        lost: Row = {"queue": queue, "state": JobState.RUNNING.value, "lease_until": {"$lt": now}}
        due: Row = {"queue": queue, "state": JobState.WAITING.value, "due_at": {"$lte": now}}
        rows = await cls.rows().find(lost).limit(limit).to_list(length=limit)
        if len(rows) < limit:
            more = cls.rows().find(due).sort("due_at", ASCENDING).limit(limit - len(rows))
            rows += await more.to_list(length=limit)
        return rows

    @classmethod
    async def take(cls, row: Row, lease: Row, *, now: datetime) -> bool:
        """Lease the job as it was read (`lease_by`, `lease_until`, `worker`); False when it is so no more.

        A job that is taken while it runs has lost its worker.
        """
        as_read: Row = {"_id": row["_id"], "state": row["state"], "tries": row["tries"], "crashes": row["crashes"]}
        update: Row = {"$set": {**lease, "state": JobState.RUNNING.value}}
        if row["state"] == JobState.RUNNING.value:
            as_read["lease_until"] = {"$lt": now}
            update["$inc"] = {"crashes": 1}
        else:
            as_read["due_at"] = {"$lte": now}
        return await cls.change_one(as_read, update)

    @classmethod
    async def renew(cls, job_id: str, token: str, until: datetime) -> bool:
        """Prolong a lease; False when it is held no more."""
        held = {"_id": job_id, "lease_by": token, "state": JobState.RUNNING.value}
        return await cls.change_one(held, {"$set": {"lease_until": until}})

    @classmethod
    async def leave(cls, job_id: str, token: str, fields: Row, *, failures: int = 0) -> bool:
        """End the lease with the job in another state; False when the lease was lost."""
        update: Row = {"$set": fields, "$unset": {"lease_by": "", "lease_until": "", "worker": ""}}
        if failures:
            update["$inc"] = {"tries": failures}
        held = {"_id": job_id, "lease_by": token, "state": JobState.RUNNING.value}
        return await cls.change_one(held, update)

    # --- dead letters, and what became of all ---

    @classmethod
    async def page_of_dead(cls, filter_: Row, *, skip: int, limit: int) -> tuple[list[Row], int]:
        """Dead letters, the latest first, and how many there are."""
        which = {**filter_, "state": JobState.DEAD.value}
        found = cls.rows().find(which).sort([("finished_at", -1), ("_id", -1)]).skip(skip).limit(limit)
        return await found.to_list(length=limit), await cls.rows().count_documents(which)

    @classmethod
    async def find_dead(cls, job_id: str) -> Row | None:
        """A dead letter."""
        return await cls.rows().find_one({"_id": job_id, "state": JobState.DEAD.value})

    @classmethod
    async def revive(cls, job_id: str, now: datetime) -> bool:
        """Let a dead letter run again from its first try; False when it is none."""
        again: Row = {"state": JobState.WAITING.value, "due_at": now, "tries": 0, "crashes": 0}
        dead = {"_id": job_id, "state": JobState.DEAD.value}
        update = {"$set": again, "$unset": {"error": "", "finished_at": "", "unread_since": ""}}
        return bool((await cls.rows().update_one(dead, update)).matched_count)

    @classmethod
    async def discard(cls, job_id: str) -> bool:
        """Remove a dead letter; False when it is none."""
        return bool((await cls.rows().delete_one({"_id": job_id, "state": JobState.DEAD.value})).deleted_count)

    @classmethod
    async def count_matching(cls, filter_: Row) -> int:
        """How many there are."""
        return await cls.rows().count_documents(filter_)

    @classmethod
    async def count_due(cls, queue: str, now: datetime) -> int:
        """How many of a queue may be taken now."""
        return await cls.count_matching({"queue": queue, "state": JobState.WAITING.value, "due_at": {"$lte": now}})

    @classmethod
    async def find_oldest_due(cls, queue: str) -> datetime | None:
        """Since when the longest due of those that wait has been due: none before it was asked for."""
        waiting = {"queue": queue, "state": JobState.WAITING.value}
        found = cls.rows().find(waiting, {"due_at": 1, "created_at": 1}).sort("due_at", ASCENDING).limit(MAX_AHEAD)
        rows = await found.to_list(length=MAX_AHEAD)
        return min((max(row["due_at"], row["created_at"]) for row in rows), default=None)

    @classmethod
    async def forget(cls, state: JobState, before: datetime, *, limit: int, task: str = "") -> int:
        """Remove some, of all tasks or one, that ended in this state before then; how many."""
        which = {"state": state.value, "finished_at": {"$lt": before}, **({"task": task} if task else {})}
        ids = [row["_id"] async for row in cls.rows().find(which, {"_id": 1}).limit(limit)]
        if ids:
            await cls.rows().delete_many(by_ids(ids))
        return len(ids)
