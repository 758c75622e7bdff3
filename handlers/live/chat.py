"""Live commands of chats: saying, changing and taking back, being seen to write, and how far one has read."""

from __future__ import annotations

from handlers.live.commands import Command, LiveSession
from lms_rt.contracts.chat import (
    ChatDeleteCommand,
    ChatEditCommand,
    ChatMessageView,
    ChatReadCommand,
    ChatSendCommand,
    ChatTypingCommand,
    MessageChange,
    MessageDraft,
    ReadView,
)
from lms_rt.security.rights import Reach


async def send(session: LiveSession, command: ChatSendCommand) -> ChatMessageView:
    """Say something; the same `op_id` again is the same message."""
    draft = MessageDraft(text=command.text, op_id=command.op_id, mentions=command.mentions)
    return (await session.services.chat.send(session.actor, command.course_id, draft)).view


async def edit(session: LiveSession, command: ChatEditCommand) -> ChatMessageView:
    """Say it in other words."""
    change = MessageChange(**command.model_dump(include={"text", "mentions"}, exclude_unset=True))
    return await session.services.chat.edit(session.actor, command.message_id, change)


async def delete(session: LiveSession, command: ChatDeleteCommand) -> None:
    """Take it back, or away; again changes nothing."""
    await session.services.chat.remove(session.actor, command.message_id)


async def typing(session: LiveSession, command: ChatTypingCommand) -> None:
    """Be seen to write, for a moment."""
    await session.services.chat.typing(session.actor, command.course_id)


async def read(session: LiveSession, command: ChatReadCommand) -> ReadView:
    """Everything up to this number was read."""
    return await session.services.chat.read(session.actor, command.course_id, command.number)


COMMANDS: tuple[Command, ...] = (
    Command("chat.send", ChatSendCommand, send, ChatMessageView, reach=Reach.INSIDE),
    Command("chat.edit", ChatEditCommand, edit, ChatMessageView, reach=Reach.OWN),
    Command("chat.delete", ChatDeleteCommand, delete, reach=Reach.SHARED),
    Command("chat.typing", ChatTypingCommand, typing, reach=Reach.INSIDE),
    Command("chat.read", ChatReadCommand, read, ReadView, reach=Reach.INSIDE),
)
