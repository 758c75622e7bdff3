"""What the event of a control says of each attempt at the moment of telling: its channel, its times, its numbers.

One write puts the same event into the outboxes of all attempts that a control reached; what differs is read here.
"""

from __future__ import annotations

from typing import Any

from documents.attempt import Attempt
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.channels import attempt_channel
from lms_rt.services.attempt_views import times_of
from lms_rt.services.relay import Filled


class AttemptTimes:
    """Fills events for the relay."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def fill(self, attempt_id: str) -> Filled | None:
        """The channel of an attempt, and how it stands now; None: it is gone."""
        attempt = await Attempt.find_standing(attempt_id)
        if attempt is None:
            return None
        times = times_of(attempt, self._clock.now_ms())
        deadline_at = times["deadline_at"]
        data: dict[str, Any] = {
            "deadline_at": None if deadline_at is None else rfc3339(deadline_at),
            "server_time": rfc3339(times["server_time"]),
            "remaining_ms": times["remaining_ms"],
            "status": attempt["status"],
            "live_version": attempt["live_version"],
            "revision": attempt["revision"],
        }
        return Filled((attempt_channel(attempt_id),), data)
