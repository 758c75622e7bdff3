"""What teachers order while a quiz runs: pause, resume, extend, end, announce, correct. Written first and numbered, then applied.

The numbers of one quiz have no gaps, and the highest is the quiz's `live_version`. What a control does to attempts is in
`documents/attempt_controls.py`; no rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from documents.base import Record, Row
from documents.enums import ControlKind, ScopeKind

_BROAD = [ScopeKind.ALL.value, ScopeKind.GROUP.value]
_STANDING = [kind.value for kind in (ControlKind.PAUSE, ControlKind.RESUME, ControlKind.END, ControlKind.CORRECT)]
_MARKS: Row = {"n": 1, "kind": 1, "scope": 1}


class QuizControl(Record):
    """One control. `scope` is {kind: all | group | attempts, group, attempt_ids}; `undone` is there until it is applied."""

    quiz_id: str
    course_id: str
    n: int
    kind: ControlKind
    scope: Row
    seconds: int | None = None
    text: str = ""
    reason: str = ""
    changes: list[Row] = Field(default_factory=list)
    by: str
    by_name: str = ""
    at: datetime
    at_ms: int
    done_at: datetime | None = None
    undone: bool | None = None

    class Settings(Record.Settings):
        """The collection and its indexes."""

        name = "quiz_controls"
        indexes: ClassVar = [
            IndexModel([("quiz_id", ASCENDING), ("n", ASCENDING)], unique=True),
            IndexModel([("quiz_id", ASCENDING), ("kind", ASCENDING), ("n", ASCENDING)]),
            IndexModel([("undone", ASCENDING)], sparse=True),
            IndexModel([("by", ASCENDING)]),
        ]

    @classmethod
    async def add(cls, row: Row) -> bool:
        """Store a new control; False: its number is taken, or it is known already."""
        return await cls.insert_row(row)

    @classmethod
    async def find_row(cls, control_id: str) -> Row | None:
        """A control by its id."""
        return await cls.rows().find_one({"_id": control_id})

    @classmethod
    async def newest(cls, quiz_id: str) -> int:
        """The highest number of a quiz's controls; 0: there is none."""
        found = cls.rows().find({"quiz_id": quiz_id}, {"n": 1}).sort([("n", DESCENDING)]).limit(1)
        rows = await found.to_list(1)
        return int(rows[0]["n"]) if rows else 0

    @classmethod
    async def find_between(cls, quiz_id: str, after: int, until: int, *, limit: int) -> list[Row]:
        """The controls numbered above `after`, up to `until`, in their order."""
        wanted = {"quiz_id": quiz_id, "n": {"$gt": after, "$lte": until}}
        return await cls.rows().find(wanted).sort([("n", ASCENDING)]).limit(limit).to_list(limit)

    @classmethod
    async def find_standing(cls, quiz_id: str) -> list[Row]:
        """Numbers, kinds and scopes of what decides how the quiz stands for who begins now, in their order."""
        wanted = {"quiz_id": quiz_id, "kind": {"$in": _STANDING}, "scope.kind": {"$in": _BROAD}}
        return await cls.rows().find(wanted, dict(_MARKS)).sort([("n", ASCENDING)]).to_list(None)

    @classmethod
    async def find_numbered(cls, quiz_id: str, numbers: Iterable[int]) -> list[Row]:
        """These controls of a quiz, in their order."""
        wanted = {"quiz_id": quiz_id, "n": {"$in": sorted(numbers)}}
        return await cls.rows().find(wanted).sort([("n", ASCENDING)]).to_list(None)

    @classmethod
    async def find_undone(cls, *, until_ms: int, limit: int) -> list[Row]:
        """Controls of that time or before that nobody finished."""
        wanted = {"undone": True, "at_ms": {"$lte": until_ms}}
        return await cls.rows().find(wanted).sort([("at_ms", ASCENDING)]).limit(limit).to_list(limit)

    @classmethod
    async def find_page(cls, quiz_id: str, *, skip: int, limit: int) -> tuple[list[Row], int]:
        """One page of a quiz's controls, newest first, and how many there are."""
        rows, wanted = cls.rows(), {"quiz_id": quiz_id}
        found = rows.find(wanted).sort([("n", DESCENDING)]).skip(skip).limit(limit)
        return await found.to_list(limit), await rows.count_documents(wanted)

    @classmethod
    async def mark_done(cls, control_id: str, at: datetime) -> bool:
        """It reached everybody; False: somebody said so before."""
        update = {"$set": {"done_at": at}, "$unset": {"undone": ""}}
        result = await cls.rows().update_one({"_id": control_id, "undone": True}, update)
        return result.matched_count == 1
