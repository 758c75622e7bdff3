"""Acting in another's place: who may, that it is recorded with its reason before there is a token, and the token itself.

What somebody who acts as another may not do, operations declare (`is_own_alone`); the token is `sessions.py`'s. A browser that
acts keeps its own session aside: the way back into it is given out with the token, and taken here.
"""

from __future__ import annotations

from dataclasses import dataclass

from lms_rt.contracts.actor import Actor
from lms_rt.contracts.sessions import ImpersonationView
from lms_rt.contracts.users import ImpersonationDraft
from lms_rt.errors import Code, Refused
from lms_rt.security.access.users import require_person_to_stand_in_for
from lms_rt.security.sessions import UNKNOWN_DEVICE, Device
from lms_rt.security.ways_back import WayBack, WaysBack
from lms_rt.services.audit import Audit
from lms_rt.services.sessions import Sessions


@dataclass(frozen=True, slots=True)
class ActingSession:
    """A session in somebody's place, for a browser: as whom, its token, and the way back."""

    actor: Actor
    access_token: str
    expires_in: int
    way_back: str


@dataclass(frozen=True, slots=True)
class OwnSession:
    """One's own session again, and in whose place one was."""

    actor: Actor
    access_token: str
    expires_in: int
    person_id: str


class Impersonation:
    """Lets administrators see what somebody else sees."""

    def __init__(self, *, sessions: Sessions, audit: Audit, ways_back: WaysBack) -> None:
        self._sessions, self._audit, self._ways_back = sessions, audit, ways_back

    async def begin(
        self, actor: Actor, user_id: str, draft: ImpersonationDraft, device: Device = UNKNOWN_DEVICE
    ) -> ImpersonationView:
        """A short session in this person's place."""
        user = await require_person_to_stand_in_for(actor, user_id)
        await self._audit.record(actor, "user.impersonate", kind="user", target_id=user.id, reason=draft.reason)
        return await self._sessions.impersonate(actor, user, device)

    async def may_begin(self, actor: Actor, user_id: str) -> bool:
        """Would it be allowed, as things stand now?"""
        try:
            await require_person_to_stand_in_for(actor, user_id)
        except Refused as refused:
            if refused.code is Code.UNAVAILABLE:
                raise
            return False
        return True

    # --- in a browser ---

    async def begin_in_browser(
        self, actor: Actor, user_id: str, draft: ImpersonationDraft, device: Device = UNKNOWN_DEVICE
    ) -> ActingSession:
        """The same, with the way back into the session of the actor, which goes on meanwhile."""
        begun = await self.begin(actor, user_id, draft, device)
        acting = await self._sessions.authenticate(begun.access_token)
        way_back = self._ways_back.write(WayBack(actor.user_id, actor.session_id, acting.session_id))
        return ActingSession(acting, begun.access_token, begun.expires_in, way_back)

    def read_way_back(self, mark: str) -> WayBack | None:
        """Where a mark leads; whether one can still go there is not asked."""
        return self._ways_back.find(mark)

    async def is_way_open(self, mark: str) -> bool:
        """Does the mark lead into a session that still holds, and has nobody gone back by it?"""
        way = self.read_way_back(mark)
        if way is None or not await self._sessions.find_acted_for(way.user_id, way.acting_id):
            return False
        return await self._sessions.is_open(way.user_id, way.session_id)

    async def go_back(self, mark: str) -> OwnSession | None:
        """End the session in which one acts, if it has not ended, and go on in one's own; None: that one has ended too."""
        way = self.read_way_back(mark)
        if way is None:
            return None
        person_id = await self._sessions.find_acted_for(way.user_id, way.acting_id)
        if not person_id:
            return None
        if not await self._sessions.is_open(way.user_id, way.session_id):
            await self._sessions.return_from(person_id, way.acting_id)
            return None
        actor, access_token, expires_in = await self._sessions.resume(way.user_id, way.session_id)
        await self._sessions.return_from(person_id, way.acting_id)  # last: the way is not used up before it is gone
        return OwnSession(actor, access_token, expires_in, person_id)

    async def sign_out(self, mark: str) -> None:
        """End the session that was kept aside, and with it the one in which its owner acts: who leaves, leaves both."""
        way = self.read_way_back(mark)
        if way is not None:
            await self._sessions.end(way.user_id, way.session_id, reason="signed_out")
