"""The abstract roles of the bus: everything that processes share fast and may lose.

Two implementations of the whole exist (memory, Redis); nothing outside `lms_rt/bus` knows which one is at work. What
must not be lost is in documents. Any role may raise `Refused(Code.UNAVAILABLE)` while the bus is away.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from lms_rt.bus.limits import RateLimits
from lms_rt.contracts.events import LiveEvent
from lms_rt.contracts.frames import event_frame, event_tail, read_event_tail

HISTORY_EVENTS = 1_000
HISTORY_SECONDS = 24 * 3600
FENCE_SECONDS = 24 * 3600
TOP_SECONDS = 30 * 24 * 3600
PRESENCE_SECONDS = 25
"""A member that nobody renews for so long is gone; all are told within 30 s."""


class Position(NamedTuple):
    """A place in a channel: offsets belong to one epoch, and say nothing in another."""

    epoch: str
    offset: int


class Published:
    """An event with the place that the channel gave it: as an event, and as the end of its frame.

    Each is made from the other when it is asked for, so that who passes an event on does not read it.
    """

    __slots__ = ("_aggregate", "_event", "_tail", "at_ms", "channel", "position")

    def __init__(  # noqa: PLR0917 - made once for each message that is heard
        self, channel: str, position: Position, at_ms: int, aggregate: str | None, tail: bytes | None
    ) -> None:
        self.channel, self.position, self.at_ms = channel, position, at_ms
        self._aggregate, self._tail = aggregate, tail
        self._event: LiveEvent | None = None

    @classmethod
    def of(cls, channel: str, position: Position, event: LiveEvent) -> Published:
        """An event that was published in this process."""
        made = cls(channel, position, event.at_ms, event.aggregate, None)
        made._event = event
        return made

    @property
    def event(self) -> LiveEvent:
        """What happened."""
        if self._event is None:
            assert self._tail is not None  # noqa: S101 - one of the two is there
            self._event = read_event_tail(self._tail, self.at_ms, self._aggregate)
        return self._event

    @property
    def frame(self) -> bytes:
        """What clients get."""
        if self._tail is None:
            assert self._event is not None  # noqa: S101 - one of the two is there
            self._tail = event_tail(self._event)
        return event_frame(self.channel, *self.position, self._tail)


@dataclass(frozen=True, slots=True)
class State:
    """A state: only the latest matters; no offset, never replayed."""

    channel: str
    name: str
    data: Mapping[str, Any]
    at_ms: int


@dataclass(frozen=True, slots=True)
class Poke:
    """Something that a projection shows may have changed: look. `about` names what, where the poker knows it."""

    channel: str
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Messages may have been lost on their way to this process: compare with what the bus, or the database, holds."""

    channel: str


@dataclass(frozen=True, slots=True)
class Control:
    """A word to every node, such as `session_revoked`; not for clients."""

    name: str
    data: Mapping[str, Any]


Message = Published | State | Poke | Interrupted
"""What a listener of a channel is handed."""

Word = Control | Interrupted
"""What a listener to the words is handed."""

MessageT = TypeVar("MessageT")


class Receiver(ABC, Generic[MessageT]):
    """Where a listener's messages go. Called in their order, never awaited: it must only put them somewhere."""

    @abstractmethod
    def receive(self, message: MessageT) -> None:
        """Take one message."""


class Listening(ABC):
    """A confirmed subscription of this process; ends once."""

    @abstractmethod
    async def stop(self) -> None:
        """Hand over nothing more. Again does nothing."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The newest events of a channel and its top, read in one atomic step."""

    top: Position
    events: tuple[Published, ...]

    def since(self, position: Position | None) -> tuple[Published, ...] | None:
        """What followed `position` without a hole; None: it is of another epoch, above the top, or too old."""
        if position is None or position.epoch != self.top.epoch or not 0 <= position.offset <= self.top.offset:
            return None
        missing = self.top.offset - position.offset
        if missing > len(self.events):
            return None
        return self.events[len(self.events) - missing :]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some events of a channel in order, and the first and last offset that the history holds (0, 0: none)."""

    epoch: str
    events: tuple[Published, ...]
    first_offset: int
    last_offset: int


class FanOut(ABC):
    """From one process to all: events with offsets, states, pokes, and words to the nodes."""

    @abstractmethod
    async def publish(self, channel: str, event: LiveEvent) -> Position | None:
        """Give the event its place, keep it in the history and hand it to every listener: one atomic step.

        An event of record carries (aggregate, version, n); what is not newer than the newest of its aggregate on this
        channel is dropped (None): neither a repeat nor a slow relay delivers twice or out of order. Others always pass.
        """

    @abstractmethod
    async def publish_direct(self, channel: str, name: str, data: Mapping[str, Any]) -> Position:
        """An event that is not of record: best effort, without version, but with an offset of its own."""

    @abstractmethod
    async def publish_state(self, channel: str, name: str, data: Mapping[str, Any]) -> None:
        """A state for who listens now."""

    @abstractmethod
    async def poke(self, channel: str, about: Sequence[str] = ()) -> None:
        """Tell the channel's projections, where there are any, to look; `about` names what may have changed."""

    @abstractmethod
    async def listen(self, channel: str, receiver: Receiver[Message]) -> Listening:
        """Hand the channel's messages to `receiver` from now on; returns once that is confirmed."""

    @abstractmethod
    async def publish_control(self, name: str, data: Mapping[str, Any]) -> None:
        """A word to every node, this one included."""

    @abstractmethod
    async def listen_control(self, receiver: Receiver[Word]) -> Listening:
        """Hand words to the nodes to `receiver` from now on; returns once that is confirmed."""


Reword = Callable[[LiveEvent], Mapping[str, Any] | None]
"""Given a kept event, the data that it is to have from now on; None: it stays as it is."""


class History(ABC):
    """What was published: 1,000 events or 24 h a channel; epoch and offset 30 days after the last event."""

    @abstractmethod
    async def read(self, channel: str, *, after: int | None = None) -> Stretch:
        """The top, and the kept events with offsets above `after` (None: no events)."""

    @abstractmethod
    async def page(
        self, channel: str, *, before: int | None = None, after: int | None = None, limit: int = 100
    ) -> HistoryPage:
        """At most `limit` events: the first above `after`, else the last below `before`, else the newest."""

    @abstractmethod
    async def top(self, channel: str) -> Position | None:
        """The channel's newest place, for `as_of` (read it before the data); None: the bus is away."""

    @abstractmethod
    async def forget(self, channel: str) -> None:
        """Forget all that the channel told: it begins a new epoch, and who listens reads the whole anew; again is as good."""

    @abstractmethod
    async def reword(self, channel: str, word: str, change: Reword) -> None:
        """Put other data into the kept events in which `word` stands, as `change` says; each keeps its name and its place.

        Who has heard them is not told: an event that says so is for the caller to publish.
        """


_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Member:
    """One connection's presence on a channel. `note` holds small facts of its user there, the same for all devices."""

    connection_id: str
    user_id: str
    full_name: str = ""
    is_staff: bool = False
    note: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


Membership = tuple[str, str]
"""A channel, and the id of a connection that is on it."""


class Presence(ABC):
    """Who is on which channel, over all nodes. A member that nobody renews is gone after `PRESENCE_SECONDS`."""

    @abstractmethod
    async def join(self, channel: str, member: Member) -> int:
        """Be there; again renews. How many connections are there now. The member's `note` is not looked at."""

    @abstractmethod
    async def leave(self, memberships: Iterable[Membership]) -> None:
        """Be gone; again does nothing."""

    @abstractmethod
    async def renew(self, memberships: Iterable[Membership]) -> list[Membership]:
        """Keep these alive for another while; gives back those that are not known (any more), which must join again."""

    @abstractmethod
    async def note(self, channel: str, user_id: str, data: Mapping[str, Any]) -> None:
        """Attach facts to a user on a channel; they replace those of the same name and go with the last device."""

    @abstractmethod
    async def members_of(self, channels: Iterable[str]) -> dict[str, list[Member]]:
        """Who is on each of the channels, with their notes; every channel asked for is a key."""

    @abstractmethod
    async def count_users(self, channels: Iterable[str]) -> dict[str, int]:
        """How many people are on each of the channels, however many connections they have; every channel is a key."""


class Tickets(ABC):
    """One-time tickets, by the hash of what the client holds."""

    @abstractmethod
    async def issue(self, ticket_hash: str, data: Mapping[str, Any], *, ttl_seconds: float) -> None:
        """Keep a ticket for so long."""

    @abstractmethod
    async def consume(self, ticket_hash: str) -> dict[str, Any] | None:
        """What was kept, once; None: unknown, used or too old. Atomic: of two callers one gets it."""


class Revocations(ABC):
    """Fast copies of what ended: sessions (and whatever else has an id). The fact itself is in the database."""

    @abstractmethod
    async def revoke(self, key: str, *, ttl_seconds: float) -> None:
        """Remember that `key` ended, for as long as tokens of it could still be shown."""

    @abstractmethod
    async def is_revoked(self, key: str) -> bool:
        """Is it remembered? False says only that no copy is here."""


class Locks(ABC):
    """Short leases that only save work: nothing may rest on them being exclusive."""

    @abstractmethod
    async def acquire(self, name: str, *, ttl_seconds: float) -> str | None:
        """A token for `release`, or None: somebody has it."""

    @abstractmethod
    async def release(self, name: str, token: str) -> None:
        """Give it back, if it is still held with this token."""


class Marks(ABC):
    """Marks by name that move: what was kept under one that moved since is old, on every node."""

    @abstractmethod
    async def mark_of(self, name: str) -> str:
        """The mark that stands now; made where there is none."""

    @abstractmethod
    async def move(self, name: str) -> None:
        """From here on another mark stands: none that stood before comes back."""


class WakeUps(ABC):
    """Waking workers: only a hint, the sweeper finds every job anyway."""

    @abstractmethod
    async def wake(self, queue: str, job_id: str) -> None:
        """A job may be due."""


class Reachability(ABC):
    """Whether the bus answers. While it does not, every other role refuses at once with `Code.UNAVAILABLE`."""

    @property
    @abstractmethod
    def is_reachable(self) -> bool:
        """Does it answer, as far as this process knows?"""

    @abstractmethod
    def watch(self, receiver: Receiver[bool]) -> Listening:
        """Hand every change to `receiver`: False when it went away (at once, if it is), True when it is back."""

    @abstractmethod
    async def ping(self) -> float:
        """Ask now; milliseconds until the answer. Raises `Refused(Code.UNAVAILABLE)`."""

    @abstractmethod
    async def faults(self) -> list[str]:
        """What is wrong with how the bus is set up (such as a store that evicts what it should keep); usually nothing."""


class SharedTime(ABC):
    """The one clock that all nodes go by."""

    @abstractmethod
    async def measure(self) -> tuple[int, float]:
        """Epoch milliseconds there halfway through the question, and the round trip in milliseconds.

        Raises `Refused(Code.UNAVAILABLE)`.
        """


@dataclass(frozen=True, slots=True)
class Bus:
    """All roles together, of one implementation."""

    fan_out: FanOut
    history: History
    presence: Presence
    tickets: Tickets
    revocations: Revocations
    rate_limits: RateLimits
    locks: Locks
    marks: Marks
    wake_ups: WakeUps
    reachability: Reachability
    time: SharedTime | None
    """None: this process is alone, its own clock is the shared one."""

    async def open(self) -> None:
        """Connect; returns when it answers. Raises `Refused(Code.UNAVAILABLE)` when it does not."""
        await self.reachability.ping()
