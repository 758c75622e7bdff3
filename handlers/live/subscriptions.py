"""Commands about channels: subscribe, unsubscribe, history, presence. Who may listen is decided by the service."""

from __future__ import annotations

from typing import Any

import orjson

from handlers.live.commands import Command, LiveSession
from lms_rt.bus.base import Position, Published
from lms_rt.contracts.live import (
    HistoryCommand,
    HistoryView,
    PresenceCommand,
    PresenceView,
    SubscribeCommand,
    SubscribedView,
    UnsubscribeCommand,
)
from lms_rt.errors import Code, Refused
from lms_rt.security.rights import Reach
from lms_rt.undoing import undoing


async def subscribe(session: LiveSession, command: SubscribeCommand) -> dict[str, Any]:
    """Listen to a channel from now on; the reply holds what was missed since `since`."""
    node, subscriptions = session.services.node, session.services.subscriptions
    words = node.access_words
    try:
        channel = await subscriptions.require_channel(session.actor, command.channel)
    except Refused as refused:
        if refused.code is Code.NOT_FOUND:  # then an older subscription ends as well, before its word comes
            await node.unsubscribe(session.connection, command.channel)
        raise
    since = Position(command.since.epoch, command.since.offset) if command.since is not None else None
    subscription = await session.subscribe(channel, since)
    if words != node.access_words:
        await _confirm(session, channel)
    epoch, offset = subscription.position
    return {
        "channel": channel,
        "epoch": epoch,
        "offset": offset,
        "recovered": subscription.recovered,
        "events": _shown(subscription.events),
    }


async def _confirm(session: LiveSession, channel: str) -> None:
    """Access may have ended between the question and the listening: who cannot be said to have it does not listen."""
    async with undoing(lambda: session.services.node.unsubscribe(session.connection, channel)):
        if not await session.services.subscriptions.may_listen(session.actor, channel):
            raise Refused(Code.NOT_FOUND)


async def unsubscribe(session: LiveSession, command: UnsubscribeCommand) -> None:
    """Listen no more; nothing of the channel follows the reply."""
    await session.services.node.unsubscribe(session.connection, command.channel)


async def history(session: LiveSession, command: HistoryCommand) -> dict[str, Any]:
    """Some events in order, and what the history holds."""
    _require_subscribed(session, command.channel)
    page = await session.services.bus.history.page(
        command.channel, before=command.before, after=command.after, limit=command.limit
    )
    return {
        "epoch": page.epoch,
        "events": _shown(page.events),
        "first_offset": page.first_offset,
        "last_offset": page.last_offset,
    }


async def presence(session: LiveSession, command: PresenceCommand) -> dict[str, Any]:
    """How many are there; who, for those who teach there, and in a chat for all."""
    _require_subscribed(session, command.channel)
    may_see_names = await session.services.subscriptions.may_see_names(session.actor, command.channel)
    there = (await session.services.bus.presence.members_of([command.channel]))[command.channel]
    users: dict[str, dict[str, Any]] = {}
    for member in there:
        row = {"user_id": member.user_id, "full_name": member.full_name, "devices": 0}
        users.setdefault(member.user_id, row)["devices"] += 1
    return {"count": len(users), "users": list(users.values()) if may_see_names else []}


def _require_subscribed(session: LiveSession, channel: str) -> None:
    if channel not in session.connection.subscriptions:
        raise Refused(Code.NOT_SUBSCRIBED)


def _shown(events: tuple[Published, ...]) -> list[orjson.Fragment]:
    return [orjson.Fragment(published.frame) for published in events]


COMMANDS: tuple[Command, ...] = (
    Command("subscribe", SubscribeCommand, subscribe, SubscribedView, reach=Reach.ALL),
    Command("unsubscribe", UnsubscribeCommand, unsubscribe, reach=Reach.SELF),
    Command("history", HistoryCommand, history, HistoryView, reach=Reach.ALL),
    Command("presence", PresenceCommand, presence, PresenceView, reach=Reach.ALL),
)
