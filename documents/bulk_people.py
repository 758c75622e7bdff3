"""Many people at once, by their addresses: whether they have an account, and how they stand to a course. No rules."""

from __future__ import annotations

from collections.abc import Collection

from documents.base import by_ids
from documents.course import Course
from documents.enrollment import Enrollment
from documents.user import User


async def accounts_of(email_keys: Collection[str]) -> dict[str, tuple[str, bool]]:
    """By normalised address: the account's id, and whether it is in use."""
    if not email_keys:
        return {}
    found = User.rows().find({"email_key": {"$in": sorted(email_keys)}}, {"email_key": 1, "is_active": 1})
    return {row["email_key"]: (row["_id"], bool(row["is_active"])) async for row in found}


async def enrollment_statuses(enrollment_ids: Collection[str]) -> dict[str, str]:
    """The status of those of these enrolments that there are."""
    if not enrollment_ids:
        return {}
    found = Enrollment.rows().find(by_ids(enrollment_ids), {"status": 1})
    return {row["_id"]: str(row["status"]) async for row in found}


async def students_of(instructor_id: str, student_ids: Collection[str]) -> set[str]:
    """Those of these people who are, or were, in a course of this teacher's."""
    if not student_ids:
        return set()
    course_ids = await Course.ids_of_instructor(instructor_id)
    which = {"student_id": {"$in": sorted(student_ids)}, "course_id": {"$in": course_ids}}
    return {row["student_id"] async for row in Enrollment.rows().find(which, {"student_id": 1})}
