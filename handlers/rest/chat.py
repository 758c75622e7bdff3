"""The chat of a course over HTTP: its messages, how far one has read, and who may not write for a while."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN, needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import CursorQuery, Page, PageQuery
from lms_rt.contracts.chat import (
    ChatMessageView,
    MessageChange,
    MessageDraft,
    MessagePage,
    MessageRemovalQuery,
    MuteDraft,
    MuteView,
    ReadDraft,
    ReadView,
)
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def list_messages(call: Call) -> Reply:
    """A stretch of the chat."""
    return Reply(await call.services.chat.list(call.actor, call.path["course_id"], call.query))


async def send_message(call: Call) -> Reply:
    """Say something: 201 when new, 200 for what was said before."""
    chat, course_id = call.services.chat, call.path["course_id"]
    message, is_new = await chat.send(call.actor, course_id, call.body, request_seed=call.idempotency_seed)
    made = {"course_id": message.course_id, "message_id": message.id} if is_new else None
    return Reply(message, status=201 if is_new else 200, made=made)


async def edit_message(call: Call) -> Reply:
    """Say it in other words."""
    edited = await call.services.chat.edit(
        call.actor,
        call.path["message_id"],
        call.body,
        course_id=call.path["course_id"],
        expected_version=call.expected_version,
    )
    return Reply(edited)


async def remove_message(call: Call) -> Reply:
    """Take it back, or away."""
    await call.services.chat.remove(
        call.actor,
        call.path["message_id"],
        course_id=call.path["course_id"],
        reason=call.query.reason,
        expected_version=call.expected_version,
    )
    return Reply(None)


async def read_messages(call: Call) -> Reply:
    """So far was read."""
    return Reply(await call.services.chat.read(call.actor, call.path["course_id"], call.body.number))


async def list_mutes(call: Call) -> Reply:
    """Who may not write now."""
    return Reply(await call.services.chat_moderation.list(call.actor, call.path["course_id"], call.query))


async def mute(call: Call) -> Reply:
    """Let somebody only read for a while: 201 when they might write until now."""
    muted, is_new = await call.services.chat_moderation.mute(call.actor, call.path["course_id"], call.body)
    made = {"course_id": call.path["course_id"], "student_id": muted.student_id} if is_new else None
    return Reply(muted, status=201 if is_new else 200, made=made)


async def unmute(call: Call) -> Reply:
    """Let them write again."""
    moderation, path = call.services.chat_moderation, call.path
    await moderation.unmute(call.actor, path["course_id"], path["student_id"])
    return Reply(None)


_MESSAGES = "/courses/{course_id}/messages"
_MESSAGE = "/courses/{course_id}/messages/{message_id}"
_MUTES = "/courses/{course_id}/chat/mutes"
_MUTED = "/courses/{course_id}/chat/mutes/{student_id}"
_STAFF = needs("enrollments:manage")

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        _MESSAGES,
        list_messages,
        SIGNED_IN,
        reach=Reach.INSIDE,
        query=CursorQuery,
        reply=MessagePage,
        codes=(Code.NOT_ENROLLED,),
        summary="The chat of a course, newest first",
    ),
    Operation(
        "POST",
        _MESSAGES,
        send_message,
        SIGNED_IN,
        reach=Reach.INSIDE,
        body=MessageDraft,
        reply=ChatMessageView,
        status=201,
        more_statuses=(200,),
        location=_MESSAGE,
        is_idempotent=True,
        codes=(Code.NOT_ENROLLED, Code.OP_ID_REUSED, Code.RATE_LIMITED),
        summary="Say something in the chat",
        description="Also `chat.send`. The same `op_id` again is the same message.",
    ),
    Operation(
        "PATCH",
        _MESSAGE,
        edit_message,
        SIGNED_IN,
        reach=Reach.OWN,
        body=MessageChange,
        reply=ChatMessageView,
        codes=(Code.VERSION_MISMATCH, Code.NOT_ENROLLED, Code.CONFLICT, Code.RATE_LIMITED),
        audit="message.change",
        summary="Change one's own message",
        description="Also `chat.edit`. For a quarter of an hour; everybody sees that it was changed.",
    ),
    Operation(
        "DELETE",
        _MESSAGE,
        remove_message,
        SIGNED_IN,
        reach=Reach.SHARED,
        query=MessageRemovalQuery,
        status=204,
        codes=(Code.VERSION_MISMATCH,),
        audit="message.remove",
        summary="Take a message back, or away",
        description=(
            "Also `chat.delete`. One's own for a quarter of an hour; any at any time for who sees to the course's students, "
            "which is recorded. Its words are gone for good."
        ),
    ),
    Operation(
        "POST",
        "/courses/{course_id}/messages/read",
        read_messages,
        SIGNED_IN,
        reach=Reach.INSIDE,
        body=ReadDraft,
        reply=ReadView,
        codes=(Code.NOT_ENROLLED,),
        summary="Say how far one has read",
        description="Also `chat.read`. One's other devices hear of it.",
    ),
    Operation(
        "GET",
        _MUTES,
        list_mutes,
        _STAFF,
        reach=Reach.TAUGHT,
        query=PageQuery,
        reply=Page[MuteView],
        summary="Who may not write in the chat now",
    ),
    Operation(
        "POST",
        _MUTES,
        mute,
        _STAFF,
        reach=Reach.TAUGHT,
        body=MuteDraft,
        reply=MuteView,
        status=201,
        more_statuses=(200,),
        location=_MUTED,
        audit="enrollment.mute",
        summary="Let a student only read for a while",
        description="201: they might write until now. 200: it takes the place of what was said before.",
    ),
    Operation(
        "DELETE",
        _MUTED,
        unmute,
        _STAFF,
        reach=Reach.TAUGHT,
        status=204,
        audit="enrollment.unmute",
        summary="Let them write again",
    ),
)
