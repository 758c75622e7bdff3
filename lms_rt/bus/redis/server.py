"""What Redis is as a server: does it answer, is it set up as it must be, and what time is it there."""

from __future__ import annotations

import time
from collections.abc import Iterator

from lms_rt.bus.base import Listening, Reachability, Receiver, SharedTime
from lms_rt.bus.redis.line import RedisLine

_OLDEST = (6, 2)


class RedisReachability(Reachability):
    """The breaker of the line, and questions to the server."""

    def __init__(self, line: RedisLine, *, replicas: int = 0) -> None:
        """`replicas` have to have an event of record before it counts as published."""
        self._line, self._replicas = line, replicas

    @property
    def is_reachable(self) -> bool:
        """Is the line up?"""
        return self._line.is_reachable

    def watch(self, receiver: Receiver[bool]) -> Listening:
        """Tell of changes."""
        return self._line.watch(receiver)

    async def ping(self) -> float:
        """Milliseconds until the answer."""
        asked = time.perf_counter()
        await self._line.do_everywhere("PING")
        return (time.perf_counter() - asked) * 1000

    async def faults(self) -> list[str]:
        """A server that is too old, that drops keys when its memory is full, or that has too few replicas."""
        texts = await self._line.do_everywhere("INFO")
        found = [fault for text in texts for fault in _faults(text.decode(), self._replicas)]
        return list(dict.fromkeys(found))


def _faults(text: str, replicas: int) -> Iterator[str]:
    facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    version, policy = facts.get("redis_version", "0"), facts.get("maxmemory_policy", "noeviction")
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        yield f"Redis {version} is older than {'.'.join(map(str, _OLDEST))}"
    if policy != "noeviction":
        yield f"maxmemory-policy is {policy}, not noeviction: what must be kept could be dropped"
    if (there := int(facts.get("connected_slaves", 0))) < replicas:
        yield f"Redis has {there} replicas, and {replicas} must have an event before it counts"


class RedisTime(SharedTime):
    """`TIME` of the server; in a Cluster all nodes ask the one that has the words to them."""

    def __init__(self, line: RedisLine) -> None:
        self._line = line

    async def measure(self) -> tuple[int, float]:
        """Epoch milliseconds there, and the round trip in milliseconds."""
        asked = time.perf_counter()
        seconds, micros = await self._line.do("TIME", key=self._line.keys.words_top)
        return int(seconds) * 1000 + int(micros) // 1000, (time.perf_counter() - asked) * 1000
