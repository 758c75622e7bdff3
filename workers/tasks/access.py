"""Access by the workers: enrolments in line with what was paid."""

from __future__ import annotations

from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import AccessArgs
from lms_rt.services.jobs import Taken


async def derive(services: Services, taken: Taken) -> None:
    """Somebody's enrolment in a course, or all that they bought."""
    args = cast("AccessArgs", taken.args)
    if args.course_id is None:
        await services.access.derive_all(args.user_id)
    else:
        await services.access.derive(args.user_id, args.course_id)
