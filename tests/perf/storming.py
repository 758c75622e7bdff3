"""`python -m tests.perf.storming PORT FILE PASSWORD`: everybody in FILE (an address a line) signs in at the same moment.

Each comes over a connection of its own and from an address of its own, as a proxy that is trusted tells it. Whoever is told
when to come again does so. Orders come on standard input:

    begin   all of them knock; answered by "{}"
    end     all leave; answered, once nothing waits to be hashed any more, by how they were answered so far:
            {"first": {status: how many}, "again": {…}, "without a time to come again": 0}

They give way to who is measured beside them, with whom they share a core.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.perf.plain_http import HttpLine, Reply
from tests.perf.programs import give_way

_PATH = "/api/v1/auth/login"
_TURNED_AWAY = frozenset({429, 503})
_MOST_TRIES = 60


class Storm:
    """Those who want to sign in, and what they were told."""

    def __init__(self, port: int, emails: list[str], password: str) -> None:
        self._port, self._password = port, password
        self._last, *self._emails = emails
        self._first: Counter[str] = Counter()
        self._again: Counter[str] = Counter()
        self._timeless = 0
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Let them come, and count from here."""
        self._first, self._again, self._timeless = Counter(), Counter(), 0
        self._tasks = [asyncio.create_task(self._come(place, email)) for place, email in enumerate(self._emails)]

    async def end(self) -> dict[str, Any]:
        """Let them leave, and wait until one more gets in behind all who still wait."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._last_one()
        told = {"first": dict(self._first), "again": dict(self._again)}
        return {**told, "without a time to come again": self._timeless}

    async def _last_one(self) -> None:
        for _ in range(_MOST_TRIES):
            try:
                reply = await self._sign_in(len(self._emails), self._last)
            except TimeoutError:  # a machine that has other things to do
                continue
            if reply.status not in _TURNED_AWAY:
                return
            await asyncio.sleep(1)

    async def _come(self, place: int, email: str) -> None:
        """Knock until one is in."""
        counted = self._first
        while True:
            try:
                reply = await self._sign_in(place, email)
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                counted[type(error).__name__] += 1
                return
            counted[str(reply.status)] += 1
            if reply.status not in _TURNED_AWAY:
                return
            self._timeless += reply.retry_after_seconds is None
            counted = self._again
            await asyncio.sleep(reply.retry_after_seconds or 1)

    async def _sign_in(self, place: int, email: str) -> Reply:
        line = await HttpLine.dial(self._port)
        try:
            address = f"X-Forwarded-For: 10.{place >> 16 & 255}.{place >> 8 & 255}.{place & 255}"
            return await line.ask("POST", _PATH, address, body={"email": email, "password": self._password})
        finally:
            line.close()


async def _obey(storm: Storm) -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    _print("ready")
    while words := (await orders.readline()).decode().split():
        match words:
            case ["begin"]:
                storm.begin()
                _print("{}")
            case ["end"]:
                _print(json.dumps(await storm.end()))


def _print(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> None:
    """Storm when told to, until the input ends."""
    port, file, password = sys.argv[1:]
    give_way()
    asyncio.run(_obey(Storm(int(port), Path(file).read_text().split(), password)))


if __name__ == "__main__":
    main()
