"""`docs/events.md` and the tables of `docs/realtime-protocol.md`, from the catalogue, the command table and the limits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from handlers.live import dialogue, socket
from handlers.live.table import COMMANDS
from lms_rt.bus.base import HISTORY_EVENTS, HISTORY_SECONDS, TOP_SECONDS
from lms_rt.contracts.channels import ChannelKind
from lms_rt.contracts.events import EVENTS, RECORD_TYPES, EventKind
from lms_rt.contracts.frames import HEARTBEAT_MS, MAX_FRAME_BYTES
from lms_rt.realtime.close_codes import Close
from lms_rt.realtime.connection import MAX_QUEUE_BYTES, MAX_QUEUE_FRAMES
from lms_rt.realtime.node import NodeLimits
from tests.generated_docs.shapes import MADE, code, first_line, table, words_of

CHANNELS = {
    ChannelKind.USER: "user:{id}",
    ChannelKind.COURSE: "course:{id}",
    ChannelKind.COURSE_STAFF: "course:{id}:staff",
    ChannelKind.ATTEMPT: "attempt:{id}",
    ChannelKind.QUIZ_LIVE: "quiz:{id}:live",
    ChannelKind.SYSTEM: "system",
}
_REPLIES = {
    "subscribe": "`{channel, epoch, offset, recovered, events}`",
    "unsubscribe": "`{}`",
    "history": "`{epoch, events, first_offset, last_offset}`",
    "presence": "`{count, users: [{user_id, full_name, devices}]}`; `users` is empty but for those who teach there",
    "ping": "`{server_time}`",
    "time.sync": "`{t0, t1, t2, clock_error_ms}`",
    "auth.refresh": "`{session_expires_at}`",
    "lesson.progress": "the lesson's progress",
    "lesson.complete": "the lesson's progress",
    "attempt.start": "the attempt with its questions, `lease` and `subscription`",
    "attempt.resume": "likewise; `lease: null` is read-only",
    "attempt.take_over": "likewise",
    "attempt.look": "`{}`",
    "attempt.page": "`{}`",
    "attempt.seen": "`{}`",
    "answer.save": "`{op_id, revision, saved_at, superseded?, writer: {is_me}}`",
    "attempt.sync": "`{revision, answers, missing, writer, status, deadline_at, server_time, remaining_ms}`",
    "attempt.submit": "the closed attempt",
}
_EVENTS = f"""# Events

<!-- {MADE} -->

Every event and state of the live channels (`lms_rt/contracts/events.py`). How they travel, and what is promised, stands in
[realtime-protocol.md](realtime-protocol.md).

- **of record**: written with the change that it tells of; none is lost, none comes twice, and `data` carries `version` and
  `n`. Its type names it in replay and webhooks (both come later).
- **event**: has an offset and can be recovered, but is best effort: reading the resource says the same.
- **state**: only the latest matters; no offset, never replayed.
"""


def events() -> str:
    """The page."""
    heads = ("name", "kind", "channels", "type")
    rows = [
        (f"[`{kind.name}`](#{kind.name})", _sort(kind), _channels(kind), code(kind.record_type or ""))
        for kind in EVENTS
    ]
    named = {kind.record_type for kind in EVENTS}
    unnamed = ", ".join(code(name) for name in RECORD_TYPES if name not in named)
    return "\n".join(
        [
            _EVENTS,
            table(heads, rows),
            f"\nTypes that are kept without a live name: {unnamed}.\n",
            *chain.from_iterable(_section(kind) for kind in EVENTS),
        ]
    )


def commands() -> str:
    """Every command with its fields and its reply."""
    rows = [
        (
            code(command.type),
            _fields(command.model.model_json_schema()),
            _REPLIES[command.type],
            first_line(command.function.__doc__),
        )
        for command in COMMANDS.values()
    ]
    return f"{table(('command', 'fields', 'reply', 'what it does'), rows)}\n"


def limits() -> str:
    """The numbers that a client has to know."""
    node = NodeLimits()
    rows = [
        ("first frame `auth`", f"within {socket.AUTH_SECONDS} s", "4001"),
        ("a frame from the client", f"{MAX_FRAME_BYTES // 1024} KiB", "1009"),
        ("commands of a connection", f"{dialogue.COMMANDS_PER_SECOND}/s, burst {dialogue.COMMANDS_BURST}", "4529"),
        ("malformed frames", f"{dialogue.BAD_FRAMES - 1} in {dialogue.BAD_FRAMES_MS // 1000} s", "4500"),
        ("connections of a user", str(node.connections_per_user), "4509"),
        ("subscriptions of a connection", str(node.subscriptions), "`too_many_subscriptions`"),
        ("waiting for the client", f"{MAX_QUEUE_BYTES // 1024} KiB or {MAX_QUEUE_FRAMES} frames", "4008"),
        ("pings from the server", f"every {HEARTBEAT_MS // 1000} s", ""),
        ("silence of the client", f"{node.silent_ms // 1000} s", "the line is cut"),
        ("`session_expiring` before the token ends", f"{node.told_before_expiry_ms // 1000} s", "then 4005"),
        ("history of a channel", f"{HISTORY_EVENTS} events, {HISTORY_SECONDS // 3600} h", "`recovered: false`"),
        ("epoch and offset after the last event", f"{TOP_SECONDS // 86_400} days", "`recovered: false`"),
    ]
    return f"{table(('what', 'limit', 'beyond it'), rows)}\n"


def close_codes() -> str:
    """The numbered closes."""
    rows = [
        (str(close.code), close.reason, "yes" if close.may_reconnect else "no", close.meaning)
        for close in sorted(Close, key=lambda close: close.code)
    ]
    return f"{table(('code', 'reason', 'reconnect by itself', 'meaning'), rows)}\n"


def _sort(kind: EventKind) -> str:
    if kind.is_of_record:
        return "of record"
    return "state" if kind.is_state else "event"


def _channels(kind: EventKind) -> str:
    return ", ".join(code(CHANNELS[channel]) for channel in kind.channels)


def _section(kind: EventKind) -> Iterator[str]:
    schema = kind.model.model_json_schema()
    required = set(schema.get("required", ()))
    rows = [
        (code(name), words_of(field), "" if name in required else "may be left out")
        for name, field in schema["properties"].items()
    ]
    yield f"## {kind.name}\n\n{first_line(kind.model.__doc__)}\n\n{table(('field', 'value', ''), rows)}\n"


def _fields(schema: dict[str, object]) -> str:
    properties = schema.get("properties")
    required = schema.get("required", [])
    assert isinstance(properties, dict | None)
    assert isinstance(required, list)
    return ", ".join(code(name if name in required else f"{name}?") for name in properties or {})
