"""Who may do what with an assignment and with what was handed in: load and authorise, or raise.

Students know of published assignments in their courses, and of their own work; those who see to a course's quizzes see to its
assignments as well. What the caller may not know about is `not_found`.
"""

from __future__ import annotations

from dataclasses import dataclass

from documents.assignment import Assignment
from documents.base import Row
from documents.course import Course, CourseHead
from documents.enrollment import Enrollment
from documents.submission import Submission
from lms_rt.clock import from_ms
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import NOBODYS, is_visible, require_learner, teaches
from lms_rt.security.access.lessons import is_lesson_shown, refuse_locked
from lms_rt.security.permissions import Permission

GRADING = Permission.QUIZZES_MANAGE


@dataclass(frozen=True, slots=True)
class AssignmentAccess:
    """An assignment, its course, and as what the actor may use it: enrolled, or (None) teaching it."""

    assignment: Row
    course: CourseHead
    enrollment: Enrollment | None

    @property
    def is_taught(self) -> bool:
        """Is it the actor's own?"""
        return self.enrollment is None


async def require_assignment(actor: Actor, assignment_id: str, *, now_ms: int) -> AssignmentAccess:
    """One that the actor teaches, or a published one of a course they are enrolled in (else 403 `not_enrolled`)."""
    assignment, course = await _found(assignment_id)
    is_shown = _is_there(assignment, course) and is_visible(actor, course)
    if not is_shown and not teaches(actor, course):
        raise Refused(Code.NOT_FOUND)
    return AssignmentAccess(assignment, course, await require_learner(actor, course, now_ms=now_ms))


async def require_taught_assignment(actor: Actor, assignment_id: str, *by: Permission) -> AssignmentAccess:
    """One of the actor's own course, by one of these permissions."""
    assignment, course = await _found(assignment_id)
    if not teaches(actor, course, *by):
        raise Refused(Code.NOT_FOUND)
    return AssignmentAccess(assignment, course, None)


async def require_assignment_to_do(actor: Actor, assignment_id: str, *, now_ms: int) -> AssignmentAccess:
    """One that the actor is to hand something in for: who is not in the course is told so, its teachers too; 403 while it is locked."""
    assignment, course = await _found(assignment_id)
    if not is_visible(actor, course) or not (_is_there(assignment, course) or teaches(actor, course)):
        raise Refused(Code.NOT_FOUND)
    enrollment = None if actor.is_stranger else await Enrollment.find_of(actor.user_id, course.id)
    if enrollment is None or not enrollment.is_present(now_ms):
        raise Refused(Code.NOT_ENROLLED, course_id=course.id)
    if not _is_there(assignment, course):
        raise Refused(Code.NOT_FOUND)
    refuse_locked(course, assignment.get("lesson_id"), enrollment, from_ms(now_ms))
    return AssignmentAccess(assignment, course, enrollment)


async def require_submission(actor: Actor, submission_id: str) -> tuple[Row, bool]:
    """What is the actor's own, or was handed in in a course of theirs; and whether they read it as who teaches."""
    submission = await Submission.find_whole(submission_id)
    if submission is not None and not actor.is_stranger and submission["student_id"] == actor.user_id:
        return submission, False
    return await require_submission_to_grade(actor, submission_id, submission), True


async def require_submission_to_grade(actor: Actor, submission_id: str, read: Row | None = None) -> Row:
    """What was handed in in the actor's own course, for who sees to its quizzes and assignments. Drafts are not there."""
    submission = read or await Submission.find_whole(submission_id)
    course = await Course.find_head(NOBODYS if submission is None else submission["course_id"])
    may_grade = course is not None and teaches(actor, course, GRADING)
    if submission is None or not may_grade or submission.get("submitted_at") is None:
        raise Refused(Code.NOT_FOUND)
    return submission


def _is_there(assignment: Row, course: CourseHead) -> bool:
    """Is it there for students: published, and so the lesson that it belongs to?"""
    return bool(assignment["is_published"]) and is_lesson_shown(course, assignment.get("lesson_id"))


async def _found(assignment_id: str) -> tuple[Row, CourseHead]:
    assignment = await Assignment.find_row(assignment_id)
    course = await Course.find_head(NOBODYS if assignment is None else assignment["course_id"])
    if assignment is None or course is None:
        raise Refused(Code.NOT_FOUND)
    return assignment, course
