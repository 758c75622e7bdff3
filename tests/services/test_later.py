"""Work after the answer: bounded, owned to its end, and a fault in it is nobody's but the log's."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import pytest

from lms_rt.errors import Code, Refused
from lms_rt.services import later as module
from lms_rt.services.later import Later


async def test_what_was_put_is_done_and_waited_for() -> None:
    later, done = Later(), list[int]()

    async def work(number: int) -> None:
        await asyncio.sleep(0)
        done.append(number)

    for number in range(3):
        later.put("counting", partial(work, number))
    assert done == [], "not before the answer"
    await later.settled()
    assert sorted(done) == [0, 1, 2]


async def test_so_much_waits_and_no_more() -> None:
    later, may_end = Later(limit=2), asyncio.Event()
    for _ in range(2):
        later.put("waiting", may_end.wait)
    with pytest.raises(Refused) as refused:
        later.put("one too many", may_end.wait)
    assert (refused.value.code, refused.value.data) == (Code.BUSY, {"retry_after_seconds": 1})
    may_end.set()
    await later.settled()
    later.put("there is room again", may_end.wait)
    await later.close()


async def test_a_fault_is_logged_and_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    later, done = Later(), asyncio.Event()

    async def broken() -> None:
        raise LookupError("seeded")

    async def refused() -> None:
        raise Refused(Code.UNAVAILABLE)

    async def sound() -> None:
        done.set()

    for work in (broken, refused, sound):
        later.put(f"the work {work.__name__}", work)
    await later.settled()
    assert done.is_set()
    levels = {record.getMessage(): record.levelno for record in caplog.records if record.name == module.__name__}
    assert levels == {
        "the work broken was ended by a fault": logging.ERROR,
        "the work refused could not be done: unavailable": logging.WARNING,
    }


async def test_the_end_waits_a_moment_and_then_lets_go(monkeypatch: pytest.MonkeyPatch) -> None:
    later, done, ended = Later(), asyncio.Event(), asyncio.Event()

    async def short() -> None:
        await asyncio.sleep(0)
        done.set()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    later.put("short", short)
    later.put("endless", endless)
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.05)
    await later.close()
    assert (done.is_set(), ended.is_set()) == (True, True)
