"""Where the audit log ends, told to administrators by mail: a copy of the head that no database reaches, and alarm when it is damaged.

The night's check tells. A night in which nothing was recorded since the last mail has none, but for one each week or so.
"""

from __future__ import annotations

from config.settings import Settings
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.audit import AuditVerdict
from lms_rt.contracts.mails import AuditChecked
from lms_rt.ids import derived_id
from lms_rt.security.permissions import ROLE_PERMISSIONS, Permission
from lms_rt.services.jobs import Jobs

WHOLE, DAMAGED = "audit_checked", "audit_damaged"
PAGE = "/admin/audit"
MAX_TOLD = 100


class AuditTelling:
    """Tells what the check found."""

    def __init__(self, *, settings: Settings, clock: Clock, jobs: Jobs) -> None:
        self._settings, self._clock, self._jobs = settings, clock, jobs

    async def tell(self, verdict: AuditVerdict) -> None:
        """One mail to everybody who may look at the log. Again about the same end is the same mail while its job is known."""
        if not verdict.is_alarming and (not verdict.last_seq or not self._settings.audit_mails):
            return
        shown = AuditChecked(
            findings=len(verdict.findings),
            place=f"{verdict.last_seq}:{verdict.last_hash}",
            at=verdict.checked_at,
            link=PAGE,
        )
        template, day = (DAMAGED, self._clock.now().date().isoformat()) if verdict.is_alarming else (WHOLE, "")
        for user_id in await _auditors():
            once = derived_id("job", template, user_id, shown.place, day)
            args = {"template": template, "user_id": user_id, "data": shown.model_dump(mode="json")}
            await self._jobs.put(once, "mail.send", args)


async def _auditors() -> list[str]:
    roles = [role for role, held in ROLE_PERMISSIONS.items() if Permission.AUDIT_VIEW in held]
    return await User.ids_holding(Permission.AUDIT_VIEW, roles=roles, limit=MAX_TOLD)
