"""What a course's ratings come to: counted by stars when an enrolment's rating moves, averaged, and counted again by night.

Of two who count at once each writes the average only if nobody has counted since it read: whoever was last does.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

from documents.base import Row
from documents.review import RATED_INTENTS, count_rating, find_counts, rated_after, set_ratings
from lms_rt.clock import Clock
from lms_rt.services.enrollment_edits import RATED_EFFECT
from lms_rt.services.relay import EffectHandler

STARS = ("1", "2", "3", "4", "5")
PAGE = 500
CLOCKS_DIFFER_MS = 60_000
TRIES = 5
"""Where people rate while it is counted, it is counted again; else the next night."""

_log = logging.getLogger(__name__)


class Ratings:
    """Keeps the numbers of courses right."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()

    def effects(self) -> dict[str, EffectHandler]:
        """The handler of what a changed rating leaves, for the relay."""
        return {RATED_EFFECT: self._count}

    async def recount(self, course_id: str) -> bool:
        """Count all ratings of a course again; was something mended?"""
        for _ in range(TRIES):
            seen = await find_counts(course_id)
            if seen is None:
                return False
            counts = await _counted(course_id, set(seen.get("rated", ())))
            average, count = average_of(counts)
            if counts == counts_of(seen) and (average, count) == _shown(seen):
                return False
            if await set_ratings(seen, average, count, ratings=counts):
                _log.error("ratings of %s had drifted, and are %s", course_id, counts)
                return True
        return False

    async def _count(self, intent_id: str, data: dict[str, Any]) -> None:
        course_id = data["course_id"]
        before = await find_counts(course_id)
        if before is not None and _may_be_forgotten(before, intent_id, data.get("at_ms", 0)):
            await self.recount(course_id)  # without this one, which waits: whether it was counted before or not
        await count_rating(course_id, intent_id, data["moved"], now_ms=self._clock.now_ms())
        seen = await find_counts(course_id)
        if seen is not None and (average := average_of(counts_of(seen))) != _shown(seen):
            await set_ratings(seen, *average)


def _may_be_forgotten(course: Row, intent_id: str, at_ms: int) -> bool:
    """Can it have been counted, and have left the memory of the course? Not what is younger than all that is in it."""
    rated, counted_ms = course.get("rated") or [], course.get("rated_ms") or []
    if intent_id in rated or len(rated) < RATED_INTENTS:
        return False
    return len(counted_ms) < len(rated) or at_ms <= counted_ms[0] + CLOCKS_DIFFER_MS


def counts_of(row: Row) -> dict[str, int]:
    """How many ratings of each number of stars there are, by a course's row."""
    stored = row.get("ratings") or {}
    return {stars: int(stored.get(stars, 0)) for stars in STARS}


def average_of(counts: Mapping[str, int]) -> tuple[int | None, int]:
    """The average in hundredths, half up (None: nobody rated), and how many ratings there are."""
    count = sum(counts.values())
    total = sum(int(stars) * number for stars, number in counts.items())
    return ((200 * total + count) // (2 * count) if count > 0 else None), max(0, count)


def _shown(row: Row) -> tuple[int | None, int]:
    return row.get("rating_average"), int(row.get("ratings_count", 0))


async def _counted(course_id: str, counted: set[str]) -> dict[str, int]:
    """The ratings at a course's enrolments, without those that still wait to be counted."""
    counts, after = Counter[str](dict.fromkeys(STARS, 0)), ""
    while rows := await rated_after(course_id, after, limit=PAGE):
        for row in rows:
            if row.get("rating") is not None:
                counts[str(row["rating"])] += 1
            for intent in row.get("outbox", ()):
                if intent.get("effect") == RATED_EFFECT and intent["id"] not in counted:
                    counts.subtract(intent["data"]["moved"])
        after = rows[-1]["_id"]
    return {stars: counts[stars] for stars in STARS}
