"""Live commands of an attempt. They call the services that REST calls; start, resume and take-over also subscribe."""

from __future__ import annotations

from typing import Any

from handlers.live.commands import Command, LiveSession
from lms_rt.contracts.attempts import (
    AnswerSave,
    AttemptLook,
    AttemptPage,
    AttemptResume,
    AttemptSeen,
    AttemptStart,
    AttemptSubmit,
    AttemptSync,
    AttemptTakeOver,
    AttemptView,
    HandedOutView,
    SavedView,
    Signal,
    SubmitDraft,
    SyncView,
)
from lms_rt.contracts.channels import attempt_channel
from lms_rt.contracts.live import LiveAttemptView
from lms_rt.errors import Code, Refused
from lms_rt.security.rights import Reach
from lms_rt.services.attempts import device_of


async def start(session: LiveSession, command: AttemptStart) -> dict[str, Any]:
    """Start an attempt, or come back to the open one."""
    attempts = session.services.attempts
    if not session.has_room_for(None):
        open_id = await attempts.find_open(session.actor, command.quiz_id)
        if open_id is None or not session.has_room_for(attempt_channel(open_id)):
            raise Refused(Code.TOO_MANY_SUBSCRIPTIONS)  # before anything begins: its time would run unseen
    device = device_of(command.device_id, connection_id=session.connection.id)
    attempt, is_new = await attempts.start(session.actor, command.quiz_id, device)
    subscription = await _listen(session, attempt.id)
    if not is_new:  # what another screen wrote before we listened would be missing
        attempt = await attempts.show_again(session.actor, attempt.id, attempt.lease)
    return _handed_out(attempt, subscription)


async def resume(session: LiveSession, command: AttemptResume) -> dict[str, Any]:
    """Come back to an attempt."""
    device = device_of(command.device_id, lease=command.lease, connection_id=session.connection.id)
    await session.services.attempts.require_own(session.actor, command.attempt_id)
    subscription = await _listen(session, command.attempt_id)
    attempt = await session.services.attempts.resume(session.actor, command.attempt_id, device)
    return _handed_out(attempt, subscription)


async def take_over(session: LiveSession, command: AttemptTakeOver) -> dict[str, Any]:
    """Become the writer at once."""
    device = device_of(command.device_id, connection_id=session.connection.id)
    await session.services.attempts.require_own(session.actor, command.attempt_id)
    subscription = await _listen(session, command.attempt_id)
    attempt = await session.services.attempts.take_over(session.actor, command.attempt_id, device)
    return _handed_out(attempt, subscription)


async def save(session: LiveSession, command: AnswerSave) -> SavedView:
    """Save one answer."""
    return await session.services.attempts.save(
        session.actor,
        command.attempt_id,
        command,
        device_id=command.device_id,
        lease=command.lease,
        received_ms=session.received_ms,
    )


async def sync(session: LiveSession, command: AttemptSync) -> SyncView:
    """What the server holds."""
    connection_id = session.connection.id
    return await session.services.attempts.sync(session.actor, command.attempt_id, command, connection_id=connection_id)


async def submit(session: LiveSession, command: AttemptSubmit) -> AttemptView:
    """Close the attempt and grade it."""
    draft = SubmitDraft(revision=command.revision)
    return await session.services.attempts.submit(session.actor, command.attempt_id, draft)


async def look(session: LiveSession, command: AttemptLook) -> None:
    """Which question the student looks at."""
    await _signal(session, command.attempt_id, Signal(kind="look", question_id=command.question_id))


async def page(session: LiveSession, command: AttemptPage) -> None:
    """Whether the page is shown."""
    await _signal(session, command.attempt_id, Signal(kind="page", state=command.state))


async def seen(session: LiveSession, command: AttemptSeen) -> None:
    """Which event was shown to the student."""
    await _signal(session, command.attempt_id, Signal(kind="seen", event_id=command.event_id))


async def _signal(session: LiveSession, attempt_id: str, signal: Signal) -> None:
    await session.services.attempts.signal(session.actor, attempt_id, [signal])


async def _listen(session: LiveSession, attempt_id: str) -> dict[str, Any] | None:
    """Subscribe to the attempt's channel; None while the bus is away: the attempt itself goes on."""
    channel = attempt_channel(attempt_id)
    try:
        epoch, offset = (await session.subscribe(channel)).position
    except Refused as refused:
        if refused.code is not Code.UNAVAILABLE:
            raise
        return None
    return {"channel": channel, "epoch": epoch, "offset": offset}


def _handed_out(attempt: HandedOutView, subscription: dict[str, Any] | None) -> dict[str, Any]:
    return {**attempt.model_dump(mode="json"), "subscription": subscription}


COMMANDS: tuple[Command, ...] = (
    Command("attempt.start", AttemptStart, start, LiveAttemptView, reach=Reach.INSIDE, is_own_alone=True),
    Command("attempt.resume", AttemptResume, resume, LiveAttemptView, reach=Reach.SAT, is_own_alone=True),
    Command("attempt.take_over", AttemptTakeOver, take_over, LiveAttemptView, reach=Reach.SAT, is_own_alone=True),
    Command("attempt.look", AttemptLook, look, reach=Reach.SAT, is_own_alone=True),
    Command("attempt.page", AttemptPage, page, reach=Reach.SAT, is_own_alone=True),
    Command("attempt.seen", AttemptSeen, seen, reach=Reach.SAT, is_own_alone=True),
    Command("answer.save", AnswerSave, save, SavedView, reach=Reach.SAT, is_own_alone=True),
    Command("attempt.sync", AttemptSync, sync, SyncView, reach=Reach.SAT, is_own_alone=True),
    Command("attempt.submit", AttemptSubmit, submit, AttemptView, reach=Reach.SAT, is_own_alone=True),
)
