"""What a lesson asks of who learns it, kept beside the lessons so that progress is decided without their texts. No rules.

A lesson that asks for nothing but to be opened has no row; the rows follow from the lessons with every edit of the course.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class LessonRule(BaseModel):
    """Of one lesson: what completes it besides its quizzes and assignments, and when it opens.

    `completion` is the teacher's own choice, if they made one. `is_own_video`: its video plays in this site's player.
    """

    completion: str | None = None
    is_own_video: bool = False
    duration_seconds: int | None = None
    prerequisite_lesson_ids: list[str] = Field(default_factory=list)
    release_at: datetime | None = None
    release_after_days: int | None = None


NO_RULE = LessonRule()
"""Of a lesson without a row."""
