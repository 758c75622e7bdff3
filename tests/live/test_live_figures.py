"""The live core's figures say what happened on the sockets, once each."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.live.live_node import LiveNode, live_node, until
from tests.live.raw_line import CLOSE, TEXT, Stranger, frame


@pytest.fixture
async def live() -> AsyncIterator[LiveNode]:
    async with live_node() as made:
        yield made


def figures(live: LiveNode) -> dict[str, float]:
    """What is not nought, without the buckets of histograms."""
    samples = (sample for family in live.metrics.registry.collect() for sample in family.samples)
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for sample in samples
        if sample.value and not sample.name.endswith(("_bucket", "_created", "_sum", "lag_seconds_count"))
    }


async def test_listening_is_counted(live: LiveNode, stranger: Stranger) -> None:
    lines = [await stranger.welcomed(f"user{n}") for n in range(3)]
    since = (await lines[0].ask("subscribe", channel="course:1"))["result"]
    for line in lines[1:]:
        await line.ask("subscribe", channel="course:1")
    for _ in range(2):
        await live.fan_out.publish_direct("course:1", "announcement", {})
    for line in lines:
        assert [(await line.message())["offset"] for _ in range(2)] == [1, 2]
    late = await stranger.welcomed("late")
    for epoch in (since["epoch"], "another"):
        await late.ask("subscribe", channel="course:1", since={"epoch": epoch, "offset": 0})
    found = figures(live)
    assert {name: value for name, value in found.items() if "commands" not in name} == {
        "ws_connections": 4,
        "ws_subscriptions": 4,
        "ws_events_total": 2,
        "ws_deliveries_total": 6,
        "ws_delivery_latency_seconds_count": 2,
        "ws_recoveries_total ok": 1,
        "ws_recoveries_total failed": 1,
    }
    assert found["ws_commands_total subscribe done"] == 5


async def test_commands_are_counted_by_what_became_of_them(live: LiveNode, stranger: Stranger) -> None:
    line = await stranger.welcomed()
    await line.ask("ping")
    await line.ask("ping", nonsense=1)
    await line.ask("nonsense")
    await line.send(frame(TEXT, b"nonsense"))
    await line.message()
    found = figures(live)
    assert {name: value for name, value in found.items() if name != "ws_connections"} == {
        "ws_commands_total ping done": 1,
        "ws_commands_total ping refused": 1,
        "ws_commands_total unknown refused": 1,
        "ws_bad_frames_total": 1,
    }


async def test_ends_are_counted_by_their_number(live: LiveNode, stranger: Stranger) -> None:
    for data in (frame(3), frame(CLOSE, (1000).to_bytes(2, "big")), frame(CLOSE, (3999).to_bytes(2, "big"))):
        line = await stranger.welcomed()
        await line.send(data)
        await line.ended()
    (await stranger.welcomed()).cut()
    nobody = await stranger.open("/ws")
    await nobody.send(frame(TEXT, b'{"id": 1, "type": "ping"}'))
    assert await nobody.ended() == 4501
    await until(lambda: "ws_connections" not in figures(live))
    assert {name: value for name, value in figures(live).items() if "closes" in name} == {
        "ws_closes_total 1002": 1,
        "ws_closes_total 1000": 1,
        "ws_closes_total other": 1,
        "ws_closes_total none": 1,
        "ws_closes_total 4501": 1,
    }
