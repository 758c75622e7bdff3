"""Figures of some courses, counted where the data lies: enrolments by status, who was there lately, scores. No rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from documents.attempt import Attempt
from documents.base import Row
from documents.course import Course
from documents.enrollment import Enrollment
from documents.enums import Grading
from documents.quiz import Quiz

_STANDING = ["title", "slug", "is_published", "is_archived", "rating_average", "ratings_count"]


async def courses_of(instructor_id: str) -> list[Row]:
    """All courses of a teacher, as far as it is told how they stand; the newest first."""
    found = Course.rows().find({"instructor_id": instructor_id}, _STANDING).sort([("created_at", -1), ("_id", -1)])
    return await found.to_list(length=None)


async def statuses_in(course_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many enrolments of each status these courses have."""
    counted: dict[str, dict[str, int]] = {}
    stages: list[Row] = [
        {"$match": {"course_id": {"$in": list(course_ids)}}},
        {"$group": {"_id": {"course_id": "$course_id", "status": "$status"}, "count": {"$sum": 1}}},
    ]
    async for row in Enrollment.rows().aggregate(stages):
        counted.setdefault(row["_id"]["course_id"], {})[row["_id"]["status"]] = row["count"]
    return counted


async def opened_since(course_ids: Sequence[str], moment: datetime) -> dict[str, int]:
    """How many students opened each of these courses since then."""
    stages: list[Row] = [
        {"$match": {"course_id": {"$in": list(course_ids)}, "last_accessed_at": {"$gte": moment}}},
        {"$group": {"_id": "$course_id", "count": {"$sum": 1}}},
    ]
    return {row["_id"]: row["count"] async for row in Enrollment.rows().aggregate(stages)}


async def quizzes_in(course_ids: Sequence[str]) -> dict[str, list[str]]:
    """The quizzes of these courses that are not put away."""
    which: Row = {"course_id": {"$in": list(course_ids)}, "is_archived": {"$ne": True}}
    found: dict[str, list[str]] = {}
    async for row in Quiz.rows().find(which, {"course_id": 1}):
        found.setdefault(row["course_id"], []).append(row["_id"])
    return found


async def scores_of(quiz_ids: Sequence[str]) -> dict[str, Row]:
    """`count`, `sum` of percentages and `passed` of the graded attempts at these quizzes, by course. Previews left out."""
    if not quiz_ids:
        return {}
    stages: list[Row] = [
        {"$match": {"quiz_id": {"$in": list(quiz_ids)}, "grading": Grading.DONE.value, "is_preview": False}},
        {
            "$group": {
                "_id": "$course_id",
                "count": {"$sum": 1},
                "sum": {"$sum": "$percentage"},
                "passed": {"$sum": {"$cond": ["$is_passed", 1, 0]}},
            }
        },
    ]
    return {row["_id"]: row async for row in Attempt.rows().aggregate(stages)}
