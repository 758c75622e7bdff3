"""Waiting until what was published has come to replicas, for installations that ask for it (`REDIS_REPLICAS`).

`WAIT` stops its whole connection until the replicas have answered. So it is asked on a line of its own, and one question
answers for everybody who has published before it.
"""

from __future__ import annotations

import asyncio
from typing import Final
from weakref import WeakKeyDictionary

from lms_rt.bus.redis.line import LineLimits, RedisLine
from lms_rt.bus.redis.wire import Lost, TooMany, Wire
from lms_rt.errors import Code, Refused

WAIT_MS: Final = 500
PATIENT_AGAIN_SECONDS = 1.0
"""After replicas did not answer in time, nobody waits for them for so long: else every request would."""
_IMPATIENT_MS: Final = 1


class _Rounds:
    """The questions that were put over one connection."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.asked = self.answered = 0
        """Numbers of those who ask; and up to whom the last question has answered."""
        self.replicas = 0
        """How many had it all, at the last question."""
        self.impatient_until = 0.0
        """By the clock of the loop."""


class Replicas:
    """So many have to have an event of record before it counts as published. `line` is where it is published."""

    def __init__(self, line: RedisLine, count: int) -> None:
        self.line, self._count = line, count
        self._rounds: WeakKeyDictionary[Wire, _Rounds] = WeakKeyDictionary()

    def wire_of(self, key: str) -> Wire | None:
        """Over which connection a key is written; None: nobody has to be asked."""
        return self.line.servers.wire_of(key) if self._count else None

    async def confirm(self, key: str, wire: Wire | None) -> None:
        """Return when enough replicas have what was written over `wire`; else it is refused, though it is done."""
        if wire is None:
            return
        if self.wire_of(key) is not wire or await self._have_it(wire) < self._count:
            raise Refused(Code.UNAVAILABLE)

    async def _have_it(self, wire: Wire) -> int:
        rounds = self._rounds.setdefault(wire, _Rounds())
        rounds.asked += 1
        number = rounds.asked
        async with rounds.lock:
            if rounds.answered < number:
                until = rounds.asked
                rounds.replicas = await self._ask(wire, rounds)
                rounds.answered = until
            return rounds.replicas

    async def _ask(self, wire: Wire, rounds: _Rounds) -> int:
        is_patient = asyncio.get_running_loop().time() >= rounds.impatient_until
        try:
            there: int = await wire.send(("WAIT", self._count, WAIT_MS if is_patient else _IMPATIENT_MS))
        except (Lost, TooMany):
            raise Refused(Code.UNAVAILABLE) from None
        if there >= self._count:
            rounds.impatient_until = 0.0
        elif is_patient:
            rounds.impatient_until = asyncio.get_running_loop().time() + PATIENT_AGAIN_SECONDS
        return there


def patient(limits: LineLimits) -> LineLimits:
    """The limits of a line on which replies may wait behind a `WAIT`."""
    return LineLimits(limits.connect_seconds, limits.reply_seconds + WAIT_MS / 1000, limits.probe_seconds)
