"""Figures of the whole school, counted by indexes. How often that is worth it, services decide. No rules."""

from __future__ import annotations

from datetime import datetime

from documents.attempt import OPEN, Attempt
from documents.base import Row
from documents.course import Course
from documents.enrollment import PRESENT, Enrollment
from documents.people import count_by_role
from documents.session import Session


async def counted_figures(active_since: datetime) -> Row:
    """Count. Whoever did anything has used a session within minutes of it, so sessions tell who was active."""
    return {
        "users_by_role": await count_by_role(),
        "active_users_30d": await Session.count_people(active_since),
        "courses": await Course.rows().count_documents({}),
        "published_courses": await Course.rows().count_documents({"is_published": True, "is_archived": False}),
        "enrollments": await Enrollment.rows().count_documents({"status": {"$in": list(PRESENT)}}),
        "attempts_open": await Attempt.rows().count_documents({"status": {"$in": OPEN}}),
    }
