"""Who may listen to which channel: one rule per kind, for the whole channel. Listening itself is the node's work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from documents.attempt import Attempt
from documents.base import Row
from documents.course import Course, CourseHead
from documents.enrollment import Enrollment, enrollment_id_of
from documents.quiz import Quiz
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.channels import ChannelKind, find_channel
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import NOBODYS, is_visible, teaches
from lms_rt.security.access.quizzes import ATTEMPT_PERMISSIONS, require_attempt_state, sees_attempts, teaches_course
from lms_rt.security.access.users import sees_to_accounts
from lms_rt.security.permissions import Permission
from lms_rt.security.rights import Reach

_BY_ENROLLMENTS, _BY_ANALYTICS = (Permission.ENROLLMENTS_MANAGE,), (Permission.ANALYTICS_VIEW,)
_INSIDE = frozenset({ChannelKind.COURSE, ChannelKind.COURSE_CHAT})
People = Sequence[tuple[Actor, Sequence[str]]]
"""Some actors, each with names of channels."""


class Subscriptions:
    """Decides for any number at once, with as many questions to the database as there are kinds of things."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def require_channel(self, actor: Actor, name: str) -> str:
        """The channel's name, if the actor may listen; else `not_found`, whatever the reason."""
        if not await self.may_listen(actor, name):
            raise Refused(Code.NOT_FOUND)
        return name

    async def may_listen(self, actor: Actor, name: str) -> bool:
        """Is the channel open to the actor, as things stand now?"""
        (closed,) = await self.find_closed([(actor, [name])])
        return not closed

    async def find_closed(self, people: People) -> list[list[str]]:
        """Which of their channels are not open to them, as things stand now."""
        facts = await _facts(people, self._clock.now_ms())
        return [[name for name in names if not _is_open(actor, name, facts)] for actor, names in people]

    async def may_see_names(self, actor: Actor, name: str) -> bool:
        """May the actor, who listens to the channel, know who else does?

        Those who may know the people there by other ways too: who sees to enrolments, attempts or accounts. Who talks in
        a chat is known to all there.
        """
        channel = find_channel(name)
        if channel is None:
            return False
        match channel.kind:
            case ChannelKind.COURSE_STAFF | ChannelKind.COURSE_CHAT | ChannelKind.QUIZ_LIVE:
                return True
            case ChannelKind.COURSE:
                return await teaches_course(actor, channel.subject_id, *_BY_ENROLLMENTS)
            case ChannelKind.ATTEMPT:
                attempt = await require_attempt_state(actor, channel.subject_id)
                return await sees_attempts(actor, attempt["course_id"])
            case ChannelKind.USER | ChannelKind.SYSTEM:
                return sees_to_accounts(actor)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the rules look at. Channels go by ids alone: a slug, which leads to the same course, is no second channel."""

    courses: Mapping[str, CourseHead]
    course_of_quiz: Mapping[str, str]
    attempts: Mapping[str, Row]
    present: AbstractSet[str]


async def _facts(people: People, now_ms: int) -> _Facts:
    asked = [(actor, channel) for actor, names in people for name in names if (channel := find_channel(name))]
    subjects: dict[ChannelKind, set[str]] = {kind: set() for kind in ChannelKind}
    for _, channel in asked:
        subjects[channel.kind].add(channel.subject_id)
    course_of_quiz = await Quiz.find_courses_of(subjects[ChannelKind.QUIZ_LIVE])
    attempts = await Attempt.find_owners(subjects[ChannelKind.ATTEMPT])
    of_others = {
        attempts[channel.subject_id]["course_id"] if channel.subject_id in attempts else NOBODYS
        for actor, channel in asked
        if channel.kind is ChannelKind.ATTEMPT and not _is_own(actor, attempts.get(channel.subject_id))
    }
    of_quizzes = {course_of_quiz.get(quiz_id, NOBODYS) for quiz_id in subjects[ChannelKind.QUIZ_LIVE]}
    courses = await Course.heads(
        subjects[ChannelKind.COURSE]
        | subjects[ChannelKind.COURSE_STAFF]
        | subjects[ChannelKind.COURSE_CHAT]
        | of_quizzes
        | of_others
    )
    enrollments = {
        enrollment_id_of(actor.user_id, channel.subject_id)
        for actor, channel in asked
        if channel.kind in _INSIDE and not _teaches(actor, courses.get(channel.subject_id))
    }
    return _Facts(courses, course_of_quiz, attempts, await Enrollment.find_present(enrollments, now_ms))


def _is_open(actor: Actor, name: str, facts: _Facts) -> bool:
    channel = find_channel(name)
    return (
        channel is not None
        and not actor.is_stranger
        and CHANNEL_RIGHTS[channel.kind].is_open(actor, channel.subject_id, facts)
    )


def _only_that_user(actor: Actor, user_id: str, _: _Facts) -> bool:
    return actor.user_id == user_id


def _in_the_course(actor: Actor, course_id: str, facts: _Facts) -> bool:
    course = facts.courses.get(course_id)
    if course is None or not is_visible(actor, course):
        return False
    return teaches(actor, course) or enrollment_id_of(actor.user_id, course_id) in facts.present


def _seeing_to_its_students(actor: Actor, course_id: str, facts: _Facts) -> bool:
    """Who enrols is told by name."""
    return _teaches(actor, facts.courses.get(course_id), *_BY_ENROLLMENTS)


def _student_or_teacher_of_the_attempt(actor: Actor, attempt_id: str, facts: _Facts) -> bool:
    attempt = facts.attempts.get(attempt_id)
    if attempt is None:
        return False
    course = facts.courses.get(attempt["course_id"])
    return _is_own(actor, attempt) or _teaches(actor, course, *ATTEMPT_PERMISSIONS)


def _watching_the_quiz(actor: Actor, quiz_id: str, facts: _Facts) -> bool:
    return _teaches(actor, facts.courses.get(facts.course_of_quiz.get(quiz_id, "")), *_BY_ANALYTICS)


def _everybody(_actor: Actor, _: str, _facts: _Facts) -> bool:
    """Whoever is signed in; strangers were refused before."""
    return True


@dataclass(frozen=True, slots=True)
class ChannelRight:
    """Who hears a kind of channel: whose things are reached by it, by which permissions of who teaches, and the rule itself.

    What is not open to one is not there, whatever the reason.
    """

    reach: Reach
    is_open: Callable[[Actor, str, _Facts], bool]
    by: tuple[Permission, ...] = ()


CHANNEL_RIGHTS: Mapping[ChannelKind, ChannelRight] = {
    ChannelKind.USER: ChannelRight(Reach.OWN, _only_that_user),
    ChannelKind.COURSE: ChannelRight(Reach.INSIDE, _in_the_course),
    ChannelKind.COURSE_CHAT: ChannelRight(Reach.INSIDE, _in_the_course),
    ChannelKind.COURSE_STAFF: ChannelRight(Reach.TAUGHT, _seeing_to_its_students, _BY_ENROLLMENTS),
    ChannelKind.ATTEMPT: ChannelRight(Reach.SHARED, _student_or_teacher_of_the_attempt, ATTEMPT_PERMISSIONS),
    ChannelKind.QUIZ_LIVE: ChannelRight(Reach.TAUGHT, _watching_the_quiz, _BY_ANALYTICS),
    ChannelKind.SYSTEM: ChannelRight(Reach.ALL, _everybody),
}
"""The table of channels, one row for each kind."""


def _teaches(actor: Actor, course: CourseHead | None, *by: Permission) -> bool:
    return course is not None and teaches(actor, course, *by)


def _is_own(actor: Actor, attempt: Row | None) -> bool:
    return attempt is not None and attempt["student_id"] == actor.user_id
