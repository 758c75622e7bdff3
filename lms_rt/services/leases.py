"""Who writes an attempt: one device at a time, by a lease that start, resume and take-over give. It does not expire.

The rule is `may_write`; it is decided by what was read and stored by compare-and-set, by a take-over unconditionally.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from documents.attempt import OPEN, Attempt
from documents.base import Row
from lms_rt import ids
from lms_rt.clock import Clock
from lms_rt.contracts.channels import attempt_channel
from lms_rt.errors import Code, Refused
from lms_rt.services.quiz_controls import QuizControls
from lms_rt.services.telling import Telling

IDLE_MS = 15_000
TRIES = 5


@dataclass(frozen=True, slots=True)
class Device:
    """A screen that asks: the id of its page load, the lease it kept, and its live connection, if it has one."""

    device_id: str
    lease: str | None = None
    connection_id: str | None = None


def new_writer(device: Device, now_ms: int) -> Row:
    """A writer with a lease of its own."""
    return {
        "device_id": device.device_id,
        "lease": ids.random_token(18),
        "wrote_at_ms": now_ms,
        "connection": device.connection_id,
    }


def may_write(writer: Row | None, device: Device, *, is_connected: bool, now_ms: int) -> bool:
    """May this device become the writer without a take-over?"""
    if writer is None or writer["device_id"] == device.device_id or writer["lease"] == device.lease:
        return True
    return not is_connected and now_ms - writer["wrote_at_ms"] >= IDLE_MS


class Leases:
    """Gives the lease of an attempt."""

    def __init__(self, *, clock: Clock, telling: Telling, controls: QuizControls) -> None:
        self._clock, self._telling, self.controls = clock, telling, controls

    async def resume(self, attempt: Row, device: Device) -> tuple[Row, str | None]:
        """The attempt as it is now, and a lease when the rule allows one."""
        for _ in range(TRIES):
            attempt = await self.controls.settle(attempt)
            if attempt["status"] not in OPEN:
                return attempt, None
            now_ms, writer = self._clock.now_ms(), attempt.get("writer")
            is_connected = writer is not None and await self._is_connected(attempt["_id"], writer)
            if not may_write(writer, device, is_connected=is_connected, now_ms=now_ms):
                return attempt, None
            new = new_writer(device, now_ms)
            is_granted = await Attempt.grant(attempt["_id"], new, seen=attempt)
            attempt, lease = await self._settled(attempt, new)
            if is_granted:
                return attempt, lease
        raise Refused(Code.BUSY, retry_after_seconds=1)

    async def take_over(self, attempt: Row, device: Device) -> tuple[Row, str | None]:
        """The attempt as it is now with its lease, whoever had it; None when it is closed."""
        attempt = await self.controls.settle(attempt)
        new = new_writer(device, self._clock.now_ms())
        await Attempt.grant(attempt["_id"], new, seen=None)
        return await self._settled(attempt, new)

    async def _settled(self, before: Row, new: Row) -> tuple[Row, str | None]:
        """Read again: the lease counts only while it is the stored one. An earlier writer hears of it."""
        attempt = await Attempt.find_whole(before["_id"]) or before
        writer: dict[str, Any] = attempt.get("writer") or {}
        if writer.get("lease") != new["lease"]:
            return attempt, None
        if before.get("writer") is not None:
            channel = attempt_channel(before["_id"])
            await self._telling.event(channel, "writer_changed", {"device_id": new["device_id"]})
        return attempt, new["lease"]

    async def _is_connected(self, attempt_id: str, writer: Row) -> bool:
        """Is the writer's connection still on the attempt's channel?"""
        connection_id = writer.get("connection")
        return connection_id is not None and await self._telling.is_there(attempt_channel(attempt_id), connection_id)
