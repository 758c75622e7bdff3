"""Wake-ups of one process: many are few messages, and what was noted is told even by one that ends."""

from __future__ import annotations

import asyncio

import pytest

from workers import app
from workers.app import TaskiqWakeUps


class Heard:
    """What was told, and a door that holds up who tells."""

    def __init__(self) -> None:
        self.queues: list[str] = []
        self.job_ids: list[str] = []
        self.door, self.is_asked = asyncio.Event(), asyncio.Event()
        self.door.set()

    async def __call__(self, queue: str, job_id: str) -> None:
        self.is_asked.set()
        await self.door.wait()
        self.queues.append(queue)
        self.job_ids.append(job_id)


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


async def test_a_burst_wakes_a_worker_for_each_job_also_when_it_is_ended_meanwhile() -> None:
    heard = Heard()
    wake_ups = telling(heard)
    heard.door.clear()
    running = asyncio.create_task(wake_ups.run())
    await wake_ups.wake("emails", "job_0")
    await heard.is_asked.wait()
    for number in (1, 2, 2, 3):
        await wake_ups.wake("emails", f"job_{number}")
    running.cancel()
    heard.door.set()
    async with asyncio.timeout(5):
        await asyncio.wait({running})
    assert (sorted(set(heard.job_ids)), len(heard.job_ids)) == ([f"job_{number}" for number in range(4)], 4)


async def test_a_rush_is_few_messages_and_what_comes_after_it_wakes_many_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[int] = []
    heard = Heard()
    wake_ups = telling(heard)
    is_quiet, sleep = asyncio.Event(), asyncio.sleep

    async def rush() -> None:
        for number in range(100):
            await wake_ups.wake("emails", f"job_{len(rounds)}_{number}")

    async def pause(_: float) -> None:
        """In each of a hundred pauses a hundred more are asked for."""
        rounds.append(len(heard.queues))
        await (rush() if len(rounds) < 100 else sleep(0))
        if len(rounds) == 100:
            is_quiet.set()

    monkeypatch.setattr(asyncio, "sleep", pause)
    running = asyncio.create_task(wake_ups.run())
    await rush()
    async with asyncio.timeout(5):
        await is_quiet.wait()
        assert rounds[0] == app.MOST_WOKEN
        assert rounds[-1] == app.MOST_WOKEN + 99, "10,000 jobs, and one message more in each pause"
        await sleep(0)
        heard.queues.clear()
        await rush()
        while len(rounds) < 101:
            await sleep(0)
    assert rounds[-1] == app.MOST_WOKEN
    running.cancel()
    await asyncio.wait({running})
