"""What a node does in rounds: nobody's turn is lost, whoever comes and goes meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from documents.enums import Role
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.realtime.authority import Authority
from lms_rt.realtime.close_codes import Close
from lms_rt.realtime.hub import Hub
from lms_rt.realtime.metrics import LiveMetrics
from lms_rt.realtime.node import Node, NodeLimits, TooManyConnections

STEPS, CHANNELS = 7, 50
ENDS = (1, 4)
"""In these seconds the oldest channel ends: all others move up."""


class BusyHub(Hub):
    """Has many channels that come and go, and notes which are compared."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.there = [f"course:{number}" for number in range(CHANNELS)]
        self.compared: Counter[str] = Counter()

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(self.there)

    def compare_tops(self, channel: str) -> None:
        self.compared[channel] += 1


async def _never(*_: object) -> Any:
    raise AssertionError("nobody is here")


async def test_the_tops_of_all_who_stay_are_compared_in_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, metrics = FakeClock(), LiveMetrics()
    bus = memory_bus(clock)
    hub = BusyHub(bus=bus, clock=clock, metrics=metrics)
    node = Node(
        bus=bus,
        clock=clock,
        hub=hub,
        metrics=metrics,
        authority=Authority(may_listen=_never, actor_now=_never),
        limits=NodeLimits(compare_tops_seconds=STEPS),
    )
    steps = 0

    async def one_second(_: float) -> None:
        nonlocal steps
        if steps == STEPS:
            raise asyncio.CancelledError
        hub.there.append(f"course:{CHANNELS + steps}")
        if steps in ENDS:
            hub.there.pop(0)
        steps += 1

    monkeypatch.setattr(clock, "sleep", one_second)
    with pytest.raises(asyncio.CancelledError):
        await node._compare_loop()
    stayed = [f"course:{number}" for number in range(len(ENDS), CHANNELS)]
    assert [hub.compared[channel] for channel in stayed] == [1] * len(stayed)


async def test_without_the_bus_a_socket_of_who_acts_counts_for_who_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, metrics = FakeClock(), LiveMetrics()
    bus = memory_bus(clock)
    node = Node(
        bus=bus,
        clock=clock,
        hub=BusyHub(bus=bus, clock=clock, metrics=metrics),
        metrics=metrics,
        authority=Authority(may_listen=_never, actor_now=_never),
        limits=NodeLimits(connections_per_user=2),
    )
    monkeypatch.setattr(node.presence, "join", AsyncMock(return_value=None))
    monkeypatch.setattr(node.access, "bring_up_to_date", AsyncMock())
    ada = Actor("usr_ada", Role.STUDENT, frozenset(), "fam_ada", "Ada")
    acting = replace(ada, impersonator_id="usr_admin", impersonator_name="Adam")
    for actor in (acting, acting, ada, ada):
        await node.admit(actor, Mock())
    assert len(node.connections_of("usr_ada")) == 4
    for actor in (acting, ada):
        with pytest.raises(TooManyConnections):
            await node.admit(actor, Mock())
    node.connections[0].close(Close.GOING_AWAY)
    await node.admit(acting, Mock())
