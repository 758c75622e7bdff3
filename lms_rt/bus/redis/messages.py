"""What goes over the wire between nodes: events, states, pokes and words as bytes, and back. No I/O.

A message is a letter, a head of words in one line, and a body of JSON. The JSON of an event is the end of the frame that
clients get: made once by who publishes, passed on as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from lms_rt.bus.base import Control, Message, Poke, Position, Published, State
from lms_rt.contracts.base import encode
from lms_rt.contracts.events import LiveEvent
from lms_rt.contracts.frames import event_tail


class UnreadableMessage(Exception):
    """Somebody else speaks here, or another version of this program."""


def event_message(event: LiveEvent) -> bytes:
    """An event as the publish script takes it: the script puts letter, epoch, offset and time before it."""
    return b"%d %b\n%b" % (event.at_ms, (event.aggregate or "").encode(), event_tail(event))


def message_at(kept: bytes, event: LiveEvent) -> bytes:
    """Another event at the place of a kept one, whole."""
    place = b" ".join(kept.split(b" ", 3)[:3])
    return b"%b %b" % (place, event_message(event))


def state_message(name: str, data: Mapping[str, Any], at_ms: int) -> bytes:
    """A state, whole."""
    return b"s%d %b\n%b" % (at_ms, name.encode(), encode(data))


def poke_message(about: Sequence[str]) -> bytes:
    """A poke, whole."""
    return b"p\n" + encode(tuple(about))


def word_message(name: str, data: Mapping[str, Any]) -> bytes:
    """A word as its script takes it: the script puts letter, epoch and number before it."""
    return b"%b\n%b" % (name.encode(), encode(data))


def read_event(channel: str, raw: bytes) -> Published:
    """An event with its place; its JSON is not looked at."""
    head, _, tail = raw.partition(b"\n")
    epoch, offset, _, at_ms, aggregate = head.split(b" ", 4)
    position = Position(epoch[1:].decode(), int(offset))
    return Published(channel, position, int(at_ms), aggregate.decode() or None, tail)


def _read_state(channel: str, raw: bytes) -> State:
    head, _, body = raw.partition(b"\n")
    at_ms, _, name = head.partition(b" ")
    return State(channel, name.decode(), orjson.loads(body), int(at_ms[1:]))


def _read_poke(channel: str, raw: bytes) -> Poke:
    return Poke(channel, tuple(orjson.loads(raw[2:])))


_READERS: Final[dict[bytes, Callable[[str, bytes], Message]]] = {b"s": _read_state, b"p": _read_poke}


def read_message(channel: str, raw: bytes) -> Message:
    """What a channel brought; raises `UnreadableMessage`."""
    try:
        return read_event(channel, raw) if raw.startswith(b"e") else _READERS[raw[:1]](channel, raw)
    except (KeyError, ValueError) as error:
        raise UnreadableMessage(f"{channel}: {raw[:60]!r}") from error


def read_word(raw: bytes) -> tuple[Position, Control]:
    """A word to the nodes and its place among all words; raises `UnreadableMessage`."""
    try:
        head, _, body = raw.partition(b"\n")
        epoch, number, name = head.split(b" ", 2)
        if not epoch.startswith(b"w"):
            raise ValueError("another letter")
        return Position(epoch[1:].decode(), int(number)), Control(name.decode(), orjson.loads(body))
    except ValueError as error:
        raise UnreadableMessage(f"words: {raw[:60]!r}") from error
