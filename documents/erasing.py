"""Writes and walks of an erasure, over all collections: what is to go, and what is to be blanked. What that is, services say.

Every write here may be repeated. There are no indexes for it: an erasure is rare, and looks through what it has to.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from beanie import Document

from documents.attempt import OPEN, Attempt
from documents.base import Aggregate, Record, Row, by_ids, with_intents
from documents.enums import JobState
from documents.job import Job
from documents.user import User

PAGE = 200

Rows = AsyncIterator[list[Row]]
Stored = type[Document]
"""A class of documents."""


async def walk(document: Stored, which: Row, fields: Sequence[str] = ()) -> Rows:
    """All that are so, in pages by id; what is written meanwhile may be left out. Of all fields, or of these alone."""
    rows, after = document.get_motor_collection(), None
    projection = dict.fromkeys(fields, 1) or None
    while True:
        wanted = which if after is None else {"$and": [which, {"_id": {"$gt": after}}]}
        page = await rows.find(wanted, projection).sort("_id", 1).limit(PAGE).to_list(length=PAGE)
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = page[-1]["_id"]


async def remove_all(document: type[Record], which: Row) -> int:
    """Remove all that are so, a page at a time; how many. Aggregates that have something to tell stay."""
    if issubclass(document, Aggregate):
        which = {**which, "outbox_at": {"$exists": False}}
    removed = 0
    while count := await document.forget_some(which, limit=PAGE):
        removed += count
    return removed


async def blank(document: Stored, key: Any, fields: Mapping[str, Any], unset: Collection[str] = ()) -> None:
    """Set these fields of one, and take those away."""
    update: Row = {}
    if fields:
        update["$set"] = dict(fields)
    if unset:
        update["$unset"] = dict.fromkeys(unset, "")
    if update:
        await document.get_motor_collection().update_one({"_id": key}, update)


async def blank_all(document: Stored, which: Row, fields: Mapping[str, Any], unset: Collection[str]) -> None:
    """The same of all that are so."""
    update: Row = {"$unset": dict.fromkeys(unset, "")} if unset else {}
    if fields:
        update["$set"] = dict(fields)
    await document.get_motor_collection().update_many(which, update)


async def has_pending(user_id: str, documents: Mapping[type[Aggregate], Row]) -> bool:
    """Has the account, or any of the aggregates that are so, something to tell?"""
    pending: Row = {"outbox_at": {"$exists": True}}
    theirs: dict[type[Aggregate], Row] = {User: {"_id": user_id}, **documents}
    for document, which in theirs.items():
        if await document.rows().find_one({**which, **pending}, {"_id": 1}) is not None:
            return True
    return False


async def close_attempts(user_id: str, at: datetime, now_ms: int, *, status: str, by: str) -> list[str]:
    """Close the open attempts of a person; which were open."""
    wanted: Row = {"student_id": user_id, "status": {"$in": OPEN}}
    found = [row["_id"] async for row in Attempt.rows().find(wanted, {"_id": 1}).limit(PAGE)]
    stored = {
        "status": status,
        "grading": "pending",
        "submitted_by": by,
        "submitted_at": at,
        "updated_ms": now_ms,
        "updated_at": at,
    }
    for attempt_id in found:
        update: Row = {"$set": stored, "$unset": {"open_key": ""}, "$inc": {"revision": 1}}
        await Attempt.rows().update_one({"_id": attempt_id, "status": {"$in": OPEN}}, update)
    return found


# --- the account itself ---


async def find_account(user_id: str) -> Row | None:
    """The account with all that it holds."""
    return await User.rows().find_one({"_id": user_id})


async def keep_account(user_id: str, version: int, intents: Sequence[Row], at: datetime) -> bool:
    """It is to stay; False when somebody wrote since `version` was read, or its end has begun."""
    which = {
        "_id": user_id,
        "version": version,
        "is_active": False,
        "erase_at": {"$exists": True},
        "erasing_at": {"$exists": False},
    }
    update: Row = {
        "$set": {"is_active": True, "updated_at": at, "version": version + 1},
        "$unset": {"erase_at": "", "erase_by": ""},
    }
    return bool((await User.rows().update_one(which, with_intents(update, intents, at))).matched_count)


async def begin_erasing(user_id: str, at: datetime) -> bool:
    """From now on it cannot be kept; False when it was kept, or is not to be erased yet. Again is as good."""
    due = {"_id": user_id, "is_active": False, "erase_at": {"$lte": at}}
    return bool((await User.rows().update_one(due, {"$set": {"erasing_at": at}})).matched_count)


async def bury_account(
    user_id: str, row: Row, kept: Mapping[str, Any], intents: Sequence[Row], *, at: datetime
) -> bool:
    """Let nothing of the account stay but `kept`; False when somebody wrote since `row` was read."""
    stays = {*kept, "_id", "outbox", "outbox_at", "version", "created_at", "updated_at"}
    fields = {**kept, "version": row["version"] + 1, "updated_at": at}
    update: Row = {"$set": fields, "$unset": dict.fromkeys(sorted(set(row) - stays), "")}
    which = {"_id": user_id, "version": row["version"], "erasing_at": {"$exists": True}}
    return bool((await User.rows().update_one(which, with_intents(update, intents, at))).matched_count)


async def forget_name(user_id: str) -> None:
    """Nothing is looked for by it any more."""
    await User.rows().update_one({"_id": user_id}, {"$unset": {"leaving": ""}})


def due_before(moment: datetime) -> Row:
    """The filter for accounts that should have been erased by then."""
    return {"is_active": False, "erase_at": {"$lte": moment}, "erased_at": {"$exists": False}}


async def has_job(queue: str, task: str, user_id: str) -> bool:
    """Does a job of this task for this account wait, or run?"""
    states = [JobState.WAITING.value, JobState.RUNNING.value]
    wanted = {"queue": queue, "state": {"$in": states}, "task": task, "args.user_id": user_id}
    return await Job.rows().find_one(wanted, {"_id": 1}) is not None


async def note_erased(user_id: str, at: datetime) -> None:
    """All is gone."""
    await User.rows().update_one({"_id": user_id}, {"$max": {"erased_at": at}})


async def count_admins(*, except_id: str) -> int:
    """How many administrators there are besides who can sign in: who was invited and has no password yet cannot."""
    which = {"role": "admin", "is_active": True, "password_hash": {"$ne": ""}, "_id": {"$ne": except_id}}
    return await User.rows().count_documents(which)


def begins_with(text: str) -> Row:
    """The filter for keys that begin so."""
    return {"$regex": f"^{re.escape(text)}"}


NOT_RUNNING: Row = {"$ne": JobState.RUNNING.value}
"""A job that runs is left to its worker."""


def any_of(fields: Sequence[str], value: str) -> Row:
    """The filter for those that have this in one of these fields."""
    return {"$or": [{field: value} for field in fields]}


def of_ids(ids: Collection[str]) -> Row:
    """The filter for these."""
    return by_ids(ids)
