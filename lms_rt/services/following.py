"""What follows from an event of record: each follower is told of it by a job, again until none of them fails.

Who follows is wired in `bootstrap.py`; what they do is theirs. A follower must bear to be told twice.
"""

from __future__ import annotations

import logging

from documents.event_record import EventRecord
from lms_rt.contracts.event_records import Follower, RecordedEvent

_log = logging.getLogger(__name__)


class Following:
    """Tells followers of events."""

    def __init__(self) -> None:
        self._followers: list[Follower] = []

    def add(self, follower: Follower) -> None:
        """From now on this one is told of every event too."""
        self._followers.append(follower)

    async def follow(self, event_id: str) -> None:
        """Tell every follower of an event. One that fails keeps none of the others from it, and is told again later."""
        row = await EventRecord.find_event(event_id)
        if row is None:  # a job that lay about for longer than events are kept
            _log.warning("event %s is no longer kept: nobody is told of it", event_id)
            return
        event = RecordedEvent(row["event_id"], row["type"], row["at"], row["data"])
        failures: list[Exception] = []
        for follower in self._followers:
            try:
                await follower(event)
            except Exception as error:  # noqa: BLE001 - raised below, when all were told
                failures.append(error)
        for failure in failures[1:]:
            _log.warning("a follower of event %s failed too", event_id, exc_info=failure)
        if failures:
            raise failures[0]
