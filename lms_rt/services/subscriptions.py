"""Who may listen to which channel: one rule per kind, for the whole channel. Listening itself is the node's work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.channels import ChannelKind, find_channel
from lms_rt.errors import Code, Refused
from lms_rt.security.access.courses import require_course, require_learner, require_taught_course
from lms_rt.security.access.quizzes import require_attempt_state, require_taught_quiz, teaches_course

Rule = Callable[[Actor, str], Awaitable[None]]
"""Given the actor and the channel's subject; raises when the actor may not listen."""


class Subscriptions:
    """The table of channel kinds and their rules."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._rules: Mapping[ChannelKind, Rule] = {
            ChannelKind.USER: _only_that_user,
            ChannelKind.COURSE: self._in_the_course,
            ChannelKind.COURSE_STAFF: _teaching_the_course,
            ChannelKind.ATTEMPT: _student_or_teacher_of_the_attempt,
            ChannelKind.QUIZ_LIVE: _teaching_the_quiz,
            ChannelKind.SYSTEM: _everybody,
        }

    async def require_channel(self, actor: Actor, name: str) -> str:
        """The channel's name, if the actor may listen; else `not_found`, whatever the reason."""
        channel = find_channel(name)
        if channel is None or actor.is_stranger:
            raise Refused(Code.NOT_FOUND)
        try:
            await self._rules[channel.kind](actor, channel.subject_id)
        except Refused as refused:
            if refused.code in (Code.FORBIDDEN, Code.NOT_ENROLLED):
                raise Refused(Code.NOT_FOUND) from None
            raise
        return name

    async def may_listen(self, actor: Actor, name: str) -> bool:
        """Is the channel still open to the actor, as things stand now?"""
        try:
            await self.require_channel(actor, name)
        except Refused as refused:
            if refused.code is Code.NOT_FOUND:
                return False
            raise
        return True

    async def may_see_names(self, actor: Actor, name: str) -> bool:
        """May the actor, who listens to the channel, know who else does? Those who teach there, not all who teach."""
        channel = find_channel(name)
        if channel is None:
            return False
        match channel.kind:
            case ChannelKind.COURSE_STAFF | ChannelKind.QUIZ_LIVE:
                return True
            case ChannelKind.COURSE:
                return await teaches_course(actor, channel.subject_id)
            case ChannelKind.ATTEMPT:
                attempt = await require_attempt_state(actor, channel.subject_id)
                return await teaches_course(actor, attempt["course_id"])
            case ChannelKind.USER | ChannelKind.SYSTEM:
                return actor.is_admin

    async def _in_the_course(self, actor: Actor, course_id: str) -> None:
        course = await require_course(actor, course_id)
        _same(course.id, course_id)
        await require_learner(actor, course, now_ms=self._clock.now_ms())


async def _only_that_user(actor: Actor, user_id: str) -> None:
    _same(actor.user_id, user_id)


async def _teaching_the_course(actor: Actor, course_id: str) -> None:
    _same((await require_taught_course(actor, course_id)).id, course_id)


async def _student_or_teacher_of_the_attempt(actor: Actor, attempt_id: str) -> None:
    await require_attempt_state(actor, attempt_id)


async def _teaching_the_quiz(actor: Actor, quiz_id: str) -> None:
    await require_taught_quiz(actor, quiz_id)


async def _everybody(actor: Actor, subject_id: str) -> None:
    """Whoever is signed in; strangers were refused before."""


def _same(found: str, named: str) -> None:
    """Channels go by ids alone: a slug, which leads to the same course, would be a second channel."""
    if found != named:
        raise Refused(Code.NOT_FOUND)
