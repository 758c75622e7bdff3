"""Gateways that do not answer: after some misses in a row one is asked no more by whoever goes through many things.

So that it costs others, whose gateways are there, no more than a minute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from lms_rt.contracts.gateways import GatewayRefused, GatewayUnavailable

MOST_MISSES = 5


class LeftOut(GatewayUnavailable):
    """It was not even asked."""


class NotSetUp(GatewayUnavailable):
    """It is not in the settings any more: nobody can ask it."""


class Away:
    """How often in a row each gateway did not answer, of one going through."""

    def __init__(self) -> None:
        self._misses = Counter[str]()

    @contextmanager
    def asking(self, gateway: str) -> Iterator[None]:
        """Ask it inside. Raises `LeftOut` where it is away, and whatever is raised inside."""
        if self._misses[gateway] >= MOST_MISSES:
            raise LeftOut("it did not answer for others")
        try:
            yield
        except GatewayUnavailable:
            self._misses[gateway] += 1
            raise
        except GatewayRefused:
            self._misses[gateway] = 0
            raise
        self._misses[gateway] = 0
