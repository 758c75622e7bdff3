"""Tickets while the bus is away: issued and taken back through the database, once each, wherever they lie."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from documents.ticket import SpareTicket
from lms_rt.bus.base import Tickets
from lms_rt.bus.memory import MemoryTickets
from lms_rt.clock import FakeClock
from lms_rt.errors import Code, Refused
from lms_rt.services.tickets import TicketOffice

pytestmark = pytest.mark.usefixtures("database")

FACTS = {"user_id": "usr_1", "session_id": "fam_1", "expires_at_ms": 1}


class UnreliableTickets(Tickets):
    """The bus of this test: here, away, or silent, which takes a ticket and does not say so."""

    def __init__(self, inner: Tickets) -> None:
        self._inner = inner
        self.is_away = self.is_silent = False
        self.issued: list[str] = []

    async def issue(self, ticket_hash: str, data: Mapping[str, Any], *, ttl_seconds: float) -> None:
        if not self.is_away:
            self.issued.append(ticket_hash)
            await self._inner.issue(ticket_hash, data, ttl_seconds=ttl_seconds)
        if self.is_away or self.is_silent:
            raise Refused(Code.UNAVAILABLE)

    async def consume(self, ticket_hash: str) -> dict[str, Any] | None:
        if self.is_away:
            raise Refused(Code.UNAVAILABLE)
        return await self._inner.consume(ticket_hash)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tickets(clock: FakeClock) -> UnreliableTickets:
    return UnreliableTickets(MemoryTickets(clock))


@pytest.fixture
def office(clock: FakeClock, tickets: UnreliableTickets) -> TicketOffice:
    return TicketOffice(clock=clock, tickets=tickets)


async def refusal(office: TicketOffice, ticket: str) -> Code:
    with pytest.raises(Refused) as refused:
        await office.consume(ticket)
    return refused.value.code


async def test_a_ticket_of_an_outage_holds_during_and_after_it(
    office: TicketOffice, tickets: UnreliableTickets
) -> None:
    tickets.is_away = True
    during, after = await office.issue(FACTS), await office.issue(FACTS)
    assert await office.consume(during) == FACTS
    tickets.is_away = False
    assert await office.consume(after) == FACTS
    assert await refusal(office, during) is await refusal(office, after) is Code.INVALID_TOKEN


async def test_of_many_callers_one_gets_it(office: TicketOffice, tickets: UnreliableTickets) -> None:
    tickets.is_away = True
    ticket = await office.issue(FACTS)
    consumed = await asyncio.gather(*(office.consume(ticket) for _ in range(10)), return_exceptions=True)
    assert [each for each in consumed if not isinstance(each, Refused)] == [FACTS]


async def test_it_holds_for_half_a_minute_and_is_tidied_away(
    office: TicketOffice, tickets: UnreliableTickets, clock: FakeClock
) -> None:
    tickets.is_away = True
    late, forgotten = await office.issue(FACTS), await office.issue(FACTS)
    clock.advance(30)
    tickets.is_away = False
    assert await refusal(office, late) is Code.INVALID_TOKEN
    tickets.is_away = True
    clock.advance(60)
    await office.issue(FACTS)
    assert await SpareTicket.rows().count_documents({}) == 1
    tickets.is_away = False
    assert await refusal(office, forgotten) is Code.INVALID_TOKEN


async def test_a_ticket_that_lies_on_a_bus_that_is_away_is_not_called_wrong(
    office: TicketOffice, tickets: UnreliableTickets
) -> None:
    ticket = await office.issue(FACTS)
    tickets.is_away = True
    assert await refusal(office, ticket) is Code.UNAVAILABLE
    tickets.is_away = False
    assert await office.consume(ticket) == FACTS


async def test_no_ticket_lies_in_two_places(office: TicketOffice, tickets: UnreliableTickets) -> None:
    tickets.is_silent = True
    ticket = await office.issue(FACTS)
    tickets.is_silent = False
    assert len(tickets.issued) == 1
    assert await office.consume(ticket) == FACTS
    assert await refusal(office, ticket) is Code.INVALID_TOKEN
    assert await SpareTicket.rows().count_documents({"_id": tickets.issued[0]}) == 0
