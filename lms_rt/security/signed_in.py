"""Who is behind a session, and is it still valid? Read from the database, known for seconds, forgotten on a word.

The fact is in the database; this node's memory of it is at most five seconds old, and the bus's words shorten that.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from documents.base import Row
from documents.enums import Role
from documents.session import Session
from documents.user import User, is_leaving_row
from lms_rt.clock import Clock
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import Permission, permissions_of

FRESH_MS = 5_000
_SIZE = 20_000

FactT = TypeVar("FactT")


@dataclass(frozen=True, slots=True)
class Person:
    """What a request needs to know of somebody, and of who acts in their place, if anybody does."""

    user_id: str
    role: Role
    permissions: frozenset[str]
    full_name: str
    is_active: bool
    sessions_valid_after_ms: int
    impersonator_id: str = ""
    impersonator_session_id: str = ""
    is_leaving: bool = False
    impersonator_name: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a request needs to know of a session."""

    user_id: str
    proved_ms: int
    is_revoked: bool
    impersonator_id: str = ""
    impersonator_session_id: str = ""


class _Memory(Generic[FactT]):
    """Facts by id with the time of their reading; the oldest goes when there are too many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._facts: OrderedDict[str, tuple[int, FactT]] = OrderedDict()

    def find(self, key: str) -> FactT | None:
        """The fact, when it is fresh."""
        read_at_ms, fact = self._facts.get(key, (0, None))
        return fact if self._clock.now_ms() - read_at_ms < FRESH_MS else None

    def find_stale(self, key: str) -> FactT | None:
        """The fact, however old."""
        return self._facts.get(key, (0, None))[1]

    def keep(self, key: str, fact: FactT, read_at_ms: int) -> None:
        """Remember it, as old as its reading."""
        self._facts[key] = (read_at_ms, fact)
        self._facts.move_to_end(key)
        if len(self._facts) > _SIZE:
            self._facts.popitem(last=False)

    def forget(self, key: str | None) -> None:
        """Read it again next time; None: read all of them again."""
        if key is None:
            self._facts.clear()
        else:
            self._facts.pop(key, None)


class SignedIn:
    """Answers for (user, session) whether they are signed in, and as what."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._people: _Memory[Person] = _Memory(clock)
        self._sessions: _Memory[Standing] = _Memory(clock)
        self._words = 0

    async def require_person(self, user_id: str, session_id: str, *, also_leaving: bool = False) -> Person:
        """The person, if account and session (and those of who acts in their place) are valid; else `token_revoked`."""
        person = await self._require_valid(user_id, session_id, also_leaving=also_leaving)
        if not person.impersonator_id:
            return person
        impersonator = await self._require_valid(person.impersonator_id, person.impersonator_session_id)
        _require_acting(person, impersonator)
        return replace(person, impersonator_name=impersonator.full_name)

    async def find_people(self, signed_in: Sequence[tuple[str, str]]) -> list[Person | None]:
        """Who stands behind these (user, session), read anew with one question for all; None: not valid any more."""
        people = await self._find_valid(signed_in)
        acting = {
            (person.impersonator_id, person.impersonator_session_id)
            for person in people
            if person is not None and person.impersonator_id
        }
        if not acting:
            return people
        known = sorted(acting)
        impersonators = dict(zip(known, await self._find_valid(known), strict=True))
        return [None if person is None else _if_acting(person, impersonators) for person in people]

    async def _find_valid(self, signed_in: Sequence[tuple[str, str]]) -> list[Person | None]:
        words, read_at_ms = self._words, self._clock.now_ms()
        sessions, users = await asyncio.gather(
            Session.find_standings([session_id for _, session_id in signed_in]),
            User.find_all_signed_in([user_id for user_id, _ in signed_in]),
        )
        standings = {session_id: _standing(row) for session_id, row in sessions.items()}
        people = {user_id: _person(row) for user_id, row in users.items()}
        if words == self._words:
            for session_id, standing in standings.items():
                self._sessions.keep(session_id, standing, read_at_ms)
            for user_id, person in people.items():
                self._people.keep(user_id, person, read_at_ms)
        return [_if_valid(people.get(user_id), standings.get(session_id)) for user_id, session_id in signed_in]

    def find_last_known(self, user_id: str, session_id: str) -> Person | None:
        """What was read last, however long ago, for when the database is away; still `token_revoked` if it said so."""
        person = self._find_valid_stale(user_id, session_id)
        if person is not None and person.impersonator_id:
            self._find_valid_stale(person.impersonator_id, person.impersonator_session_id)
        return person

    def forget(self, user_id: str | None, session_id: str | None = None) -> None:
        """Something of this person (None: of anybody) and this session has changed."""
        self._words += 1
        self._people.forget(user_id)
        if session_id is not None:
            self._sessions.forget(session_id)

    def forget_all(self) -> None:
        """Words about changes may have been lost: everything is read again."""
        self._words += 1
        self._people.forget(None)
        self._sessions.forget(None)

    def _find_valid_stale(self, user_id: str, session_id: str) -> Person | None:
        session, person = self._sessions.find_stale(session_id), self._people.find_stale(user_id)
        return _valid(person, session) if session is not None and person is not None else None

    async def _require_valid(self, user_id: str, session_id: str, *, also_leaving: bool = False) -> Person:
        known = self._sessions.find(session_id)
        session = known or await self._read_session(session_id)
        person = self._people.find(user_id) or await self._read_person(user_id)
        try:
            return _valid(person, session, also_leaving=also_leaving)
        except Refused:
            if known is None or known.is_revoked:
                raise
        session = await self._read_session(session_id)
        return _valid(person, session, also_leaving=also_leaving)  # it may have been proved again since it was read

    async def _read_session(self, session_id: str) -> Standing | None:
        words, read_at_ms = self._words, self._clock.now_ms()
        row = await Session.find_row(session_id)
        if row is None:
            return None
        standing = _standing(row)
        if words == self._words:  # else the change may have come after the reading
            self._sessions.keep(session_id, standing, read_at_ms)
        return standing

    async def _read_person(self, user_id: str) -> Person | None:
        words, read_at_ms = self._words, self._clock.now_ms()
        row = await User.find_signed_in(user_id)
        if row is None:
            return None
        person = _person(row)
        if words == self._words:
            self._people.keep(user_id, person, read_at_ms)
        return person


def _standing(row: Row) -> Standing:
    acting = row.get("impersonator_id", ""), row.get("impersonator_session_id", "")
    return Standing(row["user_id"], row["proved_ms"], "revoked_at" in row, *acting)


def _person(row: Row) -> Person:
    role = Role(row["role"])
    return Person(
        user_id=row["_id"],
        role=role,
        permissions=permissions_of(role, row.get("permissions", ())),
        full_name=row["full_name"],
        is_active=row["is_active"],
        sessions_valid_after_ms=row["sessions_valid_after_ms"],
        is_leaving=is_leaving_row(row),
    )


def _require_acting(person: Person, impersonator: Person) -> None:
    """May they act in this person's place, as things stand now? Nobody acts as an administrator, or as who may do more."""
    is_within = impersonator.role == Role.ADMIN or person.permissions <= impersonator.permissions
    if Permission.IMPERSONATE not in impersonator.permissions or person.role == Role.ADMIN or not is_within:
        raise Refused(Code.TOKEN_REVOKED)


def _if_acting(person: Person, impersonators: Mapping[tuple[str, str], Person | None]) -> Person | None:
    """The person, unless somebody acts in their place who may not."""
    if not person.impersonator_id:
        return person
    impersonator = impersonators[person.impersonator_id, person.impersonator_session_id]
    try:
        if impersonator is not None:
            _require_acting(person, impersonator)
    except Refused:
        return None
    return None if impersonator is None else replace(person, impersonator_name=impersonator.full_name)


def _if_valid(person: Person | None, session: Standing | None) -> Person | None:
    try:
        return _valid(person, session)
    except Refused:
        return None


def _valid(person: Person | None, session: Standing | None, *, also_leaving: bool = False) -> Person:
    if person is None or session is None or session.user_id != person.user_id:
        raise Refused(Code.TOKEN_REVOKED)
    is_over = session.is_revoked or session.proved_ms <= person.sessions_valid_after_ms
    if is_over or not (person.is_active or (also_leaving and person.is_leaving)):
        raise Refused(Code.TOKEN_REVOKED)
    if not session.impersonator_id:
        return person
    return replace(
        person,
        impersonator_id=session.impersonator_id,
        impersonator_session_id=session.impersonator_session_id,
    )
