"""An upload that may be taken up again after a break: how much of it is here, and in which pieces. No rules.

The pieces lie in the file store under ids of their own until they are joined. `lease` names who writes the next piece, or joins all
of them: one at a time, until `lease_until` unless it is renewed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, IndexModel, ReturnDocument

from documents.base import Record, Row

_FREE = {"lease": "", "lease_until": ""}


class UploadSession(Record):
    """One upload. `file_id` is that of the file that room was reserved for; `is_done` once that file is there."""

    owner_id: str
    file_id: str
    original_filename: str
    extension: str
    described: str = ""
    length: int
    offset: int = 0
    parts: list[Row] = Field(default_factory=list)
    lease: str | None = None
    lease_until: datetime | None = None
    is_done: bool = False
    created_at: datetime
    expires_at: datetime

    class Settings(Record.Settings):
        """Collection and indexes."""

        name = "upload_sessions"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel([("owner_id", ASCENDING)]),
            IndexModel([("file_id", ASCENDING)]),
            IndexModel([("parts.blob_id", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)]),
        ]

    @classmethod
    async def add(cls, row: Row) -> None:
        """Insert."""
        await cls.rows().insert_one(row)

    @classmethod
    async def find_row(cls, session_id: str, owner_id: str, now: datetime) -> Row | None:
        """One of this person's that still holds."""
        return await cls.rows().find_one({"_id": session_id, "owner_id": owner_id, "expires_at": {"$gt": now}})

    @classmethod
    async def find_any(cls, session_id: str) -> Row | None:
        """One, whosever it is."""
        return await cls.rows().find_one({"_id": session_id})

    @classmethod
    async def claim(cls, session_id: str, *, offset: int, lease: str, now: datetime, until: datetime) -> Row | None:
        """Be the one who goes on from here; None when so much is not here, or more, or somebody else is at it."""
        which: Row = {"_id": session_id, "offset": offset, "is_done": False}
        which["$or"] = [{"lease": {"$exists": False}}, {"lease_until": {"$lte": now}}]
        return await cls.rows().find_one_and_update(
            which, {"$set": {"lease": lease, "lease_until": until}}, return_document=ReturnDocument.AFTER
        )

    @classmethod
    async def renew(cls, session_id: str, *, lease: str, until: datetime) -> bool:
        """Stay the one; False when somebody else is by now, or it was given up."""
        which = {"_id": session_id, "lease": lease}
        return bool((await cls.rows().update_one(which, {"$set": {"lease_until": until}})).matched_count)

    @classmethod
    async def leave(cls, session_id: str, *, lease: str) -> None:
        """Let others go on."""
        await cls.rows().update_one({"_id": session_id, "lease": lease}, {"$unset": _FREE})

    @classmethod
    async def put_part(cls, session_id: str, *, lease: str, part: Row, offset: int, expires_at: datetime) -> Row | None:
        """One piece more; None when somebody else writes by now, or it was given up."""
        return await cls.rows().find_one_and_update(
            {"_id": session_id, "lease": lease, "is_done": False},
            {"$set": {"offset": offset, "expires_at": expires_at}, "$push": {"parts": part}, "$unset": _FREE},
            return_document=ReturnDocument.AFTER,
        )

    @classmethod
    async def end(cls, session_id: str) -> None:
        """Its file is there: the pieces are not needed any more."""
        await cls.rows().update_one({"_id": session_id}, {"$set": {"is_done": True, "parts": []}, "$unset": _FREE})

    @classmethod
    async def take_away(cls, session_id: str, which: Row) -> Row | None:
        """Remove one that is so; the row as it was, or None."""
        return await cls.rows().find_one_and_delete({"_id": session_id, **which})

    @classmethod
    async def find_expired(cls, before: datetime, *, limit: int) -> list[Row]:
        """Some whose time is over."""
        return await cls.rows().find({"expires_at": {"$lte": before}}).limit(limit).to_list(length=limit)

    @classmethod
    async def find_of(cls, owner_id: str, *, limit: int) -> list[Row]:
        """Some of a person's."""
        return await cls.rows().find({"owner_id": owner_id}).limit(limit).to_list(length=limit)

    @classmethod
    async def is_for(cls, file_id: str) -> bool:
        """Is there an upload that is to become this file?"""
        return await cls.rows().find_one({"file_id": file_id}, {"_id": 1}) is not None

    @classmethod
    async def find_named(cls, blob_ids: Sequence[str]) -> set[str]:
        """Which of these bytes are pieces of an upload."""
        wanted = list(blob_ids)
        found = cls.rows().find({"parts.blob_id": {"$in": wanted}}, {"parts.blob_id": 1})
        return {part["blob_id"] async for row in found for part in row["parts"]} & set(wanted)
