"""Letters by SMTP: a few connections that are kept and used again. A letter is never sent in the clear against the settings.

A connection is closed after `MAX_LETTERS` or when nobody used it for `IDLE_SECONDS`. One that turns out to be dead when
it is used again, or that the server takes leave of then, is replaced, once; one that dies after DATA is not, since the
server may have the letter: the job comes back with the same Message-ID.

Everything up to the last line of a letter goes over all connections at once. From its end, by which the server has it, until
that is written down, there is one letter only (`handovers`): whoever is killed leaves no more than this one in doubt.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPResponseException

from lms_rt.contracts.letters import Letter, Sender
from lms_rt.gateways.mail import Hold, MailRefused, Note, Postman, no_hold, no_note
from lms_rt.gateways.mime import envelope_address, mime_bytes, needs_utf8
from lms_rt.gateways.smtp_dialogue import (
    TROUBLE,
    Parcel,
    is_goodbye,
    is_reset,
    open_envelope,
    refusal,
    send_end,
    send_words,
    stuffed,
    words_of,
)

MAX_CONNECTIONS = 5
MAX_LETTERS = 100
IDLE_SECONDS = 60.0
LOOK_SECONDS = 10.0
LETTER_SECONDS = 50.0
"""For one letter from when it has a connection of its own: a server may be slow at every step."""
TURN_SECONDS = 100.0
"""So long it waits for one; both together are below the time limit of its job."""
FAREWELL_SECONDS = 2.0
SETTINGS_SECONDS = 120.0
"""What somebody has to mend: the address, the password, the certificate, the server itself."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where letters are handed in. `handovers`: so many it may have at once that are not noted yet."""

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"] = "starttls"
    username: str = ""
    password: str = ""
    timeout_seconds: float = 15.0
    handovers: int = 1


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
        self._ending = asyncio.Semaphore(server.handovers)
        self._idle: deque[_Line] = deque()
        self._is_closed = False

    async def deliver(self, letter: Letter, note: Note = no_note, *, hold: Hold = no_hold) -> None:
        """Return when the server has taken it, and that is noted."""
        try:
            content = stuffed(mime_bytes(letter, self._sender))
            parcel = Parcel(envelope_address(letter.recipient), content, needs_utf8(letter))
        except ValueError as error:  # a line break in a header, an address that is none
            raise MailRefused(f"cannot be written as a mail: {error}", is_final=True) from error
        async with self._turn():
            line = None
            try:
                async with asyncio.timeout(LETTER_SECONDS) as limit:
                    line = self._used_line() or await self._new_line()
                    await self._hand_in(line, parcel, end=partial(self._end, note=note, hold=hold), limit=limit)
            except TimeoutError as error:
                raise _too_slow(is_outage=line is None) from error

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

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One of the places for a connection; a letter that gets none is not to blame."""
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            raise _too_slow(is_outage=True) from error
        try:
            yield
        finally:
            self._places.release()

    async def _hand_in(
        self, line: _Line, parcel: Parcel, *, end: Callable[[SMTP], Awaitable[None]], limit: asyncio.Timeout
    ) -> None:
        is_sound = False
        try:
            try:
                await open_envelope(line.client, self._address, parcel)
            except (ConnectionError, SMTPResponseException) as error:
                if not line.count or not is_goodbye(error):
                    raise
                line.client.close()  # it had died of age: the server knows nothing of this letter
                line = await self._new_line()
                await open_envelope(line.client, self._address, parcel)
            await send_words(line.client, parcel.content)
            limit.reschedule(None)  # from here on, the server may have the letter, or it waits for letters before it
            await end(line.client)
            is_sound = True
        except SMTPResponseException as error:
            is_sound = await is_reset(line.client, error.code)
            raise refusal(error) from error
        except TROUBLE as error:
            raise MailRefused(f"the connection to the mail server broke: {words_of(error)}") from error
        finally:
            await self._put_back(line, is_sound=is_sound)

    async def _end(self, client: SMTP, *, note: Note, hold: Hold) -> None:
        """Hand over what was sent, if it is ours still, and have it noted before another letter takes its turn."""
        async with self._ending:
            await hold()
            await send_end(client)
            await note()

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
            words = f"the mail server refused the account: {words_of(error)}"
            raise MailRefused(words, is_outage=True, retry_after_seconds=SETTINGS_SECONDS) from error
        except (*TROUBLE, ValueError) as error:
            client.close()
            words = f"the mail server cannot be reached: {words_of(error)}"
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


def _too_slow(*, is_outage: bool) -> MailRefused:
    words = "the mail server is too slow"
    return MailRefused(words, is_outage=is_outage, retry_after_seconds=SETTINGS_SECONDS)


async def _leave(line: _Line) -> None:
    try:
        await line.client.quit(timeout=FAREWELL_SECONDS)
    except TROUBLE:
        line.client.close()
