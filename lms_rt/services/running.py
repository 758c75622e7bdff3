"""What runs now in somebody's own courses: quizzes that are being sat first, then those that could be begun.

One that was ended for all does not run, unless somebody still sits it.
"""

from __future__ import annotations

from itertools import islice

from documents.course import Course
from documents.quiz_control import QuizControl
from documents.running import count_open, find_quizzes, find_startable
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.quizzes import RunningQuizView
from lms_rt.services.quiz_controls import standing_of
from lms_rt.services.quiz_views import quiz_view


class RunningQuizzes:
    """Looks them up."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def overview(self, actor: Actor, *, most: int) -> tuple[list[RunningQuizView], bool]:
        """All that somebody is sitting, those with most open attempts first, then at most so many others; are there more?"""
        course_ids = None if actor.is_admin else await Course.ids_of_instructor(actor.user_id)
        counts = await count_open(course_ids)
        sat = await find_quizzes(counts)
        sat.sort(key=lambda row: (-counts[row["_id"]], row["_id"]))
        startable = await find_startable(course_ids, self._clock.now())
        others = [row for row in startable if row["_id"] not in counts and not await _is_ended(row["_id"])]
        views = [
            RunningQuizView(quiz=quiz_view(row), open_count=counts.get(row["_id"], 0))
            for row in (*sat, *islice(others, most))
        ]
        return views, len(others) > most


async def _is_ended(quiz_id: str) -> bool:
    return standing_of(await QuizControl.find_standing(quiz_id), None, live_version=0).is_ended
