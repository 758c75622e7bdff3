"""Holds frames to the AsyncAPI document: what clients send and what the server says."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from config.settings import Settings
from handlers.live.asyncapi import build_document

Frame = dict[str, Any]


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with a word against members that it does not name: what is said today is described, too.

    Commands and notices share their object with `id` and `type`, so theirs stay open.
    """
    schemas = document["components"]["schemas"]
    payloads = [message["payload"] for message in document["components"]["messages"].values()]
    merged = {part.get("$ref", "").rpartition("/")[2] for payload in payloads for part in payload.get("allOf", ())}
    for name in schemas.keys() - merged:
        if "properties" in schemas[name]:
            schemas[name].setdefault("additionalProperties", False)
    return document


class FrameCheck:
    """One connection's frames. A reply is held to the command that has its id."""

    def __init__(self) -> None:
        document = closed(build_document(Settings(_env_file=None)))
        self._messages = document["components"]["messages"]
        self._components = document["components"]
        self._asked: dict[Any, str] = {}
        self.seen: set[str] = set()

    def sent(self, frame: Frame) -> None:
        """A command of the client."""
        self._asked[frame["id"]] = frame["type"]
        self._hold(frame, frame["type"])

    def received(self, frame: Frame) -> None:
        """Anything that the server says."""
        if "ok" in frame:
            self._hold(frame, f"{self._asked[frame['id']]}.reply" if frame["ok"] else "error")
        elif frame["type"] in ("event", "state"):
            self._hold(frame, f"{frame['type']}.{frame['event']}")
        else:
            self._hold(frame, frame["type"])

    def _hold(self, frame: Frame, message: str) -> None:
        schema = {**self._messages[message]["payload"], "components": self._components}
        faults = [
            f"{error.instance_path}: {error.message}"
            for error in jsonschema_rs.Draft7Validator(schema).iter_errors(frame)
        ]
        assert faults == [], f"{message}: {faults}"
        self.seen.add(message)
