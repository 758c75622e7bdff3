"""Events of record as their readers meet them: followers inside, `GET /events` and webhooks outside. No rules.

`data` is the REST view of the thing that the event is about, made when the event was recorded. Lists that may grow long
(a course's lessons, an enrolment's progress and attempts, an attempt's questions and answers) are left out of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from lms_rt.contracts.base import CursorPage, CursorQuery, Instant, View


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One event of record. `data` is JSON: ids and times are texts, scores and percentages decimal strings.

    What `data` holds by `type`:

    - `user.…`: the user's view (`id`, `email`, `full_name`, `role`, `locale`, `timezone` …)
    - `course.…`: the course's view in a list (`id`, `title`, `slug`, `instructor_id` …)
    - `user.updated` and `course.updated` also have `changed`, the names of what was changed (a course's `lessons` too)
    - `enrollment.…`: the enrolment's view (`id`, `student_id`, `course_id`, `course_title`, `status`,
      `progress_percentage` …) and `student_name`
    - `lesson.completed`: the same, and `lesson`, its row of progress (`lesson_id`, `status`, `completed_at` …)
    - `attempt.…`: the attempt's view in a list (`id`, `quiz_id`, `course_id`, `enrollment_id`, `student_id`,
      `student_name`, `status`, `score`, `percentage`, `is_passed` …) and `quiz_title`
    - `quiz.…`: the quiz's view (`id`, `course_id`, `title` …)

    A `data` that would be too large has its largest members taken out, and names them in `left_out`.
    """

    event_id: str
    type: str
    at: datetime
    data: Mapping[str, Any]


Follower = Callable[[RecordedEvent], Awaitable[None]]
"""Does what follows from an event. May be called again with the same one, after any crash: idempotent by `event_id`."""


class EventView(View):
    """One event of record, as webhooks are sent it, with its place in the stream (`cursor`)."""

    id: str
    type: str
    timestamp: Instant
    data: dict[str, Any]
    cursor: str


class EventPage(CursorPage[EventView]):
    """A stretch of the stream, oldest first. `cursor` is where to go on: at once while `next` is there, else later."""

    cursor: str


class EventQuery(CursorQuery):
    """Which events. Without `after` from the oldest that is kept; `type` may be given several times."""

    type: Annotated[list[Annotated[str, StringConstraints(max_length=100)]], Field(max_length=50)] = Field(
        default_factory=list
    )
