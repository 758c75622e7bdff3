"""Events that came together: each listener gets what its reply has not told, in one piece where nothing waits before it."""

from __future__ import annotations

import pytest

from lms_rt.contracts.actor import Actor
from lms_rt.realtime.batch import Batch
from lms_rt.realtime.connection import Connection, Flusher, Transport
from lms_rt.realtime.metrics import LiveMetrics
from lms_rt.realtime.subscription import Subscription


class Wire(Transport):
    """Keeps what was written, and takes it all or nothing."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_open = True

    def write(self, data: bytes) -> bool:
        self.written.append(data)
        return self.is_open

    def close(self, *_: object) -> None:
        self.is_open = False

    def abort(self) -> None:
        self.is_open = False


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def subscription(wire: Wire) -> Subscription:
    connection = Connection(
        "con_1",
        Actor("ada", None),
        transport=wire,
        flusher=Flusher(),
        metrics=LiveMetrics(),
        detach=lambda _: None,
    )
    made = Subscription("course:1", connection, 1)
    made.release()
    return made


def batch(first: int, last: int) -> Batch:
    made = Batch()
    for offset in range(first, last + 1):
        made.add(offset, b"<%d>" % offset)
    return made


@pytest.mark.parametrize(
    ("after", "told"), [(0, b"<3><4><5>"), (2, b"<3><4><5>"), (3, b"<4><5>"), (4, b"<5>"), (5, b""), (9, b"")]
)
def test_what_the_reply_has_told_is_left_out(wire: Wire, subscription: Subscription, after: int, told: bytes) -> None:
    subscription.after_offset = after
    batch(3, 5).send_to([subscription])
    assert wire.written == ([told] if told else [])


async def test_it_goes_behind_what_waits(wire: Wire, subscription: Subscription) -> None:
    connection = subscription.connection
    connection.send(b"<reply>")
    batch(1, 2).send_to([subscription])
    assert wire.written == []
    connection.flush()
    assert wire.written == [b"<reply><1><2>"]


def test_it_waits_while_the_socket_is_full(wire: Wire, subscription: Subscription) -> None:
    wire.is_open = False
    batch(1, 1).send_to([subscription])
    batch(2, 3).send_to([subscription])
    assert wire.written == [b"<1>"]
    assert subscription.connection.queued_bytes == len(b"<1><2><3>")
    wire.is_open = True
    subscription.connection.drained()
    assert wire.written == [b"<1>", b"<2><3>"]


def test_it_is_held_until_the_reply_is_on_its_way(wire: Wire, subscription: Subscription) -> None:
    held = Subscription("course:1", subscription.connection, 2)
    subscription.connection.cork()
    batch(1, 2).send_to([held])
    held.release()
    subscription.connection.flush()
    assert wire.written == [b"<1><2>"]


def test_it_is_full_before_it_is_more_than_one_write_may_be() -> None:
    made = Batch()
    made.add(1, b"x" * 100_000)
    assert not made.is_full
    made.add(2, b"x" * 100_000)
    assert made.is_full
