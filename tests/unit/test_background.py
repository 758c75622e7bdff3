"""Tasks that run as long as the process: a fault ends none of them for good."""

from __future__ import annotations

import asyncio

import pytest

from lms_rt.services import background
from lms_rt.services.background import running


async def test_a_task_that_a_fault_ended_begins_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "AGAIN_SECONDS", 0)
    begun, has_begun_again = 0, asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise OSError("something odd")
        has_begun_again.set()
        await asyncio.Event().wait()

    async with running({"work": work}), asyncio.timeout(5):
        await has_begun_again.wait()
    assert caplog.text.count("the background task work was ended by a fault") == 2


async def test_all_are_ended_and_waited_for_with_the_body() -> None:
    ended: list[str] = []
    has_begun = asyncio.Event()

    async def work() -> None:
        has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("work")

    async with running({"work": work}):
        await has_begun.wait()
    assert ended == ["work"]


async def test_a_task_that_swallows_its_cancellation_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "INSIST_SECONDS", 0.01)
    swallowed = 0

    async def deaf() -> None:
        nonlocal swallowed
        while swallowed < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
        await asyncio.Event().wait()

    async with asyncio.timeout(5), running({"deaf": deaf}):
        await asyncio.sleep(0)
    assert swallowed == 2
