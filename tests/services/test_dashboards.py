"""Who comes and goes, told to the dashboards, also after a fault of the database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from documents.attempt import Attempt
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.channels import attempt_channel
from lms_rt.services.dashboards import Dashboards


async def test_a_fault_of_the_database_does_not_end_the_telling(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[set[str]] = []
    is_asked = asyncio.Event()

    async def find(unknown: set[str]) -> dict[str, str]:
        asked.append(unknown)
        is_asked.set()
        raise AutoReconnect("the primary is away")

    monkeypatch.setattr(Attempt, "find_quizzes_of", find)
    dashboards = Dashboards(bus=memory_bus(FakeClock()), clock=FakeClock())
    running: asyncio.Task[Any] = asyncio.create_task(dashboards.run())
    try:
        for attempt_id in ("att_1", "att_2"):
            is_asked.clear()
            dashboards.presence_changed(attempt_channel(attempt_id))
            async with asyncio.timeout(5):
                await is_asked.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert asked == [{"att_1"}, {"att_2"}]
