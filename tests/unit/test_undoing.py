"""What was begun is taken back exactly when it does not come to its end."""

from __future__ import annotations

import asyncio

import pytest

from lms_rt import undoing as undoing_module
from lms_rt.errors import Code, Refused
from lms_rt.undoing import undoing, whole


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


async def test_what_is_done_whole_and_taken_back_outlasts_a_second_cancellation() -> None:
    begun, goes_on, undoing_it, undo_goes_on = (asyncio.Event() for _ in range(4))
    told: list[str] = []

    async def write() -> None:
        begun.set()
        await goes_on.wait()
        told.append("written")

    async def undo() -> None:
        undoing_it.set()
        await undo_goes_on.wait()
        told.append("taken back")

    task = asyncio.create_task(whole(write(), undo=undo))
    await begun.wait()
    await _cancel_twice(task)
    goes_on.set()
    await undoing_it.wait()
    await _cancel_twice(task)
    undo_goes_on.set()
    await asyncio.wait({task})
    assert task.cancelled()
    assert told == ["written", "taken back"]


async def test_what_is_being_taken_back_outlasts_a_third_cancellation() -> None:
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
    await _cancel_twice(task)
    goes_on.set()
    await asyncio.wait({task})
    assert task.cancelled()
    assert undone.is_set()


@pytest.mark.parametrize(
    ("error", "is_told"), [(ConnectionError("the database is away"), True), (Refused(Code.TOO_LARGE), False)]
)
async def test_a_fault_that_nobody_hears_of_any_more_is_logged(
    error: Exception, *, is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        begun.set()
        await goes_on.wait()
        raise error

    task = asyncio.create_task(whole(write()))
    await begun.wait()
    task.cancel()
    goes_on.set()
    await asyncio.wait({task})
    assert task.cancelled()
    assert ("the database is away" in caplog.text) is is_told
    assert bool(caplog.records) is is_told


async def test_what_does_not_end_is_broken_off_and_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undoing_module, "UNDO_SECONDS", 0.01)
    begun, broken_off = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            broken_off.set()

    task = asyncio.create_task(whole(write()))
    await begun.wait()
    task.cancel()
    await asyncio.wait({task})
    await broken_off.wait()
    assert task.cancelled()
    assert "had not ended" in caplog.text


async def _cancel_twice(task: asyncio.Task[None]) -> None:
    """The second time as soon as the first was heard."""
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
