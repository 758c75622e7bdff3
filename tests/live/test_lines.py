"""A line from its first byte to its last: what came with the handshake, what waits, and that nothing of it stays behind."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from config.settings import Settings
from handlers.app import make_app
from handlers.live.commands import Command, LiveSession
from handlers.live.table import COMMANDS
from lms_rt.bootstrap import open_services
from lms_rt.contracts.accounts import RegistrationDraft
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Draft
from lms_rt.errors import Code, Refused
from lms_rt.realtime.close_codes import Close
from lms_rt.realtime.connection import Connection, Transport
from tests.live.live_node import LiveNode, live_node, until
from tests.live.raw_line import CLOSE, TEXT, RawLine, Stranger, command, frame, request

OURS = frozenset(
    {"Actor", "Connection", "Dialogue", "LiveSession", "LiveSocket", "SocketTransport", "Subscription", "TokenBucket"}
    | {"HTTPServerRequest", "IOStream", "HTTP1ServerConnection", "Exchange", "SelectorKey", "socket"}
)


class WaitCommand(Draft):
    """`wait {}`."""


class Gate:
    """A command that waits until it is let through."""

    def __init__(self) -> None:
        self.opened, self.begun = asyncio.Event(), 0

    async def wait(self, _: LiveSession, __: WaitCommand) -> None:
        self.begun += 1
        await self.opened.wait()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def live(gate: Gate) -> AsyncIterator[LiveNode]:
    async with live_node(commands={**COMMANDS, "wait": Command("wait", WaitCommand, gate.wait)}) as made:
        yield made


async def test_what_comes_with_the_handshake_is_read(stranger: Stranger) -> None:
    line = await stranger.dial()
    await line.send(request("/ws?token=ada") + command("ping", 1) + command("ping", 2)[:9])
    assert "101" in await line.read_head()
    assert (await line.message())["type"] == "welcome"
    assert (await line.message())["id"] == 1
    await line.send(command("ping", 2)[9:])
    assert (await line.message())["id"] == 2


async def test_commands_wait_at_the_client_while_one_runs(live: LiveNode, stranger: Stranger, gate: Gate) -> None:
    """Nothing more is read: what a client sends meanwhile fills no memory of ours."""
    line = await stranger.welcomed()
    for number in range(3):
        await line.send(command("wait", number))
    await until(lambda: gate.begun == 1)
    (connection,) = live.node.connections
    assert connection.is_busy
    await line.send(command("wait", 3))
    await until(lambda: not connection._transport._is_reading)  # type: ignore[attr-defined]
    gate.opened.set()
    assert [(await line.message())["id"] for _ in range(4)] == [0, 1, 2, 3]
    assert gate.begun == 4
    assert not connection.is_busy


async def test_who_goes_while_a_command_runs_is_missed_at_once(live: LiveNode, stranger: Stranger, gate: Gate) -> None:
    line = await stranger.welcomed()
    await line.send(command("wait"))
    await until(lambda: gate.begun == 1)
    line.cut()
    await until(lambda: not live.node.connections)


async def test_who_goes_on_the_way_in_leaves_nothing(
    live: LiveNode, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    admit, opened, is_let_in = live.node.admit, asyncio.Event(), asyncio.Event()

    async def slowly(actor: Actor, transport: Transport) -> Connection:
        await opened.wait()
        connection = await admit(actor, transport)
        is_let_in.set()
        return connection

    monkeypatch.setattr(live.node, "admit", slowly)
    line = await stranger.open("/ws?token=ada")
    await until(lambda: len(live._lines) == 1)
    line.cut()
    await until(lambda: len(live._lines) == 0)
    opened.set()
    await is_let_in.wait()
    await until(lambda: not live.node.connections)


async def behind_on_reading(live: LiveNode, stranger: Stranger) -> tuple[RawLine, int]:
    """A line whose socket is full, and how many events it was sent."""
    line = await stranger.welcomed("slow", receive_buffer=4_096)
    assert (await line.ask("subscribe", channel="course:1"))["ok"]
    (connection,) = live.node.connections
    count = 0
    while not connection.queued_bytes:
        count += 1
        await live.fan_out.publish_direct("course:1", "announcement", {"number": count, "text": "x" * 30_000})
        await asyncio.sleep(0)
    return line, count


async def offsets_and_close(line: RawLine) -> tuple[list[int], int]:
    offsets: list[int] = []
    while (found := await line.frame()) is not None:
        opcode, payload = found
        if opcode == CLOSE:
            return offsets, int.from_bytes(payload[:2], "big")
        if opcode == TEXT and (value := orjson.loads(payload)).get("event") == "announcement":
            offsets.append(value["offset"])
    raise ConnectionError("the line was cut without a word")


async def test_what_waits_goes_before_our_close(live: LiveNode, stranger: Stranger) -> None:
    line, count = await behind_on_reading(live, stranger)
    live.node.connections[0].close(Close.RESTARTING)
    assert await offsets_and_close(line) == (list(range(1, count + 1)), 1012)
    await line.send(frame(CLOSE, b"\x03\xf4"))
    await line.gone()


async def test_what_was_handed_over_goes_before_the_answer_to_a_close(live: LiveNode, stranger: Stranger) -> None:
    """The client is missed at once, and still hears everything up to the answer."""
    line, count = await behind_on_reading(live, stranger)
    await line.send(frame(CLOSE, b"\x03\xe8"))
    await until(lambda: not live.node.connections)
    assert await offsets_and_close(line) == (list(range(1, count + 1)), 1000)
    await line.gone()
    await until(lambda: not live._lines._open)


async def test_the_handshake_is_one_request_and_the_line_is_none(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted and logged when it was answered, with its user and without its token, however long the line lives."""
    draft = RegistrationDraft(email="sara@example.org", password="river stone 41", full_name="Sara Saleh")
    registry = CollectorRegistry()
    caplog.set_level("INFO", "lms_rt.http")
    async with open_services(settings) as services:
        token = (await services.accounts.register(draft)).access_token
        app = make_app(services, registry=registry)
        server, (listener, port) = HTTPServer(app), bind_unused_port()
        server.add_socket(listener)
        line = await RawLine.dial(port)
        await line.send(request(f"/ws?token={token}"))
        assert (await line.read_head()).startswith("HTTP/1.1 101")
        assert (await line.message())["type"] == "welcome"
        labels = {"method": "GET", "route": "/ws", "status": "101"}
        assert registry.get_sample_value("http_requests_total", labels) == 1
        assert registry.get_sample_value("http_requests_in_flight") == 0
        (logged,) = [record for record in caplog.records if record.name == "lms_rt.http"]
        assert (logged.getMessage(), logged.status, logged.user_id[:4]) == ("GET /ws", 101, "usr_")  # type: ignore[attr-defined]
        assert token not in caplog.text
        server.stop()
        closing = asyncio.create_task(app.lines.close())
        assert await line.ended() == 1012
        await closing
        assert len(app.lines) == 0


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (("Upgrade: h2c",), "ask for the upgrade"),
        (("Connection: keep-alive",), "ask for the upgrade"),
        (("Sec-WebSocket-Version: 8",), "version 13"),
        (("Sec-WebSocket-Key: c2hvcnQ=",), "16 bytes"),
        (("Sec-WebSocket-Key: not base64 at all",), "16 bytes"),
        (("Sec-WebSocket-Key:",), "16 bytes"),
    ],
)
async def test_what_is_no_handshake_is_refused(stranger: Stranger, lines: tuple[str, ...], what: str) -> None:
    """As a problem, and with the version that is spoken here; the ticket is not spent."""
    head = request("/ws?token=ada").decode()
    for changed in lines:
        name = changed.partition(":")[0]
        head = "\r\n".join(changed if line.startswith(f"{name}:") else line for line in head.split("\r\n"))
    line = await stranger.dial()
    await line.send(head.encode())
    answer = await line.read_head()
    assert answer.startswith("HTTP/1.1 400")
    assert "application/problem+json" in answer
    assert "Sec-Websocket-Version: 13" in answer.replace("WebSocket", "Websocket")
    assert what in line._unread.decode()


async def ended_by_client(line: RawLine) -> None:
    await line.send(frame(CLOSE, b"\x03\xe8"))
    await line.gone()


async def cut(line: RawLine) -> None:
    line.cut()


async def broken(line: RawLine) -> None:
    await line.send(frame(TEXT, b"\xff"))
    await line.ended()


async def unanswered(line: RawLine) -> None:
    await line.send(frame(TEXT, b"\xff"))
    await line.closed()
    line.cut()


@pytest.mark.parametrize("end", [ended_by_client, cut, broken, unanswered])
async def test_an_ended_line_leaves_nothing_for_the_collector(live: LiveNode, stranger: Stranger, end: object) -> None:
    """With 10,000 lines the collector looks at everything seldom: what ends is freed by its last user."""

    async def one(user: str) -> None:
        line = await stranger.welcomed(user)
        assert (await line.ask("subscribe", channel="course:1"))["ok"]
        await end(line)  # type: ignore[operator]
        stranger.leave()
        stranger._lines.clear()
        await until(lambda: not live.node.connections)

    await one("first")
    gc.collect()
    gc.disable()
    try:
        before = census()
        for _ in range(5):
            await one("ada")
        await until(lambda: not (census() - before))
    finally:
        gc.enable()


def census() -> Counter[str]:
    """How many there are of what a line is made of."""
    return Counter(name for thing in gc.get_objects() if (name := type(thing).__name__) in OURS)


async def test_who_comes_in_after_our_close_hears_nothing_more(
    live: LiveNode, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time to say who one is ran out while that was looked up: behind a close frame nothing may follow."""
    authenticate, is_asked, may_answer = live.sessions.authenticate, asyncio.Event(), asyncio.Event()

    async def slowly(token: str) -> Actor:
        is_asked.set()
        await may_answer.wait()
        return await authenticate(token)

    monkeypatch.setattr(live.sessions, "authenticate", slowly)
    line = await stranger.open("/ws")
    await line.send(command("auth", token="ada"))
    await is_asked.wait()
    (dialogue,) = live._lines._open
    dialogue.close(Close.NO_AUTH_IN_TIME)
    dialogue.close(Close.RESTARTING)  # the process ends at the same time
    assert await line.closed() == 4001
    may_answer.set()
    await until(lambda: not live._lines._tasks)
    assert live.node.connections == ()
    await line.send(frame(CLOSE, b"\x0f\xa1"))
    assert await line.frame() is None
    closes = {code: live.metrics.registry.get_sample_value("ws_closes_total", {"code": code}) for code in CLOSES}
    assert closes == {"4001": 1, "1012": None, "none": None}


CLOSES = ("4001", "1012", "none")


async def test_a_command_is_in_flight_from_the_moment_it_was_read(
    live: LiveNode, stranger: Stranger, gate: Gate
) -> None:
    """Its first step is the loop's next turn: an end of the node in between must not miss it."""
    await stranger.welcomed()
    (connection,) = live.node.connections
    (dialogue,) = live._lines._open
    dialogue.on_text(b'{"id": 1, "type": "wait"}')  # type: ignore[attr-defined]
    assert connection.is_busy
    ending = asyncio.create_task(live.node.shutdown())
    await until(lambda: gate.begun == 1)
    assert not connection.is_closed
    gate.opened.set()
    await ending
    assert connection.close_code == 1012


async def test_lines_that_are_cut_off_in_the_turn_of_a_command_leave_no_coroutine(
    live: LiveNode, stranger: Stranger, gate: Gate, recwarn: pytest.WarningsRecorder
) -> None:
    await stranger.welcomed()
    (dialogue,) = live._lines._open
    dialogue.on_text(b'{"id": 1, "type": "wait"}')  # type: ignore[attr-defined]
    await live._lines.abort()
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []
    assert not live._lines._tasks
    await until(lambda: not live.node.connections)


async def test_an_end_of_the_node_waits_for_commands_and_not_for_who_is_idle(
    live: LiveNode, stranger: Stranger, gate: Gate
) -> None:
    """Everybody goes as soon as their own command has ended: a class that never pauses does not hold it up."""
    idle, busy = await stranger.welcomed("idle"), await stranger.welcomed("busy")
    await busy.send(command("wait"))
    await until(lambda: gate.begun == 1)
    ending = asyncio.create_task(live.node.shutdown())
    assert (await idle.message())["type"] == "reconnect"
    assert await idle.ended() == 1012
    assert not ending.done()
    gate.opened.set()
    assert (await busy.message())["ok"]
    assert (await busy.message())["type"] == "reconnect"
    assert await busy.ended() == 1012
    await ending


async def test_an_access_that_cannot_be_confirmed_is_none(live: LiveNode, stranger: Stranger) -> None:
    """Somebody may have lost it while they subscribed, and the database is away: nothing is heard behind a refusal."""
    line = await stranger.welcomed("ada")
    subscribe = live.node.subscribe

    async def with_a_word(*args: Any, **kwargs: Any) -> Any:
        live.node.access.words += 1
        return await subscribe(*args, **kwargs)

    async def nobody_knows(*_: object) -> bool:
        raise Refused(Code.UNAVAILABLE)

    live.node.subscribe = with_a_word  # type: ignore[method-assign]
    live.subscriptions.may_listen = nobody_knows  # type: ignore[method-assign, assignment]
    assert (await line.ask("subscribe", channel="course:1"))["error"]["code"] == "unavailable"
    await live.fan_out.publish_direct("course:1", "announcement", {"number": 1})
    assert "server_time" in (await line.ask("ping"))["result"]
    assert live.node.connections[0].subscriptions == {}


async def test_nothing_comes_before_the_welcome(
    live: LiveNode, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also to one whose session ends soon, and whose own channel takes a moment."""
    live.sessions.lifetime_ms = 30_000
    subscribe, is_asked, may_go_on = live.node.subscribe, asyncio.Event(), asyncio.Event()

    async def slowly(*args: Any, **kwargs: Any) -> Any:
        is_asked.set()
        await may_go_on.wait()
        return await subscribe(*args, **kwargs)

    monkeypatch.setattr(live.node, "subscribe", slowly)
    line = await stranger.open("/ws/notifications?token=ada")
    await is_asked.wait()
    live.node.beat()
    may_go_on.set()
    assert (await line.message())["type"] == "welcome"
    live.node.beat()
    assert (await line.message())["type"] == "session_expiring"
