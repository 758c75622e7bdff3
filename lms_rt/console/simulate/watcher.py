"""The teacher who watches: how long a save took until it was acknowledged, and until the dashboard showed it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class _Seen:
    """One attempt: saves that no frame has shown yet, and the frames, by revision. Ack and frame come in any order."""

    sent: dict[int, float] = field(default_factory=dict)
    frames: list[tuple[int, float]] = field(default_factory=list)

    def shown_at(self, revision: int) -> float | None:
        """When the first frame with this revision or a later one came."""
        return next((at for shown, at in self.frames if shown >= revision), None)


@dataclass(slots=True)
class Latencies:
    """Milliseconds, as the clients measured them on one steady clock, of answers whose line held."""

    save_ms: list[float] = field(default_factory=list)
    dashboard_ms: list[float] = field(default_factory=list)
    _attempts: dict[str, _Seen] = field(default_factory=dict)

    def acknowledged(self, attempt_id: str, revision: int, sent: float) -> None:
        """A save that was sent at `sent` (`time.monotonic`) was acknowledged just now."""
        self.save_ms.append((time.monotonic() - sent) * 1000)
        attempt = self._attempts.setdefault(attempt_id, _Seen())
        if (shown_at := attempt.shown_at(revision)) is None:
            attempt.sent[revision] = sent
        else:
            self.dashboard_ms.append((shown_at - sent) * 1000)

    def shown(self, frame: dict[str, Any]) -> None:
        """A `dashboard` frame came: every save up to a row's revision is on the screen."""
        now = time.monotonic()
        for row in frame["data"]["students"]:
            attempt = self._attempts.setdefault(row["attempt_id"], _Seen())
            attempt.frames.append((row["revision"], now))
            for revision in [one for one in attempt.sent if one <= row["revision"]]:
                self.dashboard_ms.append((now - attempt.sent.pop(revision)) * 1000)

    def lines(self) -> list[str]:
        """A line for each kind of wait."""
        return [
            f"{name:<28} p50 {_quantile(found, 0.5):7.1f} ms   p99 {_quantile(found, 0.99):7.1f} ms   ({len(found)})"
            for name, found in (("save -> acknowledged", self.save_ms), ("answer -> dashboard", self.dashboard_ms))
        ]


def _quantile(found: list[float], part: float) -> float:
    return sorted(found)[min(len(found) - 1, int(part * len(found)))] if found else float("nan")
