"""Epochs on a real Redis: after whatever may have lost an event, offsets begin anew under another name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from lms_rt.bus.base import Bus, Position
from lms_rt.bus.redis.channels import TOP
from lms_rt.bus.redis.keys import Keys
from tests.contracts.buses import SomeBus, of_record, on_redis
from tests.servers.redis_server import RedisServer

pytestmark = pytest.mark.real

Loss = Callable[[RedisServer, bytes], Awaitable[None]]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
async def some(server: RedisServer) -> AsyncIterator[SomeBus]:
    async with on_redis(server.url) as some:
        yield some


async def flushed(server: RedisServer, _: bytes) -> None:
    server.do("FLUSHALL")


async def restarted_empty(server: RedisServer, _: bytes) -> None:
    server.restart()


async def restarted_with_an_older_dump(server: RedisServer, dump: bytes) -> None:
    server.restart(dump=dump)


async def restarted_with_everything(server: RedisServer, _: bytes) -> None:
    """Nothing is lost, but nobody could tell."""
    server.restart(dump=server.dump())


async def was_a_replica_for_a_while(server: RedisServer, dump: bytes) -> None:
    """It has another's data now, and the same run id as before."""
    with RedisServer() as other:
        other.restart(dump=dump)
        run_id = server.fact("run_id")
        server.follow(other)
        server.do("REPLICAOF", "NO", "ONE")
        assert server.fact("run_id") == run_id


LOSSES = [
    flushed,
    restarted_empty,
    restarted_with_an_older_dump,
    restarted_with_everything,
    was_a_replica_for_a_while,
]


async def by_asking_for_the_top(bus: Bus) -> Position | None:
    return await bus.history.top("course:1")


async def by_reading(bus: Bus) -> Position | None:
    stretch = await bus.history.read("course:1", after=0)
    assert stretch.events == ()
    return stretch.top


async def by_paging(bus: Bus) -> Position | None:
    page = await bus.history.page("course:1")
    assert (page.events, page.first_offset, page.last_offset) == ((), 0, 0)
    return Position(page.epoch, 0)


async def by_publishing(bus: Bus) -> Position | None:
    place = await bus.fan_out.publish_direct("course:1", "announcement", {})
    assert len((await bus.history.read("course:1", after=0)).events) == 1
    return Position(place.epoch, place.offset - 1)


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("notice", [by_asking_for_the_top, by_reading, by_paging, by_publishing])
async def test_whoever_asks_first_after_a_loss_begins_a_new_epoch(
    server: RedisServer, some: SomeBus, lose: Loss, notice: Callable[[Bus], Awaitable[Position | None]]
) -> None:
    before = [await some.bus.fan_out.publish("course:1", of_record("crs_1", version)) for version in (1, 2, 3)][-1]
    dump = server.dump()
    await some.bus.fan_out.publish("course:1", of_record("crs_1", 4))
    await lose(server, dump)
    async with on_redis(server.url, some.installation) as later:
        after = await notice(later.bus)
        assert before is not None
        assert after is not None
        assert after.offset == 0
        assert after.epoch != before.epoch
        top = await later.bus.history.top("course:1")
        assert top is not None
        assert top.epoch == after.epoch


@pytest.mark.parametrize("lose", LOSSES)
async def test_what_was_seen_in_another_epoch_is_forgotten(server: RedisServer, some: SomeBus, lose: Loss) -> None:
    """Its subscribers may not have got it, and start from a snapshot anyway; who has it drops the repeat."""
    await some.bus.fan_out.publish("course:1", of_record("crs_1", 4))
    await lose(server, server.dump())
    async with on_redis(server.url, some.installation) as later:
        assert await later.bus.fan_out.publish("course:1", of_record("crs_1", 2)) is not None
        assert await later.bus.fan_out.publish("course:1", of_record("crs_1", 2)) is None


async def test_a_promoted_replica_begins_a_new_epoch(server: RedisServer, some: SomeBus) -> None:
    before = await some.bus.fan_out.publish("course:1", of_record("crs_1", 1))
    with RedisServer() as replica:
        replica.follow(server)
        replica.do("REPLICAOF", "NO", "ONE")
        async with on_redis(replica.url, some.installation) as later:
            stretch = await later.bus.history.read("course:1", after=0)
    assert before is not None
    assert (stretch.top.offset, stretch.events) == (0, ())
    assert stretch.top.epoch != before.epoch


async def test_a_copy_that_takes_writes_counts_for_itself(server: RedisServer, some: SomeBus) -> None:
    """It has the replication id of its master. The line does not go there; the script does not rest on that."""
    keys = Keys(some.installation)
    with RedisServer(replica_read_only="no") as copy:
        copy.follow(server)
        before = await some.bus.fan_out.publish_direct("course:1", "announcement", {})
        assert server.do("WAIT", 1, 5000) == 1
        asked = (TOP.source, 2, keys.top("course:1"), keys.history("course:1"), "fresh")
        assert server.do("EVAL", *asked) == [before.epoch.encode(), 1]
        assert copy.do("EVAL", *asked) == [b"fresh", 0]


async def test_two_nodes_after_a_loss_agree_on_the_new_epoch(server: RedisServer, some: SomeBus) -> None:
    async with on_redis(server.url, some.installation) as other:
        await some.bus.fan_out.publish_direct("course:1", "announcement", {})
        server.do("FLUSHALL")
        places = [
            await bus.fan_out.publish_direct("course:1", "announcement", {})
            for bus in (some.bus, other.bus, some.bus, other.bus)
        ]
    assert len({place.epoch for place in places}) == 1
    assert [place.offset for place in places] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "lose", [restarted_with_an_older_dump, was_a_replica_for_a_while], ids=lambda lose: lose.__name__
)
async def test_a_ticket_that_was_used_before_a_loss_is_not_good_again(
    server: RedisServer, some: SomeBus, lose: Loss
) -> None:
    await some.bus.tickets.issue("hash", {"user_id": "usr_1"}, ttl_seconds=30)
    dump = server.dump()
    assert await some.bus.tickets.consume("hash") == {"user_id": "usr_1"}
    await lose(server, dump)
    async with on_redis(server.url, some.installation) as later:
        assert await later.bus.tickets.consume("hash") is None
