"""The live command of notifications: one or all were read."""

from __future__ import annotations

from handlers.live.commands import Command, LiveSession
from lms_rt.contracts.notifications import NotificationReadCommand, UnreadView
from lms_rt.security.rights import Reach


async def read(session: LiveSession, command: NotificationReadCommand) -> UnreadView:
    """One was read, or all; how many are left."""
    notifications = session.services.notifications
    if command.notification_id is None:
        return await notifications.read_all(session.actor)
    await notifications.read(session.actor, command.notification_id)
    return await notifications.unread(session.actor)


COMMANDS: tuple[Command, ...] = (
    Command("notification.read", NotificationReadCommand, read, UnreadView, reach=Reach.OWN),
)
