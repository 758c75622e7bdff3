"""Acting in another's place: who may, that it is recorded with its reason before there is a token, and the token itself.

What somebody who acts as another may not do, operations declare (`is_own_alone`); the token is `sessions.py`'s.
"""

from __future__ import annotations

from lms_rt.contracts.actor import Actor
from lms_rt.contracts.sessions import ImpersonationView
from lms_rt.contracts.users import ImpersonationDraft
from lms_rt.security.access.users import require_person_to_stand_in_for
from lms_rt.security.sessions import UNKNOWN_DEVICE, Device
from lms_rt.services.audit import Audit
from lms_rt.services.sessions import Sessions


class Impersonation:
    """Lets administrators see what somebody else sees."""

    def __init__(self, *, sessions: Sessions, audit: Audit) -> None:
        self._sessions, self._audit = sessions, audit

    async def begin(
        self, actor: Actor, user_id: str, draft: ImpersonationDraft, device: Device = UNKNOWN_DEVICE
    ) -> ImpersonationView:
        """A short session in this person's place."""
        user = await require_person_to_stand_in_for(actor, user_id)
        await self._audit.record(actor, "user.impersonate", kind="user", target_id=user.id, reason=draft.reason)
        return await self._sessions.impersonate(actor, user, device)
