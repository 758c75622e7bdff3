"""Which published assignments belong to which lessons of a course, and which of them a student has handed in.

The assignment's `lesson_id` is the truth, and so is the submission itself; no rules here.
"""

from __future__ import annotations

from documents.assignment import Assignment
from documents.submission import Submission


async def published_assignments(course_id: str) -> dict[str, list[str]]:
    """The ids of the published assignments of each lesson that has any, the oldest first."""
    wanted = {"course_id": course_id, "is_published": True, "lesson_id": {"$exists": True}}
    found: dict[str, list[str]] = {}
    async for row in Assignment.rows().find(wanted, {"lesson_id": 1}).sort([("created_at", 1), ("_id", 1)]):
        found.setdefault(row["lesson_id"], []).append(row["_id"])
    return found


async def open_assignments(course_id: str, student_id: str) -> dict[str, list[str]]:
    """The same, only those for which this student has not handed in: while a lesson has one, it is not done."""
    by_lesson = await published_assignments(course_id)
    if not by_lesson:
        return {}
    done = await Submission.submitted_assignments(student_id, course_id)
    still = {lesson_id: [one for one in ids if one not in done] for lesson_id, ids in by_lesson.items()}
    return {lesson_id: ids for lesson_id, ids in still.items() if ids}
