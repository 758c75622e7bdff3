"""Where files lie is looked at like everything else that a node leans on: without it the node goes on, and says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from lms_rt.clock import FakeClock
from lms_rt.services.health import Health


async def answers() -> None:
    """Something that is there."""


async def breaks() -> None:
    raise OSError("the directory of files cannot be written to")


@pytest.mark.parametrize(
    ("storage", "state", "status"), [(answers, "ok", "ok"), (breaks, "degraded", "degraded"), (None, "unused", "ok")]
)
async def test_what_is_told_of_the_files(
    storage: Callable[[], Awaitable[None]] | None, state: str, status: str
) -> None:
    health = Health(clock=FakeClock(), node="node-1", version="0.2.0", database=answers)
    health.storage = storage
    health.open()
    told = await health.ready()
    assert (told.checks.storage.state, told.status) == (state, status)
