"""Wake-ups that cannot be told hold up no others; a bell rings for who listens."""

from __future__ import annotations

import asyncio

import pytest

from workers import app
from workers.app import Bell, TaskiqWakeUps


@pytest.mark.parametrize("fault", ["is refused", "never comes back"])
async def test_a_queue_that_cannot_be_told_holds_up_no_other_and_is_told_the_next_time(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "KICK_SECONDS", 0.01)
    told, wake_ups = asyncio.Queue[str](), TaskiqWakeUps({})
    is_well = False

    async def kick(queue: str, _: str) -> None:
        if queue == "emails" and not is_well:
            if fault == "is refused":
                raise ConnectionError("away")
            await asyncio.Event().wait()
        told.put_nowait(queue)

    wake_ups._kicks = dict.fromkeys(("emails", "payments"), kick)
    running = asyncio.create_task(wake_ups.run())
    try:
        async with asyncio.timeout(10):
            await wake_ups.wake("emails", "job_1")
            await wake_ups.wake("payments", "job_2")
            assert await told.get() == "payments"
            is_well = True
            await wake_ups.wake("emails", "job_3")
            assert await told.get() == "emails"
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_bell_is_heard_by_who_listens_and_by_nobody_before() -> None:
    bell, heard = Bell(), list[tuple[str, str]]()

    async def listener(queue: str, job_id: str) -> None:
        heard.append((queue, job_id))

    await bell.ring("emails", "job_1")
    bell.listener = listener
    await bell.ring("payments", "job_2")
    assert heard == [("payments", "job_2")]
