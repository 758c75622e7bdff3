"""What was begun is taken back exactly when it does not come to its end."""

from __future__ import annotations

import asyncio

import pytest

from lms_rt.undoing import undoing


async def test_what_comes_to_its_end_stays() -> None:
    undone: list[str] = []

    async def undo() -> None:
        undone.append("undone")

    async def work() -> str:
        async with undoing(undo):
            return "done"

    assert await work() == "done"
    assert not undone


@pytest.mark.parametrize("error", [OSError, asyncio.CancelledError, KeyboardInterrupt])
async def test_what_breaks_off_is_taken_back_and_says_why(error: type[BaseException]) -> None:
    undone: list[str] = []

    async def undo() -> None:
        undone.append("undone")

    with pytest.raises(error):
        async with undoing(undo):
            raise error
    assert undone == ["undone"]


async def test_who_is_cancelled_ends_as_cancelled() -> None:
    begun, undone = asyncio.Event(), asyncio.Event()

    async def undo() -> None:
        undone.set()

    async def work() -> None:
        async with undoing(undo):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert undone.is_set()


@pytest.mark.parametrize("error", [LookupError, asyncio.CancelledError])
async def test_what_broke_off_is_raised_even_when_it_cannot_be_taken_back(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async def undo() -> None:
        raise ConnectionError("the database is away")

    with pytest.raises(error):
        async with undoing(undo):
            raise error
    assert "the database is away" in caplog.text


async def test_who_is_cancelled_twice_takes_back_to_the_end() -> None:
    begun, undoing_it, goes_on, undone = (asyncio.Event() for _ in range(4))

    async def undo() -> None:
        undoing_it.set()
        await goes_on.wait()
        undone.set()

    async def work() -> None:
        async with undoing(undo):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    await undoing_it.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    goes_on.set()
    await asyncio.wait({task})
    assert task.cancelled()
    assert undone.is_set()
