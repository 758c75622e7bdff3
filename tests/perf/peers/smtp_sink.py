"""`python -m tests.perf.peers.smtp_sink DELAY_MS`: aiosmtpd, which takes every mail after so long, and counts them.

It prints "ready PORT", then takes orders. `count` is answered by how many mails came since `again`, how many of them
differ by their Message-ID, and the seconds from the first to the last; `keep FILE` also writes the last one there.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


class Sink:
    """What aiosmtpd calls for each mail."""

    def __init__(self, delay_seconds: float) -> None:
        self.last = b""
        self._delay_seconds = delay_seconds
        self.begin_again()

    def begin_again(self) -> None:
        """Count from here."""
        self._count, self._first_at, self._last_at = 0, 0.0, 0.0
        self._ids: set[bytes] = set()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002 - as aiosmtpd calls it
        """Take it."""
        content = envelope.content
        assert isinstance(content, bytes)
        named = _MESSAGE_ID.search(content)
        if self._delay_seconds:
            await asyncio.sleep(self._delay_seconds)
        self._count += 1
        self._ids.add(named[1] if named else b"")
        self.last, self._last_at = content, time.monotonic()
        self._first_at = self._first_at or self._last_at
        return "250 Taken"

    def report(self) -> dict[str, Any]:
        """What came."""
        return {"count": self._count, "distinct": len(self._ids), "seconds": self._last_at - self._first_at}


async def _serve() -> None:
    sink, loop = Sink(float(sys.argv[1]) / 1000), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(sink, hostname="sink.test", loop=loop), "127.0.0.1", 0)
    _say(f"ready {server.sockets[0].getsockname()[1]}")
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while words := (await orders.readline()).decode().split():
        match words:
            case ["keep", file]:
                await asyncio.to_thread(Path(file).write_bytes, sink.last)
            case ["again"]:
                sink.begin_again()
        _say(json.dumps(sink.report()))


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve())
