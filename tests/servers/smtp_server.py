"""A mail server on a real socket (aiosmtpd) that takes mails, or refuses, delays and breaks off as a test tells it to."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PATIENCE_SECONDS = 20
ACCOUNT = ("school", "a password of the school")
BREAK = "break"
"""An answer: the connection is broken off instead of one."""
SILENCE = "silence"
"""An answer: none comes."""


@dataclass(frozen=True, slots=True)
class Received:
    """A mail as the server has it."""

    sender: str
    recipient: str
    raw: bytes
    connection: int
    has_tls: bool

    @property
    def message(self) -> EmailMessage:
        """The mail as a mail program reads it."""
        message = message_from_bytes(self.raw, policy=default)
        assert isinstance(message, EmailMessage)
        return message

    def body(self, subtype: Literal["plain", "html"]) -> str:
        """The words of one of its forms."""
        part = self.message.get_body((subtype,))
        assert part is not None
        return str(part.get_content())


@dataclass
class MailPlace:
    """What a test sees of the server, and what it tells it. Answers are used up one by one; then everything is taken."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    at_sender: deque[str] = field(default_factory=deque)
    at_recipient: deque[str] = field(default_factory=deque)
    at_end: deque[str] = field(default_factory=deque)
    """After the mail was taken: what is answered instead of 250."""
    connections: int = 0
    addressed: int = 0
    """Letters whose reader was named, whatever became of them."""
    open: list[_Line] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_for(self, count: int) -> list[Received]:
        """The mails, once there are so many."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.received) < count:
                self._news.clear()
                await self._news.wait()
        return self.received

    def take(self, mail: Received) -> None:
        self.received.append(mail)
        self._news.set()

    def to(self, address: str) -> list[Received]:
        """The mails to one address."""
        return [mail for mail in self.received if mail.recipient == address]

    def hang_up(self) -> None:
        """Break off every connection, as a server does when it starts again."""
        for line in list(self.open):
            line.break_off()


class _Line(SMTP):
    """One connection."""

    def __init__(self, place: MailPlace, **options: Any) -> None:
        super().__init__(_Handler(place), hostname="mail.test", **options)
        self._place = place
        self.number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self.number:  # it is called again after STARTTLS
            self._place.connections += 1
            self.number = self._place.connections
            self._place.open.append(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._place.open:
            self._place.open.remove(self)
        super().connection_lost(error)

    def break_off(self) -> None:
        if self.transport is not None:
            self.transport.abort()  # type: ignore[attr-defined]


class _Handler:
    """What aiosmtpd calls."""

    def __init__(self, place: MailPlace) -> None:
        self._place = place

    async def handle_MAIL(  # noqa: N802, PLR0917 - as aiosmtpd calls it
        self,
        server: _Line,
        session: Session,  # noqa: ARG002
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if self._place.at_sender:
            return await _said(server, self._place.at_sender.popleft())
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802, PLR0917 - as aiosmtpd calls it
        self,
        server: _Line,
        session: Session,  # noqa: ARG002
        envelope: Envelope,
        address: str,
        options: list[str],  # noqa: ARG002
    ) -> str:
        if self._place.at_recipient:
            answer = await _said(server, self._place.at_recipient.popleft())
            if not answer.startswith("2"):
                return answer
        envelope.rcpt_tos.append(address)
        self._place.addressed += 1
        return "250 OK"

    async def handle_DATA(self, server: _Line, session: Session, envelope: Envelope) -> str:  # noqa: N802 - likewise
        raw = envelope.content
        assert isinstance(raw, bytes)
        for recipient in envelope.rcpt_tos:
            has_tls = session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None  # type: ignore[union-attr]
            self._place.take(Received(envelope.mail_from or "", recipient, raw, server.number, has_tls))
        return await _said(server, self._place.at_end.popleft() if self._place.at_end else "250 Taken")


async def _said(server: _Line, answer: str) -> str:
    if answer == BREAK:
        server.break_off()
        return "250 nobody hears this"
    if answer == SILENCE:
        await asyncio.Event().wait()  # until the connection is closed, which cancels this
    return answer


def _authenticate(  # noqa: PLR0917 - as aiosmtpd calls it
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    given = data if isinstance(data, LoginPassword) else LoginPassword(b"", b"")
    is_right = (given.login.decode(), given.password.decode()) == ACCOUNT
    return AuthResult(success=is_right, handled=False)  # handled would mean that the answer was given already


@asynccontextmanager
async def mail_server(
    *,
    tls: Literal["none", "starttls", "tls"] = "none",
    context: ssl.SSLContext | None = None,
    asks_account: bool = False,
    knows_utf8: bool = True,
) -> AsyncIterator[MailPlace]:
    """A server while the body runs. `starttls` and `tls` need a context."""
    place, loop = MailPlace(), asyncio.get_running_loop()
    options: dict[str, Any] = {"loop": loop, "timeout": PATIENCE_SECONDS, "enable_SMTPUTF8": knows_utf8}
    if tls == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if asks_account:
        options["authenticator"] = _authenticate
        # aiosmtpd knows of TLS from the first byte nothing: it would not offer to take the password
        options |= {"auth_require_tls": False} if tls == "tls" else {"auth_required": True}
    listening = await loop.create_server(
        lambda: _Line(place, **options), "127.0.0.1", 0, ssl=context if tls == "tls" else None
    )
    place.port = listening.sockets[0].getsockname()[1]
    try:
        yield place
    finally:
        listening.close()
        place.hang_up()
        await listening.wait_closed()


def certificate(folder: Path, *, host: str = "127.0.0.1") -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A certificate for a host: the context of a server that shows it, and that of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")])
    began = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        alternative = x509.DNSName(host)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(began)
        .not_valid_after(began + dt.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path, pem = folder / "mail.pem", serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(pem))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=made.public_bytes(pem).decode())
