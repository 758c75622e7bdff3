"""`python -m tests.perf.nuisances PORT FILE HELLO`: clients of every bad kind, for measuring those beside them.

FILE has the paths by which they open the socket, HELLO is the command that subscribes. Orders come on standard input:

    begin NUMBER [KIND]   so many of that kind, or of all by turns; answered by "{}"
    end                   all leave; answered by how each kind was ended so far, and how often

Each goes on and on: ended by the server, it comes back after a second. They give way to the honest clients' program, with
which they share a core: what is measured is how the server bears them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from tests.live.raw_line import CONTINUATION, PING, TEXT, RawLine, Stranger, command, frame, heaviest_command, request
from tests.perf.programs import give_way

_PAUSE_SECONDS = 1.0
_SLOW_BUFFER = 4_096
_HALF_OPEN = 50
_COMPRESSED = 0b100

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

    async def listener(self) -> RawLine:
        """A line that listens to what the honest ones hear, and takes little at once."""
        line = await self.stranger.open(self.path, receive_buffer=_SLOW_BUFFER)
        await line.send(frame(TEXT, self.hello))
        return line


Kind = Callable[[Turn], Awaitable[str]]
"""Be a nuisance until the server ends it; says how."""


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
    line = await turn.listener()
    while await line.send(frame(PING)):  # noqa: ASYNC110 - likewise
        await asyncio.sleep(1)
    return "cut"


async def _sips(turn: Turn) -> str:
    """Listens, and reads a byte a second."""
    line = await turn.listener()
    while await line.send(frame(PING)):
        await line.read_byte()
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


async def _honest(turn: Turn) -> str:
    """One more who listens and reads."""
    line = await turn.stranger.open(turn.path)
    await line.send(frame(TEXT, turn.hello))
    return str(await line.closed())


KINDS: Mapping[str, Kind] = {
    "flood of commands": _at_once(_FLOOD),
    "flood of pings": _at_once(_PINGS),
    "flood of parts": _at_once(_PARTS),
    "10,000 subscriptions": _at_once(_MANY_CHANNELS),
    "garbage": _at_once(_GARBAGE),
    "64 KiB and one byte": _at_once(_TOO_BIG),
    "invalid UTF-8": _at_once(frame(TEXT, b"\xff\xfe")),
    "no mask": _at_once(frame(TEXT, b"{}", is_masked=False)),
    "ping in parts": _at_once(frame(PING, is_last=False)),
    "compressed frame": _at_once(frame(TEXT, b"{}", reserved=_COMPRESSED)),
    "heaviest commands": _heavy,
    "never reads": _deaf,
    "reads a byte a second": _sips,
    "half a frame": _drip,
    "half-open handshakes": _half_open,
    "bad tokens": _refused,
}
HONEST = "an honest one"
"""Who is none of them: what is measured beside it is the noise of the measure."""


class Nuisances:
    """Those who are at it, and how their like were ended."""

    def __init__(self, port: int, paths: list[str], hello: str) -> None:
        self._port, self._paths, self._hello = port, paths, hello.encode()
        self.ends: dict[str, Counter[str]] = {name: Counter() for name in KINDS}
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, number: int, name: str) -> None:
        """Let so many come."""
        names = cycle([name] if name else KINDS)
        self._tasks = [asyncio.create_task(self._go_on(next(names), path)) for path in self._paths[:number]]

    async def end(self) -> None:
        """Let all leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _go_on(self, name: str, path: str) -> None:
        """One of them, for ever."""
        kind = KINDS.get(name, _honest)
        while True:
            try:
                with Stranger(self._port) as stranger:
                    end = await kind(Turn(stranger, path, self._hello))
            except (ConnectionError, TimeoutError, OSError) as error:
                end = type(error).__name__
            if name in self.ends:
                self.ends[name][end] += 1
            await asyncio.sleep(_PAUSE_SECONDS)


async def _obey(those: Nuisances) -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    _print("ready")
    while words := (await orders.readline()).decode().split():
        match words:
            case ["begin", number, *kind]:
                those.begin(int(number), " ".join(kind))
                _print("{}")
            case ["end"]:
                await those.end()
                _print(json.dumps(those.ends))


def _print(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> None:
    """Be a nuisance until the input ends."""
    port, file, hello = sys.argv[1:]
    give_way()
    asyncio.run(_obey(Nuisances(int(port), Path(file).read_text().split(), hello)))


if __name__ == "__main__":
    main()
