"""What of an error may leave the house: an allow-list. Kinds and places of faults, never their words, values or requests.

An exception's words may hold anything that it met (an answer, an address, a password): they stay in our own log, under the
request id that the report carries. No network here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from config.scrubbing import looks_secret

TAGS = ("request_id", "route", "command", "queue", "task", "process", "status")
"""Facts of a log line that go along, when they are names and numbers."""
_PLAIN = re.compile(r"[A-Za-z0-9_.:/{}()*-]{1,128}")
_KEPT = (
    "event_id",
    "type",
    "timestamp",
    "start_timestamp",
    "level",
    "platform",
    "environment",
    "release",
    "server_name",
)
_OF_FRAMES = ("module", "function", "filename", "lineno", "in_app", "context_line", "pre_context", "post_context")
_OF_TRACES = ("trace_id", "span_id", "op", "status")


def is_plain(value: Any) -> bool:
    """Is it a name or a number, and nobody's secret?"""
    text = str(value)
    return isinstance(value, str | int | float) and _PLAIN.fullmatch(text) is not None and not looks_secret(text)


def allowed(event: Mapping[str, Any], _hint: object = None) -> dict[str, Any]:
    """Those parts of an event that are known to say nothing about anybody; all else is left out, also what is new."""
    sent = {name: event[name] for name in _KEPT if name in event}
    for name in ("logger", "transaction"):
        if is_plain(event.get(name)) or (name == "transaction" and _is_route(event.get(name))):
            sent[name] = event[name]
    if template := (event.get("logentry") or {}).get("message"):
        sent["logentry"] = {"message": template}
    sent["tags"] = {
        name: value for name, value in (event.get("tags") or {}).items() if name in TAGS and is_plain(value)
    }
    if trace := (event.get("contexts") or {}).get("trace"):
        sent["contexts"] = {"trace": {name: trace[name] for name in _OF_TRACES if name in trace}}
    if raised := (event.get("exception") or {}).get("values"):
        sent["exception"] = {"values": [_allowed_exception(one) for one in raised if isinstance(one, Mapping)]}
    return sent


def _is_route(value: Any) -> bool:
    """`GET /api/v1/quizzes/{quiz_id}`."""
    method, _, route = str(value).partition(" ")
    return is_plain(method) and is_plain(route)


def _allowed_exception(raised: Mapping[str, Any]) -> dict[str, Any]:
    frames = (raised.get("stacktrace") or {}).get("frames") or []
    kept = [
        {name: frame[name] for name in _OF_FRAMES if name in frame} for frame in frames if isinstance(frame, Mapping)
    ]
    named = {name: raised.get(name) for name in ("type", "module") if is_plain(raised.get(name))}
    return {**named, "value": "", "stacktrace": {"frames": kept}}
