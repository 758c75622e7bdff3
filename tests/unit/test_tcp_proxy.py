"""The proxy of the fault tests does to a connection what it says, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.servers.tcp_proxy import TcpProxy, Way, tcp_proxy

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    """Before a server that says everything back."""
    writers: list[asyncio.StreamWriter] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while some := await reader.read(65_536):
                writer.write(some)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with tcp_proxy(server.sockets[0].getsockname()[1]) as made:
        yield made
    server.close()
    await server.wait_closed()


async def connected(proxy: TcpProxy) -> Streams:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def said(streams: Streams, words: bytes) -> bytes:
    reader, writer = streams
    writer.write(words)
    return await heard(reader, len(words))


async def heard(reader: asyncio.StreamReader, count: int) -> bytes:
    async with asyncio.timeout(5):
        return await reader.readexactly(count)


def ended(*all_streams: Streams) -> None:
    for _, writer in all_streams:
        writer.close()


async def test_passes_on_what_it_is_given_and_its_end(proxy: TcpProxy) -> None:
    streams = await connected(proxy)
    big = bytes(range(256)) * 4_000
    assert await said(streams, big) == big
    streams[1].write_eof()
    assert await streams[0].read() == b""
    ended(streams)


async def test_a_cut_is_a_reset_and_the_next_connection_is_whole(proxy: TcpProxy) -> None:
    streams = await connected(proxy)
    await said(streams, b"one")
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        await streams[0].read()
    again = await connected(proxy)
    assert await said(again, b"two") == b"two"
    ended(streams, again)


async def test_one_direction_dies_and_what_was_held_comes_with_the_release(proxy: TcpProxy) -> None:
    streams = await connected(proxy)
    await said(streams, b"one")
    link = proxy.links[0]
    link.hold(Way.DOWN)
    streams[1].write(b"two")
    await asyncio.wait_for(link.something_held(Way.DOWN), 5)
    assert link.flows[Way.UP].passed_bytes == 6
    other = await connected(proxy)
    assert await said(other, b"not held") == b"not held"
    link.release()
    assert await heard(streams[0], 3) == b"two"
    ended(streams, other)


async def test_a_reply_is_lost_although_the_server_had_the_question(proxy: TcpProxy) -> None:
    proxy.when_asked(b"three", lambda link: link.hold(Way.DOWN))
    streams, other = await connected(proxy), await connected(proxy)
    assert await said(streams, b"two") == b"two"
    streams[1].write(b"three")
    held = next(link for link in proxy.links if link.flows[Way.UP].passed_bytes)
    await asyncio.wait_for(held.something_held(Way.DOWN), 5)
    assert held.flows[Way.UP].passed_bytes == 8
    assert await said(other, b"three") == b"three"
    held.cut()
    with pytest.raises(ConnectionResetError):
        await streams[0].read()
    ended(streams, other)


async def test_a_question_is_lost_with_its_line(proxy: TcpProxy) -> None:
    proxy.when_asked(b"three", lambda link: link.cut())
    streams = await connected(proxy)
    streams[1].write(b"three")
    with pytest.raises(ConnectionResetError):
        await streams[0].read()
    ended(streams)


async def test_who_comes_to_a_half_open_proxy_is_taken_and_hears_nothing(proxy: TcpProxy) -> None:
    proxy.hold()
    streams = await connected(proxy)
    streams[1].write(b"hello")
    while not proxy.links:  # noqa: ASYNC110 - the accept is told to nobody
        await asyncio.sleep(0)
    await asyncio.wait_for(proxy.links[0].something_held(Way.UP), 5)
    assert proxy.links[0].flows[Way.UP].passed_bytes == 0
    proxy.release()
    assert await heard(streams[0], 5) == b"hello"
    ended(streams)


async def test_refuses_and_takes_again_on_the_same_port(proxy: TcpProxy) -> None:
    streams = await connected(proxy)
    await said(streams, b"one")
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await connected(proxy)
    assert await said(streams, b"still here") == b"still here"
    await proxy.vanish()
    with pytest.raises(ConnectionResetError):
        await streams[0].read()
    await proxy.accept()
    again = await connected(proxy)
    assert await said(again, b"two") == b"two"
    ended(streams, again)


async def test_a_delay_is_felt_both_ways_and_keeps_the_order(proxy: TcpProxy) -> None:
    proxy.delay(0.1)
    streams = await connected(proxy)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for n in range(10):
        streams[1].write(b"%d" % n)
        await asyncio.sleep(0)
    assert await heard(streams[0], 10) == b"0123456789"
    assert loop.time() - began >= 0.2
    ended(streams)


async def test_a_slow_reader_is_felt_by_the_sender(proxy: TcpProxy) -> None:
    proxy.slow_down(1, Way.UP)
    streams = await connected(proxy)
    streams[1].write(bytes(32_000_000))
    assert await heard(streams[0], 1) == b"\0"
    assert streams[1].transport.get_write_buffer_size() > 0
    proxy.cut()
    ended(streams)


async def test_a_server_that_is_away_is_a_reset(proxy: TcpProxy) -> None:
    proxy.target = ("127.0.0.1", 9)
    streams = await connected(proxy)
    with pytest.raises(ConnectionResetError):
        await streams[0].read()
    ended(streams)


def test_a_url_leads_by_way_of_it() -> None:
    proxy = TcpProxy(("127.0.0.1", 6379))
    proxy.port = 7
    assert proxy.url("redis://:secret@localhost:6379/3") == "redis://:secret@127.0.0.1:7/3"
    assert proxy.url("mongodb://127.0.0.1:27017/") == "mongodb://127.0.0.1:7/"
