"""What is looked at by night: the chain of the audit log."""

from __future__ import annotations

from lms_rt.bootstrap import Services
from lms_rt.services.jobs import Taken


async def check(services: Services, taken: Taken) -> None:  # noqa: ARG001 - as every task is called
    """Follow it from end to end; what was found is logged, on /admin/audit, and told by mail."""
    await services.audit_check.renew_marks()
    await services.audit_telling.tell(await services.audit_check.check())
