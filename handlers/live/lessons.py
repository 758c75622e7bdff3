"""Live commands of learning: the player's progress, and completing a lesson."""

from __future__ import annotations

from handlers.live.commands import Command, LiveSession
from lms_rt.contracts.enrollments import LessonCompleteCommand, LessonProgressCommand, LessonProgressView
from lms_rt.security.rights import Reach


async def progress(session: LiveSession, command: LessonProgressCommand) -> LessonProgressView:
    """Where the player stands, and what was watched."""
    return await session.services.progress.watch(session.actor, command)


async def complete(session: LiveSession, command: LessonCompleteCommand) -> LessonProgressView:
    """Complete a lesson; again changes nothing."""
    service = session.services.progress
    return await service.complete_lesson_row(session.actor, command.enrollment_id, command.lesson_id)


COMMANDS: tuple[Command, ...] = (
    Command("lesson.progress", LessonProgressCommand, progress, LessonProgressView, reach=Reach.LEARNING),
    Command("lesson.complete", LessonCompleteCommand, complete, LessonProgressView, reach=Reach.LEARNING),
)
