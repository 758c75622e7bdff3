"""Relays that stop before everything that leaves them: a read, a publish, a pull. A test lets them go on, or crash.

The documents are a dictionary with the queries that a relay asks; each is one atomic step, as in the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextvars import ContextVar
from copy import deepcopy
from datetime import datetime
from typing import Any

from documents.base import PULLS
from lms_rt.bus.base import FanOut, Position
from lms_rt.contracts.events import LiveEvent
from lms_rt.contracts.outbox import Write, event

_STEP_SECONDS = 30
_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class Process:
    """Something that runs step by step."""

    def __init__(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        self.name = name
        self._has_stopped = asyncio.Event()
        self._waiting: asyncio.Future[None] | None = None
        token = _PROCESS.set(self)
        self._task = asyncio.create_task(work, name=name)
        _PROCESS.reset(token)
        self._task.add_done_callback(lambda _: self._has_stopped.set())

    @property
    def is_over(self) -> bool:
        """Has it ended?"""
        return self._task.done()

    async def go_on(self) -> None:
        """Let it take one step; returns when it stands before the next, or has ended."""
        async with asyncio.timeout(_STEP_SECONDS):
            await self._has_stopped.wait()
            if self.is_over:
                return
            self._has_stopped.clear()
            if self._waiting is not None:
                self._waiting.set_result(None)
                self._waiting = None
            await self._has_stopped.wait()

    async def crash(self) -> None:
        """End it where it stands."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def pause(self) -> None:
        """Called by the process itself: stop here."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._has_stopped.set()
        await self._waiting


async def step() -> None:
    """Where a process stops; nothing for who is none."""
    if (process := _PROCESS.get()) is not None:
        await process.pause()


class Documents:
    """Aggregates with outboxes."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    @property
    def versions(self) -> dict[str, int]:
        """What a snapshot of all holds now."""
        return {name: row["version"] for name, row in self.rows.items()}

    @property
    def pending(self) -> list[str]:
        """The aggregates that a sweeper would find."""
        return [name for name, row in self.rows.items() if row["outbox"] or "outbox_at" in row]

    def write(self, name: str, at: datetime, channels: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
        """One write of an aggregate with an event for each of `channels`; the intents."""
        row = self.rows.setdefault(name, {"_id": name, "version": 0, "outbox": []})
        row["version"] += 1
        made = Write(row["version"], at)
        intents = [
            event(made, "course_updated", n=n, channels=names, data={"course_id": name, "changes": {}})
            for n, names in enumerate(channels)
        ]
        row["outbox"] += intents
        row["outbox_at"] = at
        return intents

    async def find_outbox(self, document_id: str) -> dict[str, Any] | None:
        await step()
        return deepcopy(self.rows.get(document_id))

    async def find_pending(
        self, *, until: datetime, after: tuple[datetime, str] | None, limit: int
    ) -> list[dict[str, Any]]:
        await step()
        flagged = ((row["outbox_at"], name) for name, row in self.rows.items() if "outbox_at" in row)
        pending = sorted(place for place in flagged if place[0] <= until and (after is None or place > after))
        return [{"_id": name, "outbox_at": at} for at, name in pending[:limit]]

    async def pull_intents(self, document_id: str, *intent_ids: str) -> None:
        row, done = self.rows[document_id], set(intent_ids)
        for _ in range(PULLS):
            await step()
            if {intent["id"] for intent in row["outbox"]} <= done:
                row["outbox"] = []
                row.pop("outbox_at", None)
                return
            await step()
            if left := [intent for intent in row["outbox"] if intent["id"] not in done]:
                row["outbox"] = left
                return

    async def unflag_empty_outbox(self, document_id: str) -> None:
        await step()
        if not self.rows[document_id]["outbox"]:
            self.rows[document_id].pop("outbox_at", None)


class SteppingFanOut(FanOut):
    """A fan-out that stops before each publish of a relay."""

    def __init__(self, fan_out: FanOut) -> None:
        self._fan_out = fan_out

    async def publish(self, channel: str, event: LiveEvent) -> Position | None:
        await step()
        return await self._fan_out.publish(channel, event)

    async def publish_direct(self, channel: str, name: str, data: Mapping[str, Any]) -> Position:
        return await self._fan_out.publish_direct(channel, name, data)

    async def publish_state(self, channel: str, name: str, data: Mapping[str, Any]) -> None:
        await self._fan_out.publish_state(channel, name, data)

    async def poke(self, channel: str, about: Sequence[str] = ()) -> None:
        await self._fan_out.poke(channel, about)

    async def listen(self, channel: str, receiver: Any) -> Any:
        return await self._fan_out.listen(channel, receiver)

    async def publish_control(self, name: str, data: Mapping[str, Any]) -> None:
        await self._fan_out.publish_control(name, data)

    async def listen_control(self, receiver: Any) -> Any:
        return await self._fan_out.listen_control(receiver)
