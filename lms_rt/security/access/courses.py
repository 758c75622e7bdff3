"""Who may do what with a course, its lessons and its enrolments: load and authorise, or raise.

What the caller may not know about is `not_found`: unpublished courses of others, other people's enrolments, and, where
something is to be changed, every course of somebody else. It is permissions that decide, not words like "instructor":
whether the caller may do such a thing at all has been decided before, by the operation's access rule; where the door is
open to all who are signed in, the permission that teachers need for it is asked for here.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from documents.course import Course, CourseHead
from documents.enrollment import Enrollment
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import TEACHING, Permission

NOBODYS = "crs_nobodys"
"""Asked for instead of the course of something that is not there: by the time it takes nobody tells the two apart."""


class CourseFacts(Protocol):
    """What the rules look at: `Course` and `CourseHead` both have it."""

    @property
    def id(self) -> str:
        """The course's id."""

    @property
    def instructor_id(self) -> str:
        """Whose it is."""

    @property
    def is_published(self) -> bool:
        """May others than its owner know of it?"""

    @property
    def is_archived(self) -> bool:
        """Was it put away?"""


CourseT = TypeVar("CourseT", Course, CourseHead)


def may_teach(actor: Actor, *by: Permission) -> bool:
    """May the actor teach what is their own? By one of these permissions; without any, by whatever teachers hold."""
    return actor.is_admin or not actor.permissions.isdisjoint(by or TEACHING)


def teaches(actor: Actor, course: CourseFacts, *by: Permission) -> bool:
    """Is the course the actor's own, and may they teach, by one of these permissions? Admins may do all that owners may."""
    return actor.is_admin or (actor.user_id == course.instructor_id and may_teach(actor, *by))


def is_visible(actor: Actor, course: CourseFacts) -> bool:
    """May the actor know of the course?"""
    return (course.is_published and not course.is_archived) or teaches(actor, course)


async def require_course(actor: Actor, id_or_slug: str) -> CourseHead:
    """The head of a course that the actor may know of."""
    return _visible(actor, await Course.find_head(id_or_slug))


async def require_whole_course(actor: Actor, id_or_slug: str) -> Course:
    """A course that the actor may know of, with all its lessons: showing them is not decided here."""
    return _visible(actor, await Course.find_whole(id_or_slug))


async def require_taught_course(actor: Actor, id_or_slug: str, *by: Permission) -> CourseHead:
    """The head of a course that is the actor's own, by one of these permissions."""
    return _taught(actor, await Course.find_head(id_or_slug), *by)


async def require_whole_taught_course(actor: Actor, id_or_slug: str) -> Course:
    """A course that is the actor's own, with all its lessons."""
    return _taught(actor, await Course.find_whole(id_or_slug))


async def require_course_of_lesson(actor: Actor, lesson_id: str, course_id: str | None = None) -> Course:
    """The course that holds the lesson, when the actor may know of both; `course_id` as the path names it, if it does."""
    course = _visible(actor, await Course.find_whole_of_lesson(lesson_id))
    lesson = course.lessons[lesson_id]
    if not (lesson.is_published or teaches(actor, course)) or not _is_named(course, course_id):
        raise Refused(Code.NOT_FOUND)
    return course


async def require_taught_course_of_lesson(actor: Actor, lesson_id: str, course_id: str | None = None) -> Course:
    """The actor's own course that holds the lesson; `course_id` as the path names it, if it does."""
    course = _taught(actor, await Course.find_whole_of_lesson(lesson_id))
    if not _is_named(course, course_id):
        raise Refused(Code.NOT_FOUND)
    return course


async def require_learner(actor: Actor, course: CourseFacts, *, now_ms: int) -> Enrollment | None:
    """The actor's enrolment in the course (active or completed), or None for its staff; else 403 `not_enrolled`."""
    if teaches(actor, course):
        return None
    enrollment = None if actor.is_stranger else await Enrollment.find_of(actor.user_id, course.id)
    if enrollment is None or not enrollment.is_present(now_ms):
        raise Refused(Code.NOT_ENROLLED, course_id=course.id)
    return enrollment


async def require_enrollment(actor: Actor, enrollment_id: str) -> Enrollment:
    """An enrolment that is the actor's own, or in a course of theirs, for who sees to enrolments."""
    enrollment = await Enrollment.find_one_by_id(enrollment_id)
    if enrollment is not None and not actor.is_stranger and enrollment.student_id == actor.user_id:
        return enrollment
    course = await Course.find_head(NOBODYS if enrollment is None else enrollment.course_id)
    may_see = actor.is_admin or (course is not None and teaches(actor, course, Permission.ENROLLMENTS_MANAGE))
    if enrollment is None or not may_see:
        raise Refused(Code.NOT_FOUND)
    return enrollment


async def require_own_enrollment(actor: Actor, enrollment_id: str) -> Enrollment:
    """An enrolment whose learning is the actor's own: a teacher does not learn in a student's place."""
    enrollment = await Enrollment.find_one_by_id(enrollment_id)
    if enrollment is None or not (actor.is_admin or enrollment.student_id == actor.user_id):
        raise Refused(Code.NOT_FOUND)
    return enrollment


def _visible(actor: Actor, course: CourseT | None) -> CourseT:
    if course is None or not is_visible(actor, course):
        raise Refused(Code.NOT_FOUND)
    return course


def _taught(actor: Actor, course: CourseT | None, *by: Permission) -> CourseT:
    if course is None or not teaches(actor, course, *by):
        raise Refused(Code.NOT_FOUND)
    return course


def _is_named(course: Course, name: str | None) -> bool:
    return name is None or name in (course.id, course.slug, *course.old_slugs)
