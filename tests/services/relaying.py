"""A relay for tests that wire services by hand: jobs go into the database, and nothing of record is kept unless asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from documents.base import Aggregate
from lms_rt.bus.base import FanOut
from lms_rt.bus.memory import SilentWakeUps
from lms_rt.clock import Clock
from lms_rt.services.jobs import Jobs
from lms_rt.services.relay import Recorder, Relay


async def unrecorded(intent: dict[str, Any]) -> None:
    """Keep nothing: for tests that look neither at the log of events nor at the audit log."""


def relay_over(
    fan_out: FanOut, clock: Clock, aggregates: Sequence[type[Aggregate]], *, record: Recorder = unrecorded
) -> Relay:
    """A relay that wakes no worker."""
    jobs = Jobs(clock=clock, wake_ups=SilentWakeUps())
    relay = Relay(fan_out=fan_out, clock=clock, aggregates=aggregates, jobs=jobs, record=record)
    relay.register_audit(unrecorded)
    return relay
