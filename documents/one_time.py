"""Rights that can be used once: to set a password, to verify an address, to go on with a sign-in. No rules.

Under `_id` lies the SHA-256 of the token that its holder shows; the token itself is nowhere. There is no TTL index: reads
check the time themselves, and retention removes what is over.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Record, Row


class Purpose(StrEnum):
    """What a right is for; one for one thing is none for another."""

    PASSWORD_RESET = "password_reset"  # noqa: S105 - a kind of token
    VERIFY_EMAIL = "verify_email"
    INVITATION = "invitation"
    MFA_CHALLENGE = "mfa_challenge"


class OneTime(Record):
    """One right of one account until `expires_at`. `used_at` is there once it was used, or made void.

    `facts` are what it was issued upon, `tries` how often it was tried in vain.
    """

    purpose: Purpose
    user_id: str
    facts: dict[str, Any]
    tries: int = 0
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None

    class Settings(Record.Settings):
        """Collection and indexes."""

        name = "one_time"
        indexes: ClassVar = [IndexModel("user_id"), IndexModel("expires_at")]

    @classmethod
    async def add(cls, right: OneTime) -> bool:
        """Insert a new one; False when it is there already."""
        try:
            await cls.rows().insert_one({"_id": right.id, **right.model_dump(exclude={"id"}, exclude_none=True)})
        except DuplicateKeyError:
            return False
        return True

    @classmethod
    async def find_row(cls, record_id: str) -> Row | None:
        """One as it is stored, whatever has become of it."""
        return await cls.rows().find_one({"_id": record_id})

    @classmethod
    async def count_since(cls, user_id: str, purpose: Purpose, moment: datetime) -> int:
        """How many somebody was given for a purpose after that moment."""
        which = {"user_id": user_id, "purpose": purpose.value, "created_at": {"$gt": moment}}
        return int(await cls.rows().count_documents(which))

    @classmethod
    async def count_held(cls, user_id: str, purpose: Purpose, at: datetime) -> int:
        """How many of somebody for a purpose hold at that moment."""
        unused = {"used_at": {"$exists": False}, "expires_at": {"$gt": at}}
        return int(await cls.rows().count_documents({"user_id": user_id, "purpose": purpose.value, **unused}))

    @classmethod
    async def use(cls, record_id: str, at: datetime) -> bool:
        """Use it up; for one caller alone, and only in its time."""
        which = {"_id": record_id, "used_at": {"$exists": False}, "expires_at": {"$gt": at}}
        return bool((await cls.rows().update_one(which, {"$set": {"used_at": at}})).matched_count)

    @classmethod
    async def add_try(cls, record_id: str, at: datetime, *, limit: int) -> bool:
        """Count a try before it is looked at; False when it had as many as it may, was used, or is over."""
        which: Row = {"_id": record_id, "used_at": {"$exists": False}, "expires_at": {"$gt": at}}
        tried = await cls.rows().update_one({**which, "tries": {"$lt": limit}}, {"$inc": {"tries": 1}})
        return bool(tried.matched_count)

    @classmethod
    async def set_facts(cls, record_id: str, facts: Row, *, where: Row | None = None) -> bool:
        """Set some facts of one that is unused, if its facts are still what `where` says of them."""
        which: Row = {"_id": record_id, "used_at": {"$exists": False}}
        which |= {f"facts.{name}": value for name, value in (where or {}).items()}
        changed = {f"facts.{name}": value for name, value in facts.items()}
        return bool((await cls.rows().update_one(which, {"$set": changed})).matched_count)

    @classmethod
    async def void(cls, user_id: str, purpose: Purpose, at: datetime) -> None:
        """Make void what somebody holds for a purpose."""
        held = {"user_id": user_id, "purpose": purpose.value, "used_at": {"$exists": False}}
        found = [row["_id"] async for row in cls.rows().find(held, {"_id": 1})]
        for record_id in found:
            await cls.use(record_id, at)

    @classmethod
    async def forget_over(cls, before: datetime, *, limit: int) -> int:
        """Remove some whose time was over before then; how many."""
        return await cls.forget_some({"expires_at": {"$lt": before}}, limit=limit)
