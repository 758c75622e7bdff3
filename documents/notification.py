"""What a person was told: one document per reader and cause. `_id` derives from both, so that it cannot be there twice.

`mail_claim` says who writes the mail about it: nobody yet (`WAITING`), or the job that took it; it goes with the mail. No rules.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Aggregate, Row, by_ids, with_intents

WAITING = "waiting"
"""No job has an id like this."""
_SHOWN = {"outbox": 0, "mail": 0}
_NEWEST_FIRST = [("created_at", DESCENDING), ("_id", DESCENDING)]

Place = tuple[datetime, str]
"""A place in the list: when, and which."""


class Notification(Aggregate):
    """One notification. `text` and `data` make its words when it is read; `mail` is {template, data} of its own mail."""

    user_id: str
    kind: str
    text: str
    data: dict[str, Any]
    link: str | None = None
    read_at: datetime | None = None
    mail: dict[str, Any] | None = None
    mail_claim: str | None = None

    class Settings(Aggregate.Settings):
        """Collection and indexes."""

        name = "notifications"
        indexes: ClassVar = [
            IndexModel([("user_id", ASCENDING), ("created_at", DESCENDING)]),
            IndexModel([("user_id", ASCENDING), ("mail_claim", ASCENDING)]),
            IndexModel([("created_at", ASCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def add(cls, notification_id: str, fields: Mapping[str, Any], intents: Sequence[Row]) -> bool:
        """Insert with what follows; False when it is there already."""
        flagged = {"outbox": list(intents), **({"outbox_at": fields["created_at"]} if intents else {})}
        try:
            await cls.rows().insert_one({"_id": notification_id, **fields, **flagged})
        except DuplicateKeyError:
            return False
        return True

    @classmethod
    async def find_own(cls, user_id: str, notification_id: str) -> Row | None:
        """One of a person's notifications."""
        return await cls.rows().find_one({"_id": notification_id, "user_id": user_id}, dict(_SHOWN))

    @classmethod
    async def mark_read(cls, notification_id: str, at: datetime, *, version: int, intents: Sequence[Row]) -> bool:
        """It is read; False when somebody else wrote since `version` was read."""
        update: Row = {"$set": {"read_at": at, "updated_at": at, "version": version + 1}}
        which = {"_id": notification_id, "version": version}
        return bool((await cls.rows().update_one(which, with_intents(update, intents, at))).matched_count)

    # --- lists: `read_until` is the moment up to which their reader has read everything ---

    @classmethod
    async def page(cls, filter_: Row, *, skip: int, limit: int) -> tuple[list[Row], int]:
        """One page, newest first, and how many there are."""
        found = cls.rows().find(filter_, dict(_SHOWN)).sort(_NEWEST_FIRST).skip(skip).limit(limit)
        return await found.to_list(length=limit), await cls.rows().count_documents(filter_)

    @classmethod
    async def find_before(cls, filter_: Row, place: Place | None, *, limit: int) -> list[Row]:
        """The next ones, newest first, after a place in the list."""
        if place is not None:
            at, notification_id = place
            older = [{"created_at": {"$lt": at}}, {"created_at": at, "_id": {"$lt": notification_id}}]
            filter_ = {**filter_, "$and": [{"$or": older}]}
        return await cls.rows().find(filter_, dict(_SHOWN)).sort(_NEWEST_FIRST).limit(limit).to_list(length=limit)

    @classmethod
    async def count_unread(cls, user_id: str, read_until: datetime | None) -> int:
        """How many their reader has not read."""
        return await cls.rows().count_documents(unread_of(user_id, read_until))

    @classmethod
    async def find_newest_at(cls, user_id: str) -> datetime | None:
        """When the newest was made."""
        row = await cls.rows().find_one({"user_id": user_id}, {"created_at": 1}, sort=_NEWEST_FIRST)
        return None if row is None else row["created_at"]

    # --- mails ---

    @classmethod
    async def find_for_mail(cls, notification_id: str) -> Row | None:
        """What the job of its mail needs to know."""
        return await cls.rows().find_one({"_id": notification_id}, {"outbox": 0})

    @classmethod
    async def find_claims(cls, user_id: str) -> list[str]:
        """Who is to write the mails about a person's that are not written yet: jobs, or `WAITING`."""
        return list(await cls.rows().distinct("mail_claim", {"user_id": user_id, "mail_claim": {"$exists": True}}))

    @classmethod
    async def claim(cls, user_id: str, job_id: str, *, claims: Collection[str], kind: str | None) -> None:
        """Let a job write the mail about all of a person's with one of these claims (of one kind, or of every)."""
        taken: Row = {"user_id": user_id, "mail_claim": {"$in": sorted(claims)}}
        if kind is not None:
            taken["kind"] = kind
        await cls.rows().update_many(taken, {"$set": {"mail_claim": job_id}})

    @classmethod
    async def find_claimed(cls, user_id: str, job_id: str, *, limit: int) -> list[Row]:
        """The newest of those that a job has claimed, and not written about yet."""
        claimed = {"user_id": user_id, "mail_claim": job_id}
        return await cls.rows().find(claimed, {"outbox": 0}).sort(_NEWEST_FIRST).limit(limit).to_list(length=limit)

    @classmethod
    async def count_claimed(cls, user_id: str, job_id: str) -> int:
        """How many those are."""
        return await cls.rows().count_documents({"user_id": user_id, "mail_claim": job_id})

    @classmethod
    async def unclaim(cls, user_id: str, claim: str, *, kinds: Collection[str] | None = None) -> None:
        """The mail is written, or unwanted: nobody needs to write it any more. Of these kinds, or of every."""
        claimed: Row = {"user_id": user_id, "mail_claim": claim}
        if kinds is not None:
            claimed["kind"] = {"$in": sorted(kinds)}
        await cls.rows().update_many(claimed, {"$unset": {"mail_claim": "", "mail": ""}})

    # --- retention ---

    @classmethod
    async def forget(cls, before: datetime, *, limit: int) -> int:
        """Remove some that were made before then and have nothing left to tell; how many."""
        which = {"created_at": {"$lt": before}, "outbox_at": {"$exists": False}}
        ids = [row["_id"] async for row in cls.rows().find(which, {"_id": 1}).limit(limit)]
        if not ids:
            return 0
        return int((await cls.rows().delete_many({**by_ids(ids), **which})).deleted_count)


def unread_of(user_id: str, read_until: datetime | None) -> Row:
    """The filter for what a person has not read."""
    unread: Row = {"user_id": user_id, "read_at": {"$exists": False}}
    return unread if read_until is None else unread | {"created_at": {"$gt": read_until}}


def read_of(user_id: str, read_until: datetime | None) -> Row:
    """The filter for what they have."""
    ways: list[Row] = [{"read_at": {"$exists": True}}]
    if read_until is not None:
        ways.append({"created_at": {"$lte": read_until}})
    return {"user_id": user_id, "$or": ways}
