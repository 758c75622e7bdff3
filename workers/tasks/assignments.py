"""What follows from dates of assignments that were moved."""

from __future__ import annotations

from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import AssignmentArgs
from lms_rt.services.jobs import Taken


async def retell(services: Services, taken: Taken) -> None:
    """Tell those whose grade is another one by it."""
    await services.assignment_grading.retell(cast("AssignmentArgs", taken.args).assignment_id)
