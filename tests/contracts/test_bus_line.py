"""The line to a real Redis: what callers meet while it is away, slow, full or not ours to write; and how it comes back."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.exceptions import ResponseError

from lms_rt.bus.base import Receiver
from lms_rt.bus.redis.channels import PUBLISH
from lms_rt.bus.redis.keys import Keys
from lms_rt.bus.redis.line import LineLimits, RedisLine
from lms_rt.bus.redis.wire import MAX_PENDING
from lms_rt.errors import Code, Refused
from tests.contracts.buses import PATIENCE_SECONDS, SomeBus, of_record, on_redis
from tests.servers.ports import free_port
from tests.servers.redis_server import RedisServer

pytestmark = pytest.mark.real

QUICK = LineLimits(connect_seconds=1.0, reply_seconds=1.0, probe_seconds=(0.02, 0.05))


class Told(Receiver[bool]):
    """Keeps what it is told of the line."""

    def __init__(self) -> None:
        self.changes: list[bool] = []
        self._changed = asyncio.Event()

    def receive(self, message: bool) -> None:
        self.changes.append(message)
        self._changed.set()

    async def until(self, *changes: bool) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while tuple(self.changes) != changes:
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer(enable_debug_command="yes") as server:
        yield server


@pytest.fixture
async def line(server: RedisServer) -> AsyncIterator[RedisLine]:
    line = RedisLine(server.url, Keys(f"test_{uuid.uuid4().hex}"), limits=QUICK)
    await line.open()
    yield line
    await line.close()


@pytest.fixture
async def some(server: RedisServer) -> AsyncIterator[SomeBus]:
    async with on_redis(server.url) as some:
        yield some


async def refused(line: RedisLine) -> None:
    with pytest.raises(Refused) as caught:
        await line.do("PING")
    assert caught.value.code is Code.UNAVAILABLE


async def reached(line: RedisLine) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await line.reached()


class TestGoingAway:
    async def test_calls_are_refused_until_it_is_back_and_watchers_are_told_once(
        self, server: RedisServer, line: RedisLine
    ) -> None:
        told, gone = Told(), Told()
        line.watch(told)
        await line.watch(gone).stop()
        server.kill()
        await told.until(False)
        for _ in range(3):
            await refused(line)
        assert not line.is_reachable
        server.start()
        await told.until(False, True)
        assert await line.do("PING") == b"PONG"
        assert gone.changes == []

    async def test_a_connection_that_is_back_at_once_was_never_away(self, server: RedisServer, line: RedisLine) -> None:
        told = Told()
        line.watch(told)
        for _ in range(3):
            server.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await reached(line)
            assert await eventually(line) == b"PONG"
        assert told.changes == []

    async def test_a_top_that_is_asked_for_when_the_connection_breaks_is_told_by_the_next(
        self, server: RedisServer, some: SomeBus
    ) -> None:
        """Who is told of no absence is told of no return, after which to ask again."""
        top = await some.bus.history.top("course:1")
        server.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert await some.bus.history.top("course:1") == top

    async def test_a_server_that_says_nothing_is_away_and_costs_one_wait(
        self, server: RedisServer, line: RedisLine
    ) -> None:
        server.freeze()
        await asyncio.gather(*(refused(line) for _ in range(50)))
        assert not line.is_reachable
        await refused(line)  # at once: nobody asks any more
        server.thaw()
        await reached(line)
        assert await line.do("PING") == b"PONG"

    async def test_an_absence_is_told_once_however_often_it_is_tried(
        self, server: RedisServer, line: RedisLine
    ) -> None:
        told, attempts = Told(), asyncio.Semaphore(0)

        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()
            attempts.release()

        line.watch(told)
        server.kill()
        async with await asyncio.start_server(hang_up, "127.0.0.1", server.port), asyncio.timeout(PATIENCE_SECONDS):
            for _ in range(5):
                await attempts.acquire()
        assert told.changes == [False]

    async def test_who_begins_to_watch_learns_of_an_absence_that_was_told_before(self) -> None:
        line = RedisLine(f"redis://127.0.0.1:{free_port()}", Keys("test"), limits=QUICK)
        told = Told()
        await line.open()
        try:
            line.watch(told)
            assert told.changes == [False]
        finally:
            await line.close()

    async def test_who_begins_to_watch_while_a_line_is_made_anew_learns_of_nothing(self, line: RedisLine) -> None:
        told = Told()
        line._fall()
        assert not line.is_reachable
        line.watch(told)
        await reached(line)
        assert told.changes == []

    async def test_an_absent_server_is_no_error_at_the_start(self) -> None:
        with RedisServer(port=free_port()) as server:
            server.kill()
            line = RedisLine(server.url, Keys("test"), limits=QUICK)
            await line.open()
            await refused(line)
            server.start()
            await reached(line)
            assert await line.do("PING") == b"PONG"
            await line.close()
            await refused(line)

    async def test_a_server_that_became_a_replica_is_away(self, server: RedisServer, line: RedisLine) -> None:
        told = Told()
        line.watch(told)
        server.do("REPLICAOF", "127.0.0.1", free_port())
        with pytest.raises(Refused):
            await line.do("SET", line.keys.top("course:1"), 1)
        await told.until(False)
        server.do("REPLICAOF", "NO", "ONE")
        await told.until(False, True)

    async def test_a_server_that_does_not_know_us_is_away(self, server: RedisServer) -> None:
        server.do("CONFIG", "SET", "requirepass", "secret")
        line = RedisLine(server.url, Keys("test"), limits=QUICK)
        await line.open()
        await refused(line)
        await line.close()
        known = RedisLine(server.url.replace("//", "//:secret@"), Keys("test"), limits=QUICK)
        await known.open()
        assert await known.do("PING") == b"PONG"
        await known.close()


async def eventually(line: RedisLine) -> bytes:
    """The server's word; a connection that is being lost may refuse a call before."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            await line.reached()
            try:
                reply: bytes = await line.do("PING")
            except Refused:
                continue
            return reply


class TestCalls:
    async def test_callers_side_by_side_get_their_own_replies(self, line: RedisLine) -> None:
        words = [f"{n}" * (n % 50 + 1) for n in range(500)]
        replies = await asyncio.gather(*(line.do("ECHO", word) for word in words))
        assert [reply.decode() for reply in replies] == words

    async def test_who_stops_waiting_takes_nobodys_reply(self, line: RedisLine) -> None:
        tasks = [asyncio.create_task(line.do("ECHO", n)) for n in range(10)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        replies = await asyncio.gather(*tasks, return_exceptions=True)
        assert replies[1::2] == [str(n).encode() for n in range(1, 10, 2)]
        assert all(isinstance(reply, asyncio.CancelledError) for reply in replies[::2])

    async def test_too_many_at_once_are_refused_and_the_others_served(self, server: RedisServer) -> None:
        line = RedisLine(server.url, Keys("test"), limits=LineLimits(reply_seconds=PATIENCE_SECONDS))
        await line.open()
        replies = await asyncio.gather(*(line.do("PING") for _ in range(MAX_PENDING + 5)), return_exceptions=True)
        assert replies.count(b"PONG") == MAX_PENDING
        assert [reply.code for reply in replies if isinstance(reply, Refused)] == [Code.UNAVAILABLE] * 5
        assert line.is_reachable
        await line.close()

    async def test_a_fault_of_ours_is_no_absence(self, line: RedisLine) -> None:
        with pytest.raises(Exception, match="unknown command") as caught:
            await line.do("NONSENSE")
        assert not isinstance(caught.value, Refused)
        assert line.is_reachable

    async def test_scripts_that_the_server_forgot_are_sent_again(self, server: RedisServer, some: SomeBus) -> None:
        for offset in (1, 2, 3):
            place = await some.bus.fan_out.publish_direct("course:1", "announcement", {})
            assert place.offset == offset
            server.do("SCRIPT", "FLUSH")


class TestRolesWhileAway:
    async def test_a_snapshot_is_made_without_a_position_and_all_else_is_refused(
        self, server: RedisServer, some: SomeBus
    ) -> None:
        bus = some.bus
        server.kill()
        assert await bus.history.top("course:1") is None
        for asked in (
            bus.history.read("course:1", after=0),
            bus.history.page("course:1"),
            bus.fan_out.publish("course:1", of_record("crs_1", 1)),
            bus.fan_out.publish_direct("course:1", "announcement", {}),
            bus.fan_out.publish_state("course:1", "presence", {}),
            bus.fan_out.poke("course:1"),
            bus.fan_out.publish_control("session_revoked", {}),
        ):
            with pytest.raises(Refused) as caught:
                await asked
            assert caught.value.code is Code.UNAVAILABLE


class TestFullAndBusy:
    async def test_a_full_server_refuses_a_publish_whole(self, server: RedisServer, some: SomeBus) -> None:
        publish, history = some.bus.fan_out.publish, some.bus.history
        await publish("course:1", of_record("crs_1", 1))
        before = await history.read("course:1", after=0)
        server.do("CONFIG", "SET", "maxmemory", 1)
        for event in (of_record("crs_1", 2), of_record("crs_2", 1)):
            with pytest.raises(Refused) as caught:
                await publish("course:1", event)
            assert caught.value.code is Code.UNAVAILABLE
        with pytest.raises(Refused):
            await some.bus.fan_out.publish_direct("course:2", "announcement", {})
        assert some.bus.reachability.is_reachable
        assert (await history.read("course:1", after=0)).top == before.top
        server.do("CONFIG", "SET", "maxmemory", 0)
        place = await publish("course:1", of_record("crs_1", 2))
        assert place == (before.top.epoch, 2)

    async def test_a_script_of_somebody_else_that_does_not_end(self, server: RedisServer, line: RedisLine) -> None:
        server.do("CONFIG", "SET", "busy-reply-threshold", 10)
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(None, endless_script, server)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line.is_reachable:  # refused as busy, or no answer in time: calls end either way
                try:
                    await line.run(PUBLISH, [line.keys.top("c"), line.keys.history("c"), "c"], ["e", 1, "PUBLISH", "x"])
                except Refused:
                    break
        server.do("SCRIPT", "KILL")
        await running
        assert await eventually(line) == b"PONG"


def endless_script(server: RedisServer) -> None:
    with pytest.raises(ResponseError, match="killed"):
        server.do("EVAL", "while true do end", 0)
