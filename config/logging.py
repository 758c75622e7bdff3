"""Structured logs: JSON lines or readable text, each with the request's id. What looks like a secret is never written.

Request handlers set `current_request_id`; everything logged while that request is worked on carries it.
"""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from config.scrubbing import redacted, scrubbed
from config.settings import Settings

current_request_id: ContextVar[str] = ContextVar("current_request_id", default="")
"""The id of the request that this context works on; empty outside requests."""
own_request_id: ContextVar[str] = ContextVar("own_request_id", default="")
"""Our own id of it, where the caller gave it another one: what is kept for good goes by it."""

_OURS = {"message", "asctime", "request_id", "own_id", "taskName", "fault"}
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | _OURS
"""What a record has anyway; `fault` is an error whose words may be somebody's: error reports take its kind and place."""


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    """What the caller passed as `extra`, without secrets."""
    return {name: scrubbed(value, name=name) for name, value in vars(record).items() if name not in _STANDARD}


class WithRequest(logging.Filter):
    """Puts the current request's id onto every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record passes."""
        record.request_id, record.own_id = current_request_id.get(), own_request_id.get()
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        if request_id := getattr(record, "request_id", ""):
            line["request_id"] = redacted(request_id)
        if own_id := getattr(record, "own_id", ""):
            line["own_id"] = own_id
        line |= _facts(record)
        if record.exc_info:
            line["exception"] = redacted(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = redacted(record.stack_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class ReadableText(logging.Formatter):
    """For people: time, level, message, then the facts as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line (with a traceback, several)."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[11:23]
        facts = "".join(f" {name}={value}" for name, value in _facts(record).items())
        ids = [one for name in ("request_id", "own_id") if (one := getattr(record, name, ""))]
        tail = f" [{' '.join(ids)}]" if ids else ""
        text = f"{at} {record.levelname:<7} {record.getMessage()}{facts}{tail}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return redacted(text)


def set_up_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Send the root logger to `stream` (stderr by default) in the format that the settings name."""
    is_json = settings.log_format == "json" or (settings.log_format == "auto" and settings.is_production)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if is_json else ReadableText())
    handler.addFilter(WithRequest())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if settings.debug else settings.log_level)
    # The drivers' own debug words would drown everything, and repeat what commands carry.
    for name in ("pymongo", "motor", "asyncio", "markdown_it"):
        logging.getLogger(name).setLevel(max(logging.INFO, root.level))
    # These tell of every request with its whole address and its headers; those of webhooks are secrets.
    # Tornado repeats what it could not read, up to all headers: whoever sends that would fill the log, unlimited.
    for name in ("httpx", "httpcore", "urllib3", "tornado.general"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
