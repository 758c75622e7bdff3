"""Letters by SMTP: a few connections that are kept and used again. A letter is never sent in the clear against the settings.

A connection is closed after `MAX_LETTERS` or when nobody used it for `IDLE_SECONDS`. One that turns out to be dead when
it is used again, or that the server takes leave of then, is replaced, once; one that dies after DATA is not, since the
server may have the letter: the job comes back with the same Message-ID.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass
from typing import Literal

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPResponseException

from lms_rt.contracts.letters import Letter, Sender
from lms_rt.gateways.mail import MailRefused, Postman
from lms_rt.gateways.mime import envelope_address, mime_bytes, needs_utf8

MAX_CONNECTIONS = 5
MAX_LETTERS = 100
IDLE_SECONDS = 60.0
LOOK_SECONDS = 10.0
LETTER_SECONDS = 50.0
"""For one letter in all, below the time limit of its job: a server may be slow at every step."""
FAREWELL_SECONDS = 2.0
MAX_WORDS = 300
GOODBYE = 421
"""The server closes the connection: it had enough of it, or it stops."""
LATER_SECONDS = 300.0
"""A server that says "not now" (greylisting, a full queue) seldom means sooner."""
SETTINGS_SECONDS = 120.0
"""What somebody has to mend: the address, the password, the certificate, the server itself."""
_TROUBLE = (SMTPException, OSError, TimeoutError, ssl.SSLError)


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where letters are handed in."""

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"] = "starttls"
    username: str = ""
    password: str = ""
    timeout_seconds: float = 15.0


@dataclass(slots=True)
class _Line:
    """One connection. `count` letters went over it."""

    client: SMTP
    count: int = 0
    idle_since: float = 0.0


class SmtpPostman(Postman):
    """Hands letters to one mail server."""

    def __init__(
        self,
        server: MailServer,
        sender: Sender,
        *,
        tls_context: ssl.SSLContext | None = None,
        max_connections: int = MAX_CONNECTIONS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._server, self._sender = server, sender
        self._address = envelope_address(sender.address)
        self._tls_context = tls_context
        self._idle_seconds = idle_seconds
        self._places = asyncio.Semaphore(max_connections)
        self._idle: deque[_Line] = deque()
        self._is_closed = False

    async def deliver(self, letter: Letter) -> None:
        """Return when the server has taken it."""
        try:
            content = mime_bytes(letter, self._sender)
            recipient = envelope_address(letter.recipient)
        except ValueError as error:  # a line break in a header, an address that is none
            raise MailRefused(f"cannot be written as a mail: {error}", is_final=True) from error
        line = None
        try:
            async with asyncio.timeout(LETTER_SECONDS), self._places:
                line = self._used_line() or await self._new_line()
                await self._hand_in(line, recipient, content, is_utf8=needs_utf8(letter))
        except TimeoutError as error:
            words, is_outage = "the mail server is too slow", line is None
            raise MailRefused(words, is_outage=is_outage, retry_after_seconds=SETTINGS_SECONDS) from error

    async def run(self) -> None:
        """Close what nobody uses, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.close_idle()

    async def close_idle(self) -> None:
        """Close connections that were not used for long."""
        limit = asyncio.get_running_loop().time() - self._idle_seconds
        while self._idle and self._idle[0].idle_since <= limit:
            await _leave(self._idle.popleft())

    async def close(self) -> None:
        """Close every connection; those in use end with their letter."""
        self._is_closed = True
        while self._idle:
            await _leave(self._idle.popleft())

    # --- one letter ---

    async def _hand_in(self, line: _Line, recipient: str, content: bytes, *, is_utf8: bool) -> None:
        is_sound = False
        try:
            try:
                await _open_envelope(line.client, self._address, recipient, is_utf8=is_utf8)
            except (ConnectionError, SMTPResponseException) as error:
                if not line.count or not _is_goodbye(error):
                    raise
                line.client.close()  # it had died of age: the server knows nothing of this letter
                line = await self._new_line()
                await _open_envelope(line.client, self._address, recipient, is_utf8=is_utf8)
            await line.client.data(content)
            is_sound = True
        except SMTPResponseException as error:
            is_sound = await _is_reset(line.client, error.code)
            raise _refusal(error) from error
        except _TROUBLE as error:
            raise MailRefused(f"the connection to the mail server broke: {_words(error)}") from error
        finally:
            await self._put_back(line, is_sound=is_sound)

    # --- connections ---

    def _used_line(self) -> _Line | None:
        """The connection that was used last, of those that are free."""
        while self._idle:
            line = self._idle.pop()
            if line.client.is_connected:
                return line
            line.client.close()
        return None

    async def _new_line(self) -> _Line:
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password or None,
            use_tls=server.tls == "tls",
            start_tls=server.tls == "starttls",  # True: an error where the server offers none
            tls_context=self._tls_context,
            timeout=server.timeout_seconds,
            local_hostname=self._sender.domain,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:  # what the server can do has to be known before the first letter
                await client.ehlo()
        except SMTPAuthenticationError as error:
            client.close()
            words = f"the mail server refused the account: {_words(error)}"
            raise MailRefused(words, is_outage=True, retry_after_seconds=SETTINGS_SECONDS) from error
        except (*_TROUBLE, ValueError) as error:
            client.close()
            words = f"the mail server cannot be reached: {_words(error)}"
            raise MailRefused(words, is_outage=True, retry_after_seconds=SETTINGS_SECONDS) from error
        except BaseException:
            client.close()
            raise
        return _Line(client)

    async def _put_back(self, line: _Line, *, is_sound: bool) -> None:
        """Keep it for the next letter, unless it is broken, worn out, or nobody comes any more."""
        line.count += 1
        if not is_sound or not line.client.is_connected:
            line.client.close()
        elif self._is_closed or line.count >= MAX_LETTERS:
            await _leave(line)
        else:
            line.idle_since = asyncio.get_running_loop().time()
            self._idle.append(line)


async def _open_envelope(client: SMTP, sender: str, recipient: str, *, is_utf8: bool) -> None:
    """From whom and to whom. Raises aiosmtplib's errors."""
    if is_utf8 and not client.supports_extension("smtputf8"):
        raise SMTPResponseException(553, "the server takes no address with letters beyond ASCII (SMTPUTF8)")
    options, encoding = (["SMTPUTF8"], "utf-8") if is_utf8 else ([], "ascii")
    await client.mail(sender, options=options, encoding=encoding)
    await client.rcpt(recipient, encoding=encoding)


async def _is_reset(client: SMTP, code: int) -> bool:
    """Can the connection be used again after such an answer?"""
    if not 400 <= code < 600 or code == GOODBYE:  # no answer of this protocol, or a farewell
        return False
    try:
        await client.rset()
    except _TROUBLE:
        return False
    return True


def _is_goodbye(error: ConnectionError | SMTPResponseException) -> bool:
    """Is the connection over, rather than the letter refused?"""
    return not isinstance(error, SMTPResponseException) or error.code == GOODBYE


async def _leave(line: _Line) -> None:
    try:
        await line.client.quit(timeout=FAREWELL_SECONDS)
    except _TROUBLE:
        line.client.close()


def _refusal(error: SMTPResponseException) -> MailRefused:
    words = f"the mail server refused: {_words(error)}"
    is_final = 500 <= error.code < 600
    return MailRefused(words, is_final=is_final, retry_after_seconds=None if is_final else LATER_SECONDS)


def _words(error: BaseException) -> str:
    """What the server, or the network, said; on one line."""
    code = f"{error.code} " if isinstance(error, SMTPResponseException) else ""
    said = error.message if isinstance(error, SMTPException) and error.message else str(error)
    return f"{code}{' '.join(said.split()) or type(error).__name__}"[:MAX_WORDS]
