"""Ratings and reviews: they lie at enrolments, and are counted at their course by the number of stars. No rules.

`rating_moves` of a course counts the changes of its counts; the average is written by who read them at that move.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pymongo import ASCENDING

from documents.base import Row
from documents.course import Course
from documents.enrollment import Enrollment

RATED_INTENTS = 100
"""How many of the newest counted intents a course remembers, so that a repeat counts nothing twice; and when each was counted."""
_COUNTS = {"ratings": 1, "rating_moves": 1, "rated": 1, "rated_ms": 1, "rating_average": 1, "ratings_count": 1}
_SHOWN = {
    "student_id": 1, "course_id": 1, "rating": 1, "review": 1, "reviewed_at": 1, "review_hidden_reason": 1,
    "review_hidden_at": 1, "review_version": 1, "review_created_at": 1, "review_updated_at": 1,
}  # fmt: skip


async def page_of_reviews(
    filter_: Row, sorting: Sequence[tuple[str, int]], *, skip: int, limit: int
) -> tuple[list[Row], int]:
    """Enrolments with a rating, as far as reviews are shown, and how many match."""
    total = await Enrollment.rows().count_documents(filter_)
    order = [*sorting, ("_id", sorting[0][1])]
    found = Enrollment.rows().find(filter_, dict(_SHOWN)).sort(order).skip(skip).limit(limit)
    return await found.to_list(length=limit), total


async def rated_after(course_id: str, after: str, *, limit: int) -> list[Row]:
    """A course's enrolments with rating and outbox, by id, those after this one."""
    which: Row = {"course_id": course_id, "_id": {"$gt": after}}
    found = Enrollment.rows().find(which, {"rating": 1, "outbox": 1}).sort("_id", ASCENDING).limit(limit)
    return await found.to_list(length=limit)


async def count_rating(course_id: str, intent_id: str, moved: Mapping[str, int], *, now_ms: int) -> None:
    """Move a course's counts by stars for one intent, once however often it is repeated."""
    by = {f"ratings.{stars}": change for stars, change in moved.items()}
    await Course.rows().update_one(
        {"_id": course_id, "rated": {"$ne": intent_id}},
        {
            "$inc": {**by, "rating_moves": 1},
            "$push": {
                "rated": {"$each": [intent_id], "$slice": -RATED_INTENTS},
                "rated_ms": {"$each": [now_ms], "$slice": -RATED_INTENTS},
            },
        },
    )


async def find_counts(course_id: str) -> Row | None:
    """A course's counts by stars, the intents counted last, and what is shown of them."""
    return await Course.rows().find_one({"_id": course_id}, dict(_COUNTS))


async def set_ratings(seen: Row, average: int | None, count: int, *, ratings: Mapping[str, int] | None = None) -> bool:
    """Write what is shown (and counts that had drifted), if nothing was counted since they were read."""
    which = {"_id": seen["_id"], "rating_moves": seen.get("rating_moves", {"$exists": False})}
    fields: Row = {"ratings_count": count}
    if ratings is not None:
        fields |= {"ratings": dict(ratings), "rating_moves": int(seen.get("rating_moves", 0)) + 1}
    update: Row = {"$set": fields | ({} if average is None else {"rating_average": average})}
    if average is None:
        update["$unset"] = {"rating_average": ""}
    return bool((await Course.rows().update_one(which, update)).matched_count)
