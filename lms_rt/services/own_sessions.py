"""Where somebody is signed in, as they see it, and how they sign out elsewhere. What a session is, is `sessions.py`'s."""

from __future__ import annotations

from documents.base import Row
from documents.session import Session
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, PageQuery, page_of
from lms_rt.contracts.sessions import SessionView
from lms_rt.errors import Code, Refused
from lms_rt.services.sessions import Sessions


class OwnSessions:
    """Shows and ends the sessions of whoever asks. Those in which somebody else acts in their place are not among them."""

    def __init__(self, *, clock: Clock, sessions: Sessions) -> None:
        self._clock, self._sessions = clock, sessions

    async def list(self, actor: Actor, query: PageQuery) -> Page[SessionView]:
        """The sessions that hold, the latest used first."""
        rows, total = await Session.page_of_user(
            actor.user_id,
            now=self._clock.now(),
            proved_after_ms=await self._ended_until_ms(actor.user_id),
            skip=query.skip,
            limit=query.page_size,
        )
        return page_of([_view(row, actor.session_id) for row in rows], query, total)

    async def show(self, actor: Actor, session_id: str) -> SessionView:
        """One of them. Not found, unless it is theirs and holds."""
        return _view(await self._require(actor, session_id), actor.session_id)

    async def end(self, actor: Actor, session_id: str) -> None:
        """End one; the one that asks is signed out. Not found, unless it is theirs and holds."""
        await self._require(actor, session_id)
        is_current = session_id == actor.session_id
        await self._sessions.end(actor.user_id, session_id, reason="signed_out" if is_current else "ended_elsewhere")

    async def end_others(self, actor: Actor) -> None:
        """End all but the one that asks, those too that are just being begun, and what was asked for a code."""
        moment_ms = max(self._clock.now_ms(), await self._ended_until_ms(actor.user_id))
        await self._sessions.keep_through_end(actor.user_id, actor.session_id, moment_ms)
        await User.end_sessions_until(actor.user_id, moment_ms)
        await self._sessions.end_others(actor.user_id, keep=actor.session_id, reason="ended_elsewhere")

    async def _require(self, actor: Actor, session_id: str) -> Row:
        row = await Session.find_row(session_id)
        if row is None or row["user_id"] != actor.user_id or not self._holds(row):
            raise Refused(Code.NOT_FOUND)
        return row

    def _holds(self, row: Row) -> bool:
        is_over = "revoked_at" in row or self._clock.now() >= min(row["idle_until"], row["absolute_until"])
        return not is_over and "impersonator_id" not in row

    async def _ended_until_ms(self, user_id: str) -> int:
        user = await User.find_signed_in(user_id)
        return 0 if user is None else int(user["sessions_valid_after_ms"])


def _view(row: Row, current_id: str) -> SessionView:
    return SessionView(
        id=row["_id"],
        device=row["device"],
        ip_address=row["address"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        expires_at=min(row["idle_until"], row["absolute_until"]),
        is_current=row["_id"] == current_id,
    )
