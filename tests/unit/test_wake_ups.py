"""Wake-ups of one process: many are one message, and what was noted is told even by one that ends."""

from __future__ import annotations

import asyncio

import pytest

from workers.app import TaskiqWakeUps


class Heard:
    """What was told, and a door that holds up who tells."""

    def __init__(self) -> None:
        self.queues: list[str] = []
        self.door, self.is_asked = asyncio.Event(), asyncio.Event()
        self.door.set()

    async def __call__(self, queue: str, _: str) -> None:
        self.is_asked.set()
        await self.door.wait()
        self.queues.append(queue)


def telling(heard: Heard) -> TaskiqWakeUps:
    """Wake-ups whose messages come to this one."""
    wake_ups = TaskiqWakeUps({})
    wake_ups._kicks = dict.fromkeys(("emails", "payments"), heard.__call__)
    return wake_ups


@pytest.mark.parametrize("is_held_up", [False, True], ids=["in its pause", "while it tells"])
async def test_what_is_handed_back_at_the_end_is_told(*, is_held_up: bool) -> None:
    heard = Heard()
    wake_ups = telling(heard)
    running = asyncio.create_task(wake_ups.run())
    if is_held_up:
        heard.door.clear()
    await wake_ups.wake("emails", "job_1")
    await heard.is_asked.wait()
    await wake_ups.wake("payments", "job_2")
    running.cancel()
    heard.door.set()
    async with asyncio.timeout(5):
        await asyncio.wait({running})
    assert running.cancelled()
    assert set(heard.queues) == {"emails", "payments"}


async def test_many_at_once_are_one_message() -> None:
    heard = Heard()
    wake_ups = telling(heard)
    for number in range(5):
        await wake_ups.wake("emails", f"job_{number}")
    running = asyncio.create_task(wake_ups.run())
    await heard.is_asked.wait()
    running.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait({running})
    assert heard.queues == ["emails"]
