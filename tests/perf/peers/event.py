"""What every peer in Python shares: the event and the answer that they send, and the orders that they take. No library's code."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

PATH = "/"
_OFFSETS = count(1)

Publish = Callable[[int, int, int], Awaitable[None]]
"""Given how many events, the stamp that they carry, and by how many bytes they are longer than usual."""


def event(stamp: int, size: int) -> dict[str, Any]:
    """One event, of the shape and size that ours has."""
    offset = next(_OFFSETS)
    changes = {"short_description": "Slopes and lines, with examples.", "t": stamp}
    return {
        "type": "event",
        "channel": "course:crs_01kaj3v9f0q5t8w2x4y6z8a0b2",
        "event": "course_updated",
        "epoch": "p3Jm0aVxQ1uQd4yT",
        "offset": offset,
        "id": "evt_01kaj3v9f0q5t8w2x4y6z8a0b2",
        "at": _now(),
        "data": {
            "course_id": "crs_01kaj3v9f0q5t8w2x4y6z8a0b2",
            "changes": changes | ({"description": "x" * size} if size else {}),
            "version": offset,
            "n": 0,
        },
    }


def text_of(message: dict[str, Any]) -> str:
    """As JSON."""
    return json.dumps(message, separators=(",", ":"))


def answer(message: str | bytes) -> dict[str, Any]:
    """The reply to a command."""
    return {"id": json.loads(message)["id"], "ok": True, "result": {"server_time": _now()}}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ready(port: int) -> None:
    """Tell where to connect."""
    sys.stdout.write(f"ready {port}\n")
    sys.stdout.flush()


async def obey(publish: Publish) -> None:
    """Take orders until the input ends."""
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while order := (await orders.readline()).split():
        await publish(int(order[1]), int(order[2]), int(order[3]))
