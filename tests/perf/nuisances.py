"""`python -m tests.perf.nuisances PORT FILE HELLO`: clients of every bad kind at once, for measuring those beside them.

FILE has the paths by which they open the socket, HELLO is the command that subscribes. Each kind goes on and on: ended by
the server, it comes back after a second. They give way to the honest clients' program, with which they share a core: what
is measured is how the server bears them. It prints "ready" when all are at it and one of them has been ended; "report" is
answered with how each kind was ended, and how often.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.live.raw_line import CONTINUATION, PING, TEXT, Stranger, command, frame, heaviest_command, request

_PAUSE_SECONDS = 1.0
_SLOW_BUFFER = 4_096
_HALF_OPEN = 50

_FLOOD = command("ping") * 10_000
_PINGS = frame(PING, b"x" * 125) * 10_000
_PARTS = frame(TEXT, b"{", is_last=False) + frame(CONTINUATION, is_last=False) * 65_536
_HEAVY = heaviest_command()
_GARBAGE = frame(TEXT, b"[" * 60_000) * 20
_TOO_BIG = frame(TEXT, b"x" * (64 * 1024 + 1))
_MANY_CHANNELS = b"".join(command("subscribe", n, channel=f"course:crs_{n}") for n in range(10_000))
_HALF_A_FRAME = frame(TEXT, b'{"id":1,"type":"ping","x":"' + b"x" * 1_000)


@dataclass(frozen=True, slots=True)
class Turn:
    """One nuisance from its coming to its end."""

    stranger: Stranger
    path: str
    hello: bytes


Kind = Callable[[Turn], Awaitable[str]]
"""Be a nuisance until the server ends it; says how."""


class Nuisances:
    """What all of them share."""

    def __init__(self, port: int, hello: bytes) -> None:
        self.port, self.hello = port, hello
        self.ends: dict[str, Counter[str]] = {name: Counter() for name in KINDS}
        self.one_was_ended = asyncio.Event()

    async def go_on(self, name: str, path: str) -> None:
        """One of them, for ever."""
        while True:
            try:
                with Stranger(self.port) as stranger:
                    end = await KINDS[name](Turn(stranger, path, self.hello))
            except (ConnectionError, TimeoutError, OSError) as error:
                end = type(error).__name__
            self.ends[name][end] += 1
            self.one_was_ended.set()
            await asyncio.sleep(_PAUSE_SECONDS)


def _at_once(data: bytes) -> Kind:
    """Send it all at once, and hear how that ends."""

    async def kind(turn: Turn) -> str:
        line = await turn.stranger.open(turn.path)
        await line.send(data)
        return str(await line.ended())

    return kind


async def _heavy(turn: Turn) -> str:
    """The heaviest commands, as fast as one may."""
    line = await turn.stranger.open(turn.path)
    while await line.send(_HEAVY):  # noqa: ASYNC110 - a pace, nothing is waited for
        await asyncio.sleep(1 / 25)
    return str(await line.closed())


async def _deaf(turn: Turn) -> str:
    """Listens, and never reads; gone when the server has given up."""
    line = await turn.stranger.open(turn.path, receive_buffer=_SLOW_BUFFER)
    await line.send(frame(TEXT, turn.hello))
    while await line.send(frame(PING)):  # noqa: ASYNC110 - likewise
        await asyncio.sleep(1)
    return "cut"


async def _drip(turn: Turn) -> str:
    """A frame byte by byte, ten a second."""
    line = await turn.stranger.open(turn.path)
    for at in range(len(_HALF_A_FRAME)):
        if not await line.send(_HALF_A_FRAME[at : at + 1]):
            return "cut"
        await asyncio.sleep(0.1)
    return "borne"


async def _half_open(turn: Turn) -> str:
    """Heads that are never ended."""
    for _ in range(_HALF_OPEN):
        line = await turn.stranger.dial()
        await line.send(request(turn.path)[:-2])
    await asyncio.sleep(_PAUSE_SECONDS)
    return "left"


async def _refused(turn: Turn) -> str:
    """Tokens that are none."""
    line = await turn.stranger.open("/ws?token=nonsense")
    return line.head[9:12]


KINDS: Mapping[str, Kind] = {
    "flood of commands": _at_once(_FLOOD),
    "flood of pings": _at_once(_PINGS),
    "flood of parts": _at_once(_PARTS),
    "10,000 subscriptions": _at_once(_MANY_CHANNELS),
    "garbage": _at_once(_GARBAGE),
    "64 KiB and one byte": _at_once(_TOO_BIG),
    "heaviest commands": _heavy,
    "never reads": _deaf,
    "half a frame": _drip,
    "half-open handshakes": _half_open,
    "bad tokens": _refused,
}


async def _answer(those: Nuisances) -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    _print("ready")
    while (await orders.readline()).strip():
        _print(json.dumps(those.ends))


def _print(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


async def _run(port: int, paths: list[str], hello: str) -> None:
    those = Nuisances(port, hello.encode())
    async with asyncio.TaskGroup() as tasks:
        started = [
            tasks.create_task(those.go_on(name, path))
            for name, path in zip(list(KINDS) * (len(paths) // len(KINDS)), paths, strict=False)
        ]
        await those.one_was_ended.wait()
        await _answer(those)
        for task in started:
            task.cancel()


def main() -> None:
    """Be a nuisance until the input ends."""
    port, file, hello = sys.argv[1:]
    os.nice(19)
    asyncio.run(_run(int(port), Path(file).read_text().split(), hello))


if __name__ == "__main__":
    main()
