"""Who is told of what: a rule per event type, from the event as it was recorded to notices for people.

Whether somebody wishes to hear of it is asked later; nothing is written here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from documents.course import Course, CourseHead
from documents.enums import CourseAccess
from lms_rt.contracts.event_records import RecordedEvent
from lms_rt.contracts.mails import (
    AssignmentGraded,
    AttemptAutoClosed,
    CertificateIssued,
    CertificateRevoked,
    CourseMail,
    MailData,
    QuizResults,
)
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
    if event.type in _OF_MONEY:
        return _paid(event.data, _OF_MONEY[event.type])
    rule = RULES.get(event.type)
    if rule is None or "course_id" not in event.data:
        return []
    course = (await Course.heads([event.data["course_id"]])).get(event.data["course_id"])
    return [] if course is None else await rule(event.data, course)


async def _enrolled(enrollment: Mapping[str, Any], course: CourseHead) -> list[Notice]:
    student_id, facts = enrollment["student_id"], _course_facts(enrollment, course)
    mail = NoticeMail("enrollment_confirmation", _course_mail(course))
    told = [Notice(student_id, "enrollment.created", "enrollment.created", facts, _learn(course), mail)]
    name, is_by_staff = enrollment.get("student_name"), enrollment.get("access") == CourseAccess.STAFF
    if course.instructor_id != student_id and name and not is_by_staff:  # nobody is told what they did, row by row
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


async def _regraded(attempt: Mapping[str, Any], course: CourseHead) -> list[Notice]:
    """In one's own list, with the old result beside the new one; a mail was sent with the first."""
    previous, percentage = attempt.get("previous"), attempt.get("percentage")
    if attempt.get("is_preview") or not attempt.get("quiz_title") or not previous or percentage is None:
        return []
    facts = _attempt_facts(attempt, course) | {"percentage": percentage, "is_passed": attempt.get("is_passed")}
    facts |= {"previous_percentage": previous["percentage"], "reason": attempt.get("reason") or ""}
    text = "attempt.regraded.why" if facts["reason"] else "attempt.regraded"
    return [Notice(attempt["student_id"], "attempt.regraded", text, facts, _results(attempt))]


async def _reviewed(review: Mapping[str, Any], course: CourseHead) -> list[Notice]:
    """Who teaches is told once of each student; what they say later stands on the course's page."""
    name = review.get("student_name")
    if not (review.get("is_new") and name) or course.instructor_id == review["student_id"]:
        return []
    facts = _course_facts(review, course) | {"student_id": review["student_id"], "student_name": name}
    link = f"/courses/{course.slug}/reviews"
    return [Notice(course.instructor_id, "review.created", "review.created", facts, link)]


async def _work_graded(work: Mapping[str, Any], course: CourseHead) -> list[Notice]:
    """Every grade that is told, also one that is another by a moved date; the mail goes with the first, and with reasons.

    Where there are no points to be had there is no grade to name.
    """
    if work.get("grade") is None or not work.get("assignment_title"):
        return []
    title, link = work["assignment_title"], f"/assignments/{work['assignment_id']}"
    facts = {name: work[name] for name in ("assignment_id", "assignment_title", "grade", "points")}
    facts |= {"submission_id": work["id"], "course_id": course.id, "course_title": course.title}
    previous = work.get("previous")
    facts |= {"previous": previous, "reason": work.get("reason") or ""}
    text = "first" if previous is None else "why" if facts["reason"] else "again"
    if not Decimal(work["points"]):
        text = "plain"
    graded = AssignmentGraded(
        assignment_title=title,
        course_title=course.title,
        grade=work["grade"],
        points=work["points"],
        feedback=work.get("feedback") or "",
        link=link,
    )
    mail = NoticeMail("assignment_graded", graded, gathers=True)
    kind = f"assignment.graded.{text}"
    return [Notice(work["student_id"], "assignment.graded", kind, facts, link, mail)]


async def _certified(certificate: Mapping[str, Any], course: CourseHead) -> list[Notice]:
    facts = _certificate_facts(certificate, course)
    mail = CertificateIssued(
        course_title=certificate["course_name"],
        certificate_number=certificate["certificate_number"],
        link="/certificates",
    )
    told = NoticeMail("certificate_issued", mail)
    kind = "certificate.issued"
    return [Notice(certificate["student_id"], "certificate.issued", kind, facts, "/certificates", told)]


async def _certificate_revoked(certificate: Mapping[str, Any], course: CourseHead) -> list[Notice]:
    reason = certificate.get("revoked_reason") or ""
    facts = _certificate_facts(certificate, course) | {"reason": reason}
    mail = CertificateRevoked(
        course_title=certificate["course_name"],
        certificate_number=certificate["certificate_number"],
        reason=reason,
        link="/certificates",
    )
    told = NoticeMail("certificate_revoked", mail)
    kind = "certificate.revoked"
    return [Notice(certificate["student_id"], "certificate.revoked", kind, facts, "/certificates", told)]


def _paid(payment: Mapping[str, Any], kind: KindName) -> list[Notice]:
    """Of courses and plans alike; the mail about money was sent with the payment itself."""
    names = ("order_id", "course_id", "plan_id", "title", "amount", "currency")
    facts = {"payment_id": payment.get("id") or payment.get("payment_id"), **{one: payment.get(one) for one in names}}
    return [Notice(payment["user_id"], kind, kind, facts, f"/payments/orders/{payment['order_id']}")]


_OF_MONEY: Mapping[str, KindName] = MappingProxyType(
    {
        "payment.completed": "payment.completed",
        "payment.failed": "payment.failed",
        "payment.refunded": "payment.refunded",
    }
)
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "enrollment.created": _enrolled,
        "enrollment.completed": _completed,
        "enrollment.expired": _expired,
        "attempt.submitted": _submitted,
        "attempt.graded": _graded,
        "attempt.regraded": _regraded,
        "certificate.issued": _certified,
        "certificate.revoked": _certificate_revoked,
        "assignment.graded": _work_graded,
        "review.created": _reviewed,
    }
)
"""The event types that somebody is told of."""


def _course_facts(enrollment: Mapping[str, Any], course: CourseHead) -> dict[str, Any]:
    enrollment_id = enrollment.get("id") or enrollment.get("enrollment_id")
    return {"enrollment_id": enrollment_id, "course_id": course.id, "course_title": course.title}


def _certificate_facts(certificate: Mapping[str, Any], course: CourseHead) -> dict[str, Any]:
    return {
        "certificate_id": certificate["id"],
        "certificate_number": certificate["certificate_number"],
        "course_id": course.id,
        "course_title": certificate["course_name"],
    }


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
