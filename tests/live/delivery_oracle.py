"""What was written and what was heard of it, and the promises that hold whatever happens in between.

The same ghosts and verdicts as the model of delivery has: what was committed, which event each place of an epoch names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from lms_rt.bus.base import Position


class Key(NamedTuple):
    """An event of record by its place in its aggregate's life."""

    aggregate: str
    version: int
    n: int


class Oracle:
    """Collects what breaks a promise in `broken`; the machine looks there after every step."""

    def __init__(self, history: int) -> None:
        self._history = history
        self._aged: dict[str, Position] = {}
        self.broken: list[str] = []
        self.written: dict[str, list[Key]] = defaultdict(list)
        self._keys: dict[str, Key] = {}
        self._names: dict[tuple[str, str, int], str] = {}
        self._places: dict[tuple[str, str, str], int] = {}
        self._barred: dict[tuple[str, str], Position] = {}

    # --- what happens ---

    def commit(self, intent: Mapping[str, Any], aggregate: str) -> None:
        """An event of record was written."""
        key = Key(aggregate, intent["version"], intent["n"])
        self._keys[intent["id"]] = key
        for channel in intent["channels"]:
            self.written[channel].append(key)

    def age(self, channel: str, top: Position) -> None:
        """What was published up to here is kept no more."""
        self._aged[channel] = top

    def is_kept(self, channel: str, *, since: Position, top: Position) -> bool:
        """Has the bus all that followed this place, as far as the model of it says?"""
        aged = self._aged.get(channel)
        oldest = max(0, top.offset - self._history, aged.offset if aged is not None and aged.epoch == top.epoch else 0)
        return since.epoch == top.epoch and oldest <= since.offset <= top.offset

    def bar(self, user_id: str, channel: str, top: Position) -> None:
        """From this place on the user must hear nothing of the channel."""
        self._barred[user_id, channel] = top

    def unbar(self, user_id: str, channel: str) -> None:
        """The user may hear it again."""
        self._barred.pop((user_id, channel), None)

    def hear(self, user_id: str, event: Mapping[str, Any]) -> Key | None:
        """Somebody heard an event, live or in a reply; its key, where it is of record."""
        channel, place = event["channel"], Position(event["epoch"], event["offset"])
        barred = self._barred.get((user_id, channel))
        self.require(
            barred is None or (barred.epoch == place.epoch and place.offset <= barred.offset),
            f"{user_id} may not listen to {channel}",
        )
        key = self.name(channel, place, event["id"])
        if key is not None:
            shown = Key(key.aggregate, event["data"]["version"], event["data"]["n"])
            self.require(shown == key, f"{key} is shown as {shown}")
        return key

    def name(self, channel: str, place: Position, event_id: str) -> Key | None:
        """A place of a channel was seen to name this event; its key, where it is of record."""
        known = self._names.setdefault((channel, *place), event_id)
        self.require(known == event_id, f"{place} of {channel} names two events")
        offset = self._places.setdefault((channel, place.epoch, event_id), place.offset)
        self.require(offset == place.offset, f"{event_id} was published twice in one epoch of {channel}")
        key = self._keys.get(event_id)
        if key is not None:
            self._check_order(channel, place.epoch, key.aggregate)
        return key

    def require(self, is_so: bool, otherwise: str) -> None:
        """Note what is not as it must be."""
        if not is_so:
            self.broken.append(otherwise)

    def _check_order(self, channel: str, epoch: str, aggregate: str) -> None:
        heard = sorted(
            (offset, key)
            for (of, at, event_id), offset in self._places.items()
            if (of, at) == (channel, epoch)
            and (key := self._keys.get(event_id)) is not None
            and key.aggregate == aggregate
        )
        keys = [key for _, key in heard]
        self.require(keys == sorted(keys), f"events of {aggregate} came in an inverted order on {channel}: {keys}")
