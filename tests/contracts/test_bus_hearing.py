"""Hearing on a real Redis: nothing is lost in silence, whatever happens to the line, to a word or to the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from lms_rt.bus.base import Bus, Control, Interrupted, Published
from lms_rt.bus.redis.bus import RedisLimits
from lms_rt.bus.redis.keys import Keys
from lms_rt.errors import Code, Refused
from tests.contracts.buses import PATIENCE_SECONDS, QUICK, Kept, SomeBus, all_arrived, all_words_arrived, on_redis
from tests.servers.redis_server import RedisServer

pytestmark = pytest.mark.real

SILENT = RedisLimits(compare_words_seconds=3600)
"""Words are not compared: what is noticed is noticed by the words themselves."""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
async def some(server: RedisServer) -> AsyncIterator[SomeBus]:
    async with on_redis(server.url, limits=QUICK) as some:
        yield some


@pytest.fixture
async def other(server: RedisServer, some: SomeBus) -> AsyncIterator[Bus]:
    """Another node of the same installation."""
    async with on_redis(server.url, some.installation) as other:
        yield other.bus


def interruptions(heard: Kept) -> list[Interrupted]:
    return [message for message in heard.messages if isinstance(message, Interrupted)]


async def interrupted(*listeners: Kept) -> None:
    for listener in listeners:
        await listener.until(lambda kept=listener: bool(interruptions(kept)))  # type: ignore[misc]


class TestChannels:
    async def test_what_is_published_after_listen_has_returned_is_heard(self, some: SomeBus, other: Bus) -> None:
        for n in range(50):
            heard = Kept()
            listening = await some.bus.fan_out.listen(f"course:{n}", heard)
            await other.fan_out.publish_direct(f"course:{n}", "announcement", {})
            await all_arrived(other, f"course:{n}", heard)
            assert heard.offsets == [1]
            await listening.stop()

    async def test_concurrent_publishers_are_heard_in_the_order_of_offsets(self, some: SomeBus, other: Bus) -> None:
        ears = Kept(), Kept()
        for bus, heard in zip((some.bus, other), ears, strict=True):
            await bus.fan_out.listen("course:1", heard)
        await asyncio.gather(
            *(
                bus.fan_out.publish_direct("course:1", "announcement", {})
                for _ in range(200)
                for bus in (some.bus, other)
            )
        )
        await all_arrived(other, "course:1", *ears)
        assert ears[0].offsets == ears[1].offsets == list(range(1, 401))

    async def test_a_lost_connection_is_told_once_hearing_goes_on(
        self, server: RedisServer, some: SomeBus, other: Bus
    ) -> None:
        heard = [Kept() for _ in range(3)]
        for n, kept in enumerate(heard):
            await some.bus.fan_out.listen(f"course:{n}", kept)
        server.do("CLIENT", "KILL", "TYPE", "pubsub")
        await interrupted(*heard)
        for n, kept in enumerate(heard):
            await other.fan_out.publish_direct(f"course:{n}", "announcement", {})
            await all_arrived(other, f"course:{n}", kept)
            assert [type(message) for message in kept.messages] == [Interrupted, Published]
            assert interruptions(kept) == [Interrupted(f"course:{n}")]

    async def test_a_line_that_is_dead_without_saying_so_is_noticed(self, server: RedisServer, some: SomeBus) -> None:
        heard = Kept()
        await some.bus.fan_out.listen("course:1", heard)
        server.freeze()
        with pytest.raises(Refused):  # the same connection misses its confirmation, or before that a ping
            await some.bus.fan_out.listen("course:2", Kept())
        server.thaw()
        await interrupted(heard)
        await until_heard(some.bus, "course:1", heard)

    async def test_a_dead_line_is_noticed_although_nobody_asks_for_anything(
        self, server: RedisServer, some: SomeBus, caplog: pytest.LogCaptureFixture
    ) -> None:
        heard = Kept()
        await some.bus.fan_out.listen("course:1", heard)
        server.freeze()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "a subscriber line is interrupted" not in caplog.text:  # noqa: ASYNC110 - only the log tells
                await asyncio.sleep(0.01)
        server.thaw()
        await interrupted(heard)
        await until_heard(some.bus, "course:1", heard)

    async def test_a_restart_is_an_interruption_for_everybody(self, server: RedisServer, some: SomeBus) -> None:
        heard, words = Kept(), Kept()
        await some.bus.fan_out.listen("course:1", heard)
        await some.bus.fan_out.listen_control(words)
        server.restart()
        await interrupted(heard, words)
        await until_heard(some.bus, "course:1", heard)

    async def test_who_listens_while_redis_is_away_is_refused_and_leaves_nothing(
        self, server: RedisServer, some: SomeBus
    ) -> None:
        server.kill()
        heard = Kept()
        with pytest.raises(Refused) as caught:
            await some.bus.fan_out.listen("course:1", heard)
        assert caught.value.code is Code.UNAVAILABLE
        server.start()
        later = Kept()
        await until_listening(some.bus, "course:1", later)
        await until_heard(some.bus, "course:1", later)
        assert heard.messages == []

    async def test_after_the_last_has_stopped_the_server_has_nobody(self, server: RedisServer, some: SomeBus) -> None:
        listenings = [await some.bus.fan_out.listen("course:1", Kept()) for _ in range(2)]
        name = Keys(some.installation).channel("course:1")
        assert server.do("PUBSUB", "NUMSUB", name)[1] == 1
        for listening in listenings:
            await listening.stop()
        heard = Kept()
        await some.bus.fan_out.listen("course:2", heard)  # confirmed after what was sent before it
        assert server.do("PUBSUB", "NUMSUB", name)[1] == 0

    async def test_who_gives_up_waiting_for_the_confirmation_is_not_kept(
        self, server: RedisServer, some: SomeBus
    ) -> None:
        waiting = asyncio.create_task(some.bus.fan_out.listen("course:1", Kept()))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await some.bus.fan_out.listen("course:2", Kept())
        await some.bus.fan_out.listen("course:3", Kept())
        assert server.do("PUBSUB", "NUMSUB", Keys(some.installation).channel("course:1"))[1] == 0

    async def test_what_nobody_can_read_is_an_interruption(self, server: RedisServer, some: SomeBus) -> None:
        heard = Kept()
        await some.bus.fan_out.listen("course:1", heard)
        for nonsense in ("", "x", "e", "eepoch 1", "sx y\n{", "p\n{{"):
            server.do("PUBLISH", Keys(some.installation).channel("course:1"), nonsense)
        await all_arrived(some.bus, "course:1", heard)
        assert heard.messages == [Interrupted("course:1")] * 6


class TestWords:
    async def test_a_lost_connection_is_told_and_words_go_on(
        self, server: RedisServer, some: SomeBus, other: Bus
    ) -> None:
        words = Kept()
        await some.bus.fan_out.listen_control(words)
        server.do("CLIENT", "KILL", "TYPE", "pubsub")
        await interrupted(words)
        await other.fan_out.publish_control("session_revoked", {"session_id": "fam_1"})
        await all_words_arrived(other, words)
        assert words.messages[-1] == Control("session_revoked", {"session_id": "fam_1"})

    async def test_a_lost_word_is_noticed_although_nobody_says_another(
        self, server: RedisServer, some: SomeBus
    ) -> None:
        words = Kept()
        await some.bus.fan_out.listen_control(words)
        await all_words_arrived(some.bus, words)
        lose_a_word(server, some)
        await interrupted(words)

    async def test_the_very_first_word_is_missed_as_well(self, server: RedisServer, some: SomeBus) -> None:
        words = Kept()
        await some.bus.fan_out.listen_control(words)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while server.do("GET", Keys(some.installation).words_top) is None:  # noqa: ASYNC110 - the first look
                await asyncio.sleep(0.01)
        lose_a_word(server, some)
        await interrupted(words)

    async def test_a_flush_is_an_interruption_of_words(self, server: RedisServer, some: SomeBus) -> None:
        words = Kept()
        await some.bus.fan_out.listen_control(words)
        await all_words_arrived(some.bus, words)
        server.do("FLUSHALL")
        await interrupted(words)

    async def test_a_word_of_another_epoch_tells_of_an_interruption(self, server: RedisServer) -> None:
        async with on_redis(server.url, limits=SILENT) as some:
            words = Kept()
            await some.bus.fan_out.listen_control(words)
            for _ in range(3):
                await all_words_arrived(some.bus, words)
            server.do("FLUSHALL")
            await some.bus.fan_out.publish_control("access_changed", {})
            await all_words_arrived(some.bus, words)
            assert words.messages == [Interrupted(""), Control("access_changed", {})]

    async def test_what_was_lost_with_the_connection_is_told_once(self, server: RedisServer, some: SomeBus) -> None:
        words = Kept()
        await some.bus.fan_out.listen_control(words)
        await all_words_arrived(some.bus, words)
        server.do("CLIENT", "KILL", "TYPE", "pubsub")
        lose_a_word(server, some)
        await interrupted(words)
        await some.bus.fan_out.publish_control("access_changed", {})
        await all_words_arrived(some.bus, words)
        assert words.messages == [Interrupted(""), Control("access_changed", {})]

    async def test_a_lost_word_is_told_before_the_next(self, server: RedisServer, some: SomeBus, other: Bus) -> None:
        async with on_redis(server.url, some.installation, limits=SILENT) as third:
            words = Kept()
            await third.bus.fan_out.listen_control(words)
            await all_words_arrived(other, words)
            lose_a_word(server, some)
            await other.fan_out.publish_control("access_changed", {})
            await all_words_arrived(other, words)
            assert words.messages == [Interrupted(""), Control("access_changed", {})]

    async def test_while_no_word_is_lost_none_is_missed(self, some: SomeBus, other: Bus) -> None:
        words = Kept()
        await some.bus.fan_out.listen_control(words)
        for _ in range(20):
            await asyncio.gather(*(other.fan_out.publish_control("access_changed", {}) for _ in range(20)))
            await all_words_arrived(other, words)
        assert interruptions(words) == []
        assert len(words.messages) == 400

    async def test_words_begin_with_redis_where_it_was_away_at_the_start(self) -> None:
        with RedisServer() as server:
            server.kill()
            async with on_redis(server.url, limits=QUICK) as some:
                words = Kept()
                await some.bus.fan_out.listen_control(words)
                server.start()
                await interrupted(words)
                async with on_redis(server.url, some.installation) as other:
                    await all_words_arrived(other.bus, words)


def lose_a_word(server: RedisServer, some: SomeBus) -> None:
    """A word was told, and nobody heard it."""
    top = Keys(some.installation).words_top
    epoch, number, begun_by = server.do("GET", top).decode().split()
    server.do("SET", top, f"{epoch} {int(number) + 1} {begun_by}")


async def until_heard(bus: Bus, channel: str, heard: Kept) -> None:
    """Publish until an event is heard."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not heard.offsets:
            try:
                await bus.fan_out.publish_direct(channel, "announcement", {})
            except Refused:
                await asyncio.sleep(0.01)
            else:
                await all_arrived(bus, channel, heard)


async def until_listening(bus: Bus, channel: str, heard: Kept) -> None:
    """Listen as soon as that is possible."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await bus.fan_out.listen(channel, heard)
            except Refused:
                await asyncio.sleep(0.01)
            else:
                return
