"""A certificate: what it says, its number, its signature, and what became of it. None is ever removed. No rules.

`current_key` is the enrolment's id while the certificate is the one in force: an enrolment has one at most. It is unset
once the certificate is revoked or replaced. The number comes with the document itself, in one write, under a unique index:
there is no number without its certificate, and no gap whoever is killed when.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.base import Row, RowAggregate

VALID, REVOKED, REPLACED = "valid", "revoked", "replaced"
_MANY = 1_000
"""More corrections than anybody makes; a list has an end."""


class Certificate(RowAggregate):
    """One certificate. `look` is what the course's template was; with it the same bytes can be printed again.

    `statement` and `credential` are the exact JSON that was signed. Of a person who was erased neither stays, nor the file.
    """

    certificate_number: str
    year: int
    sequence: int
    current_key: str | None = None
    enrollment_id: str
    student_id: str
    course_id: str
    student_name: str
    course_name: str
    instructor_name: str
    issuer_name: str
    language: str
    completion_date: str
    issued_at: datetime
    verify_url: str
    status: str = VALID
    revoked_at: datetime | None = None
    revoked_reason: str | None = None
    replaced_at: datetime | None = None
    replaced_reason: str | None = None
    replaces_id: str | None = None
    replaces_number: str | None = None
    replaced_by_id: str | None = None
    replaced_by_number: str | None = None
    corrected_name: str | None = None
    look: dict[str, Any]
    sheet_format: int = 1
    """2: what was signed lies within the PDF; 3: names have their vowel marks."""
    key_id: str | None = None
    statement: str | None = None
    signature: str | None = None
    credential: str | None = None
    file_id: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None

    ORDER: ClassVar = [("issued_at", DESCENDING), ("_id", DESCENDING)]

    class Settings(RowAggregate.Settings):
        """Collection and indexes."""

        name = "certificates"
        indexes: ClassVar = [
            IndexModel([("certificate_number", ASCENDING)], unique=True),
            IndexModel([("current_key", ASCENDING)], unique=True, sparse=True),
            IndexModel([("enrollment_id", ASCENDING)]),
            IndexModel([("student_id", ASCENDING), ("issued_at", DESCENDING)]),
            IndexModel([("course_id", ASCENDING), ("issued_at", DESCENDING)]),
            IndexModel([("year", ASCENDING), ("sequence", DESCENDING)]),
            IndexModel([("status", ASCENDING), ("certificate_number", DESCENDING)]),
            IndexModel([("outbox_at", ASCENDING)], sparse=True),
        ]

    @classmethod
    async def find_highest(cls, year: int) -> int:
        """The last number of a year, 0 before the first."""
        found = cls.rows().find({"year": year}, {"sequence": 1}).sort("sequence", DESCENDING).limit(1)
        return int(next((row["sequence"] for row in await found.to_list(length=1)), 0))

    @classmethod
    async def find_by_number(cls, number: str) -> Row | None:
        """The certificate of this number."""
        return await cls.rows().find_one({"certificate_number": number}, {"outbox": 0})

    @classmethod
    async def find_current(cls, enrollment_id: str) -> Row | None:
        """The one in force for an enrolment."""
        return await cls.rows().find_one({"current_key": enrollment_id}, {"outbox": 0})

    @classmethod
    async def find_of_enrollment(cls, enrollment_id: str) -> list[Row]:
        """All that there ever were for an enrolment: one, but for corrections."""
        found = cls.rows().find({"enrollment_id": enrollment_id}, {"outbox": 0}).sort("_id", ASCENDING).limit(_MANY)
        return await found.to_list(length=_MANY)

    @classmethod
    async def find_known(cls, enrollment_ids: Collection[str]) -> set[str]:
        """Those of these enrolments that have, or had, a certificate."""
        which: Row = {"enrollment_id": {"$in": sorted(enrollment_ids)}}
        return {row["enrollment_id"] async for row in cls.rows().find(which, {"enrollment_id": 1})}

    @classmethod
    async def find_void(cls, *, year: int | None = None, first: int = 0, limit: int) -> list[Row]:
        """Those that hold no longer, the newest numbers first; of a year, those of so many numbers from `first` on."""
        which: Row = {"status": {"$in": [REVOKED, REPLACED]}}
        if year is not None:
            which |= {"year": year, "sequence": {"$gte": first, "$lt": first + limit}}
        found = (
            cls.rows().find(which, {"verify_url": 1, "status": 1}).sort("certificate_number", DESCENDING).limit(limit)
        )
        return await found.to_list(length=limit)

    @classmethod
    async def name_successor(cls, certificate_id: str, number: str) -> None:
        """Let a replaced one tell the number of the one that took its place; again is as good."""
        await cls.rows().update_one({"_id": certificate_id}, {"$set": {"replaced_by_number": number}})
