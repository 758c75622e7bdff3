"""The send queue of a connection: order, joining, conflation, bounds, and one end whatever the path."""

from __future__ import annotations

import asyncio

import pytest

from documents.enums import Role
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.frames import text_frame
from lms_rt.realtime.close_codes import Close
from lms_rt.realtime.connection import MAX_QUEUE_FRAMES, Connection, Flusher, Transport
from lms_rt.realtime.metrics import LiveMetrics


class Pipe(Transport):
    """Takes everything, or (`is_full`) what it is handed and nothing more until it is emptied."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closes: list[int | None] = []
        self.is_full = False

    def write(self, data: bytes) -> bool:
        self.written.append(data)
        return not self.is_full

    def close(self, code: int, reason: str) -> None:
        assert reason
        self.closes.append(code)

    def abort(self) -> None:
        self.closes.append(None)


class Line:
    def __init__(self) -> None:
        self.pipe, self.detached = Pipe(), 0
        self.metrics = LiveMetrics()
        self.connection = Connection(
            "con_1",
            Actor("usr_1", Role.STUDENT),
            transport=self.pipe,
            flusher=Flusher(),
            metrics=self.metrics,
            detach=self.detach,
        )

    def detach(self, _: Connection) -> None:
        self.detached += 1

    async def blocked(self) -> None:
        """The socket takes one more write and then no more."""
        self.pipe.is_full = True
        self.connection.send(b"first")
        await asyncio.sleep(0)
        assert self.pipe.written == [b"first"]

    def emptied(self) -> bytes:
        """The socket took all: what is written next."""
        self.pipe.written.clear()
        self.pipe.is_full = False
        self.connection.drained()
        return b"".join(self.pipe.written)


@pytest.fixture
def line() -> Line:
    return Line()


async def test_a_tick_is_one_write_in_order(line: Line) -> None:
    for frame in (b"1", b"2", b"3"):
        line.connection.send(frame)
    assert line.pipe.written == []
    await asyncio.sleep(0)
    assert line.pipe.written == [b"123"]


async def test_while_the_socket_is_full_frames_wait_and_then_go_in_order(line: Line) -> None:
    await line.blocked()
    for n in range(5):
        line.connection.send(str(n).encode())
        await asyncio.sleep(0)
    assert line.pipe.written == [b"first"]
    assert line.connection.queued_bytes == 10
    assert line.emptied() == b"01234"
    assert line.connection.queued_bytes == 0


async def test_of_a_state_only_the_newest_waits_in_the_place_of_the_first(line: Line) -> None:
    await line.blocked()
    line.connection.send(b"a")
    line.connection.send_state(("course:1", "presence"), b"old")
    line.connection.send(b"b")
    line.connection.send_state(("course:1", "presence"), b"new")
    line.connection.send_state(("course:2", "presence"), b"other")
    assert line.metrics.conflations._value.get() == 1
    assert line.emptied() == b"anewbother"


async def test_a_state_is_made_when_it_leaves_and_not_before(line: Line) -> None:
    made: list[int] = []

    def make() -> bytes | None:
        made.append(1)
        return b"made" if len(made) == 1 else None

    await line.blocked()
    for _ in range(3):
        line.connection.send_state(("quiz:1:live", "dashboard"), make)
    assert made == []
    assert line.emptied() == b"made"
    line.connection.send_state(("quiz:1:live", "dashboard"), make)
    await asyncio.sleep(0)
    assert (len(made), line.pipe.written) == (2, [b"made"])


async def test_states_of_a_channel_that_was_left_are_forgotten(line: Line) -> None:
    await line.blocked()
    line.connection.send_state(("course:1", "presence"), b"gone")
    line.connection.send_state(("course:2", "presence"), b"kept")
    line.connection.drop_states("course:1")
    assert line.emptied() == b"kept"


async def test_more_than_a_chunk_goes_in_parts_and_waits_in_between(line: Line) -> None:
    await line.blocked()
    for n in range(6):
        line.connection.send(bytes([n]) * 100_000)
    line.pipe.written.clear()
    line.connection.drained()
    assert [len(data) for data in line.pipe.written] == [300_000]
    assert line.emptied() == b"".join(bytes([n]) * 100_000 for n in (3, 4, 5))


@pytest.mark.parametrize(("size", "count"), [(1, MAX_QUEUE_FRAMES + 1), (100_000, 11)])
async def test_beyond_a_mebibyte_or_a_thousand_frames_it_is_too_slow(line: Line, size: int, count: int) -> None:
    await line.blocked()
    for _ in range(count - 1):
        line.connection.send(b"x" * size)
    assert not line.connection.is_closed
    line.connection.send(b"x" * size)
    assert line.pipe.closes == [Close.TOO_SLOW.code]
    assert line.pipe.written == [b"first"]
    assert (line.detached, line.connection.queued_bytes) == (1, 0)


async def test_a_burst_in_one_tick_is_not_slow_when_the_socket_takes_it(line: Line) -> None:
    for _ in range(3 * MAX_QUEUE_FRAMES):
        line.connection.send(b"x" * 1_000)
    await asyncio.sleep(0)
    assert not line.connection.is_closed
    assert sum(map(len, line.pipe.written)) == 3_000 * MAX_QUEUE_FRAMES


async def test_what_waits_goes_before_a_close_and_nothing_after(line: Line) -> None:
    line.connection.send(b"reply")
    line.connection.close(Close.FLOODING)
    line.connection.send(b"late")
    line.connection.send_state(("course:1", "presence"), b"late")
    await asyncio.sleep(0)
    assert line.pipe.written == [b"reply"]
    assert line.pipe.closes == [4529]


async def test_it_ends_once(line: Line) -> None:
    line.connection.close(Close.RESTARTING)
    line.connection.close(Close.TOO_SLOW)
    line.connection.abort()
    line.connection.lost(1006)
    assert (line.detached, line.connection.close_code, line.pipe.closes) == (1, 1012, [1012])


@pytest.mark.parametrize(
    ("size", "head"),
    [(0, b"\x81\x00"), (125, b"\x81\x7d"), (126, b"\x81\x7e\x00\x7e"), (65_536, b"\x81\x7f\0\0\0\0\0\x01\0\0")],
)
def test_a_frame_has_the_head_of_its_length(size: int, head: bytes) -> None:
    assert text_frame(b"x" * size) == head + b"x" * size


def test_every_close_has_a_number_of_its_own_and_its_range_says_what_to_do() -> None:
    codes = [close.code for close in Close]
    assert len(set(codes)) == len(codes)
    for close in Close:
        if close.code >= 4000:
            assert close.may_reconnect == (close.code < 4500)
        assert len(close.reason.encode()) <= 123
        assert close.meaning


async def test_a_fault_of_one_flush_is_no_fault_of_the_others() -> None:
    flusher, lines = Flusher(), [Line() for _ in range(3)]
    for line in lines:
        line.connection._flusher = flusher
        line.connection.send(b"frame")

    def broken(_: bytes) -> bool:
        raise RuntimeError("out of order")

    lines[1].pipe.write = broken  # type: ignore[method-assign, assignment]
    await asyncio.sleep(0)
    assert [line.pipe.written for line in lines] == [[b"frame"], [], [b"frame"]]
    assert [line.connection.is_closed for line in lines] == [False, True, False]


async def test_whoever_finds_a_connection_too_slow_it_is_counted() -> None:
    line = Line()
    line.connection.close(Close.TOO_SLOW)
    assert line.metrics.slow_closes._value.get() == 1


async def test_a_fault_while_what_waited_leaves_ends_the_line() -> None:
    """It was taken from the queue already: whoever does not get it must not believe that nothing is missing."""
    line = Line()
    await line.blocked()
    line.connection.send(b"event")

    def broken() -> bytes | None:
        raise RuntimeError("out of order")

    line.connection.send_state(("course:1", "dashboard"), broken)
    line.emptied()
    assert (line.connection.is_closed, line.pipe.closes) == (True, [None])
