"""Waiting for replicas: long for those that are slow, once in a while for those that are away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from lms_rt.bus.redis import replicas as replicas_module
from lms_rt.bus.redis.replicas import WAIT_MS, Replicas
from lms_rt.errors import Refused


class Master:
    """A line to a server, and its only connection, which answers how many replicas have it all."""

    def __init__(self) -> None:
        self.there = 0
        self.waits: list[int] = []
        self.servers = self

    def wire_of(self, _: str) -> Master:
        return self

    async def send(self, words: Sequence[Any]) -> int:
        self.waits.append(words[2])
        await asyncio.sleep(0)
        return self.there


async def confirm(replicas: Replicas) -> None:
    await replicas.confirm("key", replicas.wire_of("key"))


async def test_who_publishes_while_replicas_are_away_does_not_wait_for_them_again_and_again() -> None:
    master = Master()
    replicas = Replicas(master, 1)  # type: ignore[arg-type]
    for _ in range(4):
        with pytest.raises(Refused):
            await confirm(replicas)
    assert master.waits == [WAIT_MS, 1, 1, 1]


async def test_they_are_given_their_time_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas_module, "PATIENT_AGAIN_SECONDS", 0)
    master = Master()
    replicas = Replicas(master, 1)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(Refused):
            await confirm(replicas)
    assert master.waits == [WAIT_MS, WAIT_MS]


async def test_replicas_that_are_back_are_waited_for_as_before() -> None:
    master = Master()
    replicas = Replicas(master, 1)  # type: ignore[arg-type]
    with pytest.raises(Refused):
        await confirm(replicas)
    master.there = 1
    await confirm(replicas)
    await confirm(replicas)
    assert master.waits == [WAIT_MS, 1, WAIT_MS]
