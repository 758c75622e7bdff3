"""Sessions: one refresh family per sign-in. The tokens themselves are never stored; they are made from these facts."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pymongo import ASCENDING, IndexModel

from documents.base import Record, Row


class Session(Record):
    """A refresh family: `generation` names the only token that rotates, `revoked_at` is there once it has ended.

    `proved_ms` is when the credentials were read that began it (epoch milliseconds): an end of all sessions after that
    moment ends this one too, even when it was written later. A session in which somebody else acts in the user's place
    names them, the session of theirs without which it does not hold, and when they went back into that one.
    """

    user_id: str
    generation: int = 1
    rotated_at: datetime
    idle_until: datetime
    absolute_until: datetime
    revoked_at: datetime | None = None
    proved_ms: int
    created_at: datetime
    last_used_at: datetime
    device: str = ""
    address: str = ""
    impersonator_id: str | None = None
    impersonator_session_id: str | None = None
    returned_at: datetime | None = None

    class Settings(Record.Settings):
        """Collection and indexes."""

        name = "sessions"
        indexes: ClassVar = [
            IndexModel([("user_id", ASCENDING), ("revoked_at", ASCENDING), ("last_used_at", ASCENDING)]),
            IndexModel("impersonator_id", sparse=True),
        ]

    @classmethod
    async def add(cls, session: Session) -> None:
        """Insert a new family."""
        await cls.rows().insert_one({"_id": session.id, **session.model_dump(exclude={"id"}, exclude_none=True)})

    @classmethod
    async def find_row(cls, session_id: str) -> Row | None:
        """The family as it is stored."""
        return await cls.rows().find_one({"_id": session_id})

    @classmethod
    async def find_standings(cls, session_ids: list[str]) -> dict[str, Row]:
        """What tells whether families hold, by their ids; those that are not there are left out."""
        wanted = {"user_id": 1, "proved_ms": 1, "revoked_at": 1, "impersonator_id": 1, "impersonator_session_id": 1}
        return {row["_id"]: row async for row in cls.rows().find({"_id": {"$in": session_ids}}, wanted)}

    @classmethod
    async def rotate(cls, session_id: str, generation: int, *, at: datetime, idle_until: datetime) -> bool:
        """Move from `generation` to the next; False when it was another one by now, or the family has ended."""
        result = await cls.rows().update_one(
            {"_id": session_id, "generation": generation, "revoked_at": {"$exists": False}},
            {
                "$set": {
                    "generation": generation + 1,
                    "rotated_at": at,
                    "last_used_at": at,
                    "idle_until": idle_until,
                }
            },
        )
        return bool(result.matched_count)

    @classmethod
    async def revoke(cls, session_id: str, at: datetime) -> bool:
        """End the family; False when it had ended."""
        result = await cls.rows().update_one(
            {"_id": session_id, "revoked_at": {"$exists": False}}, {"$set": {"revoked_at": at}}
        )
        return bool(result.matched_count)

    @classmethod
    async def note_return(cls, session_id: str, at: datetime) -> None:
        """Keep when who acted in it went back into their own: the first time counts."""
        await cls.rows().update_one(
            {"_id": session_id, "returned_at": {"$exists": False}}, {"$set": {"returned_at": at}}
        )

    @classmethod
    async def find_alive(
        cls, user_id: str, now: datetime, *, proved_until_ms: int | None = None
    ) -> list[tuple[str, bool]]:
        """The ids of this person's families that have neither ended nor run out, and whether somebody acts in them for them.

        Or of those only whose credentials were read up to that moment.
        """
        which = _alive(user_id, now)
        if proved_until_ms is not None:
            which["proved_ms"] = {"$lte": proved_until_ms}
        found = cls.rows().find(which, {"impersonator_id": 1})
        return [(row["_id"], "impersonator_id" in row) async for row in found]

    @classmethod
    async def own_beyond(cls, user_id: str, now: datetime, *, keep: str, count: int, limit: int) -> list[str]:
        """Of the person's own that are alive, but the one to `keep`: those beyond so many, the latest used first."""
        which: Row = {**_alive(user_id, now), "impersonator_id": {"$exists": False}, "_id": {"$ne": keep}}
        found = cls.rows().find(which, {"_id": 1}).sort([("last_used_at", -1), ("_id", -1)]).skip(count).limit(limit)
        return [row["_id"] for row in await found.to_list(length=limit)]

    @classmethod
    async def page_of_user(
        cls, user_id: str, *, now: datetime, proved_after_ms: int, skip: int, limit: int
    ) -> tuple[list[Row], int]:
        """The person's own sessions that hold, the latest used first, and how many there are."""
        which: Row = {
            **_alive(user_id, now),
            "impersonator_id": {"$exists": False},
            "proved_ms": {"$gt": proved_after_ms},
        }
        found = cls.rows().find(which).sort([("last_used_at", -1), ("_id", -1)]).skip(skip).limit(limit)
        return await found.to_list(length=limit), await cls.rows().count_documents(which)

    @classmethod
    async def rows_acted_in(cls, impersonator_id: str, session_id: str | None, now: datetime) -> list[Row]:
        """The sessions that hold in which this person acts for others, from one of theirs or (None) from any."""
        which: Row = {
            "impersonator_id": impersonator_id,
            "revoked_at": {"$exists": False},
            "absolute_until": {"$gt": now},
        }
        if session_id is not None:
            which["impersonator_session_id"] = session_id
        return [row async for row in cls.rows().find(which, {"user_id": 1})]

    @classmethod
    async def prove_again(cls, session_id: str, user_id: str, moment_ms: int) -> bool:
        """Let the person's session hold as if begun at this moment; False when it has ended or is not theirs."""
        result = await cls.rows().update_one(
            {"_id": session_id, "user_id": user_id, "revoked_at": {"$exists": False}},
            {"$max": {"proved_ms": moment_ms}},
        )
        return bool(result.matched_count)

    @classmethod
    async def is_known_place(cls, user_id: str, *, device: str, address: str, since: datetime) -> bool:
        """Has this person signed in with this program from this address, since then and as far back as sessions are kept?"""
        which: Row = {"user_id": user_id, "device": device, "address": address, "impersonator_id": {"$exists": False}}
        which["created_at"] = {"$gte": since}
        return await cls.rows().find_one(which, {"_id": 1}) is not None

    @classmethod
    async def count_people(cls, since: datetime) -> int:
        """How many people have used a session of their own since then; counted where they are kept."""
        which: Row = {"last_used_at": {"$gte": since}, "impersonator_id": {"$exists": False}}
        stages: list[Row] = [{"$match": which}, {"$group": {"_id": "$user_id"}}, {"$count": "count"}]
        return sum([int(row["count"]) async for row in cls.rows().aggregate(stages)])

    @classmethod
    async def forget_ended(cls, before: datetime, *, limit: int, user_id: str = "") -> int:
        """Remove some (of this person) that were over before then, one way or another; how many."""
        which: Row = {"$or": [{end: {"$lt": before}} for end in ("revoked_at", "idle_until", "absolute_until")]}
        return await cls.forget_some({"user_id": user_id, **which} if user_id else which, limit=limit)

    @classmethod
    async def forget_beyond(cls, user_id: str, now: datetime, *, count: int, limit: int) -> None:
        """Remove some of this person's that have ended, beyond so many that ended last."""
        which: Row = {"user_id": user_id, "revoked_at": {"$lte": now}}
        found = cls.rows().find(which, {"_id": 1}).sort("revoked_at", -1).skip(count).limit(limit)
        if ids := [row["_id"] for row in await found.to_list(length=limit)]:
            await cls.forget(ids)

    @classmethod
    async def forget(cls, session_ids: list[str]) -> None:
        """Remove families that have ended."""
        await cls.rows().delete_many({"_id": {"$in": session_ids}})


def _alive(user_id: str, now: datetime) -> Row:
    """What has neither ended nor run out."""
    return {
        "user_id": user_id,
        "revoked_at": {"$exists": False},
        "idle_until": {"$gt": now},
        "absolute_until": {"$gt": now},
    }
