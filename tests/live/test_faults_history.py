"""A bus that answers late: who listens to a channel that waits for it is still told, and refused, in time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection

from config.settings import Settings
from handlers.live.table import COMMANDS
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import Clock
from lms_rt.contracts.controls import ACCESS_CHANGED, access_changed
from lms_rt.contracts.frames import Notice
from tests.live.faulty_bus import BusFaults
from tests.live.live_node import ORIGIN, LiveNode, ask, received, subscribed, until

CHANNEL, OTHER = "course:1", "course:2"


@pytest.fixture
def faults() -> BusFaults:
    return BusFaults(memory_bus(Clock()))


@pytest.fixture
async def live(faults: BusFaults) -> AsyncIterator[LiveNode]:
    made = LiveNode(Clock(), faults.bus, None, linger_seconds=0.0)
    await made.open(Settings(_env_file=None, cors_origins=(ORIGIN,)), COMMANDS)
    yield made
    faults.read_fast()
    await made.close()


async def begins_to_wait(socket: ClientConnection, faults: BusFaults) -> None:
    assert (await received(socket))["type"] == Notice.WELCOME
    begun = faults.reading
    await socket.send(f'{{"id":1,"type":"subscribe","channel":"{CHANNEL}"}}')
    await until(lambda: faults.reading > begun)


@pytest.mark.parametrize("how", ["before", "after"])
async def test_authority_ends_though_the_history_does_not_come(live: LiveNode, faults: BusFaults, how: str) -> None:
    """Bob's subscription waits for the history, and everything on that channel behind it."""
    async with live.connect("ada") as ada, live.connect("bob") as bob, live.connect("eve") as eve:
        await subscribed(ada, CHANNEL)
        await subscribed(eve, OTHER)
        (faults.reads if how == "before" else faults.answers).clear()
        await begins_to_wait(bob, faults)
        await live.fan_out.publish_direct(CHANNEL, "announcement", {})
        live.subscriptions.closed |= {CHANNEL, OTHER}
        for user in ("ada", "eve"):
            await live.fan_out.publish_control(ACCESS_CHANGED, access_changed(user))
        for socket, channel in ((ada, CHANNEL), (eve, OTHER)):
            notice = await received(socket)
            assert (notice["type"], notice["channel"]) == (Notice.UNSUBSCRIBED, channel)
        faults.read_fast()
        assert (await received(bob))["error"]["code"] == "not_found"
        await live.fan_out.publish_direct(CHANNEL, "announcement", {})
        for socket in (ada, bob, eve):
            await socket.send('{"id":2,"type":"ping"}')
            assert (await received(socket))["id"] == 2


async def test_who_leaves_a_channel_that_waits_is_answered_and_hears_nothing_more(
    live: LiveNode, faults: BusFaults
) -> None:
    async with live.connect("ada") as ada, live.connect("bob") as bob:
        await subscribed(ada, CHANNEL)
        faults.reads.clear()
        await begins_to_wait(bob, faults)
        await live.fan_out.publish_direct(CHANNEL, "announcement", {})
        assert (await ask(ada, "unsubscribe", channel=CHANNEL))["ok"]
        faults.read_fast()
        assert (await received(bob))["ok"]
        assert (await ask(ada, "ping"))["ok"]
        await ada.send('{"id":2,"type":"ping"}')
        assert (await received(ada))["id"] == 2


async def test_who_is_refused_a_channel_hears_nothing_more_of_it(live: LiveNode) -> None:
    """The word to the nodes is still on its way; the client, who was told no, must know where it stands."""
    async with live.connect("ada") as ada:
        await subscribed(ada, CHANNEL)
        live.subscriptions.closed.add(CHANNEL)
        assert (await ask(ada, "subscribe", channel=CHANNEL))["error"]["code"] == "not_found"
        await live.fan_out.publish_direct(CHANNEL, "announcement", {})
        await ada.send('{"id":2,"type":"ping"}')
        assert (await received(ada))["id"] == 2
