"""Who is told of what: a rule per event type, from the event as it was recorded to notices for people.

Whether somebody wishes to hear of it is asked later; nothing is written here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from documents.course import Course, CourseHead
from lms_rt.contracts.event_records import RecordedEvent
from lms_rt.contracts.mails import AttemptAutoClosed, CourseMail, MailData, QuizResults
from lms_rt.contracts.notifications import KindName


@dataclass(frozen=True, slots=True)
class NoticeMail:
    """The mail that a notice may become. One that `gathers` waits a while for others of its kind."""

    template: str
    data: MailData
    gathers: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """What one person is to be told. `text` names its words, which `data` fills."""

    user_id: str
    kind: KindName
    text: str
    data: Mapping[str, Any]
    link: str | None = None
    mail: NoticeMail | None = None


Rule = Callable[[Mapping[str, Any], CourseHead], Awaitable[list[Notice]]]
"""Given the event's data and the course that it happened in."""


async def notices_of(event: RecordedEvent) -> list[Notice]:
    """Whom this event concerns. None: nobody, or what it speaks of is gone."""
    rule = RULES.get(event.type)
    if rule is None or "course_id" not in event.data:
        return []
    course = (await Course.heads([event.data["course_id"]])).get(event.data["course_id"])
    return [] if course is None else await rule(event.data, course)


async def _enrolled(enrollment: Mapping[str, Any], course: CourseHead) -> list[Notice]:
    student_id, facts = enrollment["student_id"], _course_facts(enrollment, course)
    mail = NoticeMail("enrollment_confirmation", _course_mail(course))
    told = [Notice(student_id, "enrollment.created", "enrollment.created", facts, _learn(course), mail)]
    name = enrollment.get("student_name")
    if course.instructor_id != student_id and name:
        facts |= {"student_id": student_id, "student_name": name}
        link = f"/teach/courses/{course.id}/students"
        told.append(Notice(course.instructor_id, "enrollment.created", "enrollment.created.staff", facts, link))
    return told


async def _completed(enrollment: Mapping[str, Any], course: CourseHead) -> list[Notice]:
    mail = NoticeMail("course_completion", _course_mail(course))
    kind, facts = "enrollment.completed", _course_facts(enrollment, course)
    return [Notice(enrollment["student_id"], "enrollment.completed", kind, facts, _learn(course), mail)]


async def _expired(enrollment: Mapping[str, Any], course: CourseHead) -> list[Notice]:
    kind, facts = "enrollment.expired", _course_facts(enrollment, course)
    return [Notice(enrollment["student_id"], "enrollment.expired", kind, facts, f"/courses/{course.slug}")]


async def _submitted(attempt: Mapping[str, Any], course: CourseHead) -> list[Notice]:
    """Whoever handed in knows it; only who ran out of time is told."""
    if attempt.get("submitted_by") != "deadline" or attempt.get("is_preview") or not attempt.get("quiz_title"):
        return []
    facts, link = _attempt_facts(attempt, course), _results(attempt)
    closed = AttemptAutoClosed(
        quiz_title=attempt["quiz_title"], course_title=course.title, closed_at=attempt["submitted_at"], link=link
    )
    mail = NoticeMail("attempt_auto_closed", closed, gathers=True)
    return [Notice(attempt["student_id"], "attempt.submitted", "attempt.submitted.deadline", facts, link, mail)]


async def _graded(attempt: Mapping[str, Any], course: CourseHead) -> list[Notice]:
    if attempt.get("is_preview") or not attempt.get("quiz_title"):
        return []
    percentage, is_passed = attempt.get("percentage"), attempt.get("is_passed")
    text = "plain" if percentage is None or is_passed is None else "passed" if is_passed else "failed"
    facts = _attempt_facts(attempt, course) | {"percentage": percentage, "is_passed": is_passed}
    link = _results(attempt)
    results = QuizResults(
        quiz_title=attempt["quiz_title"], course_title=course.title, score=percentage, is_passed=is_passed, link=link
    )
    mail = NoticeMail("quiz_results", results, gathers=True)
    return [Notice(attempt["student_id"], "attempt.graded", f"attempt.graded.{text}", facts, link, mail)]


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "enrollment.created": _enrolled,
        "enrollment.completed": _completed,
        "enrollment.expired": _expired,
        "attempt.submitted": _submitted,
        "attempt.graded": _graded,
    }
)
"""The event types that somebody is told of."""


def _course_facts(enrollment: Mapping[str, Any], course: CourseHead) -> dict[str, Any]:
    enrollment_id = enrollment.get("id") or enrollment.get("enrollment_id")
    return {"enrollment_id": enrollment_id, "course_id": course.id, "course_title": course.title}


def _attempt_facts(attempt: Mapping[str, Any], course: CourseHead) -> dict[str, Any]:
    return {
        "attempt_id": attempt["id"],
        "quiz_id": attempt["quiz_id"],
        "quiz_title": attempt["quiz_title"],
        "course_id": course.id,
        "course_title": course.title,
    }


def _course_mail(course: CourseHead) -> CourseMail:
    return CourseMail(course_title=course.title, link=_learn(course))


def _learn(course: CourseHead) -> str:
    return f"/learn/{course.slug}"


def _results(attempt: Mapping[str, Any]) -> str:
    return f"/attempts/{attempt['id']}/results"
