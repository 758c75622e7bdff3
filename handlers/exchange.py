"""One HTTP exchange: what the edge knows of it before any handler, and what handlers add for the log line."""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(slots=True)
class Exchange:
    """A request and its answer, as the log and the figures see them. `route` is a pattern, never a path with ids.

    `country` is where the caller's address is, if a trusted proxy says so.
    """

    request_id: str
    route: str = ""
    user_id: str = ""
    bytes_sent: int = 0
    is_counted: bool = False
    shows_timing: bool = False
    country: str | None = None
    started: float = field(default_factory=time.perf_counter)
    marks: list[tuple[str, float]] = field(default_factory=list)

    def mark(self, name: str) -> None:
        """Remember that the step `name` ends now."""
        self.marks.append((name, time.perf_counter()))

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the request's head was read."""
        return (time.perf_counter() - self.started) * 1000

    @property
    def server_timing(self) -> str:
        """The steps as the value of a `Server-Timing` header."""
        steps, before = [], self.started
        for name, at in self.marks:
            steps.append(f"{name};dur={(at - before) * 1000:.2f}")
            before = at
        return ", ".join([*steps, f"total;dur={self.elapsed_ms:.2f}"])


current_exchange: ContextVar[Exchange | None] = ContextVar("current_exchange", default=None)
"""The exchange that this context works on."""


def this_exchange() -> Exchange:
    """The exchange that this context works on; outside one (tests of a handler alone), an empty one."""
    return current_exchange.get() or Exchange("")
