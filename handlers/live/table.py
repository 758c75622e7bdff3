"""The table of live commands: those of every domain's file, by type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from handlers.live import attempts, chat, controls, lessons, notifications, session, subscriptions, time
from handlers.live.commands import Command


def command_table(commands: Iterable[Command]) -> Mapping[str, Command]:
    """The commands by type; each type once."""
    table: dict[str, Command] = {}
    for command in commands:
        if command.type in table:
            raise ValueError(f"the command {command.type} stands in the table twice")
        table[command.type] = command
    return table


def declared(commands: Iterable[Command]) -> Iterable[Command]:
    """The commands, when each says whose things it reaches."""
    for command in commands:
        if command.reach is None:
            raise ValueError(f"the command {command.type} does not say whose things it reaches")
        yield command


COMMANDS: Mapping[str, Command] = command_table(
    declared(
        (
            *subscriptions.COMMANDS,
            *time.COMMANDS,
            *session.COMMANDS,
            *lessons.COMMANDS,
            *chat.COMMANDS,
            *attempts.COMMANDS,
            *controls.COMMANDS,
            *notifications.COMMANDS,
        )
    )
)
"""Every command there is."""
