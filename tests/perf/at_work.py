"""`python -m tests.perf.at_work PORT FILE COURSE QUIZ`: people who read their course and sit its quiz, and how long they wait.

FILE has the paths by which they open the socket, each with the token of its person. Each of them reads the course once a second
and saves an answer over the socket once a second, each in turn. Orders come on standard input:

    work SECONDS   answered by how long it took, in microseconds: {"read": {"p99_us", …}, "save": {…}, "refused": 0}
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import quantiles
from typing import Any

from tests.live.raw_line import RawLine, Stranger
from tests.perf.plain_http import HttpLine

_DEVICE = "laptop"
_PAUSE_SECONDS = 5.0
"""Connections that rest for long are closed."""


class Person:
    """One who reads, and answers the first question again and again."""

    def __init__(self, line: RawLine, http: HttpLine, token: str, course_id: str) -> None:
        self._line, self._http = line, http
        self._token, self._course_id = f"Authorization: Bearer {token}", course_id
        self._held: dict[str, Any] = {}
        self._saved = 0
        self._revision = 0

    @classmethod
    async def come(cls, stranger: Stranger, path: str, *, course_id: str, quiz_id: str) -> Person:
        """Open the socket, and begin the quiz."""
        line, http = await stranger.open(path), await HttpLine.dial(stranger.port)
        person = cls(line, http, path.partition("token=")[2], course_id)
        await person.read()
        began = (await person._line.ask("attempt.start", quiz_id=quiz_id, device_id=_DEVICE))["result"]
        question_id = began["questions"][0]["id"]
        person._held = {
            "attempt_id": began["id"],
            "device_id": _DEVICE,
            "lease": began["lease"],
            "question_id": question_id,
        }
        return person

    async def rest(self, until: asyncio.Event) -> None:
        """Keep both lines while there is nothing else to do: answer pings, read now and then."""
        pongs = asyncio.create_task(self._answer_pings())
        while not until.is_set():
            try:
                async with asyncio.timeout(_PAUSE_SECONDS * random.uniform(0.5, 1)):  # noqa: S311 - only not all at once
                    await until.wait()
            except TimeoutError:
                await self.read()
        pongs.cancel()
        await asyncio.gather(pongs, return_exceptions=True)

    async def _answer_pings(self) -> None:
        while True:
            await self._line.message()

    async def read(self) -> bool:
        """Read the course; False: refused."""
        return (await self._http.ask("GET", f"/api/v1/courses/{self._course_id}", self._token)).status == 200

    async def save(self) -> bool:
        """Save an answer; False: refused."""
        self._saved += 1
        value, op_id = "abc"[self._saved % 3], f"op{self._saved}"
        answer = {"value": value, "op_id": op_id, "seq": self._saved, "base_revision": self._revision}
        reply = await self._line.ask("answer.save", **self._held, **answer)
        self._revision = reply["result"]["revision"] if reply["ok"] else self._revision
        return bool(reply["ok"])


class Work:
    """All of them at it for a while, evenly over each second."""

    def __init__(self, people: list[Person]) -> None:
        self._people = people
        self._waits_us: dict[str, list[float]] = {"read": [], "save": []}
        self._refused = 0

    async def go_on(self, seconds: int) -> dict[str, Any]:
        """Work for so long; how long each thing took."""
        began, number = time.monotonic() + 0.1, len(self._people)
        async with asyncio.TaskGroup() as group:
            for place, person in enumerate(self._people):
                at = began + place / number
                group.create_task(self._repeat("read", person.read, at, seconds))
                group.create_task(self._repeat("save", person.save, at + 0.5, seconds))
        figures = {name: _figures(waits) for name, waits in self._waits_us.items()}
        return {**figures, "refused": self._refused}

    async def _repeat(self, name: str, act: Callable[[], Awaitable[bool]], at: float, times: int) -> None:
        for turn in range(times):
            await asyncio.sleep(at + turn - time.monotonic())
            began = time.perf_counter_ns()
            self._refused += not await act()
            self._waits_us[name].append((time.perf_counter_ns() - began) / 1000)


def _figures(waits: list[float]) -> dict[str, float]:
    cuts = quantiles(waits, n=100, method="inclusive")
    return {"p50_us": cuts[49], "p99_us": cuts[98], "max_us": max(waits)}


async def _obey(port: int, paths: list[str], course_id: str, quiz_id: str) -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    with Stranger(port) as stranger:
        people = [await Person.come(stranger, path, course_id=course_id, quiz_id=quiz_id) for path in paths]
        _print("ready")
        while words := (await _next_order(orders, people)).split():
            match words:
                case ["work", seconds]:
                    _print(json.dumps(await Work(people).go_on(int(seconds))))


async def _next_order(orders: asyncio.StreamReader, people: list[Person]) -> str:
    until = asyncio.Event()
    async with asyncio.TaskGroup() as resting:
        for person in people:
            resting.create_task(person.rest(until))
        order = await orders.readline()
        until.set()
    return order.decode()


def _print(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> None:
    """Work when told to, until the input ends."""
    port, file, course_id, quiz_id = sys.argv[1:]
    asyncio.run(_obey(int(port), Path(file).read_text().split(), course_id, quiz_id))


if __name__ == "__main__":
    main()
