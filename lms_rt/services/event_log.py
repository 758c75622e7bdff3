"""The log of events of record: one order for replay and webhooks. What follows from an event is a job of its own.

How many writers come to one order: `appending.py`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from documents.base import Row
from documents.event_record import EventRecord
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.event_records import EventPage, EventQuery, EventView
from lms_rt.contracts.events import RECORD_TYPES
from lms_rt.errors import Code, Refused, invalid
from lms_rt.services.appending import Appending
from lms_rt.services.event_views import event_data
from lms_rt.services.jobs import Jobs

FOLLOW = "events.follow"
MAX_BATCH = 100
"""Events in one insert: 2 MB at most."""
REMEMBERED = 10_000
"""So many of the last events this node knows to be kept: while the bus is away, sweeps ask for the same ones again."""
TRUST_MS = 10_000
"""So long a node appends to the end that it knows without looking: were that end removed, the place could be taken."""


class EventLog:
    """Keeps events, asks for what follows them, and lists them."""

    def __init__(self, *, jobs: Jobs, clock: Clock) -> None:
        self._jobs, self._clock = jobs, clock
        self._appending = Appending(self._append, EventRecord.kept_among, max_batch=MAX_BATCH)
        self._kept: OrderedDict[str, None] = OrderedDict()
        self._highest: int | None = None
        self._seen_ms = 0

    async def record(self, intent: Row) -> None:
        """Keep the event of an intent, once, and ask for what follows it."""
        event_id = intent["id"]
        if event_id in self._kept:
            return
        data = await event_data(intent)
        await self._appending.keep({"event_id": event_id, "type": intent["type"], "at": intent["at"], "data": data})
        await self._jobs.put(event_id, FOLLOW, {"event_id": event_id})
        self._remember(event_id)

    async def list(self, _: Actor, query: EventQuery) -> EventPage:
        """A stretch of the stream, oldest first. A cursor from before the oldest that is kept is refused as such."""
        if unknown := sorted(set(query.type) - set(RECORD_TYPES)):
            raise invalid("type", f"There are no events of the type {unknown[0]}.", "unknown_type")
        limit, after = query.limit, await _place(query.after)
        if not await EventRecord.is_kept_at(after + 1):
            return EventPage(items=[], next=None, limit=limit, cursor=str(after))
        # Who reads some types has passed all the others up to here, too.
        until = await EventRecord.find_highest() if query.type else None
        rows = await EventRecord.find_stretch(after=after, until=until, types=query.type, limit=limit + 1)
        items = [_view(row) for row in rows[:limit]]
        following = items[-1].cursor if len(rows) > limit else None
        end = items[-1].cursor if until is None else str(until)
        return EventPage(items=items, next=following, limit=limit, cursor=following or end)

    # --- how ---

    async def _append(self, events: Sequence[Row]) -> bool:
        highest = await self._find_highest()
        is_written = await EventRecord.append(events, after=highest)
        self._highest = highest + len(events) if is_written else None
        return is_written

    async def _find_highest(self) -> int:
        """The end of the log, as this node knows it or as it looks it up."""
        highest, is_fresh = self._highest, self._clock.now_ms() - self._seen_ms < TRUST_MS
        if highest is None or not (is_fresh or await EventRecord.is_kept_at(highest)):
            highest = await EventRecord.find_highest()
        self._seen_ms = self._clock.now_ms()
        return highest

    def _remember(self, event_id: str) -> None:
        self._kept[event_id] = None
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)


def _view(row: Row) -> EventView:
    return EventView(
        id=row["event_id"], type=row["type"], timestamp=row["at"], data=row["data"], cursor=str(row["_id"])
    )


async def _place(cursor: str | None) -> int:
    """The place after which to go on. Cheap for who goes on where events are kept, at the end or before it."""
    if cursor is None:
        return (await EventRecord.find_oldest() or 1) - 1
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise invalid("after", "This is no cursor of this stream.", "invalid_cursor")
    place = int(cursor)
    if await EventRecord.is_kept_at(place + 1) or await EventRecord.is_kept_at(place):
        return place
    if place > await EventRecord.find_highest():
        raise invalid("after", "This cursor was not given out here.", "invalid_cursor")
    oldest = (await EventRecord.find_oldest() or 1) - 1
    if place < oldest:
        words = "Events that came after this cursor are no longer kept; `oldest` is the cursor to go on from."
        raise Refused(Code.CONFLICT, words, oldest=str(oldest))
    return place
