"""The sandbox by the workers: a transfer that arrives."""

from __future__ import annotations

from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import SandboxArgs
from lms_rt.services.jobs import Taken


async def pay(services: Services, taken: Taken) -> None:
    """The money that somebody said would come later has come."""
    await services.sandbox_desk.arrive(cast("SandboxArgs", taken.args).checkout_id)
