"""Telling who teaches that a pause nobody ended was closed: once, however many attempts it held."""

from __future__ import annotations

from typing import Any

from documents.course import Course
from documents.quiz import Quiz
from lms_rt.clock import from_ms, rfc3339
from lms_rt.contracts.mails import PauseEnded
from lms_rt.services.notification_rules import Notice, NoticeMail
from lms_rt.services.notifications import Notifications
from lms_rt.services.relay import EffectHandler


def telling_of_pauses(notifications: Notifications) -> EffectHandler:
    """What carries the intent out that every attempt of the pause holds."""

    async def tell(cause: str, facts: dict[str, Any]) -> None:
        quiz_title = await Quiz.find_title(facts["quiz_id"])
        course = (await Course.heads([facts["course_id"]])).get(facts["course_id"])
        if quiz_title is None or course is None:
            return
        link = f"/teach/quizzes/{facts['quiz_id']}"
        closed_at = from_ms(facts["at_ms"])
        mail = PauseEnded(quiz_title=quiz_title, course_title=course.title, closed_at=closed_at, link=link)
        data = {
            "quiz_id": facts["quiz_id"],
            "quiz_title": quiz_title,
            "course_id": course.id,
            "course_title": course.title,
            "closed_at": rfc3339(closed_at),
        }
        by_mail = NoticeMail("pause_ended", mail)
        notice = Notice(course.instructor_id, "attempt.submitted", "attempt.submitted.pause", data, link, by_mail)
        await notifications.tell(notice, cause=cause)

    return tell
