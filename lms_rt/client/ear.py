"""One channel as a client hears it: events in order and each once, states, and when to take a snapshot anew.

Holds positions and decides what is news; sends nothing (`live.py` does).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lms_rt.client.faults import CommandRefusedError
from lms_rt.contracts.events import AGGREGATE_FIELDS

Frame = dict[str, Any]
OnFrame = Callable[[Frame], None]
OnRefused = Callable[[CommandRefusedError], None]
OnReset = Callable[[], Awaitable[object]]
"""Fetches the snapshot. May return the versions that it held, by the id of the aggregate: older events are dropped."""

MAX_HELD = 1_000
"""So many events wait for a snapshot; what is more is asked for again afterwards."""
MAX_AGGREGATES = 1_000
"""Of so many aggregates a channel remembers the newest (version, n)."""
_WHOLE_VERSION = float("inf")


async def _nothing_to_fetch() -> None:
    """For callers that need no snapshot."""


def _ignore(_: Any) -> None:
    """For callers that do not listen to this kind."""


class Ear:
    """`on_reset` fetches the snapshot; until it has returned, events wait and there is no position to come back with."""

    def __init__(
        self,
        channel: str,
        *,
        on_event: OnFrame = _ignore,
        on_state: OnFrame = _ignore,
        on_reset: OnReset = _nothing_to_fetch,
        on_refused: OnRefused = _ignore,
    ) -> None:
        self.channel = channel
        self.resets = 0
        self.following = asyncio.Lock()
        self._on_event, self._on_state, self._on_reset, self._on_refused = on_event, on_state, on_reset, on_refused
        self._epoch, self._offset = "", 0
        self._is_settled = False
        self._held: deque[Frame] | None = None
        self._has_hole = False
        self._newest: OrderedDict[str, tuple[int, float]] = OrderedDict()

    # --- where it stands ---

    @property
    def since(self) -> dict[str, Any] | None:
        """Where to go on, or None: a snapshot is missing."""
        return {"epoch": self._epoch, "offset": self._offset} if self._is_settled else None

    @property
    def offset(self) -> int:
        """The last offset that was heard."""
        return self._offset

    def begin_at(self, epoch: str, offset: int) -> None:
        """Stand at a position whose snapshot the caller holds."""
        self._epoch, self._offset, self._is_settled, self._held = epoch, offset, True, None

    def forget_position(self) -> None:
        """Begin with a snapshot the next time."""
        self._is_settled, self._held = False, None

    def note_versions(self, versions: Mapping[str, int]) -> None:
        """What a snapshot held, version by id of the aggregate: events that are not newer are dropped."""
        for aggregate_id, version in versions.items():
            if isinstance(version, int):
                self._note(aggregate_id, (version, _WHOLE_VERSION))

    # --- the subscription ---

    def take_reply(self, reply: Frame) -> None:
        """Take the reply of `subscribe`, before any frame that followed it: what was missed, or a fresh position."""
        self._has_hole = False
        if reply["recovered"]:
            for event in reply["events"]:
                self.hear(event)
        else:
            self._is_settled, self._held = False, deque()
        self._epoch, self._offset = reply["epoch"], reply["offset"]

    async def settle(self) -> bool:
        """Fetch the snapshot when the last reply left a hole. False: something is missing since, subscribe again."""
        held = self._held
        if held is None:
            return self._is_settled
        self.resets += 1
        versions = await self._on_reset()
        if self._held is not held:
            return False  # the position was forgotten meanwhile
        if isinstance(versions, Mapping):
            self.note_versions(versions)
        self._held, self._is_settled = None, True
        for event in held:
            self._tell(event)
        return not self._has_hole

    def refuse(self, refused: CommandRefusedError) -> None:
        """The server does not let us listen, or does no more."""
        self.forget_position()
        self._on_refused(refused)

    # --- what comes in ---

    def hear(self, event: Frame) -> bool:
        """An event; one that was heard before is dropped. False: something is missing before it."""
        epoch, offset = event["epoch"], event["offset"]
        if epoch == self._epoch and offset <= self._offset:
            return True
        if epoch != self._epoch or offset != self._offset + 1:
            return self._miss()
        if self._held is not None:
            if self._has_hole or len(self._held) == MAX_HELD:
                return self._miss()
            self._held.append(event)
        self._offset = offset
        if self._held is None:
            self._tell(event)
        return True

    def hear_state(self, state: Frame) -> None:
        """A state: only the latest matters."""
        self._on_state(state)

    def _miss(self) -> bool:
        """While a snapshot is fetched, what is missing is asked for afterwards."""
        self._has_hole = True
        return self._held is not None

    def _tell(self, event: Frame) -> None:
        if self._is_news(event["data"]):
            self._on_event(event)

    def _is_news(self, data: Frame) -> bool:
        """Is an event of record newer than what is known of its aggregate? Other events always are."""
        aggregate_id = next((data[field] for field in AGGREGATE_FIELDS if field in data), None)
        if "version" not in data or aggregate_id is None:
            return True
        place = (data["version"], float(data["n"]))
        if place <= self._newest.get(aggregate_id, (-1, 0.0)):
            return False
        self._note(aggregate_id, place)
        return True

    def _note(self, aggregate_id: str, place: tuple[int, float]) -> None:
        self._newest[aggregate_id] = max(place, self._newest.get(aggregate_id, place))
        self._newest.move_to_end(aggregate_id)
        if len(self._newest) > MAX_AGGREGATES:
            self._newest.popitem(last=False)
