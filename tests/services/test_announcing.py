"""Words to the nodes: told at once, or again and in their order when the bus is back, and never too many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from lms_rt.bus.base import Control, Interrupted, Receiver, Word
from lms_rt.bus.memory import memory_bus
from lms_rt.bus.memory_channels import MemoryFanOut
from lms_rt.clock import FakeClock
from lms_rt.contracts.controls import ACCESS_CHANGED, SESSION_REVOKED, access_changed, session_revoked
from lms_rt.errors import Code, Refused
from lms_rt.services import announcing
from lms_rt.services.announcing import MAX_UNTOLD, Announcer


class Nodes(Receiver[Word]):
    """Who hears the words, and the bus to them."""

    def __init__(self) -> None:
        self.fan_out: MemoryFanOut = memory_bus(FakeClock()).fan_out  # type: ignore[assignment]
        self._tell = self.fan_out.publish_control
        self.fan_out.publish_control = self.publish_control  # type: ignore[method-assign]
        self.is_away = False
        self.reason: Exception = Refused(Code.UNAVAILABLE)
        self.refusals = 0
        self.words: list[Control] = []
        self._has_more = asyncio.Event()

    async def publish_control(self, name: str, data: Mapping[str, Any]) -> None:
        if self.is_away:
            self.refusals += 1
            self._has_more.set()
            raise self.reason
        await self._tell(name, data)

    def receive(self, message: Word) -> None:
        assert not isinstance(message, Interrupted)
        self.words.append(message)
        self._has_more.set()

    async def until(self, *, words: int = 0, refusals: int = 0) -> None:
        async with asyncio.timeout(20):
            while len(self.words) < words or self.refusals < refusals:
                self._has_more.clear()
                await self._has_more.wait()


@pytest.fixture
async def nodes() -> Nodes:
    made = Nodes()
    await made.fan_out.listen_control(made)
    return made


@pytest.fixture
async def announcer(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Announcer]:
    monkeypatch.setattr(announcing, "AGAIN_SECONDS", 0)
    made = Announcer(nodes.fan_out)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def ended(number: int) -> dict[str, Any]:
    return session_revoked(f"usr_{number}", session_id=f"fam_{number}")


async def test_a_word_is_told_at_once(nodes: Nodes, announcer: Announcer) -> None:
    await announcer.tell(SESSION_REVOKED, ended(1))
    assert nodes.words == [Control(SESSION_REVOKED, ended(1))]


async def test_what_could_not_be_told_is_told_in_order_when_the_bus_is_back(nodes: Nodes, announcer: Announcer) -> None:
    nodes.is_away = True
    for number in range(3):
        await announcer.tell(SESSION_REVOKED, ended(number))
    await nodes.until(refusals=3)
    nodes.is_away = False
    await announcer.tell(SESSION_REVOKED, ended(3))
    await nodes.until(words=4)
    assert [word.data for word in nodes.words] == [ended(number) for number in range(4)]
    nodes.is_away = True
    await announcer.tell(SESSION_REVOKED, ended(4))
    nodes.is_away = False
    await nodes.until(words=5)
    assert nodes.words[4].data == ended(4)


async def test_too_many_are_one_look_at_everybody(nodes: Nodes, announcer: Announcer) -> None:
    nodes.is_away = True
    for number in range(MAX_UNTOLD + 1):
        await announcer.tell(SESSION_REVOKED, ended(number))
    nodes.is_away = False
    await nodes.until(words=1)
    assert nodes.words == [Control(ACCESS_CHANGED, access_changed(None))]


async def test_a_word_outlives_an_odd_reply(nodes: Nodes, announcer: Announcer) -> None:
    nodes.is_away, nodes.reason = True, OSError("a reply that nobody expected")
    await announcer.tell(SESSION_REVOKED, ended(1))
    await nodes.until(refusals=3)
    nodes.is_away = False
    await nodes.until(words=1)
    assert nodes.words == [Control(SESSION_REVOKED, ended(1))]
