"""Holds frames to the AsyncAPI document: what clients send and what the server says."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from config.settings import Settings
from handlers.live.asyncapi import build_document

Frame = dict[str, Any]


class FrameCheck:
    """One connection's frames. A reply is held to the command that has its id."""

    def __init__(self) -> None:
        document = build_document(Settings(_env_file=None))
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
