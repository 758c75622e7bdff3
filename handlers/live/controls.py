"""Live commands of who teaches a running quiz: pause, resume, extend, end, announce. The services that REST calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from handlers.live.commands import Command, LiveSession
from lms_rt.contracts.quiz_controls import LiveAnnounce, LiveExtend, LiveOrder, OrderedView
from lms_rt.security.rights import Reach

LiveDraft = LiveOrder | LiveExtend | LiveAnnounce


def _ordering(kind: str) -> Callable[[LiveSession, LiveDraft], Awaitable[OrderedView]]:
    async def order(session: LiveSession, command: LiveDraft) -> OrderedView:
        return await session.services.live_controls.order(session.actor, command.quiz_id, kind, command)

    return order


_MODELS: tuple[tuple[str, type[LiveDraft]], ...] = (
    ("pause", LiveOrder),
    ("resume", LiveOrder),
    ("extend", LiveExtend),
    ("end", LiveOrder),
    ("announce", LiveAnnounce),
)

COMMANDS: tuple[Command, ...] = tuple(
    Command(f"live.{kind}", model, _ordering(kind), OrderedView, reach=Reach.TAUGHT) for kind, model in _MODELS
)
