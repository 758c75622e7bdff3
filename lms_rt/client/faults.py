"""What can go wrong for a client of the live protocol, one class per thing that a caller would do differently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class LiveError(Exception):
    """Anything that went wrong on the live line."""


class CommandRefusedError(LiveError):
    """The server said no; `code` is stable."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code: str = str(error.get("code"))
        self.fields: list[dict[str, Any]] = list(error.get("fields") or [])
        self.data: dict[str, Any] = dict(error.get("data") or {})


class LineLostError(LiveError):
    """The line went before the reply came: whether the command was done is not known. The client reconnects."""


class CommandTimeoutError(LiveError):
    """No reply in time, or no line to send it on: whether the command was done is not known."""


class ClosedError(LiveError):
    """The connection ended for good: a final close code, a refused handshake, or `close()`."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"closed for good: {code} {reason}")
        self.code, self.reason = code, reason


PASSING = frozenset({"unavailable", "busy"})
"""Refusals that pass by themselves: the same command may be done a little later."""

_LAST_OF_RFC_6455 = frozenset({1002, 1007, 1009})
_FINAL = range(4500, 5000)


def is_final(code: int | None) -> bool:
    """Does a close with this number say not to come back?"""
    return code in _FINAL or code in _LAST_OF_RFC_6455
