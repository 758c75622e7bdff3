"""The AsyncAPI 3 document of the live protocol, made from the command table and the catalogue. Nothing is described twice.

Seen from the server: it receives commands and sends the rest. `live` and `notifications` are the two addresses of the socket;
the other channels are those that clients subscribe to on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from config.settings import VERSION, Settings
from handlers.live.commands import Command, LiveSession
from handlers.live.table import COMMANDS
from handlers.rest.access import ANONYMOUS
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import encode
from lms_rt.contracts.channels import ChannelKind
from lms_rt.contracts.events import EVENTS, EventKind
from lms_rt.contracts.live import NOTICES, AuthCommand, DoneView

Json = dict[str, Any]

ADDRESSES: dict[ChannelKind, str] = {
    ChannelKind.USER: "user:{id}",
    ChannelKind.COURSE: "course:{id}",
    ChannelKind.COURSE_STAFF: "course:{id}:staff",
    ChannelKind.COURSE_CHAT: "course:{id}:chat",
    ChannelKind.ATTEMPT: "attempt:{id}",
    ChannelKind.QUIZ_LIVE: "quiz:{id}:live",
    ChannelKind.SYSTEM: "system",
}
"""How the channels that one subscribes to are named."""

_SOCKETS = {
    "live": ("/ws", "The one socket of a device."),
    "notifications": ("/ws/notifications", "The same, with the caller's own channel subscribed from the start."),
}
_DESCRIPTION = """\
One WebSocket carries everything live for one device. How it is used, and what is promised, stands in
docs/realtime-protocol.md; this document holds the shapes.
"""
_REF = "#/components/schemas/{model}"
_TEXT: Json = {"type": "string"}
_COMMAND_ID: Json = {
    "description": "The client's own; the reply echoes it.",
    "oneOf": [{"type": "integer"}, {"type": "string", "minLength": 1, "maxLength": 100}],
}


async def _first_frame(_session: LiveSession, _command: AuthCommand) -> None:
    """Sign in; only as the first frame of a connection that brought no credentials."""


_FIRST_FRAME = Command("auth", AuthCommand, _first_frame)
"""No row of the table: the socket itself handles it, before there is a session."""


def build_document(settings: Settings) -> Json:
    """The document, as these settings name the product."""
    commands = (_FIRST_FRAME, *COMMANDS.values())
    messages = dict(_messages(commands))
    return {
        "asyncapi": "3.0.0",
        "info": {"title": f"{settings.project_name}, live", "version": VERSION, "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {"here": {"host": "localhost:8000", "protocol": "ws", **_SIGNED_IN}, "school": _behind_tls()},
        "channels": {**_sockets(messages), **_topics()},
        "operations": dict(_operations(commands)),
        "components": {
            "messages": messages,
            "schemas": dict(_schemas(commands)),
            "securitySchemes": {
                "ticket": {
                    "type": "httpApiKey",
                    "in": "query",
                    "name": "ticket",
                    "description": "One-time, from `POST /api/v1/auth/ws-ticket`; or the session cookie, or a first frame `auth`.",
                },
            },
        },
    }


_SIGNED_IN: Json = {"security": [{"$ref": "#/components/securitySchemes/ticket"}]}


def _behind_tls() -> Json:
    host = {"default": "lms.school.example", "description": "Where the school is served."}
    return {"host": "{host}", "protocol": "wss", "variables": {"host": host}, **_SIGNED_IN}


def _sockets(messages: Json) -> Json:
    bindings = {"ws": {"method": "GET", "bindingVersion": "0.1.0"}}
    carried = {name: {"$ref": f"#/components/messages/{name}"} for name in messages}
    return {
        name: {"address": address, "description": description, "messages": carried, "bindings": bindings}
        for name, (address, description) in _SOCKETS.items()
    }


def _topics() -> Json:
    """The channels to subscribe to, each with what it carries."""
    found: Json = {}
    for kind, address in ADDRESSES.items():
        carried = [one for one in EVENTS if kind in one.channels]
        topic: Json = {
            "address": address,
            "messages": {one.name: {"$ref": f"#/components/messages/{_event_name(one)}"} for one in carried},
        }
        if "{id}" in address:
            topic["parameters"] = {"id": {"description": "The id of what the channel is about."}}
        found[kind.value] = topic
    return found


# --- messages: what one frame holds ---


def _messages(commands: Iterable[Command]) -> Iterator[tuple[str, Json]]:
    for command in commands:
        yield command.type, _command_message(command)
        yield f"{command.type}.reply", _reply_message(command)
    yield "error", _message("The reply of a command that was refused; nothing was done.", _ERROR)
    for notice, model in NOTICES.items():
        payload = {"allOf": [_frame({"type": {"const": notice.value}}), _of(model)]}
        yield notice.value, _message(model.__doc__, payload)
    for kind in EVENTS:
        yield _event_name(kind), _event_message(kind)


def _command_message(command: Command) -> Json:
    payload = {"allOf": [_frame({"id": _COMMAND_ID, "type": {"const": command.type}}), _of(command.model)]}
    return _message(command.model.__doc__, payload)


def _reply_message(command: Command) -> Json:
    payload = _frame({"id": _COMMAND_ID, "ok": {"const": True}, "result": _of(command.reply)})
    return _message(f"The reply of `{command.type}`.", payload)


def _event_message(kind: EventKind) -> Json:
    place = {"epoch": _TEXT, "offset": {"type": "integer", "minimum": 1}, "id": _TEXT}
    head: Json = {"type": {"const": "state" if kind.is_state else "event"}, "channel": _TEXT}
    members = {**head, "event": {"const": kind.name}, **({} if kind.is_state else place), "at": _TEXT}
    return _message(kind.model.__doc__, _frame({**members, "data": _of(kind.model)}))


def _event_name(kind: EventKind) -> str:
    return f"{'state' if kind.is_state else 'event'}.{kind.name}"


def _message(doc: str | None, payload: Json) -> Json:
    return {"summary": (doc or "").strip().partition("\n")[0], "payload": payload}


def _frame(members: Json) -> Json:
    """An object of these members, all of them there."""
    return {"type": "object", "properties": members, "required": list(members)}


_FAULT = _frame({"field": _TEXT, "message": _TEXT, "code": _TEXT})
_ERROR = _frame(
    {
        "id": {"oneOf": [*_COMMAND_ID["oneOf"], {"type": "null"}]},
        "ok": {"const": False},
        "error": _frame(
            {"code": _TEXT, "message": _TEXT, "fields": {"type": "array", "items": _FAULT}, "data": {"type": "object"}}
        ),
    }
)


# --- operations ---


def _operations(commands: Iterable[Command]) -> Iterator[tuple[str, Json]]:
    live = "#/channels/live"
    for command in commands:
        replies = [f"{live}/messages/{command.type}.reply", f"{live}/messages/error"]
        yield (
            command.type,
            {
                "action": "receive",
                "channel": {"$ref": live},
                "summary": (command.function.__doc__ or command.model.__doc__ or "").strip().partition("\n")[0],
                "messages": [{"$ref": f"{live}/messages/{command.type}"}],
                "reply": {"channel": {"$ref": live}, "messages": [{"$ref": reply} for reply in replies]},
            },
        )
    notices = [{"$ref": f"{live}/messages/{notice.value}"} for notice in NOTICES]
    yield "notices", {"action": "send", "channel": {"$ref": live}, "messages": notices}
    for kind in ADDRESSES:
        carried = [{"$ref": f"#/channels/{kind.value}/messages/{one.name}"} for one in EVENTS if kind in one.channels]
        if carried:
            topic = {"$ref": f"#/channels/{kind.value}"}
            yield f"tell.{kind.value}", {"action": "send", "channel": topic, "messages": carried}


# --- schemas ---


def _of(model: type[BaseModel]) -> Json:
    return {"$ref": _REF.format(model=model.__name__)}


def _schemas(commands: Iterable[Command]) -> Iterator[tuple[str, Json]]:
    """Every model, once. Nothing is said against members that it does not name: what the server says may grow."""
    asked: list[type[BaseModel]] = [command.model for command in commands]
    replies: list[type[BaseModel]] = [DoneView, *(command.reply for command in commands)]
    notices: list[type[BaseModel]] = [*NOTICES.values()]
    told = [*replies, *notices, *(kind.model for kind in EVENTS)]
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in asked]
    modes += [(model, "serialization") for model in told]
    _, schema = models_json_schema([*dict.fromkeys(modes)], ref_template=_REF)
    for name, definition in schema["$defs"].items():
        if definition.get("additionalProperties") is False:
            del definition["additionalProperties"]
        yield name, _as_draft_07(definition)


def _as_draft_07(schema: Any) -> Any:
    """The dialect of AsyncAPI: the places of a tuple are `items`."""
    if isinstance(schema, dict):
        renamed = {"items" if key == "prefixItems" else key: value for key, value in schema.items()}
        return {key: _as_draft_07(value) for key, value in renamed.items()}
    return [_as_draft_07(each) for each in schema] if isinstance(schema, list) else schema


# --- serving it ---


def document_routes(settings: Settings) -> tuple[Operation, ...]:
    """The row of `/api/v1/asyncapi.json`; the document is made once, when it is first asked for."""
    made: list[bytes] = []

    async def asyncapi(_call: Call) -> Reply:
        if not made:
            made.append(encode(build_document(settings)))
        return Reply(made[0], content_type="application/json")

    summary = "The AsyncAPI document of the live protocol"
    return (Operation("GET", "/asyncapi.json", asyncapi, ANONYMOUS, reply=bytes, is_documented=False, summary=summary),)
