"""What follows from learning, and numbers that are counted again."""

from __future__ import annotations

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import CourseArgs, RecalculationArgs
from lms_rt.services.jobs import Taken


async def recalculate(services: Services, taken: Taken) -> None:
    """Look again at what one enrolment, or all of a course, have reached."""
    assert isinstance(taken.args, RecalculationArgs)  # noqa: S101 - the catalogue's model
    await services.recalculation.recalculate(taken.args)


async def refresh_course(services: Services, taken: Taken) -> None:
    """Count a course's numbers again."""
    assert isinstance(taken.args, CourseArgs)  # noqa: S101 - the catalogue's model
    await services.reconciling.refresh_course(taken.args.course_id)


async def reconcile(services: Services, taken: Taken) -> None:  # noqa: ARG001 - as every task is called
    """Let every course be counted again, and find who is older than searching."""
    await services.reconciling.order_all()
    await services.users.make_findable()
