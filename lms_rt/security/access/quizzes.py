"""Who may do what with a quiz and its attempts: load and authorise, or raise.

Students know of published quizzes in their courses, and of their own attempts; teachers of all in their courses. What the
caller may not know about is `not_found`. Whether the role may do such a thing at all was decided before.
"""

from __future__ import annotations

from dataclasses import dataclass

from documents.attempt import Attempt
from documents.base import Row
from documents.course import Course, CourseHead
from documents.enrollment import Enrollment
from documents.quiz import Quiz
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import NOBODYS, is_visible, require_learner, teaches
from lms_rt.security.access.lessons import is_lesson_shown
from lms_rt.security.permissions import Permission

ATTEMPT_PERMISSIONS = (Permission.QUIZZES_MANAGE, Permission.ANALYTICS_VIEW)
"""Who teaches a course sees by either how its students did."""


@dataclass(frozen=True, slots=True)
class QuizAccess:
    """A quiz without its questions, its course, and as what the actor may use it: enrolled, or (None) teaching it."""

    quiz: Row
    course: CourseHead
    enrollment: Enrollment | None

    @property
    def is_taught(self) -> bool:
        """Is the quiz the actor's own?"""
        return self.enrollment is None


async def require_quiz(actor: Actor, quiz_id: str, *, now_ms: int) -> QuizAccess:
    """A quiz that the actor teaches, or a published one of a course they are enrolled in (else 403 `not_enrolled`)."""
    quiz, course = await _found(quiz_id)
    is_there = quiz["is_published"] and is_lesson_shown(course, quiz.get("lesson_id"))
    if not teaches(actor, course) and not (is_there and is_visible(actor, course)):
        raise Refused(Code.NOT_FOUND)
    return QuizAccess(quiz, course, await require_learner(actor, course, now_ms=now_ms))


async def require_taught_quiz(actor: Actor, quiz_id: str, *by: Permission) -> QuizAccess:
    """A quiz of the actor's own course, by one of these permissions."""
    quiz, course = await _found(quiz_id)
    if not teaches(actor, course, *by):
        raise Refused(Code.NOT_FOUND)
    return QuizAccess(quiz, course, None)


async def require_taught_quiz_of_question(actor: Actor, question_id: str) -> QuizAccess:
    """The quiz of the actor's own course that holds a question."""
    quiz = await Quiz.find_with_question(question_id)
    course = await Course.find_head(NOBODYS if quiz is None else quiz["course_id"])
    if quiz is None or course is None or not teaches(actor, course):
        raise Refused(Code.NOT_FOUND)
    return QuizAccess(quiz, course, None)


async def require_attempt(actor: Actor, attempt_id: str) -> Row:
    """An attempt with its answers that is the actor's own, or at a quiz of theirs. Without its operations."""
    return await _authorised(actor, await Attempt.find_whole(attempt_id))


async def require_attempt_state(actor: Actor, attempt_id: str) -> Row:
    """The same without its answers."""
    return await _authorised(actor, await Attempt.find_state(attempt_id))


async def require_attempt_to_mark(actor: Actor, attempt_id: str) -> Row:
    """An attempt with its answers at a quiz of the actor's own course, for who sees to its quizzes."""
    attempt = await Attempt.find_whole(attempt_id)
    course_id = NOBODYS if attempt is None else attempt["course_id"]
    may_mark = await teaches_course(actor, course_id, Permission.QUIZZES_MANAGE)
    if attempt is None or not may_mark:
        raise Refused(Code.NOT_FOUND)
    return attempt


async def require_own_attempt(actor: Actor, attempt_id: str) -> Row:
    """An attempt, without its answers, that the actor sits: nobody answers in a student's place, admins neither.

    Who acts as the student may look, but neither begin nor answer.
    """
    return own(actor, await Attempt.find_state(attempt_id))


def own(actor: Actor, attempt: Row | None) -> Row:
    """The attempt, if the actor sits it, and nobody in their place."""
    if attempt is None or actor.is_stranger or attempt["student_id"] != actor.user_id:
        raise Refused(Code.NOT_FOUND)
    refuse_other_hand(actor)
    return attempt


def refuse_other_hand(actor: Actor) -> None:
    """Refuse who acts in somebody else's place: what is done here would count as theirs."""
    if actor.is_impersonated:
        raise Refused(Code.FORBIDDEN, "Nobody sits a quiz in somebody else's place.")


async def teaches_course(actor: Actor, course_id: str, *by: Permission) -> bool:
    """Is there such a course, and is it the actor's own, by one of these permissions?"""
    course = await Course.find_head(course_id)
    return course is not None and teaches(actor, course, *by)


async def sees_attempts(actor: Actor, course_id: str) -> bool:
    """May the actor, who teaches there, see how students of the course did?"""
    return await teaches_course(actor, course_id, *ATTEMPT_PERMISSIONS)


async def _authorised(actor: Actor, attempt: Row | None) -> Row:
    if attempt is not None and attempt["student_id"] == actor.user_id:
        return attempt
    may_see = await sees_attempts(actor, NOBODYS if attempt is None else attempt["course_id"])
    if attempt is None or not may_see:
        raise Refused(Code.NOT_FOUND)
    return attempt


async def _found(quiz_id: str) -> tuple[Row, CourseHead]:
    quiz = await Quiz.find_head(quiz_id)
    course = await Course.find_head(NOBODYS if quiz is None else quiz["course_id"])
    if quiz is None or course is None:
        raise Refused(Code.NOT_FOUND)
    return quiz, course
