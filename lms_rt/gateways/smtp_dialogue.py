"""What is said on a connection to a mail server, and what its answers mean. Connections themselves are `smtp.py`'s."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)
from aiosmtplib.protocol import SMTPProtocol

from lms_rt.gateways.mail import MailRefused

MAX_WORDS = 300
GOODBYE, GO_ON, TAKEN = 421, 354, 250
"""The server closes the connection (it had enough of it, or it stops); it waits for the letter; it has it."""
LATER_SECONDS = 300.0
"""A server that says "not now" (greylisting, a full queue) seldom means sooner."""
TROUBLE = (SMTPException, OSError, TimeoutError, ssl.SSLError)
_STATUS = re.compile(r"\s*5\.\d{1,3}\.\d{1,3}(?!\d)")
_ADDRESS_STATUSES = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""No such mailbox, no such host, no address at all, moved away, a domain that takes no mail, a mailbox that is closed."""
_ADDRESS_CODES = frozenset({550, 551, 553})
_WHO = r"(?:user|recipient|mailbox|address|account|addressee|person)"
_OF_ADDRESS = re.compile(
    rf"no such (?:\w+ )?{_WHO}|(?:unknown|invalid|unrouteable|nonexistent|non-existent) (?:\w+ )?{_WHO}|no {_WHO} by that name"
    rf"|{_WHO}\b.{{0,60}}\b(?:unknown|not (?:found|known|exist)|(?:doesn't|no longer) exists?|invalid)",
    re.IGNORECASE,
)
_NOT_OF_ADDRESS = re.compile(
    r"relay|polic|spam|block|black|listed|reputation|den(y|ied)|permi|prohibit|authenti|authori|sender|quota|limit|\brates?\b"
    r"|helo|dns|spf|dkim|dmarc|tls|encrypt|local problem|temporar|later|smtputf8|too many|full|\bips?\b|your|call(out|back)|verif"
    r"|connection|command",
    re.IGNORECASE,
)
_DOT, _END = re.compile(rb"^\.", re.MULTILINE), b".\r\n"


@dataclass(frozen=True, slots=True)
class Parcel:
    """A letter as it is handed in: `content` is what the connection carries between DATA and the line that ends it."""

    recipient: str
    content: bytes
    is_utf8: bool


async def open_envelope(client: SMTP, sender: str, parcel: Parcel) -> None:
    """From whom and to whom. Raises aiosmtplib's errors."""
    if parcel.is_utf8 and not client.supports_extension("smtputf8"):
        raise SMTPResponseException(553, "the server takes no address with letters beyond ASCII (SMTPUTF8)")
    options, encoding = (["SMTPUTF8"], "utf-8") if parcel.is_utf8 else ([], "ascii")
    await client.mail(sender, options=options, encoding=encoding)
    await client.rcpt(parcel.recipient, encoding=encoding)


async def send_words(client: SMTP, content: bytes) -> None:
    """The whole letter without the line that ends it: should we be killed now, the server throws it away."""
    answer = await client.execute_command(b"DATA")
    if answer.code != GO_ON:
        raise SMTPDataError(answer.code, answer.message)
    _write(client, content)


async def send_end(client: SMTP) -> None:
    """End the letter, and hear that the server has it."""
    protocol = _write(client, _END)
    try:
        answer = await protocol.read_response(timeout=client.timeout)
    except (SMTPServerDisconnected, SMTPTimeoutError):
        client.close()
        raise
    if answer.code != TAKEN:
        raise SMTPDataError(answer.code, answer.message)


def _write(client: SMTP, content: bytes) -> SMTPProtocol:
    if (protocol := client.protocol) is None:
        raise SMTPServerDisconnected("Connection lost")
    protocol.write(content)
    return protocol


def stuffed(content: bytes) -> bytes:
    """With a second dot before each line that begins with one: a line of one dot ends the letter (RFC 5321, 4.5.2)."""
    return _DOT.sub(b"..", content)


async def is_reset(client: SMTP, code: int) -> bool:
    """Can the connection be used again after such an answer?"""
    if not 400 <= code < 600 or code == GOODBYE:  # no answer of this protocol, or a farewell
        return False
    try:
        await client.rset()
    except TROUBLE:
        return False
    return True


def is_goodbye(error: ConnectionError | SMTPResponseException) -> bool:
    """Is the connection over, rather than the letter refused?"""
    return not isinstance(error, SMTPResponseException) or error.code == GOODBYE


def refusal(error: SMTPResponseException) -> MailRefused:
    """What a server's no means for the letter, and for the address."""
    words, is_final = words_of(error), 500 <= error.code < 600
    return MailRefused(
        f"the mail server refused: {words}",
        is_final=is_final,
        is_unreachable=is_final and isinstance(error, SMTPRecipientRefused) and _is_of_address(error),
        retry_after_seconds=None if is_final else LATER_SECONDS,
    )


def _is_of_address(error: SMTPRecipientRefused) -> bool:
    """Is it the address that is refused, now and ever, rather than us, this letter, or everybody?

    Servers that say it by an enhanced status code (RFC 3463) are believed; of the others those that say in words that there
    is no such mailbox, and nothing besides of rules, of themselves, or of us.
    """
    if (status := _STATUS.match(error.message)) is not None:
        return status[0].strip() in _ADDRESS_STATUSES
    said = " ".join(word for word in error.message.split() if "@" not in word)  # an address's letters say nothing
    is_said = error.code in _ADDRESS_CODES and _OF_ADDRESS.search(said) is not None
    return is_said and _NOT_OF_ADDRESS.search(said) is None


def words_of(error: BaseException) -> str:
    """What the server, or the network, said; on one line."""
    code = f"{error.code} " if isinstance(error, SMTPResponseException) else ""
    said = error.message if isinstance(error, SMTPException) and error.message else str(error)
    return f"{code}{' '.join(said.split()) or type(error).__name__}"[:MAX_WORDS]
