"""What follows from events."""

from __future__ import annotations

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import EventArgs
from lms_rt.services.jobs import Taken


async def follow(services: Services, taken: Taken) -> None:
    """Tell everybody who follows an event of record."""
    assert isinstance(taken.args, EventArgs)  # noqa: S101 - the catalogue's model
    await services.following.follow(taken.args.event_id)
