"""The teacher who watches: how long a save took until it was acknowledged, and until the dashboard showed it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Latencies:
    """Milliseconds, as the clients measured them on one steady clock, of answers whose line held."""

    save_ms: list[float] = field(default_factory=list)
    dashboard_ms: list[float] = field(default_factory=list)
    _sent: dict[str, dict[int, float]] = field(default_factory=dict)

    def acknowledged(self, attempt_id: str, revision: int, sent: float) -> None:
        """A save that was sent at `sent` (`time.monotonic`) was acknowledged just now."""
        self.save_ms.append((time.monotonic() - sent) * 1000)
        self._sent.setdefault(attempt_id, {})[revision] = sent

    def shown(self, frame: dict[str, Any]) -> None:
        """A `dashboard` frame came: every save up to a row's revision is on the screen."""
        now = time.monotonic()
        for row in frame["data"]["students"]:
            waiting = self._sent.get(row["attempt_id"], {})
            for revision in [one for one in waiting if one <= row["revision"]]:
                self.dashboard_ms.append((now - waiting.pop(revision)) * 1000)

    def lines(self) -> list[str]:
        """A line for each kind of wait."""
        return [
            f"{name:<28} p50 {_quantile(found, 0.5):7.1f} ms   p99 {_quantile(found, 0.99):7.1f} ms   ({len(found)})"
            for name, found in (("save -> acknowledged", self.save_ms), ("answer -> dashboard", self.dashboard_ms))
        ]


def _quantile(found: list[float], part: float) -> float:
    return sorted(found)[min(len(found) - 1, int(part * len(found)))] if found else float("nan")
