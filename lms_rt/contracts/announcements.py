"""Announcements at the border: what a teacher tells everybody in a course. No rules."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from lms_rt.contracts.base import Draft, Instant, Title, View

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5_000)]


class AnnouncementDraft(Draft):
    """What to tell. Without a title it is that of the course."""

    text: Words
    title: Title | None = None


class AnnouncementView(View):
    """What was told, by whom."""

    id: str
    course_id: str
    author_id: str
    author_name: str
    title: str | None
    text: str
    version: int
    created_at: Instant
    updated_at: Instant
