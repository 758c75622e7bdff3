"""People in timezones, for tests of what comes by their clocks: put into the database as they are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from documents.enums import Role
from documents.user import User


async def live_in(zones: Iterable[str], since: datetime) -> None:
    """Somebody in each of these timezones."""
    for zone in zones:
        user = User(
            id=f"usr_{zone}", email=zone, email_key=zone, password_hash="none", full_name="X", role=Role.STUDENT,
            timezone=zone, created_at=since, updated_at=since,
        )  # fmt: skip
        assert await User.add(user)
