"""Who is written to: language, timezone and address of accounts, many in one read. No rules."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from documents.base import by_ids
from documents.user import User

_FIELDS = {"full_name": 1, "email": 1, "locale": 1, "timezone": 1, "is_active": 1, "role": 1, "created_at": 1}
_THERE = {"erasing_at": {"$exists": False}}


@dataclass(frozen=True, slots=True)
class Reader:
    """An account, as far as what it is told depends on it."""

    user_id: str
    full_name: str
    email: str
    locale: str
    timezone: str
    role: str
    is_active: bool
    created_at: datetime


async def readers_of(user_ids: Collection[str]) -> dict[str, Reader]:
    """Those of these accounts that exist, by id; who is erased is nobody to be told anything."""
    if not user_ids:
        return {}
    rows = User.rows().find({**by_ids(set(user_ids)), **_THERE}, dict(_FIELDS))
    return {
        row["_id"]: Reader(
            user_id=row["_id"],
            full_name=row["full_name"],
            email=row["email"],
            locale=row.get("locale", "en"),
            timezone=row.get("timezone", "UTC"),
            role=row["role"],
            is_active=row.get("is_active", True),
            created_at=row["created_at"],
        )
        async for row in rows
    }


async def find_reader(user_id: str) -> Reader | None:
    """One of them."""
    return (await readers_of([user_id])).get(user_id)
