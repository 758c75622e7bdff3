"""The live core's figures: what each counts, and that nobody outside can make a label of his own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from lms_rt.bus.counted import counted
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.events import LiveEvent
from lms_rt.errors import Code, Refused
from lms_rt.realtime.loop_lag import late_by, watch_loop_lag
from lms_rt.realtime.metrics import LiveMetrics


def figures(registry: CollectorRegistry, name: str) -> dict[tuple[str, ...], float]:
    """The samples of this name by the values of their labels; what was never counted is left out."""
    samples = (sample for family in registry.collect() for sample in family.samples)
    return {tuple(s.labels.values()): s.value for s in samples if s.name == name and s.value}


class TestPublishes:
    async def test_each_is_counted_by_kind(self) -> None:
        registry = CollectorRegistry()
        fan_out = counted(memory_bus(FakeClock()), registry).fan_out
        event = LiveEvent(event_id="evt_1", name="course_updated", data={}, at_ms=0, aggregate="crs_1", version=1, n=0)
        for _ in range(2):
            await fan_out.publish("course:1", event)
        await fan_out.publish_direct("course:1", "announcement", {})
        await fan_out.publish_state("course:1", "presence", {"count": 1})
        await fan_out.poke("quiz:1:live")
        await fan_out.publish_control("access_changed", {})
        kinds = ("direct", "state", "poke", "word")
        wanted = {("event", "done"): 1, ("event", "repeated"): 1, **{(kind, "done"): 1 for kind in kinds}}
        assert figures(registry, "bus_publishes_total") == wanted

    async def test_what_the_bus_refuses_is_counted_as_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def away(*_: Any) -> None:
            raise Refused(Code.UNAVAILABLE)

        registry, bus = CollectorRegistry(), memory_bus(FakeClock())
        monkeypatch.setattr(bus.fan_out, "poke", away)
        with pytest.raises(Refused):
            await counted(bus, registry).fan_out.poke("quiz:1:live")
        assert figures(registry, "bus_publishes_total") == {("poke", "refused"): 1}

    async def test_who_listens_hears_what_was_counted(self) -> None:
        heard: list[Any] = []

        class Ear:
            def receive(self, message: Any) -> None:
                heard.append(message)

        fan_out = counted(memory_bus(FakeClock()), CollectorRegistry()).fan_out
        ear: Any = Ear()
        listenings = [await fan_out.listen("course:1", ear), await fan_out.listen_control(ear)]
        await fan_out.publish_direct("course:1", "announcement", {})
        await fan_out.publish_control("access_changed", {})
        assert len(heard) == 2
        for listening in listenings:
            await listening.stop()
        await fan_out.publish_direct("course:1", "announcement", {})
        assert len(heard) == 2


class TestCloses:
    def test_numbers_of_our_table_are_told_apart_and_others_are_one(self) -> None:
        metrics = LiveMetrics()
        for code in (4008, 4008, 1000, 1006, None, 3000, 4998, -1, 10**9):
            metrics.count_close(code)
        wanted: Mapping[tuple[str, ...], float]
        wanted = {("4008",): 2, ("1000",): 1, ("1006",): 1, ("none",): 1, ("other",): 4}
        assert figures(metrics.registry, "ws_closes_total") == wanted
        assert len(metrics._bound_closes) == 4


class TestLoopLag:
    def test_every_moment_of_a_stop_counts(self) -> None:
        assert late_by(10.21, 10.0, 0.05) == pytest.approx([0.21, 0.16, 0.11, 0.06, 0.01])
        assert late_by(10.001, 10.0, 0.05) == pytest.approx([0.001])

    def test_a_process_that_slept_for_an_hour_is_not_held_up_by_it(self) -> None:
        assert len(late_by(3610.0, 10.0, 0.05)) == 1_200

    async def test_a_loop_that_stood_still_is_seen(self) -> None:
        seen: list[float] = []
        watching = asyncio.create_task(watch_loop_lag(seen.append, step_seconds=0.001))
        await asyncio.sleep(0)
        time.sleep(0.02)  # noqa: ASYNC251 - the loop stands still
        async with asyncio.timeout(5):
            while len(seen) < 10:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
        watching.cancel()
        assert seen[0] >= seen[1] > seen[5] > 0
