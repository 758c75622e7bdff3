"""Which published assignments belong to which lessons of a course: the assignment's `lesson_id` is the truth. No rules."""

from __future__ import annotations

from documents.assignment import Assignment


async def published_assignments(course_id: str) -> dict[str, list[str]]:
    """The ids of the published assignments of each lesson that has any, the oldest first."""
    wanted = {"course_id": course_id, "is_published": True, "lesson_id": {"$exists": True}}
    found: dict[str, list[str]] = {}
    async for row in Assignment.rows().find(wanted, {"lesson_id": 1}).sort([("created_at", 1), ("_id", 1)]):
        found.setdefault(row["lesson_id"], []).append(row["_id"])
    return found
