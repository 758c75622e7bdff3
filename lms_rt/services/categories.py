"""The categories of the catalogue, with counts. They are free text; spellings that fold alike are one category."""

from __future__ import annotations

from collections import defaultdict

from documents.course import Course
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, PageQuery, page_of
from lms_rt.contracts.courses import CategoryView


class Categories:
    """What can be asked about categories."""

    async def list(self, actor: Actor, query: PageQuery) -> Page[CategoryView]:  # noqa: ARG002 - they are for everybody
        """All categories that have a published course, by name, each in its commonest spelling."""
        spellings: dict[str, dict[str, int]] = defaultdict(dict)
        for row in await Course.category_counts():
            spellings[row["_id"]["key"]][row["_id"]["name"]] = row["count"]
        views = [
            CategoryView(
                category=min(counts, key=lambda name: (-counts[name], name)), courses_count=sum(counts.values())
            )
            for _, counts in sorted(spellings.items())
        ]
        return page_of(views[query.skip : query.skip + query.page_size], query, len(views))
