"""Token buckets of one connection or one node. What nodes share is in the bus."""

from __future__ import annotations


class TokenBucket:
    """Holds `burst` tokens and refills with `per_second`; times are epoch milliseconds from the clock."""

    __slots__ = ("_burst", "_counted_ms", "_per_ms", "_tokens")

    def __init__(self, *, per_second: float, burst: int, now_ms: int) -> None:
        self._per_ms, self._burst = per_second / 1000, float(burst)
        self._tokens, self._counted_ms = float(burst), now_ms

    def take(self, now_ms: int) -> bool:
        """Take one token; False: there is none."""
        self._tokens = min(self._burst, self._tokens + (now_ms - self._counted_ms) * self._per_ms)
        self._counted_ms = now_ms
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
