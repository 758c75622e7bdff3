"""What the data of every live event is made of. Which events there are stands in `events.py`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class EventData(BaseModel):
    """The data of an event or a state. Times are RFC 3339 texts, points and percentages decimal strings."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


class OfRecord(EventData):
    """The data of an event of record: the aggregate's version, and the event's place in that write."""

    version: int
    n: int
