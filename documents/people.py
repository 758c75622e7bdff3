"""Accounts in lists: found by filters, shown a page at a time, or walked through. What one account holds is `user.py`'s."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from documents.base import Row, by_ids
from documents.enums import Role
from documents.user import User

Sorting = Sequence[tuple[str, int]]

_UNLISTED = {"outbox": 0, "outbox_at": 0, "search_tokens": 0, "mfa": 0, "mfa_pending": 0, "mfa_tries": 0}


async def page_of_people(filter_: Row, sorting: Sorting, *, skip: int, limit: int) -> tuple[list[Row], int]:
    """Accounts for a list, and how many match in all."""
    total = await User.rows().count_documents(filter_)
    order = [*sorting, ("_id", sorting[0][1])]
    found = User.rows().find(filter_, dict(_UNLISTED)).sort(order).skip(skip).limit(limit)
    return await found.to_list(length=limit), total


async def page_among(
    ids: AsyncIterator[list[str]], filter_: Row, sorting: Sorting, *, skip: int, limit: int
) -> tuple[list[Row], int]:
    """The same of these people alone, who come some at a time: no more of them are held than come before the page's end."""
    order, total, first = [*sorting, ("_id", sorting[0][1])], 0, list[Row]()
    fields = dict.fromkeys((name for name, _ in order), 1)
    async for some in ids:
        which = {"$and": [filter_, by_ids(some)]}
        total += await User.rows().count_documents(which)
        found = User.rows().find(which, fields).sort(order).limit(skip + limit)
        first = _sorted([*first, *await found.to_list(length=skip + limit)], order)[: skip + limit]
    wanted = [row["_id"] for row in first[skip:]]
    rows = {row["_id"]: row async for row in User.rows().find(by_ids(wanted), dict(_UNLISTED))} if wanted else {}
    return [rows[one] for one in wanted if one in rows], total


def _sorted(rows: list[Row], order: Sorting) -> list[Row]:
    """As the database sorts: what is not there comes first."""
    for name, direction in reversed(order):
        rows.sort(key=lambda row: _place(row.get(name)), reverse=direction < 0)
    return rows


def _place(value: Any) -> tuple[bool, Any]:
    return (False, 0) if value is None else (True, value)


async def people_after(filter_: Row, after: str, *, limit: int) -> list[Row]:
    """The next of these accounts, by id."""
    which = {"$and": [filter_, {"_id": {"$gt": after}}]}
    return await User.rows().find(which, dict(_UNLISTED)).sort([("_id", 1)]).limit(limit).to_list(length=limit)


async def ids_among(ids: Sequence[str], filter_: Row) -> list[str]:
    """Those of these accounts that match."""
    which = {"$and": [filter_, by_ids(ids)]}
    return [row["_id"] async for row in User.rows().find(which, {"_id": 1})]


async def count_people(filter_: Row) -> int:
    """How many accounts match."""
    return int(await User.rows().count_documents(filter_))


async def is_an_admin_left() -> bool:
    """Is there an administrator who may sign in? Who was invited and has no password yet cannot."""
    which = {"role": Role.ADMIN.value, "is_active": True, "password_hash": {"$ne": ""}}
    return await User.rows().find_one(which, {"_id": 1}) is not None


async def is_another_awaited(effect: str, at: datetime, *, beside: str) -> bool:
    """Is there another account for which this effect of a write after that moment has yet to be carried out?"""
    later: Row = {"$elemMatch": {"effect": effect, "at": {"$gt": at}}}
    which: Row = {"_id": {"$ne": beside}, "outbox_at": {"$exists": True}, "outbox": later}
    return await User.rows().find_one(which, {"_id": 1}) is not None


async def unfound_people(*, limit: int) -> list[Row]:
    """Some accounts that no search finds yet: they are older than searching is."""
    unfound = {"$or": [{"name_key": {"$exists": False}}, {"name_key": ""}], "erasing_at": {"$exists": False}}
    found = User.rows().find(unfound, {"full_name": 1, "email": 1}).limit(limit)
    return await found.to_list(length=limit)


async def make_found(user_id: str, full_name: str, fields: dict[str, Any]) -> None:
    """Give an account what it is found by, if it still has this name. That is no edit."""
    await User.rows().update_one({"_id": user_id, "full_name": full_name}, {"$set": fields})


async def count_by_role() -> dict[str, int]:
    """How many accounts in use there are of each role."""
    return {role.value: await User.rows().count_documents({"role": role.value, "is_active": True}) for role in Role}
