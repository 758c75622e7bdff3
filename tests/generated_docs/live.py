"""`docs/events.md`, `docs/asyncapi.json` and the tables of `docs/realtime-protocol.md`, from the catalogue, the command table and the limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain

from config.settings import Settings
from handlers.live import dialogue, socket
from handlers.live.asyncapi import ADDRESSES, build_document
from handlers.live.protocol import MAX_FRAGMENTS
from handlers.live.table import COMMANDS
from lms_rt.bus.base import HISTORY_EVENTS, HISTORY_SECONDS, TOP_SECONDS
from lms_rt.contracts.base import View
from lms_rt.contracts.event_records import RECORD_KINDS, RecordKind
from lms_rt.contracts.events import EVENTS, EventKind
from lms_rt.contracts.frames import HEARTBEAT_MS, MAX_FRAME_BRACKETS, MAX_FRAME_BYTES, MAX_FRAME_VALUES
from lms_rt.contracts.live import NOTICES
from lms_rt.realtime.close_codes import Close
from lms_rt.realtime.connection import MAX_QUEUE_BYTES, MAX_QUEUE_FRAMES
from lms_rt.realtime.node import NodeLimits
from lms_rt.services.event_views import MAX_DATA_BYTES
from tests.generated_docs.shapes import MADE, Schema, code, first_line, table, words_of

_IN_WORDS = {
    "AttemptView": "the closed attempt",
    "LessonProgressView": "the lesson's progress",
    "ChatMessageView": "the message",
    "LiveAttemptView": "the attempt with its questions, `lease` (null: read-only) and `subscription`",
}
"""Replies that are too large for a table; `asyncapi.json` has them whole."""
_SMALL = 4
"""So many members an object in a reply may have to be told in a table."""
_AFTERWARDS = {
    Close.SESSION_EXPIRED: "refresh, then come back",
    Close.INSUFFICIENT_STATE: "forget positions, come back",
}
_STREAM = f"""## Stream of record

What `GET /api/v1/events` tells and webhooks are sent: `{{id, type, timestamp, data}}`, with the ids of the live channels. `data`
is the REST view of the thing, made when the event was recorded, not the `data` of the live event. It has at most
{MAX_DATA_BYTES:,} bytes; of a larger one the largest members are missing, and `left_out` names them.

The stream has one order, oldest first. Of one aggregate no event overtakes another, and none slips in behind a reader: whoever
has read up to a cursor has read all that there will ever be before it. To follow it, without `after` at first:

1. `GET /api/v1/events?after=<cursor>&limit=100`; with `type=…`, once or several times, only events of these types;
2. do with each item what has to be done, known again by its `id`, then keep the reply's `cursor`;
3. ask again from there: at once while `next` is not null, else after a while.

Events are kept for `RETENTION_EVENTS_DAYS`. A cursor from before the oldest that is kept is 409 `conflict`: what came after it
is lost to this reader, and `oldest` is the cursor to go on from, after the state was read anew.
"""
_EVENTS = f"""# Events

<!-- {MADE} -->

Every event and state of the live channels (`lms_rt/contracts/events.py`). How they travel, and what is promised, stands in
[realtime-protocol.md](realtime-protocol.md).

- **of record**: written with the change that it tells of; none is lost, none comes twice, and `data` carries `version` and
  `n`, which belong to the aggregate that the member under *aggregate* names. Its type names it in the
  [stream of record](#stream-of-record) and in webhooks.
- **event**: has an offset and can be recovered, but is best effort: reading the resource says the same.
- **state**: only the latest matters; no offset, never replayed.
"""


def events() -> str:
    """The page."""
    heads = ("name", "kind", "channels", "aggregate", "type")
    rows = [
        (
            f"[`{kind.name}`](#{kind.name})",
            _sort(kind),
            _channels(kind),
            code(kind.aggregate_field or ""),
            code(kind.record_type or ""),
        )
        for kind in EVENTS
    ]
    sections = chain.from_iterable(_section(kind) for kind in EVENTS)
    return "\n".join([_EVENTS, table(heads, rows), "", _STREAM, _records(), "", *sections])


def _records() -> str:
    """Every type of event of record, with what its data is."""
    live = {kind.record_type: kind.name for kind in EVENTS}
    rows = []
    for name, kind in sorted(RECORD_KINDS.items()):
        named = f"[`{live[name]}`](#{live[name]})" if name in live else ""
        rows.append((code(name), kind.tells, _data_of(kind), named))
    return table(("type", "tells", "data", "live"), rows)


def _data_of(kind: RecordKind) -> str:
    without = ", ".join(map(code, sorted(kind.without)))
    more = ", ".join(f"{code(name)} ({words})" for name, words in kind.more.items())
    return code(kind.view.__name__) + (f" without {without}" if without else "") + (f"; {more}" if more else "")


def commands() -> str:
    """Every command with its fields and its reply."""
    rows = [
        (
            code(command.type),
            _fields(command.model.model_json_schema()),
            _reply(command.reply),
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
        ("values in a frame", f"{MAX_FRAME_VALUES:,}, of them {MAX_FRAME_BRACKETS} objects and lists", "`bad_frame`"),
        ("fragments of a message", f"{MAX_FRAGMENTS:,}", "4529"),
        ("commands of a connection", f"{dialogue.COMMANDS_PER_SECOND}/s, burst {dialogue.COMMANDS_BURST}", "4529"),
        (
            f"commands of more than {dialogue.HEAVY_BYTES // 1024} KiB",
            f"{dialogue.HEAVY_BYTES_PER_SECOND // 1024} KiB/s",
            "read more slowly",
        ),
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
        (str(close.code), close.reason, _afterwards(close), close.meaning)
        for close in sorted(Close, key=lambda close: close.code)
    ]
    return f"{table(('code', 'reason', 'a client should', 'meaning'), rows)}\n"


def _afterwards(close: Close) -> str:
    return _AFTERWARDS.get(close, "come back" if close.may_reconnect else "end")


def notices() -> str:
    """What the server says about the connection itself."""
    rows = [(_members(notice.value, model), first_line(model.__doc__)) for notice, model in NOTICES.items()]
    return f"{table(('notice', 'means'), rows)}\n"


def asyncapi() -> str:
    """The AsyncAPI document, as a server with the default settings serves it."""
    return json.dumps(build_document(Settings.model_construct()), indent=2, ensure_ascii=False) + "\n"


def _sort(kind: EventKind) -> str:
    if kind.is_of_record:
        return "of record"
    return "state" if kind.is_state else "event"


def _channels(kind: EventKind) -> str:
    return ", ".join(code(ADDRESSES[channel]) for channel in kind.channels)


def _section(kind: EventKind) -> Iterator[str]:
    schema = kind.model.model_json_schema()
    required = set(schema.get("required", ()))
    rows = [
        (code(name), words_of(field), field.get("description", "") if name in required else "may be left out")
        for name, field in schema["properties"].items()
    ]
    yield f"## {kind.name}\n\n{first_line(kind.model.__doc__)}\n\n{table(('field', 'value', ''), rows)}\n"


def _reply(model: type[View]) -> str:
    if model.__name__ in _IN_WORDS:
        return _IN_WORDS[model.__name__]
    schema = model.model_json_schema(mode="serialization")
    return code(_shape(schema, schema.get("$defs", {})))


def _shape(schema: Schema, models: Schema) -> str:
    """The members of an object; small ones in it too."""
    members, required = [], set(schema.get("required", ()))
    for plain, member in schema.get("properties", {}).items():
        name = plain if plain in required else f"{plain}?"
        inner = models.get((member.get("items") or member).get("$ref", "").rpartition("/")[2], {})
        if 0 < len(inner.get("properties", {})) <= _SMALL:
            shape = _shape(inner, models)
            members.append(f"{name}: [{shape}]" if "items" in member else f"{name}: {shape}")
        else:
            members.append(name)
    return f"{{{', '.join(members)}}}"


def _members(name: str, model: type[View]) -> str:
    members = ", ".join(model.model_fields)
    return code(f"{name} {{{members}}}" if members else name)


def _fields(schema: dict[str, object]) -> str:
    properties = schema.get("properties")
    required = schema.get("required", [])
    assert isinstance(properties, dict | None)
    assert isinstance(required, list)
    return ", ".join(code(name if name in required else f"{name}?") for name in properties or {})
