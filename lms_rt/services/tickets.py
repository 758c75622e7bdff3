"""One-time tickets: on the bus, or in the database while that is away. What they stand for is `sessions.py`'s."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from documents.ticket import SpareTicket
from lms_rt.bus.base import Tickets
from lms_rt.clock import Clock
from lms_rt.errors import Code, Refused
from lms_rt.ids import random_token

TICKET_SECONDS = 30
_TIDY_EVERY_MS = 60_000


class TicketOffice:
    """Issues tickets and takes them back, once each."""

    def __init__(self, *, clock: Clock, tickets: Tickets) -> None:
        self._clock, self._tickets = clock, tickets
        self._tidied_ms = 0

    async def issue(self, facts: Mapping[str, Any]) -> str:
        """A ticket for these facts.

        The one for the database is another: a bus that did not answer may have kept the first, and no ticket may lie in
        two places.
        """
        ticket = random_token()
        try:
            await self._tickets.issue(_hash(ticket), facts, ttl_seconds=TICKET_SECONDS)
        except Refused as refused:
            if refused.code is not Code.UNAVAILABLE:
                raise
            return await self._issue_spare(facts)
        return ticket

    async def consume(self, ticket: str) -> dict[str, Any]:
        """The facts of a ticket; refused when it is unknown, used or too old, or when nobody can say."""
        ticket_hash, now_ms = _hash(ticket), self._clock.now_ms()
        away: Refused | None = None
        try:
            facts = await self._tickets.consume(ticket_hash)
        except Refused as refused:
            if refused.code is not Code.UNAVAILABLE:
                raise
            facts, away = None, refused
        facts = facts or await SpareTicket.take(ticket_hash, now_ms)
        if facts is None:
            raise away or Refused(Code.INVALID_TOKEN, "The ticket is unknown, used or too old.")
        return facts

    async def _issue_spare(self, facts: Mapping[str, Any]) -> str:
        ticket, now_ms = random_token(), self._clock.now_ms()
        if now_ms - self._tidied_ms > _TIDY_EVERY_MS:
            self._tidied_ms = now_ms
            await SpareTicket.forget_until(now_ms)
        await SpareTicket.add(_hash(ticket), dict(facts), expires_ms=now_ms + TICKET_SECONDS * 1000)
        return ticket


def _hash(ticket: str) -> str:
    return hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()
