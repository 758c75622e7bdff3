"""The projection that sends each listener what differs: paced, shared, and made when it can leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson
import pytest

from lms_rt.clock import FakeClock
from lms_rt.realtime.connection import MakeFrame
from lms_rt.realtime.projections import Audience, DifferingProjection, Listener, Source


class Picture(Source):
    """A number that counts its looks and the differences that were asked for."""

    def __init__(self) -> None:
        self.version, self.looks, self.asked, self.is_away = 1, 0, [], False  # type: ignore[var-annotated]
        self.hints: list[str] = []

    def hint(self, about: Sequence[str]) -> None:
        self.hints += about

    async def refresh(self) -> int:
        self.looks += 1
        if self.is_away:
            raise OSError("away")
        return self.version

    def changes_since(self, version: int) -> Mapping[str, Any] | None:
        self.asked.append(version)
        return None if version == self.version else {"follows": version, "version": self.version}

    def standing(self) -> Mapping[str, Any]:
        return {"follows": self.version, "version": self.version}


class Queues(Audience):
    """What waits for each listener; `leave` is the moment when its socket can take it."""

    channel = "quiz:1:live"

    def __init__(self) -> None:
        self.waiting: dict[Listener, MakeFrame] = {}

    def tell(self, name: str, data: Mapping[str, Any], listener: Listener | None = None) -> None:
        raise AssertionError(f"a dashboard differs by listener: {name} {data} {listener}")

    def offer(self, listener: Listener, name: str, make: MakeFrame) -> None:
        assert name == "dashboard"
        self.waiting[listener] = make

    def leave(self, listener: Listener) -> dict[str, Any] | None:
        make = self.waiting.pop(listener, None)
        frame = make() if make is not None else None
        if frame is None:
            return None
        data: dict[str, Any] = orjson.loads(frame[frame.index(b"{") :])["data"]
        return data


class Room:
    def __init__(self) -> None:
        self.clock, self.picture, self.queues = FakeClock(), Picture(), Queues()
        self.projection = DifferingProjection("dashboard", self.picture, self.clock)

    async def passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await settle()

    async def changes(self) -> None:
        self.picture.version += 1
        self.projection.poked()
        await self.passes(0.25)


async def settle() -> None:
    for _ in range(12):
        await asyncio.sleep(0)


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    made = Room()
    made.projection.joined("con_1")
    task = asyncio.create_task(made.projection.run(made.queues))
    await settle()
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_first_listener_begins_at_the_first_look_and_is_told_where_it_stands(room: Room) -> None:
    assert room.queues.leave("con_1") == {"follows": 1, "version": 1}
    await room.changes()
    assert room.queues.leave("con_1") == {"follows": 1, "version": 2}


async def test_a_newcomer_begins_before_the_snapshot_that_it_fetches(room: Room) -> None:
    room.picture.version += 1  # nobody has looked since
    room.projection.joined("con_2")
    await room.passes(0.25)
    assert room.queues.leave("con_2") == {"follows": 1, "version": 2}


async def test_pokes_are_paced_and_silence_is_looked_at_every_five_seconds(room: Room) -> None:
    assert room.picture.looks == 1
    for _ in range(10):
        room.projection.poked()
        await settle()
    assert room.picture.looks == 1
    await room.passes(0.25)
    assert room.picture.looks == 2
    await room.passes(4.9)
    assert room.picture.looks == 2
    await room.passes(0.2)
    assert room.picture.looks == 3


async def test_what_a_poke_is_about_is_told_before_the_look(room: Room) -> None:
    room.projection.poked(["att_1", "att_2"])
    assert room.picture.hints == ["att_1", "att_2"]
    assert room.picture.looks == 1


async def test_one_that_is_slow_skips_frames_and_loses_nothing(room: Room) -> None:
    for _ in range(3):
        await room.changes()
    assert room.queues.leave("con_1") == {"follows": 1, "version": 4}
    await room.changes()
    assert room.queues.leave("con_1") == {"follows": 4, "version": 5}


async def test_who_shares_a_version_shares_the_encoding(room: Room) -> None:
    room.projection.joined("con_2")
    await room.passes(0.25)
    await room.changes()
    assert room.queues.leave("con_1") == room.queues.leave("con_2") == {"follows": 1, "version": 2}
    assert room.picture.asked.count(1) <= 2  # once for the look without a change, once for this one
    room.projection.joined("con_3")
    await room.passes(0.25)
    await room.changes()
    assert room.queues.leave("con_3") == {"follows": 2, "version": 3}


async def test_without_a_difference_nothing_is_sent(room: Room) -> None:
    await room.passes(5)
    assert room.queues.leave("con_1") is None


async def test_one_that_left_is_offered_nothing(room: Room) -> None:
    await room.changes()
    room.projection.left("con_1")
    assert room.queues.leave("con_1") is None
    await room.changes()
    assert room.queues.waiting == {}


async def test_a_source_that_is_away_is_asked_again(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.queues.leave("con_1")
    room.picture.is_away = True
    await room.changes()
    assert room.queues.waiting == {}
    assert "quiz:1:live" in caplog.text
    room.picture.is_away = False
    await room.passes(5)
    assert room.queues.leave("con_1") == {"follows": 1, "version": 2}
