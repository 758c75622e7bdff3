"""How the certificates of a course look, and whether it gives any. `_id` is the course's. No rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from documents.base import Aggregate, Row, with_intents


class CertificateTemplate(Aggregate):
    """A course's own template. A course without one has that of the house."""

    is_enabled: bool = True
    language: str = "student"
    heading: str | None = None
    text: str | None = None
    accent_color: str
    ink_color: str
    paper_color: str
    logo_file_id: str | None = None
    shows_instructor: bool = True
    signer_name: str | None = None
    signer_title: str | None = None

    class Settings(Aggregate.Settings):
        """Collection and indexes."""

        name = "certificate_templates"
        indexes: ClassVar = [IndexModel([("outbox_at", ASCENDING)], sparse=True)]

    @classmethod
    async def find_row(cls, course_id: str) -> Row | None:
        """The template of a course, if it has its own."""
        return await cls.rows().find_one({"_id": course_id}, {"outbox": 0})

    @classmethod
    async def put(
        cls, course_id: str, version: int, fields: dict[str, Any], *, intents: Sequence[Row], at: datetime
    ) -> bool:
        """Make it (version 0) or change it, if nobody was first."""
        stored = {name: value for name, value in fields.items() if value is not None}
        if version == 0:
            row = {"_id": course_id, **stored, "version": 1, "created_at": at, "updated_at": at}
            if intents:
                row |= {"outbox": list(intents), "outbox_at": at}
            try:
                await cls.rows().insert_one(row)
            except DuplicateKeyError:
                return False
            return True
        update: Row = {"$set": {**stored, "version": version + 1, "updated_at": at}}
        if gone := [name for name, value in fields.items() if value is None]:
            update["$unset"] = dict.fromkeys(gone, "")
        which = {"_id": course_id, "version": version}
        return bool((await cls.rows().update_one(which, with_intents(update, intents, at))).matched_count)
