"""The categories of the catalogue, with counts. They are free text; spellings that fold alike are one category.

Every visitor of the catalogue asks for them, and counting walks through all courses: a node counts once in a few seconds.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from documents.course import Course
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, PageQuery, page_of
from lms_rt.contracts.courses import CategoryView

FRESH_MS = 3_000


class Categories:
    """What can be asked about categories. Without a clock they are counted each time."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock, self._turn = clock, asyncio.Lock()
        self._counted: Sequence[CategoryView] = ()
        self._counted_ms = -FRESH_MS

    async def list(self, actor: Actor, query: PageQuery) -> Page[CategoryView]:  # noqa: ARG002 - they are for everybody
        """All categories that have a published course, by name, each in its commonest spelling."""
        views = await self._views()
        return page_of(views[query.skip : query.skip + query.page_size], query, len(views))

    async def _views(self) -> Sequence[CategoryView]:
        if self._clock is None:
            return await _count()
        async with self._turn:  # who comes while it is counted waits for that
            now_ms = self._clock.now_ms()
            if not 0 <= now_ms - self._counted_ms < FRESH_MS:
                self._counted, self._counted_ms = await _count(), now_ms
            return self._counted


async def _count() -> Sequence[CategoryView]:
    spellings: dict[str, dict[str, int]] = defaultdict(dict)
    for row in await Course.category_counts():
        spellings[row["_id"]["key"]][row["_id"]["name"]] = row["count"]
    return [
        CategoryView(category=min(counts, key=lambda name: (-counts[name], name)), courses_count=sum(counts.values()))
        for _, counts in sorted(spellings.items())
    ]
