"""Corrections of questions, carried out."""

from __future__ import annotations

from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import RegradeArgs
from lms_rt.services.jobs import Taken


async def apply(services: Services, taken: Taken) -> None:
    """Carry a regrade out, or take it back, from wherever it stopped."""
    await services.regrading.carry_out(cast("RegradeArgs", taken.args).regrade_id)
