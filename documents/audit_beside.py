"""What lies beside the audit log: its signed marks, and what erasing a person takes away (salts and reasons)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Record, Row, by_ids

HEAD = "head"
"""The mark at the newest record."""
CUT = "cut"
"""The mark at the last record that was removed for its age."""
CHECKED = "checked"
"""The mark at the last record of a log that was found whole: up to here every record was by a key that was known then."""
ANEW = "anew"
"""The mark at the place from which the log was signed anew after damage was looked into."""
KNOWN = "known"
"""The mark of what still did not hold when the log was signed anew: that was looked into. It signs the list that lies in it."""
VERDICT = "verdict"
"""What the last check of the whole log found."""


class AuditMark(Record):
    """A place of the log with its hash, signed: the log's own word for how far it goes, or where it begins.

    The verdict is not signed: it holds what the last check of the whole log found, and a list of findings in the mark *known*.
    """

    seq: int
    hash: str = ""
    key_id: str = ""
    signature: str = ""
    at: datetime
    verdict: dict[str, Any] | None = None

    class Settings(Record.Settings):
        """Collection; everything goes by `_id`."""

        name = "audit_marks"

    @classmethod
    async def find_mark(cls, name: str) -> Row | None:
        """The mark as it is stored."""
        return await cls.rows().find_one({"_id": name})

    @classmethod
    async def begin(cls, name: str, fields: Row) -> bool:
        """Set a mark for the first time; False when there is one."""
        try:
            await cls.rows().insert_one({"_id": name, **fields})
        except DuplicateKeyError:
            return False
        return True

    @classmethod
    async def move(cls, name: str, seen: Row, fields: Row) -> bool:
        """Move a mark from where it was seen; False when somebody else has moved it."""
        still = {"_id": name, "seq": seen["seq"], "signature": seen.get("signature", "")}
        return bool((await cls.rows().update_one(still, {"$set": fields})).matched_count)

    @classmethod
    async def put(cls, name: str, fields: Row) -> None:
        """Set a mark that nobody relies on, whatever it was."""
        await cls.rows().update_one({"_id": name}, {"$set": fields}, upsert=True)


class AuditSalt(Record):
    """A person's own salt (`_id` is theirs): without it no hash in the log can be compared with a guess."""

    salt: str

    class Settings(Record.Settings):
        """Collection; everything goes by `_id`."""

        name = "audit_salts"

    @classmethod
    async def of(cls, person_id: str, fresh: str) -> str:
        """The salt of this person; `fresh` becomes it where there is none."""
        row = await cls.rows().find_one({"_id": person_id})
        if row is None:
            try:
                await cls.rows().insert_one({"_id": person_id, "salt": fresh})
            except DuplicateKeyError:
                row = await cls.rows().find_one({"_id": person_id})
        return fresh if row is None else str(row["salt"])

    @classmethod
    async def kept_among(cls, person_ids: list[str]) -> dict[str, str]:
        """The salts of these people, by their ids; who has none is left out."""
        if not person_ids:
            return {}
        return {row["_id"]: str(row.get("salt")) async for row in cls.rows().find(by_ids(person_ids))}

    @classmethod
    async def forget(cls, person_id: str) -> int:
        """Remove the salt of this person."""
        return int((await cls.rows().delete_one({"_id": person_id})).deleted_count)


class AuditReason(Record):
    """Why somebody did something, in their own words; `_id` is the record's `event_id`."""

    person_id: str
    text: str
    at: datetime

    class Settings(Record.Settings):
        """Collection and indexes."""

        name = "audit_reasons"
        indexes: ClassVar = [IndexModel([("person_id", ASCENDING)]), IndexModel([("at", ASCENDING)])]

    @classmethod
    async def keep(cls, event_id: str, fields: Row) -> None:
        """Keep a reason, once."""
        try:
            await cls.rows().insert_one({"_id": event_id, **fields})
        except DuplicateKeyError:
            return

    @classmethod
    async def rows_of(cls, event_ids: list[str]) -> dict[str, Row]:
        """The reasons that are there with whom they are about, by the record's `event_id`."""
        if not event_ids:
            return {}
        return {row["_id"]: row async for row in cls.rows().find(by_ids(event_ids))}

    @classmethod
    async def forget_of(cls, person_id: str) -> int:
        """Remove every reason about this person; how many."""
        return int((await cls.rows().delete_many({"person_id": person_id})).deleted_count)

    @classmethod
    async def forget_before(cls, before: datetime, *, limit: int) -> int:
        """Remove some from before then; how many."""
        return await cls.forget_some({"at": {"$lt": before}}, limit=limit)
