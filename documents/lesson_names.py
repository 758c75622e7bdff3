"""What lessons are called and where they are, without what is in them. No rules."""

from __future__ import annotations

from collections.abc import Collection

from documents.base import Row
from documents.course import Course


async def names_of_lessons(course_id: str, lesson_ids: Collection[str]) -> dict[str, Row]:
    """Title and slug of these lessons of a course, by id; of those that are there."""
    if not lesson_ids:
        return {}
    fields = {f"lessons.{one}.{name}": 1 for one in lesson_ids for name in ("title", "slug")}
    row = await Course.rows().find_one({"_id": course_id}, fields)
    return {one: found for one, found in (row or {}).get("lessons", {}).items() if found}
