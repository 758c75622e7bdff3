"""The work of streamed requests at the end of a process: what can end ends, the rest is told to; and none fails unseen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from handlers.rest import streaming


async def test_what_is_at_work_ends_before_the_process_does() -> None:
    done: list[str] = []

    async def work(name: str, until: Awaitable[object]) -> None:
        try:
            await until
            done.append(name)
        except asyncio.CancelledError:
            done.append(f"{name} cleaned up")

    await streaming.drained(patience_seconds=0)
    for name, until in (("soon", asyncio.sleep(0)), ("never", asyncio.Event().wait())):
        task = asyncio.ensure_future(work(name, until))
        streaming._working.add(task)
        task.add_done_callback(streaming._ended)
    await streaming.drained(patience_seconds=0.05)
    assert done == ["soon", "never cleaned up"]
    assert not streaming._working


async def test_a_fault_that_nobody_waits_for_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise OSError("the disk is gone")

    task = asyncio.ensure_future(work())
    streaming._working.add(task)
    task.add_done_callback(streaming._ended)
    await asyncio.wait({task})
    await streaming.drained(patience_seconds=1)
    assert not streaming._working
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [OSError]
    assert streaming._outcome_of(task) is None
