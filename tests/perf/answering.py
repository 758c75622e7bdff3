"""`python -m tests.perf.answering PORT FILE QUIZ`: students who sit a quiz and save answers over their sockets.

FILE has the paths by which they open the socket. Orders come on standard input, each answered by a line of JSON:

    save ANSWERS            all at once, each of them so many, the next as soon as one is acknowledged
    pace SECONDS INTERVAL   each of them saves one answer in every interval, evenly spread

answered by {"count": 1000, "seconds": 1.5, "p50_us": …, "p99_us": …, "refused": 0}.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

from tests.live import raw_line
from tests.live.raw_line import RawLine, Stranger

_DEVICE = "laptop"
_AT_ONCE = 50
_PATIENCE_SECONDS = 120


class Sitter:
    """One who answers question after question, again and again."""

    def __init__(self, line: RawLine, begun: dict[str, Any]) -> None:
        self._line = line
        self._held = {"attempt_id": begun["id"], "device_id": _DEVICE, "lease": begun["lease"]}
        self._questions: list[str] = [question["id"] for question in begun["questions"]]
        self._revisions = dict.fromkeys(self._questions, 0)
        self._saved = 0

    @classmethod
    async def come(cls, stranger: Stranger, path: str, quiz_id: str) -> Sitter:
        """Open the socket, and begin the quiz."""
        line = await stranger.open(path)
        begun = await line.ask("attempt.start", quiz_id=quiz_id, device_id=_DEVICE)
        return cls(line, begun["result"])

    async def save(self) -> bool:
        """Save an answer; False: refused."""
        self._saved += 1
        question_id = self._questions[self._saved % len(self._questions)]
        reply = await self._line.ask(
            "answer.save",
            **self._held,
            question_id=question_id,
            value="abc"[self._saved % 3],
            op_id=f"op-{self._saved:08}-0123-4567-89ab",
            seq=self._saved,
            base_revision=self._revisions[question_id],
        )
        if reply["ok"]:
            self._revisions[question_id] = reply["result"]["revision"]
        return bool(reply["ok"])

    async def rest(self) -> None:
        """Answer pings until cancelled."""
        while True:
            await self._line.message()


class Room:
    """All who sit the quiz."""

    def __init__(self, sitters: Sequence[Sitter]) -> None:
        self._sitters = sitters
        self._waits_us: list[float] = []
        self._refused = 0
        self._resting: list[asyncio.Task[None]] = []

    async def save(self, answers: int) -> dict[str, Any]:
        """Everybody, as fast as they are acknowledged."""
        return await self._told(self._on_end(sitter, answers) for sitter in self._sitters)

    async def pace(self, seconds: float, interval: float) -> dict[str, Any]:
        """Everybody, once in every interval."""
        begin, number = time.monotonic() + 0.1, len(self._sitters)
        times = max(1, round(seconds / interval))
        return await self._told(
            self._at_times(sitter, [begin + (turn + place / number) * interval for turn in range(times)])
            for place, sitter in enumerate(self._sitters)
        )

    async def _told(self, all_of_them: Any) -> dict[str, Any]:
        self._waits_us, self._refused = [], 0
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for one in all_of_them:
                group.create_task(one)
        took = time.monotonic() - began
        await _end(self._resting)
        self._resting.clear()
        cuts = quantiles(self._waits_us, n=100, method="inclusive")
        figures = {"p50_us": cuts[49], "p99_us": cuts[98]}
        return {"count": len(self._waits_us), "seconds": took, "refused": self._refused, **figures}

    async def _on_end(self, sitter: Sitter, answers: int) -> None:
        for _ in range(answers):
            await self._one(sitter)
        self._rest(sitter)

    async def _at_times(self, sitter: Sitter, times: Sequence[float]) -> None:
        for at in times:
            await asyncio.sleep(at - time.monotonic())
            await self._one(sitter)
        self._rest(sitter)

    def _rest(self, sitter: Sitter) -> None:
        """Who has done it all waits for the others, and answers pings meanwhile."""
        self._resting.append(asyncio.create_task(sitter.rest()))

    async def _one(self, sitter: Sitter) -> None:
        began = time.perf_counter_ns()
        self._refused += not await sitter.save()
        self._waits_us.append((time.perf_counter_ns() - began) / 1000)


async def _obey(port: int, paths: Sequence[str], quiz_id: str) -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    with Stranger(port) as stranger:
        sitters: list[Sitter] = []
        resting: list[asyncio.Task[None]] = []
        for at in range(0, len(paths), _AT_ONCE):
            some = paths[at : at + _AT_ONCE]
            come = await asyncio.gather(*(Sitter.come(stranger, path, quiz_id) for path in some))
            sitters += come
            resting += [asyncio.create_task(sitter.rest()) for sitter in come]
        await _end(resting)
        room = Room(sitters)
        _print("ready")
        while words := (await _next_order(orders, sitters)).split():
            match words:
                case ["save", answers]:
                    _print(json.dumps(await room.save(int(answers))))
                case ["pace", seconds, interval]:
                    _print(json.dumps(await room.pace(float(seconds), float(interval))))


async def _next_order(orders: asyncio.StreamReader, sitters: Sequence[Sitter]) -> str:
    resting = [asyncio.create_task(sitter.rest()) for sitter in sitters]
    order = await orders.readline()
    await _end(resting)
    return order.decode()


async def _end(resting: Sequence[asyncio.Task[None]]) -> None:
    for one in resting:
        one.cancel()
    await asyncio.gather(*resting, return_exceptions=True)


def _print(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> None:
    """Answer when told to, until the input ends."""
    port, file, quiz_id = sys.argv[1:]
    raw_line.PATIENCE_SECONDS = _PATIENCE_SECONDS  # a thousand share a core, and a line may rest between pings
    asyncio.run(_obey(int(port), Path(file).read_text().split(), quiz_id))


if __name__ == "__main__":
    main()
