"""What connections are told when the bus goes away and is back."""

from __future__ import annotations

import pytest

from lms_rt.realtime.outage import Outage
from tests.unit.watched_room import Room


@pytest.fixture
async def room() -> Room:
    return Room()


class TestNotices:
    async def change(self, room: Room, *, is_there: bool) -> None:
        room.outage.receive(is_there)
        assert await room.outage.changed() is is_there
        await room.outage.tell()

    async def test_each_change_is_told_once_to_everybody(self, room: Room) -> None:
        everybody = [room.enter(f"usr_{number}") for number in range(3)]
        for connection in everybody:
            room.outage.greet(connection)
        await self.change(room, is_there=False)
        await self.change(room, is_there=False)
        await self.change(room, is_there=True)
        for connection in everybody:
            assert room.sent_to(connection) == b'\x81\x13{"type":"degraded"}\x81\x13{"type":"restored"}'

    async def test_who_comes_meanwhile_is_told_after_the_welcome(self, room: Room) -> None:
        await self.change(room, is_there=False)
        late = room.enter("late")
        await self.change(room, is_there=False)
        assert room.sent_to(late) == b""
        late.send(b"welcome")
        room.outage.greet(late)
        assert room.sent_to(late) == b'welcome\x81\x13{"type":"degraded"}'

    async def test_who_is_welcomed_when_it_is_over_hears_nothing_of_it(self, room: Room) -> None:
        late = room.enter("late")
        await self.change(room, is_there=False)
        await self.change(room, is_there=True)
        room.outage.greet(late)
        assert room.sent_to(late) == b""

    async def test_a_line_that_is_back_at_once_was_never_away(self, room: Room) -> None:
        room.switch.is_there = False  # and nobody is told
        room.outage = Outage(lambda: room.connections)
        late = room.enter("late")
        room.outage.greet(late)
        assert room.sent_to(late) == b""

    async def test_a_node_that_started_without_the_bus_says_so(self, room: Room) -> None:
        room.outage.receive(False)
        first = room.enter("first")
        room.outage.greet(first)
        await self.change(room, is_there=True)
        assert room.sent_to(first) == b'\x81\x13{"type":"degraded"}\x81\x13{"type":"restored"}'
