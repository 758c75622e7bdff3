"""Frames of the live protocol: commands in, replies, events, states and notices out. Bytes to values and back, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from lms_rt.clock import rfc3339_of_ms
from lms_rt.contracts.base import encode
from lms_rt.contracts.events import LiveEvent
from lms_rt.contracts.json_reader import decode_json, decode_plain, has_too_many, is_doubtful, refuse_unstorable
from lms_rt.errors import Code, FieldError, Refused

SUBPROTOCOL = "lms.v1.json"
MAX_FRAME_BYTES = 64 * 1024
MAX_FRAME_VALUES = 2_500
MAX_FRAME_BRACKETS = 512
"""Objects and lists. 64 KiB could hold 21,000 of them, which take 8 ms to read; within these limits no frame takes three."""
_FEW_BYTES = 1_024
"""In so many there is no room for more than that."""
HEARTBEAT_MS = 10_000

CommandId = int | str | None
_MAX_ID = 100


class Notice(StrEnum):
    """What the server says about the connection itself."""

    WELCOME = "welcome"
    RECONNECT = "reconnect"
    DEGRADED = "degraded"
    RESTORED = "restored"
    SESSION_EXPIRING = "session_expiring"
    UNSUBSCRIBED = "unsubscribed"


class CommandFrame(NamedTuple):
    """A command as it came: the client's id, the type, and the other members."""

    id: CommandId
    type: str
    fields: dict[str, Any]


class BadFrame(Exception):
    """What came is no command frame; `refused` is the reply, and `command_id` its id as far as it could be read.

    `bad_frame` is the client's fault; `invalid_command` says that a well-formed command holds what no store keeps,
    which may be what somebody typed.
    """

    def __init__(self, refused: Refused, command_id: CommandId = None) -> None:
        super().__init__(refused.detail)
        self.refused, self.command_id = refused, command_id


def read_command(raw: bytes) -> CommandFrame:
    """The command in a text frame; raises `BadFrame`."""
    if len(raw) > _FEW_BYTES and has_too_many(raw, values=MAX_FRAME_VALUES, brackets=MAX_FRAME_BRACKETS):
        raise BadFrame(Refused(Code.BAD_FRAME, _TOO_MANY, position=0))
    value = decode_plain(raw)
    is_sure = value is not None
    if value is None:
        value, is_sure = _decoded(raw), not is_doubtful(raw)
    command_id = value.pop("id", None)
    if not _is_command_id(command_id) or not (is_sure or _is_storable(command_id)):
        raise _bad_member("id", "The id of a command is an integer of 64 bits or a text of 1 to 100 characters.")
    if not is_sure:
        try:
            refuse_unstorable(value)
        except Refused as refused:
            raise BadFrame(Refused(Code.INVALID_COMMAND, fields=refused.fields), command_id) from None
    command_type = value.pop("type", None)
    if not isinstance(command_type, str) or not command_type:
        raise _bad_member("type", "The type of a command is a text.", command_id)
    return CommandFrame(command_id, command_type, value)


_TOO_MANY = (
    f"The frame holds more than {MAX_FRAME_VALUES:,} values, or more than {MAX_FRAME_BRACKETS} objects and lists."
)


def _decoded(raw: bytes) -> dict[str, Any]:
    try:
        value = decode_json(raw)
    except Refused as refused:
        raise BadFrame(_as_frame_fault(refused)) from None
    if not isinstance(value, dict):
        raise BadFrame(Refused(Code.BAD_FRAME, "The frame is not a JSON object.", position=0))
    return value


def _is_command_id(value: Any) -> bool:
    if isinstance(value, str):
        return 1 <= len(value) <= _MAX_ID
    return isinstance(value, int) and not isinstance(value, bool)


def _is_storable(value: Any) -> bool:
    try:
        refuse_unstorable(value)
    except Refused:
        return False
    return True


def _bad_member(field: str, message: str, command_id: CommandId = None) -> BadFrame:
    refused = Refused(Code.BAD_FRAME, message, fields=(FieldError(field, message),), position=0)
    return BadFrame(refused, command_id)


def _as_frame_fault(refused: Refused) -> Refused:
    """The strict reader's refusal in the words of frames."""
    return Refused(Code.BAD_FRAME, refused.detail.replace("The body", "The frame", 1), **refused.data)


def reply_frame(command_id: CommandId, result: Any) -> bytes:
    """The reply of a command that was done. `result` is a view, a mapping, or None for `{}`."""
    return encode({"id": command_id, "ok": True, "result": {} if result is None else result})


def error_frame(command_id: CommandId, refused: Refused) -> bytes:
    """The reply of a command that was refused."""
    error = {
        "code": refused.code.code,
        "message": refused.detail,
        "fields": [{"field": f.field, "message": f.message, "code": f.code} for f in refused.fields],
        "data": refused.data,
    }
    return encode({"id": command_id, "ok": False, "error": error})


def event_tail(event: LiveEvent) -> bytes:
    """The end of an event's frame: all but the channel and the place. Made once, wherever the event goes."""
    members = {
        "event": event.name,
        "id": event.event_id,
        "at": rfc3339_of_ms(event.at_ms),
        "data": event.shown_data(),
    }
    return encode(members)[1:]


def read_event_tail(tail: bytes, at_ms: int, aggregate: str | None) -> LiveEvent:
    """The event that the end of a frame tells of; what a frame does not tell comes along."""
    members = orjson.loads(b"{" + tail)
    data, version, n = members["data"], None, None
    if aggregate is not None:
        version, n = data.pop("version"), data.pop("n")
    return LiveEvent(members["id"], members["event"], data, at_ms, aggregate, version, n)


def event_frame(channel: str, epoch: str, offset: int, tail: bytes) -> bytes:
    """An event with its place, as frames and the replies of `subscribe` and `history` show it."""
    return b'{"type":"event","channel":"%b","epoch":"%b","offset":%d,%b' % (
        channel.encode(),
        epoch.encode(),
        offset,
        tail,
    )


def state_frame(channel: str, name: str, data: Any, at_ms: int) -> bytes:
    """A state: only the latest matters."""
    return encode(
        {"type": "state", "channel": channel, "event": name, "at": rfc3339_of_ms(at_ms), "data": data},
    )


def notice_frame(notice: Notice, **fields: Any) -> bytes:
    """A word about the connection itself."""
    return encode({"type": notice.value, **fields})


def text_frame(payload: bytes) -> bytes:
    """`payload` as one unmasked RFC 6455 text frame, server to client; made once, written to every listener."""
    return _header(0x81, len(payload)) + payload


PING_FRAME = b"\x89\x00"
"""An empty RFC 6455 ping."""


def _header(first: int, length: int) -> bytes:
    if length < 126:
        return bytes((first, length))
    if length < 65_536:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")


def joined(frames: Sequence[bytes]) -> bytes:
    """Frames one after the other, for one write."""
    return frames[0] if len(frames) == 1 else b"".join(frames)
