"""`python -m tests.perf.peers.bare_smtp PORT`: the loop that a program has around aiosmtplib, and nothing else.

It prints "ready", then takes the order `send COUNT CONNECTIONS FILE written|made`: the mail in FILE so often, over so many
connections that stay open, each with a reader and a Message-ID of its own. `written`: as aiosmtplib's documentation has it,
an `EmailMessage` for each, handed to `send_message`. `made`: the bytes are all there before, which no program that writes
to people has. Answered by the seconds it took. It keeps nothing, knows nobody, and has the words in its hand.
"""

from __future__ import annotations

import asyncio
import email.policy
import json
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from email.message import EmailMessage, MIMEPart
from itertools import count
from pathlib import Path
from typing import Any

from aiosmtplib import SMTP

_ENDS_OF_HEADER = b"\r\n"
_SENDER, _READER = "school@example.org", "student{}@example.org"
_OF_THE_MAIL = {"to", "message-id", "content-type", "mime-version", "content-transfer-encoding"}

Send = Callable[[SMTP, int], Coroutine[Any, Any, object]]
"""Send the mail of this number."""


def _written(mail: bytes, batch: int) -> Send:
    """Each is written when it is sent."""
    told = email.message_from_bytes(mail, _class=EmailMessage, policy=email.policy.default)
    text, html = (_words(told.get_body((kind,))) for kind in ("plain", "html"))
    headers = [(name, str(value)) for name, value in told.items() if name.lower() not in _OF_THE_MAIL]

    async def send(smtp: SMTP, number: int) -> None:
        message = EmailMessage()
        message["To"] = f"Reader {number} <{_READER.format(number)}>"
        message["Message-ID"] = f"<written-{batch}-{number}@example.org>"
        for name, value in headers:
            message[name] = value
        message.set_content(text)
        message.add_alternative(html, subtype="html")
        await smtp.send_message(message)

    return send


def _words(part: MIMEPart | None) -> str:
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def _made(mail: bytes, batch: int) -> Send:
    """Only the Message-ID is put before the same bytes."""
    lines = [line for line in mail.splitlines() if not line.lower().startswith(b"message-id:")]
    rest = _ENDS_OF_HEADER.join(lines)

    async def send(smtp: SMTP, number: int) -> None:
        content = b"Message-ID: <made-%d-%d@example.org>\r\n%s\r\n" % (batch, number, rest)
        await smtp.sendmail(_SENDER, [_READER.format(number)], content)

    return send


async def _send_all(port: int, numbers: Iterator[int], send: Send) -> None:
    """Over one connection, what the others leave."""
    async with SMTP(hostname="127.0.0.1", port=port, start_tls=False) as smtp:
        for number in numbers:
            await send(smtp, number)


async def _obey(port: int) -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    for batch in count():
        words = (await orders.readline()).decode().split()
        if not words:
            return
        _, number, connections, file, way = words
        mail = await asyncio.to_thread(Path(file).read_bytes)
        send = {"written": _written, "made": _made}[way](mail, batch)
        numbers = iter(range(int(number)))
        began = time.monotonic()
        await asyncio.gather(*(_send_all(port, numbers, send) for _ in range(int(connections))))
        sys.stdout.write(json.dumps({"seconds": time.monotonic() - began}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    asyncio.run(_obey(int(sys.argv[1])))
