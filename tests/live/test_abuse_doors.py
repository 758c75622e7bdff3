"""Who comes in by HTTP and is up to no good: heads that never end, thousands that say nothing, handshakes that are none."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace

import pytest
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from config.settings import Settings
from handlers.app import server_options
from handlers.door import Door, DoorBounds, raise_descriptor_limit
from handlers.live.socket import live_rules
from handlers.origins import Origins
from tests.live.live_node import LiveNode, live_node
from tests.live.raw_line import Crowd, Stranger, command, request

PLACES = 50


class Slow(RequestHandler):
    """Answers when it is let."""

    begun, may_answer = asyncio.Event(), asyncio.Event()

    async def get(self) -> None:
        self.begun.set()
        await self.may_answer.wait()
        self.write("at last")


@asynccontextmanager
async def door(live: LiveNode, bounds: DoorBounds) -> AsyncIterator[int]:
    """The node's door as the product has it, with narrow bounds; gives its port."""
    settings = Settings(_env_file=None)
    services = SimpleNamespace(
        settings=settings,
        clock=live.clock,
        bus=live.bus,
        node=live.node,
        sessions=live.sessions,
        subscriptions=live.subscriptions,
    )
    rules = [*live_rules(services), ("/slow", Slow)]  # type: ignore[arg-type]
    application = Application(rules, origins=Origins(settings))
    server = Door(application, bounds=bounds, **server_options())
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    yield sockets[0].getsockname()[1]
    server.stop()
    await server.close_all_connections()


@pytest.fixture(scope="module")
async def live() -> AsyncIterator[LiveNode]:
    """A node behind a door; the port is the door's."""
    async with (
        live_node() as made,
        door(made, DoorBounds(waiting=PLACES, pause_seconds=0.01, hears_first=False)) as port,
    ):
        inner, made.port = made.port, port
        yield made
        made.port = inner


class Crowded(RequestHandler):
    """Answers when it is let; how many stand in it."""

    inside = 0
    may_answer = asyncio.Event()

    async def get(self) -> None:
        Crowded.inside += 1
        await self.may_answer.wait()
        self.write("at last")


async def test_of_many_at_once_a_few_come_in_and_the_next_when_those_have_their_answer() -> None:
    """Else whoever is in already waits for as many as knock."""
    Crowded.inside, Crowded.may_answer = 0, asyncio.Event()
    server = Door(Application([("/", Crowded)]), bounds=DoorBounds(coming_in=3, coming_seconds=600), **server_options())
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    with Stranger(sockets[0].getsockname()[1]) as stranger:
        lines = [await stranger.dial() for _ in range(12)]
        for line in lines:
            assert await line.send(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        async with asyncio.timeout(10):
            while Crowded.inside < 3:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert Crowded.inside == 3
        Crowded.may_answer.set()
        assert all(["200 OK" in await line.read_head() for line in lines])
    server.stop()
    await server.close_all_connections()


async def test_who_comes_in_and_says_nothing_keeps_nobody_out() -> None:
    Crowded.inside, Crowded.may_answer = 0, asyncio.Event()
    Crowded.may_answer.set()
    bounds = DoorBounds(coming_in=1, coming_seconds=600, hears_first=False)
    server = Door(Application([("/", Crowded)]), bounds=bounds, **server_options())
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    with Stranger(sockets[0].getsockname()[1]) as stranger:
        for half in (b"", b"GET / HT"):
            for _ in range(20):
                await (await stranger.dial()).send(half)
        line = await stranger.dial()
        assert await line.send(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert "200 OK" in await line.read_head()
    server.stop()
    await server.close_all_connections()


@pytest.mark.skipif(not hasattr(socket, "TCP_DEFER_ACCEPT"), reason="the kernel hands all over at once")
async def test_who_speaks_is_let_in_before_those_who_came_before_and_say_nothing() -> None:
    Crowded.inside, Crowded.may_answer = 0, asyncio.Event()
    Crowded.may_answer.set()
    server = Door(Application([("/", Crowded)]), bounds=DoorBounds(silent_seconds=600), **server_options())
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    with Stranger(sockets[0].getsockname()[1]) as stranger:
        for _ in range(5):
            await stranger.dial()
        line = await stranger.dial()
        assert await line.send(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert "200 OK" in await line.read_head()
    server.stop()
    await server.close_all_connections()


HANDSHAKES = {
    "without a key": (request("/ws").replace(b"Sec-WebSocket-Key", b"X-Key"), 400),
    "with a short key": (request("/ws").replace(b"MDEy", b""), 400),
    "of an old version": (request("/ws").replace(b"Version: 13", b"Version: 8"), 400),
    "of HTTP/1.0": (request("/ws").replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
    "without an upgrade": (request("/ws").replace(b"Upgrade: websocket\r\n", b""), 400),
    "as POST": (request("/ws").replace(b"GET", b"POST"), 405),
    "with a bad ticket": (request("/ws?ticket=bad"), 401),
    "with a token of 16 KiB": (request("/ws?token=bad" + "x" * 16_384), 401),
    "from elsewhere": (request("/ws?token=ada", "Origin: https://evil.example"), 403),
    "with two lengths": (request("/ws", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    "with a line that is no header": (request("/ws", "no header"), 400),
    "in TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n", 400),
}


@pytest.mark.parametrize("fault", HANDSHAKES)
async def test_a_handshake_that_is_none_is_refused(stranger: Stranger, crowd: Crowd, fault: str) -> None:
    data, status = HANDSHAKES[fault]
    line = await stranger.dial()
    await line.send(data)
    assert (await line.read_head()).startswith(f"HTTP/1.1 {status} ")
    assert await crowd.is_undisturbed(events=1)


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
async def test_a_head_of_more_than_32_kib_is_cut_off(stranger: Stranger, end: bytes) -> None:
    line = await stranger.dial()
    await line.send(request("/ws", "X-Long: " + "x" * 40_000)[:-4] + end)
    await line.gone()


async def test_extensions_are_offered_in_vain(stranger: Stranger) -> None:
    line = await stranger.open("/ws?token=ada", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
    assert "101" in line.head
    assert "extensions" not in line.head.lower()


WHOLE = request("/ws?token=eve")
HALVES = {"nothing": 0, "a word": 3, "half a head": len(WHOLE) - 2}


@pytest.mark.parametrize("half", HALVES)
async def test_of_those_who_stand_in_the_door_the_oldest_leave(stranger: Stranger, crowd: Crowd, half: str) -> None:
    """However many come: an honest one that comes last is let in, and those who are in notice nothing."""
    lines = []
    for _ in range(PLACES * 3):
        lines.append(await stranger.dial())
        await lines[-1].send(WHOLE[: HALVES[half]])
    assert (await (await stranger.open("/ws?token=bob")).message())["type"] == "welcome"
    for line in lines[: PLACES * 2]:
        await line.gone()
    await lines[-1].send(WHOLE[HALVES[half] :])
    assert "101" in await lines[-1].read_head(), "it has not stood there for long"
    assert await crowd.is_undisturbed()


async def test_who_waits_with_an_answered_request_behind_him_waits_as_all_do(stranger: Stranger) -> None:
    asked = b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    first = await stranger.dial()
    await first.send(asked)
    assert "404" in await first.read_head()
    for _ in range(PLACES):
        await stranger.dial()
    await first.gone()


async def test_who_has_left_holds_no_place(stranger: Stranger) -> None:
    first = await stranger.dial()
    for _ in range(PLACES * 2):
        (await stranger.dial()).cut()
    await stranger.welcomed("ada")  # so they have come and gone before
    await first.send(WHOLE)
    assert "101" in await first.read_head()


async def test_who_waits_for_his_answer_is_not_sent_away(stranger: Stranger) -> None:
    patient = await stranger.dial()
    await patient.send(b"GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await Slow.begun.wait()
    for _ in range(PLACES * 2):
        await stranger.dial()
    await stranger.welcomed("ada")
    Slow.may_answer.set()
    assert "200" in await patient.read_head()


async def test_who_has_come_in_is_not_sent_away(stranger: Stranger, crowd: Crowd) -> None:
    line = await stranger.welcomed("ada")
    for _ in range(PLACES * 2):
        await stranger.dial()
    assert (await line.ask("ping"))["ok"]
    assert await crowd.is_undisturbed()


async def test_of_those_who_do_not_say_who_they_are_the_oldest_leave(
    stranger: Stranger, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.live.lines.MAX_NAMELESS", 20)
    known = await stranger.open("/ws")
    await known.send(command("auth", token="bob"))
    assert (await known.message())["type"] == "welcome"
    nameless = [await stranger.open("/ws") for _ in range(60)]
    for line in nameless[:40]:
        await line.gone()
    await nameless[40].send(command("auth", token="eve"))
    assert (await nameless[40].message())["type"] == "welcome"
    assert (await known.ask("ping"))["ok"]
    assert await crowd.is_undisturbed()


@contextmanager
def descriptors(number: int) -> Iterator[None]:
    """Let this process open so many files, and no more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_without_descriptors_the_silent_leave_and_the_others_go_on(
    stranger: Stranger, crowd: Crowd, caplog: pytest.LogCaptureFixture
) -> None:
    """Both ends are in this process, so the last ones knock with sockets of before."""
    silent = [await stranger.dial() for _ in range(PLACES // 2)]
    await stranger.welcomed("ada")  # so they have come in before
    knocking = stranger.before_dialling()
    with descriptors(knocking.socket.fileno() + 1):
        await knocking.connect(stranger.port)
        await knocking.send(request("/ws?token=bob"))
        await silent[0].gone()
        await knocking.read_head()
        assert (await knocking.message())["type"] == "welcome"
        assert await crowd.is_undisturbed()
    assert "no connection can be taken" in caplog.text


def test_the_process_may_have_as_many_descriptors_as_it_is_allowed() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with descriptors(soft):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        assert raise_descriptor_limit() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard
