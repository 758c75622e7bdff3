"""Where messages get their place: each node writes what waits in one go, and takes the next numbers of its courses for it.

Of two nodes that want the same number one wins, and the other looks again; a message that is there already stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from documents.base import Row
from documents.message import Message
from lms_rt.contracts.outbox import Write
from lms_rt.services.appending import Appending
from lms_rt.services.chat_views import said_intents

MAX_BATCH = 50


class ChatLog:
    """Keeps messages in the one order of their course."""

    def __init__(self) -> None:
        self._appending = Appending(self._append, Message.kept_among, max_batch=MAX_BATCH)

    async def keep(self, row: Row) -> None:
        """Return when it is kept, once, with what follows from it in its outbox."""
        await self._appending.keep({"event_id": row["_id"], **row})

    async def _append(self, rows: Sequence[Row]) -> bool:
        numbers: dict[str, int] = {}
        placed = []
        for row in rows:
            course_id = row["course_id"]
            last = numbers[course_id] if course_id in numbers else await Message.find_highest(course_id)
            numbers[course_id] = last + 1
            placed.append(_placed(row, numbers[course_id]))
        return await Message.add_all(placed)


def _placed(row: Row, number: int) -> Row:
    """The message at its place, with the event that tells it."""
    at = row["created_at"]
    message = {name: value for name, value in row.items() if name != "event_id"} | {"number": number}
    return message | {"outbox": said_intents(message, Write(1, at)), "outbox_at": at}
