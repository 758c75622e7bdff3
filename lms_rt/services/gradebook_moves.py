"""Telling who looks at a gradebook that an item of it moved: its dates, its points, or whether it counts. Pure: no storage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lms_rt.contracts.channels import course_staff_channel
from lms_rt.contracts.outbox import Intent, Write, event

_MOVING = (
    *("is_published", "is_archived", "title", "points", "due_date", "late_penalty", "overrides"),
    *("quiz_type", "total_points", "grading_policy", "opens_at", "closes_at", "time_limit_minutes"),
)


def told_of_item(write: Write, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Intent]:
    """What the course's staff hears of a quiz or an assignment that is another one for the gradebook; drafts are in none.

    Versions count for each item, so that the item stands in the id.
    """
    is_in = any(row.get("is_published") or row.get("is_archived") for row in (before, after))
    if not is_in or all(before.get(name) == after.get(name) for name in _MOVING):
        return []
    course_id, item_id = after["course_id"], after["_id"]
    data = {"gradebook_id": f"{course_id}:{item_id}", "course_id": course_id}
    return [event(write, "gradebook_updated", n=1, channels=[course_staff_channel(course_id)], data=data)]
