"""`python -m tests.perf.peers.bare_smtp PORT`: the loop that a program has around aiosmtplib, and nothing else.

It prints "ready", then takes the order `send COUNT CONNECTIONS FILE`: the mail in FILE so often, over so many connections
that stay open, each with a Message-ID of its own. Answered by the seconds it took. It keeps nothing and knows nobody.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from aiosmtplib import SMTP

_ENDS_OF_HEADER = b"\r\n"


async def _send(port: int, mails: Iterator[bytes]) -> None:
    async with SMTP(hostname="127.0.0.1", port=port, start_tls=False) as smtp:
        for mail in mails:
            await smtp.sendmail("school@example.org", ["student@example.org"], mail)


def _mails(number: int, template: bytes, batch: int) -> Iterator[bytes]:
    """So many, by turns for all connections."""
    lines = [line for line in template.splitlines() if not line.lower().startswith(b"message-id:")]
    rest = _ENDS_OF_HEADER.join(lines)
    return (b"Message-ID: <bare-%d-%d@example.org>\r\n%s\r\n" % (batch, n, rest) for n in range(number))


async def _obey(port: int) -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    for batch in count():
        words = (await orders.readline()).decode().split()
        if not words:
            return
        _, number, connections, file = words
        mails = _mails(int(number), await asyncio.to_thread(Path(file).read_bytes), batch)
        began = time.monotonic()
        await asyncio.gather(*(_send(port, mails) for _ in range(int(connections))))
        sys.stdout.write(json.dumps({"seconds": time.monotonic() - began}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    asyncio.run(_obey(int(sys.argv[1])))
