"""How far each walk over money has come, by its name: a gateway's for its comparison, `books`, `refunds`. No rules.

A round goes page by page; `state` is where it goes on, so that whoever is killed loses one page. Nobody's name or id of a person
is in it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from documents.base import Record, Row


class PaymentWalk(Record):
    """One walk. `state` is there while a round is under way.

    `seen` counts what that, or the last one, looked at, `partly` what of this in part alone, `failed` what it could not look at.
    `ended_at` is when the last round came to its end, `complete_at` when the last one did that left nothing out. `first_at` is
    when the first one began. Up to `reached` no round has passed anything over. `revision` moves with every page.
    """

    revision: int = 1
    first_at: datetime
    moved_at: datetime
    state: dict[str, Any] | None = None
    seen: int = 0
    failed: int = 0
    partly: int = 0
    ended_at: datetime | None = None
    complete_at: datetime | None = None
    reached: datetime | None = None

    class Settings(Record.Settings):
        """Collection; everything goes by `_id`."""

        name = "payment_walks"

    @classmethod
    async def find_row(cls, name: str) -> Row | None:
        """One walk."""
        return await cls.rows().find_one({"_id": name})

    @classmethod
    async def find_or_begin(cls, name: str, at: datetime) -> Row:
        """One walk; one that is new has not begun a round."""
        row: Row = {"_id": name, "revision": 1, "first_at": at, "moved_at": at, "seen": 0, "failed": 0}
        if (known := await cls.find_row(name)) is not None or await cls.insert_row(row):
            return row if known is None else known
        return await cls.rows().find_one({"_id": name}) or row

    @classmethod
    async def move(cls, row: Row, fields: Row, at: datetime) -> Row | None:
        """One step on what `row` says; how it is then. None: somebody else walks. A field that is None is taken away."""
        after = {**row, **fields, "revision": row["revision"] + 1, "moved_at": at}
        kept = {name: value for name, value in after.items() if value is not None}
        which = {"_id": row["_id"], "revision": row["revision"]}
        return kept if (await cls.rows().replace_one(which, kept)).matched_count else None
