"""Delivery over real sockets: order, recovery without gap or double, slow consumers, conflation, presence."""

from __future__ import annotations

import asyncio
import random
import socket as sockets
from collections.abc import AsyncIterator
from typing import Any

import pytest

from handlers.live.transport import SocketTransport
from lms_rt.bus import base
from lms_rt.clock import FakeClock
from lms_rt.contracts.events import LiveEvent
from lms_rt.realtime.connection import MAX_QUEUE_BYTES
from tests.live.live_node import LiveNode, ask, closed, live_node, received, subscribed, until


@pytest.fixture
async def live() -> AsyncIterator[LiveNode]:
    async with live_node() as made:
        yield made


async def published(live: LiveNode, channel: str, count: int, size: int = 0) -> None:
    for n in range(count):
        await live.fan_out.publish_direct(channel, "announcement", {"n": n, "text": "x" * size})


async def offsets(socket: Any, count: int) -> list[int]:
    return [(await received(socket))["offset"] for _ in range(count)]


class TestSubscribing:
    async def test_events_follow_the_reply_in_order(self, live: LiveNode) -> None:
        async with live.connect("ada") as one, live.connect("bob") as two:
            for socket in (one, two):
                reply = await subscribed(socket, "course:1")
                assert (reply["offset"], reply["recovered"], reply["events"]) == (0, False, [])
            await published(live, "course:1", 5)
            assert await offsets(one, 5) == await offsets(two, 5) == [1, 2, 3, 4, 5]

    async def test_an_event_of_record_shows_version_and_n_and_others_do_not(self, live: LiveNode) -> None:
        async with live.connect("ada") as socket:
            reply = await subscribed(socket, "course:1")
            event = LiveEvent("evt_1", "course_updated", {"course_id": "crs_1"}, 0, "crs_1", 3, 1)
            await live.fan_out.publish("course:1", event)
            assert await received(socket) == {
                "type": "event",
                "channel": "course:1",
                "event": "course_updated",
                "epoch": reply["epoch"],
                "offset": 1,
                "id": "evt_1",
                "at": "1970-01-01T00:00:00.000Z",
                "data": {"course_id": "crs_1", "version": 3, "n": 1},
            }
            await published(live, "course:1", 1)
            assert (await received(socket))["data"] == {"n": 0, "text": ""}

    async def test_what_the_caller_may_not_know_is_not_found(self, live: LiveNode) -> None:
        live.subscriptions.closed.add("course:2")
        async with live.connect("ada") as socket:
            assert (await ask(socket, "subscribe", channel="course:2"))["error"]["code"] == "not_found"
            assert live.node.connections[0].subscriptions == {}

    async def test_nothing_follows_the_reply_of_unsubscribe(self, live: LiveNode) -> None:
        async with live.connect("ada") as socket:
            await subscribed(socket, "course:1")
            assert (await ask(socket, "unsubscribe", channel="course:1"))["result"] == {}
            await published(live, "course:1", 1)
            assert (await ask(socket, "unsubscribe", channel="course:never"))["result"] == {}
            assert (await ask(socket, "ping"))["ok"]

    async def test_a_channel_without_listeners_ends(self, live: LiveNode) -> None:
        async with live.connect("ada") as socket:
            await subscribed(socket, "course:1")
            assert set(live.hub.channels) == {"course:1"}
        await until(lambda: not live.hub.channels)

    async def test_history_pages_of_a_subscribed_channel(self, live: LiveNode) -> None:
        await published(live, "course:1", 5)
        async with live.connect("ada") as socket:
            assert (await ask(socket, "history", channel="course:1"))["error"]["code"] == "not_subscribed"
            epoch = (await subscribed(socket, "course:1"))["epoch"]
            result = (await ask(socket, "history", channel="course:1", after=1, limit=2))["result"]
            assert [event["offset"] for event in result.pop("events")] == [2, 3]
            assert result == {"epoch": epoch, "first_offset": 1, "last_offset": 5}


class TestRecovery:
    async def test_what_was_missed_then_live(self, live: LiveNode) -> None:
        async with live.connect("ada") as socket:
            place = await subscribed(socket, "course:1")
        await published(live, "course:1", 3)
        async with live.connect("ada") as socket:
            since = {"epoch": place["epoch"], "offset": 1}
            reply = await subscribed(socket, "course:1", since)
            assert reply["recovered"]
            assert [event["offset"] for event in reply["events"]] == [2, 3]
            assert reply["offset"] == 3
            await published(live, "course:1", 1)
            assert await offsets(socket, 1) == [4]

    @pytest.mark.parametrize("since", [{"epoch": "another", "offset": 0}, {"epoch": None, "offset": 9}])
    async def test_another_epoch_and_a_place_above_the_top_are_not(self, live: LiveNode, since: Any) -> None:
        await published(live, "course:1", 3)
        top = await live.bus.history.top("course:1")
        async with live.connect("ada") as socket:
            reply = await subscribed(socket, "course:1", {**since, "epoch": since["epoch"] or top.epoch})  # type: ignore[union-attr]
            assert (reply["recovered"], reply["events"], reply["offset"]) == (False, [], 3)

    async def test_more_than_a_reply_can_hold_is_not_recovered(self, live: LiveNode) -> None:
        place = await live.bus.history.top("course:1")
        assert place is not None
        await published(live, "course:1", 100, size=8_000)
        async with live.connect("ada") as socket:
            reply = await subscribed(socket, "course:1", {"epoch": place.epoch, "offset": 0})
            assert (reply["recovered"], reply["offset"]) == (False, 100)

    async def test_no_gap_and_no_double_while_others_publish(self, live: LiveNode) -> None:
        """Ten readers come and go at random while 300 events are published; each must have heard all of them once."""
        chance = random.Random(5)  # noqa: S311 - not a secret
        total = 300

        async def publishing() -> None:
            for n in range(total):
                await live.fan_out.publish_direct("course:1", "announcement", {"n": n})
                if chance.random() < 0.5:
                    await asyncio.sleep(0)

        async def reading(user: str, place: dict[str, Any]) -> list[int]:
            heard: list[int] = []
            while place["offset"] < total:
                async with live.connect(user) as socket:
                    reply = await subscribed(socket, "course:1", place)
                    assert reply["recovered"]
                    heard += [event["offset"] for event in reply["events"]]
                    place = {"epoch": reply["epoch"], "offset": reply["offset"]}
                    for _ in range(chance.randrange(60)):
                        if place["offset"] == total:
                            break
                        event = await received(socket)
                        heard.append(event["offset"])
                        place["offset"] = event["offset"]
            return heard

        top = await live.bus.history.top("course:1")
        start = {"epoch": top.epoch, "offset": 0}  # type: ignore[union-attr]
        publisher = asyncio.create_task(publishing())
        results = await asyncio.gather(*(reading(f"user{n}", dict(start)) for n in range(10)))
        await publisher
        assert all(heard == list(range(1, total + 1)) for heard in results)

    async def test_a_lost_message_is_healed_by_the_next_one(self, live: LiveNode) -> None:
        async with live.connect("ada") as socket:
            await subscribed(socket, "course:1")
            await lose_one(live, "course:1")
            await published(live, "course:1", 1)
            assert await offsets(socket, 2) == [1, 2]

    async def test_a_lost_message_of_a_quiet_channel_is_found_by_comparing_tops(self, live: LiveNode) -> None:
        async with live.connect("ada") as socket:
            await subscribed(socket, "course:1")
            await lose_one(live, "course:1")
            live.hub.compare_tops("course:1")
            assert await offsets(socket, 1) == [1]

    async def test_what_cannot_be_healed_is_closed_and_starts_anew(self) -> None:
        clock = FakeClock()
        async with live_node(bus_clock=clock) as live, live.connect("ada") as socket:
            await subscribed(socket, "course:1")
            await lose_one(live, "course:1")
            clock.advance(24 * 3600 + 1)  # the history has aged away
            live.hub.compare_tops("course:1")
            assert await closed(socket) == 4010

    async def test_another_epoch_closes_those_of_the_old_one(self) -> None:
        clock = FakeClock()
        async with live_node(bus_clock=clock) as live, live.connect("ada") as socket:
            await subscribed(socket, "course:1")
            clock.advance(31 * 24 * 3600)
            await published(live, "course:1", 1)
            assert await closed(socket) == 4010


async def lose_one(live: LiveNode, channel: str) -> None:
    """Publish an event that no node hears of."""
    record = live.fan_out._channels
    receivers = record._receivers.pop(channel)
    await live.fan_out.publish_direct(channel, "announcement", {})
    record._receivers[channel] = receivers


class TestSlow:
    async def test_one_that_does_not_read_is_closed_and_the_others_hear_everything(self, live: LiveNode) -> None:
        slow = await asleep(live, "course:1")
        async with live.connect("ada") as quick:
            await subscribed(quick, "course:1")
            victim = next(c for c in live.node.connections if c.actor.user_id == "slow")
            count = 0
            while not victim.is_closed:
                await published(live, "course:1", 10, size=10_000)
                count += 10
                assert victim.queued_bytes <= MAX_QUEUE_BYTES + 20_000
                assert await offsets(quick, 10) == list(range(count - 9, count + 1))
            assert victim.close_code == 4008
            assert live.metrics.slow_closes._value.get() == 1
            await published(live, "course:1", 1)
            assert await offsets(quick, 1) == [count + 1]
        slow.close()

    async def test_states_of_one_that_does_not_read_give_way_to_newer_ones(self, live: LiveNode) -> None:
        slow = await asleep(live, "course:1")
        (connection,) = live.node.connections
        n = 0
        while not connection.queued_bytes:
            n += 1
            await live.fan_out.publish_state("course:1", "quiz_timer", {"n": n, "text": "x" * 50_000})
            await asyncio.sleep(0)
        conflations = live.metrics.conflations._value
        while conflations.get() < 99 and n < 1_000:  # the kernel may still take some
            n += 1
            await live.fan_out.publish_state("course:1", "quiz_timer", {"n": n, "text": "x" * 50_000})
            await asyncio.sleep(0)
        assert not connection.is_closed
        assert len(connection._states) == 1
        assert conflations.get() == 99
        slow.close()


async def asleep(live: LiveNode, channel: str) -> sockets.socket:
    """A client that subscribes and then never reads again."""
    client = sockets.socket()
    client.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", live.port))
    head = "GET /ws?token=slow HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    command = f'{{"id":1,"type":"subscribe","channel":"{channel}"}}'.encode()
    await loop.sock_sendall(client, head.encode() + bytes((0x81, 0x80 | len(command))) + b"\0\0\0\0" + command)
    await until(lambda: any(channel in c.subscriptions for c in live.node.connections if c.actor.user_id == "slow"))
    return client


class TestFanOut:
    async def test_an_event_is_encoded_once_and_a_tick_is_one_write(
        self, live: LiveNode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        writes, encodings = counted(monkeypatch, SocketTransport, "write"), counted(monkeypatch, base, "event_tail")
        async with live.connect("ada") as one, live.connect("bob") as two:
            for socket in (one, two):
                await subscribed(socket, "course:1")
            before = len(writes)
            await published(live, "course:1", 10)
            assert await offsets(one, 10) == await offsets(two, 10) == list(range(1, 11))
        assert len(encodings) == 10
        first, second = (write for write in writes[before:] if b'"announcement"' in write)
        assert first == second


def counted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[Any]:
    """The last argument of every call."""
    calls: list[Any] = []
    original = getattr(owner, name)

    def spy(*arguments: Any) -> Any:
        calls.append(arguments[-1])
        return original(*arguments)

    monkeypatch.setattr(owner, name, spy)
    return calls
