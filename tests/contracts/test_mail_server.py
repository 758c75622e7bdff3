"""Letters by SMTP, against a real mail server: taken, refused, delayed, broken off; in TLS or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lms_rt.contracts.letters import Letter, Sender
from lms_rt.gateways import smtp
from lms_rt.gateways.mail import MailRefused, NoPostman
from lms_rt.gateways.smtp import MAX_CONNECTIONS, MAX_LETTERS, MailServer, SmtpPostman
from tests.servers.ports import free_port
from tests.servers.smtp_server import ACCOUNT, BREAK, SILENCE, MailPlace, certificate, mail_server

SENDER = Sender("school@lms.example", "Night School")
LETTER = Letter(
    message_id="msg_1@lms.example",
    template="quiz_results",
    recipient="ali@example.org",
    recipient_name="Ali Hassan",
    subject="Your results",
    text="Well done.\n.\nSee you.\n",
    html="<p>Well done.</p>",
    language="en",
    at=datetime(2026, 1, 5, 9, 0, tzinfo=UTC),
)


def postman(place: MailPlace, **changes: Any) -> SmtpPostman:
    context = changes.pop("context", None)
    options = {name: changes.pop(name) for name in ("idle_seconds", "max_connections") if name in changes}
    server = MailServer(**{"host": "127.0.0.1", "port": place.port, "tls": "none", "timeout_seconds": 20.0, **changes})
    return SmtpPostman(server, SENDER, tls_context=context, **options)


async def refused(carrier: SmtpPostman, letter: Letter = LETTER) -> MailRefused:
    with pytest.raises(MailRefused) as caught:
        await carrier.deliver(letter)
    await carrier.close()
    return caught.value


# --- what arrives ---


async def test_a_letter_arrives_as_text_and_html_with_the_headers_of_a_machine() -> None:
    async with mail_server() as place:
        carrier = postman(place)
        await carrier.deliver(LETTER)
        await carrier.close()
    (mail,) = place.received
    message = mail.message
    assert (mail.sender, mail.recipient) == ("school@lms.example", "ali@example.org")
    assert message["From"] == "Night School <school@lms.example>"
    assert message["To"] == "Ali Hassan <ali@example.org>"
    assert message["Message-ID"] == "<msg_1@lms.example>"
    assert message["Date"] == "Mon, 05 Jan 2026 09:00:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert mail.body("plain").replace("\r\n", "\n").strip() == LETTER.text.strip()
    assert mail.body("html").strip() == LETTER.html
    assert "List-Unsubscribe" not in message


async def test_what_can_be_switched_off_is_so_by_one_click() -> None:
    async with mail_server() as place:
        carrier = postman(place)
        await carrier.deliver(replace(LETTER, unsubscribe_url=f"https://lms.example/unsubscribe/{'t' * 200}"))
        await carrier.close()
    message = place.received[0].message
    assert message["List-Unsubscribe"] == f"<https://lms.example/unsubscribe/{'t' * 200}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


async def test_arabic_arrives_in_subject_name_and_body() -> None:
    words = {"recipient_name": "علي حسن", "subject": "نتيجتك في الجبر", "text": "أحسنت\n" * 200, "html": "<p>أحسنت</p>"}
    async with mail_server() as place:
        carrier = postman(place)
        await carrier.deliver(replace(LETTER, **words))  # type: ignore[arg-type]
        await carrier.close()
    message, mail = place.received[0].message, place.received[0]
    assert message["Subject"] == words["subject"]
    assert message["To"].addresses[0].display_name == words["recipient_name"]
    assert mail.body("plain").replace("\r\n", "\n").strip() == words["text"].strip()
    assert mail.body("html").strip() == words["html"]
    assert mail.raw.isascii()
    assert max(map(len, mail.raw.split(b"\r\n"))) <= 998


async def test_addresses_of_the_whole_world_are_reached() -> None:
    async with mail_server() as place:
        carrier = postman(place)
        await carrier.deliver(replace(LETTER, recipient="علي@example.org"))
        await carrier.deliver(replace(LETTER, recipient="ali@bücher.example"))
        await carrier.close()
    assert [mail.recipient for mail in place.received] == ["علي@example.org", "ali@xn--bcher-kva.example"]


async def test_a_school_of_any_domain_can_write() -> None:
    sender = Sender("schule@schüle.example", "Schüle")
    async with mail_server() as place:
        carrier = SmtpPostman(MailServer(host="127.0.0.1", port=place.port, tls="none"), sender)
        await carrier.deliver(replace(LETTER, message_id=f"msg_1@{sender.domain}"))
        await carrier.close()
    (mail,) = place.received
    assert mail.sender == "schule@xn--schle-mva.example"
    assert mail.message["From"].addresses[0].addr_spec == mail.sender
    assert mail.message["Message-ID"] == "<msg_1@xn--schle-mva.example>"


async def test_nobody_adds_a_part_by_foretelling_where_one_ends() -> None:
    """The id of a letter can be computed by who knows the job, and a letter may come twice."""
    named = f"=_{hashlib.sha256(LETTER.message_id.encode()).hexdigest()[:32]}"
    async with mail_server() as place:
        carrier = postman(place)
        await carrier.deliver(LETTER)
        once = str(place.received[0].message.get_boundary())
        for foretold in (named, once):
            forged = f"--{foretold}\nContent-Type: text/html\n\n<a href=//evil.example>Sign in</a>\n--{foretold}--\n"
            await carrier.deliver(replace(LETTER, text=forged))
        await carrier.close()
    for mail in place.received[1:]:
        assert [part.get_content_type() for part in mail.message.iter_parts()] == ["text/plain", "text/html"]
        assert "evil.example" in mail.body("plain")
        assert mail.body("html").strip() == LETTER.html


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Results\r\nBcc: all@example.org"},
        {"recipient_name": "Ali\r\nBcc: all@example.org"},
        {"recipient": "ali@example.org\r\nBcc: all@example.org"},
        {"recipient": "ali@example.org>\r\nRCPT TO:<all@example.org"},
        {"message_id": "x@y>\r\nBcc: all@example.org"},
        {"unsubscribe_url": "https://x>\r\nBcc: all@example.org"},
        {"recipient": "nobody"},
    ],
)
async def test_nobody_writes_a_header_or_a_command_of_their_own(changes: dict[str, str]) -> None:
    async with mail_server() as place:
        fault = await refused(postman(place), replace(LETTER, **changes))  # type: ignore[arg-type]
    assert fault.is_final
    assert place.received == []


# --- what the server says ---


@pytest.mark.parametrize("where", ["at_recipient", "at_end"])
async def test_a_server_that_says_never_is_believed(where: str) -> None:
    async with mail_server() as place:
        getattr(place, where).append("550 5.1.1 No such mailbox")
        fault = await refused(postman(place))
    assert fault.is_final
    assert str(fault) == "the mail server refused: 550 5.1.1 No such mailbox"


@pytest.mark.parametrize("where", ["at_recipient", "at_end"])
async def test_a_server_that_says_later_is_asked_later(where: str) -> None:
    async with mail_server() as place:
        getattr(place, where).append("451 4.7.1 Greylisted, try again later")
        fault = await refused(postman(place))
    assert not fault.is_final
    assert fault.retry_after_seconds == 300
    assert "Greylisted" in str(fault)


async def test_a_refused_letter_does_not_spoil_the_connection() -> None:
    async with mail_server() as place:
        place.at_recipient.append("550 5.1.1 No such mailbox")
        carrier = postman(place)
        with pytest.raises(MailRefused):
            await carrier.deliver(LETTER)
        await carrier.deliver(LETTER)
        await carrier.close()
    assert len(place.received) == place.connections == 1


async def test_a_server_that_knows_no_such_addresses_is_not_asked() -> None:
    async with mail_server(knows_utf8=False) as place:
        fault = await refused(postman(place), replace(LETTER, recipient="علي@example.org"))
    assert fault.is_final
    assert "SMTPUTF8" in str(fault)
    assert place.received == []


# --- what befalls the line ---


async def test_one_connection_carries_letters_until_it_is_worn_out() -> None:
    async with mail_server() as place:
        carrier = postman(place)
        for _ in range(MAX_LETTERS + 1):
            await carrier.deliver(LETTER)
        await carrier.close()
    assert [mail.connection for mail in place.received] == [1] * MAX_LETTERS + [2]


async def test_many_letters_at_once_share_a_few_connections() -> None:
    async with mail_server() as place:
        carrier = postman(place)
        letters = [replace(LETTER, message_id=f"msg_{n}@lms.example") for n in range(40)]
        await asyncio.gather(*(carrier.deliver(letter) for letter in letters))
        await carrier.close()
    assert len({mail.message["Message-ID"] for mail in place.received}) == 40
    assert place.connections == MAX_CONNECTIONS


async def test_a_connection_that_nobody_uses_is_closed() -> None:
    async with mail_server() as place:
        carrier = postman(place, idle_seconds=0)
        await carrier.deliver(LETTER)
        await carrier.close_idle()
        await carrier.deliver(LETTER)
        await carrier.close()
    assert [mail.connection for mail in place.received] == [1, 2]


async def test_a_connection_that_is_used_stays() -> None:
    async with mail_server() as place:
        carrier = postman(place)
        await carrier.deliver(LETTER)
        await carrier.close_idle()
        await carrier.deliver(LETTER)
        await carrier.close()
    assert [mail.connection for mail in place.received] == [1, 1]


@pytest.mark.parametrize("lines", [1, 5])
async def test_connections_that_died_between_letters_are_replaced(lines: int) -> None:
    async with mail_server() as place:
        carrier = postman(place, max_connections=lines)
        await asyncio.gather(*(carrier.deliver(LETTER) for _ in range(lines)))
        place.hang_up()
        await asyncio.gather(*(carrier.deliver(LETTER) for _ in range(lines)))
        await carrier.close()
    assert len(place.received) == 2 * lines


async def test_a_used_connection_that_breaks_at_its_first_word_is_replaced_once() -> None:
    async with mail_server() as place:
        carrier = postman(place)
        await carrier.deliver(LETTER)
        place.at_recipient.append(BREAK)
        await carrier.deliver(LETTER)
        place.at_recipient.extend([BREAK, BREAK])
        fault = await refused(carrier)
    assert not fault.is_final
    assert len(place.received) == 2
    assert place.connections == 3


@pytest.mark.parametrize("where", ["at_sender", "at_recipient"])
async def test_a_used_connection_that_says_goodbye_is_replaced_once(where: str) -> None:
    goodbye = "421 4.4.2 Closing the connection, too long idle"
    async with mail_server() as place:
        carrier = postman(place)
        await carrier.deliver(LETTER)
        getattr(place, where).append(goodbye)
        await carrier.deliver(LETTER)
        getattr(place, where).extend([goodbye, goodbye])
        fault = await refused(carrier)
    assert not fault.is_final
    assert "421" in str(fault)
    assert [mail.connection for mail in place.received] == [1, 2]
    assert place.connections == 3


async def test_after_a_break_behind_data_the_repeat_bears_the_same_message_id() -> None:
    async with mail_server() as place:
        place.at_end.append(BREAK)
        carrier = postman(place)
        with pytest.raises(MailRefused) as caught:
            await carrier.deliver(LETTER)
        assert len(place.received) == 1  # not sent again by itself: the server may have it
        await carrier.deliver(LETTER)
        await carrier.close()
    assert not caught.value.is_final
    assert {mail.message["Message-ID"] for mail in place.received} == {"<msg_1@lms.example>"}
    assert len(place.received) == 2


@pytest.mark.parametrize("where", ["at_recipient", "at_end"])
async def test_a_server_that_does_not_answer_is_given_up(where: str) -> None:
    async with mail_server() as place:
        getattr(place, where).append(SILENCE)
        carrier = postman(place, timeout_seconds=0.2)
        async with asyncio.timeout(10):  # sooner than the server would close the connection
            fault = await refused(carrier)
        assert not fault.is_final
        carrier._server = replace(carrier._server, timeout_seconds=20.0)  # the next may take as long as it does
        await carrier.deliver(LETTER)
        await carrier.close()
    assert place.connections == 2


async def test_no_server_at_all_is_said_in_words() -> None:
    fault = await refused(postman(MailPlace(port=free_port())))
    assert (fault.is_final, fault.is_outage) == (False, True)
    assert str(fault).startswith("the mail server cannot be reached: ")


async def test_a_letter_that_never_had_its_turn_is_not_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "LETTER_SECONDS", 0.5)
    monkeypatch.setattr(smtp, "TURN_SECONDS", 0.25)
    async with mail_server() as place:
        place.at_recipient.append(SILENCE)
        carrier = postman(place, max_connections=1)
        carried = await asyncio.gather(*(carrier.deliver(LETTER) for _ in range(2)), return_exceptions=True)
        await carrier.close()
    first, second = carried
    assert isinstance(first, MailRefused)
    assert isinstance(second, MailRefused)
    assert (first.is_outage, second.is_outage) == (False, True)


async def test_a_letter_that_is_given_up_midway_leaves_no_connection_behind() -> None:
    async with mail_server() as place:
        place.at_recipient.append(SILENCE)
        carrier = postman(place, max_connections=1)
        sending = asyncio.ensure_future(carrier.deliver(LETTER))
        async with asyncio.timeout(20):
            while place.at_recipient:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        async with asyncio.timeout(10):  # sooner than the server would close it
            while place.open:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.01)
        await carrier.deliver(LETTER)
        await carrier.close()
    assert [mail.connection for mail in place.received] == [2]


async def test_without_a_mail_server_a_letter_waits() -> None:
    with pytest.raises(MailRefused, match="no mail server is set") as caught:
        await NoPostman().deliver(LETTER)
    assert not caught.value.is_final


# --- TLS and the account ---


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_letter_travels_in_tls_with_the_account(tls: Any, tmp_path: Path) -> None:
    shown, trusted = certificate(tmp_path)
    async with mail_server(tls=tls, context=shown, asks_account=True) as place:
        carrier = postman(place, tls=tls, context=trusted, username=ACCOUNT[0], password=ACCOUNT[1])
        await carrier.deliver(LETTER)
        await carrier.close()
    assert [mail.has_tls for mail in place.received] == [True]


@pytest.mark.parametrize("account", [("", ""), ACCOUNT])
async def test_where_no_starttls_is_offered_nothing_is_sent_in_the_clear(account: tuple[str, str]) -> None:
    async with mail_server(tls="none") as place:
        fault = await refused(postman(place, tls="starttls", username=account[0], password=account[1]))
    assert not fault.is_final
    assert "STARTTLS" in str(fault)
    assert place.received == []


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("host", ["127.0.0.1", "other.example"])
async def test_a_certificate_that_is_not_trusted_or_not_the_hosts_is_refused(
    tls: Any, host: str, tmp_path: Path
) -> None:
    shown, trusted = certificate(tmp_path, host=host)
    context = ssl.create_default_context() if host == "127.0.0.1" else trusted
    async with mail_server(tls=tls, context=shown) as place:
        fault = await refused(postman(place, tls=tls, context=context))
    assert not fault.is_final
    assert "certificate" in str(fault).lower()
    assert place.received == []


async def test_a_wrong_password_is_said_without_it(tmp_path: Path) -> None:
    shown, trusted = certificate(tmp_path)
    async with mail_server(tls="starttls", context=shown, asks_account=True) as place:
        changes = {"username": ACCOUNT[0], "password": "wrong-and-secret"}
        fault = await refused(postman(place, tls="starttls", context=trusted, **changes))
    assert (fault.is_final, fault.is_outage) == (False, True)  # the settings are wrong, not the mail
    assert "535" in str(fault)
    assert "wrong-and-secret" not in str(fault)
