"""What is forgotten."""

from __future__ import annotations

from lms_rt.bootstrap import Services
from lms_rt.services.jobs import Taken


async def clean_up(services: Services, taken: Taken) -> None:  # noqa: ARG001 - as every task is called
    """Remove what is older than the settings say."""
    await services.retention.clean_up()
