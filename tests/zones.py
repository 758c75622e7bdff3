"""People in timezones, for tests of what comes by their clocks: put into the database as they are. And a clock for tests of days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from documents.enums import Role
from documents.user import User
from lms_rt.clock import Clock

_DAY_MS = 24 * 3_600_000


class FromNoon(Clock):
    """Goes like any other, and began at noon (UTC) of this day: no day and no month ends while a test looks at days."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead_of_it_ms = _DAY_MS // 2 - super().now_ms() % _DAY_MS

    def now_ms(self) -> int:
        return super().now_ms() + self._ahead_of_it_ms


async def live_in(zones: Iterable[str], since: datetime) -> None:
    """Somebody in each of these timezones."""
    for zone in zones:
        user = User(
            id=f"usr_{zone}", email=zone, email_key=zone, password_hash="none", full_name="X", role=Role.STUDENT,
            timezone=zone, created_at=since, updated_at=since,
        )  # fmt: skip
        assert await User.add(user)
