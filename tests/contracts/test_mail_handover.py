"""What a mail server has and we have not written down: one letter at most, however many are on their way. And what its no means."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from lms_rt.gateways.mail import MailRefused
from lms_rt.gateways.smtp import MAX_CONNECTIONS
from tests.contracts.test_mail_server import LETTER, postman, refused
from tests.servers.smtp_server import BREAK, MailPlace, mail_server


class Notebook:
    """Notes letters when it may."""

    def __init__(self) -> None:
        self.noted = 0
        self.asked, self.may = asyncio.Event(), asyncio.Event()

    async def note(self) -> None:
        self.asked.set()
        await self.may.wait()
        self.noted += 1


async def all_that_is_on_its_way(place: MailPlace) -> None:
    """Let the server read whatever was sent to it before, by sending it letters from somebody else's hand."""
    for _ in range(2):
        other = postman(place)
        await other.deliver(replace(LETTER, recipient="somebody@else.example"))
        await other.close()


async def test_no_letter_is_handed_over_before_the_one_before_it_is_noted() -> None:
    async with mail_server() as place:
        carrier, book = postman(place), Notebook()
        async with asyncio.timeout(20):
            carried = [asyncio.ensure_future(carrier.deliver(LETTER, book.note)) for _ in range(MAX_CONNECTIONS)]
            await book.asked.wait()
            while place.addressed < MAX_CONNECTIONS:  # noqa: ASYNC110 - all the others have begun: only their end waits
                await asyncio.sleep(0.01)
            await all_that_is_on_its_way(place)
            assert (len(place.to(LETTER.recipient)), book.noted) == (1, 0)
            book.may.set()
            await asyncio.gather(*carried)
        await carrier.close()
    assert len(place.to(LETTER.recipient)) == MAX_CONNECTIONS == book.noted


async def test_a_letter_whose_end_was_never_sent_is_nobodys() -> None:
    async with mail_server() as place:
        carrier, book = postman(place, max_connections=2), Notebook()
        carried = [asyncio.ensure_future(carrier.deliver(LETTER, book.note)) for _ in range(2)]
        async with asyncio.timeout(20):
            await book.asked.wait()
            while place.addressed < len(carried):  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)
            for one in carried:
                one.cancel()
            await asyncio.gather(*carried, return_exceptions=True)
            while place.open:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.01)
        await carrier.close()
    assert len(place.received) == 1


async def test_what_cannot_be_noted_is_told_and_the_next_letter_goes_on() -> None:
    async def fail() -> None:
        raise LookupError("the database is away")

    async with mail_server() as place:
        carrier, book = postman(place), Notebook()
        book.may.set()
        with pytest.raises(LookupError):
            await carrier.deliver(LETTER, fail)
        await carrier.deliver(LETTER, book.note)
        await carrier.close()
    assert (len(place.received), book.noted) == (2, 1)


async def test_a_letter_that_waits_for_its_turn_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lms_rt.gateways.smtp.LETTER_SECONDS", 1.0)
    async with mail_server() as place:
        carrier, book = postman(place), Notebook()
        async with asyncio.timeout(20):
            carried = [asyncio.ensure_future(carrier.deliver(LETTER, book.note)) for _ in range(2)]
            await asyncio.wait(carried, timeout=1.2)  # longer than a letter may take
            book.may.set()
            await asyncio.gather(*carried)
        await carrier.close()
    assert len(place.received) == 2


async def test_a_letter_that_waited_for_a_connection_has_its_whole_time_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lms_rt.gateways.smtp.LETTER_SECONDS", 1.0)
    async with mail_server() as place:
        carrier, book = postman(place, max_connections=1), Notebook()
        async with asyncio.timeout(20):
            carried = [asyncio.ensure_future(carrier.deliver(LETTER, book.note)) for _ in range(2)]
            await asyncio.wait(carried, timeout=1.2)  # longer than a letter may take
            book.may.set()
            await asyncio.gather(*carried)
        await carrier.close()
    assert len(place.received) == 2


async def test_a_letter_that_is_not_ours_any_more_when_its_turn_comes_is_not_handed_over() -> None:
    async def lost() -> None:
        raise LookupError("somebody else has it")

    async with mail_server() as place:
        carrier, book = postman(place), Notebook()
        async with asyncio.timeout(20):
            first = asyncio.ensure_future(carrier.deliver(LETTER, book.note))
            await book.asked.wait()
            second = asyncio.ensure_future(carrier.deliver(LETTER, book.note, hold=lost))
            while place.addressed < 2:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)
            book.may.set()
            await first
            with pytest.raises(LookupError):
                await second
            await carrier.deliver(LETTER, book.note)
        await carrier.close()
    assert (len(place.received), book.noted) == (2, 2)


@pytest.mark.parametrize("answer", ["451 4.3.0 Try again later", "554 5.6.0 Not this", BREAK])
async def test_what_the_server_does_not_take_is_not_noted(answer: str) -> None:
    async with mail_server() as place:
        place.at_end.append(answer)
        carrier, book = postman(place), Notebook()
        book.may.set()
        with pytest.raises(MailRefused):
            await carrier.deliver(LETTER, book.note)
        assert book.noted == 0
        await carrier.deliver(LETTER, book.note)
        await carrier.close()
    assert book.noted == 1


# --- is it the address? ---

OF_THE_ADDRESS = [
    "550 5.1.1 <ali@example.org>: Recipient address rejected: User unknown in virtual mailbox table",
    "550-5.1.1 The email account that you tried to reach does not exist.\r\n550 5.1.1 Please check",
    "556 5.1.10 The domain takes no mail",
    "550 5.2.1 The mailbox is closed",
    "550 No such user here",
    "550 Unrouteable address",
    "553 there is no such mailbox",
    "550 <ali@corporate.example> user unknown",
    "550 Requested action not taken: mailbox does not exist",
    "550 Invalid recipient",
    "550 Recipient address rejected: User unknown in local recipient table",
]
NOT_OF_THE_ADDRESS = [
    "450 4.1.1 Recipient address rejected: unverified",
    "451 4.7.1 Greylisted",
    "550 5.7.1 Relaying denied",
    "550 5.7.26 This mail is unauthenticated",
    "550 relay not permitted",
    "550 rejected because your address is listed at bl.example",
    "550 5.4.1 Recipient address rejected: Access denied",
    "552 5.2.2 The mailbox is full",
    "554 5.7.1 Service unavailable; client host blocked",
    "554 no",
    "550 5.1.8 Sender address rejected: domain not found",
    "530 5.7.0 Authentication required",
    "550 Too many invalid recipients",
    "550 Access from your IP not allowed",
    "550 rejected because 192.0.2.4 is in a black hole",
    "550 Message rejected",
    "550 Mail from your domain is not accepted here",
    "550 No thanks, connection dropped",
    "550 Callback setup failed while verifying <no-reply@lms.example>",
    "550 mailbox full",
    "550 Verification failed: callout",
    "550 No such domain at this location: of the sender <school@lms.example>",
    "550 Requested action not taken: mailbox unavailable",
]


@pytest.mark.parametrize(
    ("answer", "is_unreachable"),
    [*((one, True) for one in OF_THE_ADDRESS), *((one, False) for one in NOT_OF_THE_ADDRESS)],
)
async def test_an_address_is_unreachable_when_the_server_says_so_of_it(answer: str, is_unreachable: bool) -> None:
    async with mail_server() as place:
        place.at_recipient.append(answer)
        fault = await refused(postman(place))
    assert fault.is_unreachable is is_unreachable


async def test_no_other_no_is_of_the_address() -> None:
    for where in ("at_sender", "at_end"):
        async with mail_server() as place:
            getattr(place, where).append("550 5.1.1 No such mailbox")
            fault = await refused(postman(place))
        assert (fault.is_final, fault.is_unreachable) == (True, False)
