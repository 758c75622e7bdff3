"""The bus's limits: token buckets, failures that count together and lock, and notes of what is locked. The other roles: `base.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

MAX_NOTED = 100
"""So many locks are noted of one group, those that last longest."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """The answer of a token bucket; `is_here` when this node answered for itself, since the bus was away."""

    is_allowed: bool
    remaining: int
    retry_after_ms: int
    is_here: bool = False


@dataclass(frozen=True, slots=True)
class Strike:
    """The answer to a failure that is counted: how many there are with it, or how long nothing is taken any more.

    `is_here` when this node counted for itself, since the bus was away.
    """

    is_allowed: bool
    count: int
    locked_ms: int = 0
    is_here: bool = False


class RateLimits(ABC):
    """Token buckets and counted failures, shared by all nodes."""

    @abstractmethod
    async def take(self, key: str, *, per_second: float, burst: int, cost: int = 1) -> Allowance:
        """Take `cost` tokens from the bucket of `key`, which holds `burst` and refills with `per_second`. 0 only looks."""

    @abstractmethod
    async def give_back(self, key: str, *, per_second: float, cost: int = 1, is_here: bool = False) -> None:
        """Put tokens back where they were taken (`Allowance.is_here`), for what did not happen after all.

        A bucket holds no more than it did full. Those of a bus that is away stay taken.
        """

    @abstractmethod
    async def strike(self, key: str, *, limit: int, window_seconds: float, lock_seconds: float) -> Strike:
        """Count a failure of `key` before it happens, so that of many at once no more than `limit` pass.

        With the `limit`-th within the window it is locked: for so long after that one every further is refused, uncounted.
        """

    @abstractmethod
    async def pardon(self, key: str) -> None:
        """Forget the failures of `key`: it was none."""

    @abstractmethod
    async def take_back(self, key: str, *, is_here: bool = False) -> None:
        """Count one failure of `key` less where it was counted (`Strike.is_here`): it was not found out whether it was one.

        On a bus that is away it stays.
        """

    @abstractmethod
    async def note_lock(self, group: str, key: str, *, seconds: float) -> None:
        """Note with `group` that `key` is locked for so long: for people who ask why. Nothing is refused by it."""

    @abstractmethod
    async def drop_lock(self, group: str, key: str) -> None:
        """It is locked no more."""

    @abstractmethod
    async def find_locks(self, group: str) -> list[int]:
        """How long what is noted with `group` is locked yet, in ms, the longest first."""
