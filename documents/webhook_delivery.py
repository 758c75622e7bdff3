"""The log of webhook deliveries: one document for an event on its way to an endpoint, with its attempts. No rules."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.base import Record, Row, by_ids, setting
from documents.enums import JobState
from documents.job import Job

MAX_ATTEMPTS_KEPT = 20


class WebhookDelivery(Record):
    """What was sent to an endpoint for an event, and what it answered, as of the latest attempt.

    `job_id` is the job that makes the attempts. `attempts` are the latest in short.
    """

    webhook_id: str
    event_id: str
    type: str
    job_id: str
    is_delivered: bool = False
    attempt: int = 0
    status_code: int | None = None
    error: str | None = None
    duration_ms: int | None = None
    request_headers: dict[str, str] = Field(default_factory=dict)
    response_head: Row | None = None
    attempts: list[Row] = Field(default_factory=list)
    created_at: datetime

    class Settings(Record.Settings):
        """Collection and indexes."""

        name = "webhook_deliveries"
        indexes: ClassVar = [
            IndexModel([("webhook_id", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("created_at", ASCENDING)]),
        ]

    @classmethod
    async def open(cls, delivery_id: str, begun: Row) -> None:
        """Begin the log of a delivery; again, or after its first attempt, this changes nothing."""
        blank = {"is_delivered": False, "attempt": 0, "attempts": []}
        await cls.rows().update_one({"_id": delivery_id}, {"$setOnInsert": {**begun, **blank}}, upsert=True)

    @classmethod
    async def log(cls, delivery_id: str, begun: Row, fields: Row, attempt: Row) -> None:
        """Note an attempt: how the delivery stands now (None takes a field away), and the attempt itself in short."""
        kept = {"attempts": {"$each": [attempt], "$slice": -MAX_ATTEMPTS_KEPT}}
        update = {**setting(fields), "$setOnInsert": begun, "$push": kept}
        await cls.rows().update_one({"_id": delivery_id}, update, upsert=True)

    @classmethod
    async def find_row(cls, delivery_id: str) -> WebhookDelivery | None:
        """One delivery."""
        row = await cls.rows().find_one({"_id": delivery_id})
        return None if row is None else cls.model_validate(row)

    @classmethod
    async def page(cls, filter_: Row, *, skip: int, limit: int) -> tuple[list[WebhookDelivery], int]:
        """One page, the newest first, and how many there are."""
        found = cls.rows().find(filter_).sort([("created_at", -1), ("_id", -1)]).skip(skip).limit(limit)
        rows = await found.to_list(length=limit)
        return [cls.model_validate(row) for row in rows], await cls.rows().count_documents(filter_)

    @classmethod
    async def find_next_attempts(cls, job_ids: Collection[str]) -> dict[str, datetime]:
        """When those of these jobs that have not ended run next, or ran last, by job."""
        if not job_ids:
            return {}
        open_jobs = {**by_ids(job_ids), "state": {"$in": [JobState.WAITING.value, JobState.RUNNING.value]}}
        return {row["_id"]: row["due_at"] async for row in Job.rows().find(open_jobs, {"due_at": 1})}

    @classmethod
    async def bring_forward(cls, webhook_id: str, at: datetime, *, until: datetime) -> None:
        """Let the jobs for an endpoint that waited for a moment until then run at `at`."""
        waiting = {"queue": "webhooks", "state": JobState.WAITING.value, "due_at": {"$gt": at, "$lte": until}}
        await Job.rows().update_many({**waiting, "args.webhook_id": webhook_id}, {"$set": {"due_at": at}})

    @classmethod
    async def forget(cls, before: datetime, *, limit: int) -> int:
        """Remove some that began before then; how many."""
        ids = [row["_id"] async for row in cls.rows().find({"created_at": {"$lt": before}}, {"_id": 1}).limit(limit)]
        if ids:
            await cls.rows().delete_many(by_ids(ids))
        return len(ids)
