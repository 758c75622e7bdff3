"""What people are called, for the lists that show them: many accounts in one read, and only these fields. No rules."""

from __future__ import annotations

from collections.abc import Iterable

from documents.base import Row
from documents.user import User


async def names_of(user_ids: Iterable[str]) -> dict[str, Row]:
    """`full_name` and `email` of those of these accounts that exist, by id; who is erased has no address."""
    wanted = sorted(set(user_ids))
    if not wanted:
        return {}
    found = User.rows().find({"_id": {"$in": wanted}}, {"full_name": 1, "email": 1, "erasing_at": 1})
    return {row["_id"]: row if "erasing_at" not in row else {**row, "email": None} async for row in found}
