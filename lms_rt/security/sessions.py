"""Refresh families in the database: begun by a sign-in, rotated, ended. Who is told of it is `services/sessions.py`'s."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from documents.base import Row
from documents.session import Session
from lms_rt.clock import Clock
from lms_rt.errors import Code, Refused
from lms_rt.ids import new_id
from lms_rt.security.tokens import Impersonator, RefreshTokens

GRACE = timedelta(seconds=10)
"""So long the token before the current one gets the current one again: two tabs, or a reply that was lost."""

MAX_ENDED = 200
"""So many of an account's sessions that have ended are kept, those that ended last."""
_AT_ONCE = 50
"""So many at most are ended, or forgotten, by one sign-in; the next one goes on."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where a session is used from, for its owner to recognise it: the program's own words and its address.

    `mark` is what a browser that signed in before brings along (`devices.py`); it is never kept.
    """

    program: str = ""
    address: str = ""
    mark: str = ""


UNKNOWN_DEVICE = Device()
"""Nobody said."""


@dataclass(frozen=True, slots=True)
class Family:
    """A living family and its current refresh token."""

    session_id: str
    user_id: str
    proved_ms: int
    refresh_token: str


class ReusedTokenError(Refused):
    """A refresh token came that had been replaced: somebody has a copy, so its family was ended."""

    def __init__(self, user_id: str, session_id: str) -> None:
        super().__init__(Code.TOKEN_REVOKED, "This refresh token was used before; the session has ended.")
        self.user_id, self.session_id = user_id, session_id


@dataclass(frozen=True, slots=True)
class Lives:
    """How long a session lives unused, how long at all, and how long it is kept when it has ended."""

    idle: timedelta
    absolute: timedelta
    kept: timedelta


class Families:
    """Begins, rotates and ends families. Every step is one conditional write, so that any number may try at once."""

    def __init__(self, *, clock: Clock, tokens: RefreshTokens, lives: Lives, max_per_user: int) -> None:
        self._clock, self._tokens, self._max_per_user, self._lives = clock, tokens, max_per_user, lives

    async def begin(self, user_id: str, device: Device, *, proved_ms: int) -> tuple[Family, list[str]]:
        """A new family, and the ids of those that had to end for it: a person has only so many."""
        now = self._clock.now()
        session = Session(
            id=new_id("fam"),
            user_id=user_id,
            proved_ms=proved_ms,
            created_at=now,
            rotated_at=now,
            last_used_at=now,
            idle_until=min(now + self._lives.idle, now + self._lives.absolute),
            absolute_until=now + self._lives.absolute,
            device=device.program,
            address=device.address,
        )
        await Session.add(session)
        family = Family(session.id, user_id, proved_ms, self._tokens.write(session.id, 1))
        return family, await self._end_surplus(user_id, now, keep=session.id)

    async def begin_acting(
        self, user_id: str, impersonator: Impersonator, *, device: Device, lifetime: timedelta, proved_ms: int
    ) -> str:
        """A session in which somebody else acts in this person's place: its id. It has no refresh token, and ends no other."""
        now = self._clock.now()
        session = Session(
            id=new_id("fam"),
            user_id=user_id,
            proved_ms=proved_ms,
            created_at=now,
            rotated_at=now,
            last_used_at=now,
            idle_until=now + lifetime,
            absolute_until=now + lifetime,
            device=device.program,
            address=device.address,
            impersonator_id=impersonator.user_id,
            impersonator_session_id=impersonator.session_id,
        )
        await Session.add(session)
        return session.id

    async def rotate(self, refresh_token: str) -> Family:
        """The next token for the current one, the current one for its predecessor of a moment ago; else refused."""
        session_id, generation = self._tokens.read(refresh_token)
        for _ in range(2):  # another tab may rotate between reading and writing; then the second look decides
            row = await self._require_alive(session_id)
            now = self._clock.now()
            if generation == row["generation"]:
                idle_until = min(now + self._lives.idle, row["absolute_until"])
                if await Session.rotate(session_id, generation, at=now, idle_until=idle_until):
                    return self._family(row, generation + 1)
            elif generation == row["generation"] - 1 and now - row["rotated_at"] <= GRACE:
                return self._family(row, row["generation"])
            elif generation < row["generation"]:
                await self.end(session_id)
                raise ReusedTokenError(row["user_id"], session_id)
        # A generation that the database has not seen yet: it was restored from a backup.
        raise Refused(Code.INVALID_TOKEN, "The refresh token is not valid.")

    def session_of(self, refresh_token: str) -> str:
        """The family that a token of ours belongs to, dead or alive; refused when it is not ours."""
        return self._tokens.read(refresh_token)[0]

    async def find_owner(self, session_id: str) -> str | None:
        """Whose family it is."""
        row = await Session.find_row(session_id)
        return str(row["user_id"]) if row else None

    async def find_acted_for(self, impersonator_id: str, session_id: str) -> str:
        """In whose place this person acts, or acted, in this session. The empty text: it is none of theirs, or they went back.

        Going back holds for a moment, as a token that was replaced does: a button is pressed twice, a reply is lost.
        """
        row = await Session.find_row(session_id)
        if row is None or row.get("impersonator_id") != impersonator_id:
            return ""
        has_returned = "returned_at" in row and self._clock.now() - row["returned_at"] > GRACE
        return "" if has_returned else str(row["user_id"])

    async def note_return(self, session_id: str) -> None:
        """Who acted in this session has gone back into their own: no mark leads there once more."""
        await Session.note_return(session_id, self._clock.now())

    async def is_alive(self, session_id: str) -> bool:
        """Has it neither ended nor run out?"""
        row = await Session.find_row(session_id)
        return row is not None and _is_alive(row, self._clock.now())

    async def end(self, session_id: str) -> bool:
        """End one family; False when it had ended."""
        return await Session.revoke(session_id, self._clock.now())

    async def end_all(self, user_id: str, *, keep: str = "") -> list[tuple[str, bool]]:
        """End every family of this person but the one to `keep`; the ids of those that were alive.

        With each, whether somebody else acted in it.
        """
        alive = await Session.find_alive(user_id, self._clock.now())
        return [found for found in alive if found[0] != keep and await self.end(found[0])]

    async def end_former(self, user_id: str, proved_until_ms: int) -> list[tuple[str, bool]]:
        """End those whose credentials were read up to this moment; the same of those that were alive."""
        alive = await Session.find_alive(user_id, self._clock.now(), proved_until_ms=proved_until_ms)
        return [found for found in alive if await self.end(found[0])]

    async def end_acting(self, impersonator_id: str, session_id: str | None) -> list[tuple[str, str]]:
        """End the sessions in which this person acts for others, from one of theirs or (None) any: whose they were, and they."""
        rows = await Session.rows_acted_in(impersonator_id, session_id, self._clock.now())
        return [(row["user_id"], row["_id"]) for row in rows if await self.end(row["_id"])]

    async def prove_again(self, session_id: str, user_id: str, moment_ms: int) -> None:
        """Keep the person's session through an end of all that were begun before this moment; refused when it has ended."""
        if not await Session.prove_again(session_id, user_id, moment_ms):
            raise Refused(Code.TOKEN_REVOKED)

    async def _end_surplus(self, user_id: str, now: datetime, *, keep: str) -> list[str]:
        """Nothing here may grow with how often somebody signs in: all of it happens each time."""
        surplus = await Session.own_beyond(user_id, now, keep=keep, count=self._max_per_user - 1, limit=_AT_ONCE)
        await Session.forget_ended(now - self._lives.kept, limit=_AT_ONCE, user_id=user_id)
        await Session.forget_beyond(user_id, now, count=MAX_ENDED, limit=_AT_ONCE)
        return await self._end_each(surplus)

    async def _end_each(self, session_ids: Iterable[str]) -> list[str]:
        return [session_id for session_id in session_ids if await self.end(session_id)]

    async def _require_alive(self, session_id: str) -> Row:
        row = await Session.find_row(session_id)
        if row is None or "impersonator_id" in row:
            raise Refused(Code.INVALID_TOKEN, "The refresh token is not valid.")
        if "revoked_at" in row:
            raise Refused(Code.TOKEN_REVOKED)
        if not _is_alive(row, self._clock.now()):
            raise Refused(Code.TOKEN_EXPIRED, "The session has ended; sign in again.")
        return row

    def _family(self, row: Row, generation: int) -> Family:
        token = self._tokens.write(row["_id"], generation)
        return Family(row["_id"], row["user_id"], row["proved_ms"], token)


def _is_alive(row: Row, now: datetime) -> bool:
    return "revoked_at" not in row and now < min(row["idle_until"], row["absolute_until"])
