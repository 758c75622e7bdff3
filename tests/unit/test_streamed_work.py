"""The work of streamed requests at the end of a process: what can end ends, the rest is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

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
        task.add_done_callback(streaming._working.discard)
    await streaming.drained(patience_seconds=0.05)
    assert done == ["soon", "never cleaned up"]
    assert not streaming._working
