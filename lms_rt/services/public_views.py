"""What strangers are shown of courses, kept in memory for a while: everybody at the door asks for the same.

What is kept stands under a mark that every write of a course moves, for all nodes at once; so a course that is taken back is
gone at the next look. What moves beside courses (counts, ratings, names, the quizzes of lessons) is as old as the settings let
it be. Nothing of anybody who has signed in is here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, TypeVar, cast

from config.settings import Settings
from lms_rt.bus.base import Marks
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused

MAX_KEPT = 500
"""So many views are kept; beyond it the one goes that nobody has looked at for longest."""

ValueT = TypeVar("ValueT")


class Kind(StrEnum):
    """What is kept: pages of the catalogue, courses, and pages of the lessons of one."""

    CATALOGUE = "catalogue"
    COURSE = "course"
    LESSONS = "lessons"


class PublicViews:
    """Keeps views of courses for strangers, where `CACHE_ENABLED` says so; else it makes each anew."""

    def __init__(
        self, settings: Settings | None = None, *, clock: Clock | None = None, marks: Marks | None = None
    ) -> None:
        self._clock, self._marks, self._name = clock, marks, ""
        self._kept: OrderedDict[tuple[str, Kind, str], tuple[int, Any]] = OrderedDict()
        self._ages_ms: dict[Kind, int] = {}
        if settings is not None and settings.cache_enabled:
            self._name, self._ages_ms = f"{settings.cache_prefix}:catalogue", _ages_ms(settings)

    async def find(self, actor: Actor, kind: Kind, key: str, make: Callable[[], Awaitable[ValueT]]) -> ValueT:
        """What is kept under this key, or what `make` makes. For whoever has signed in it is made, and not kept."""
        if not actor.is_stranger or (mark := await self._mark()) is None or self._clock is None:
            return await make()
        now_ms, place = self._clock.now_ms(), (mark, kind, key)
        kept = self._kept.get(place)
        if kept is not None and 0 <= now_ms - kept[0] < self._ages_ms[kind]:
            self._kept.move_to_end(place)
            return cast("ValueT", kept[1])
        made = await make()
        self._kept[place] = (now_ms, made)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return made

    async def move(self) -> None:
        """A course was written: what was kept before is not shown any more, by no node.

        While the bus is away, this one alone forgets; what others keep is as old at most as the settings let it be.
        """
        self._kept.clear()
        if self._name and self._marks is not None:
            try:
                await self._marks.move(self._name)
            except Refused as refused:
                _pass_if_away(refused)

    async def _mark(self) -> str | None:
        """Under which mark views are kept now; None: nothing is."""
        if not self._name or self._marks is None:
            return None
        try:
            return await self._marks.mark_of(self._name)
        except Refused as refused:
            _pass_if_away(refused)
            return None


def _pass_if_away(refused: Refused) -> None:
    if refused.code is not Code.UNAVAILABLE:
        raise refused


def _ages_ms(settings: Settings) -> dict[Kind, int]:
    """A view is no older than the youngest of what it shows may be."""
    courses, lessons, quizzes = (
        1000 * seconds
        for seconds in (
            settings.cache_ttl_courses_seconds,
            settings.cache_ttl_lessons_seconds,
            settings.cache_ttl_quizzes_seconds,
        )
    )
    return {
        Kind.CATALOGUE: courses,
        Kind.COURSE: min(courses, lessons, quizzes),
        Kind.LESSONS: min(lessons, quizzes),
    }
