"""The relay: carries out what a write put into its aggregate's outbox. It decides nothing and keeps nothing.

`hand_over` right after a write is the fast path; `run` sweeps up what a crash or an absent bus left behind. Both are the
same task, may run at the same time on any nodes, and need no lease: the bus drops repeated events, effects are idempotent,
events are recorded and jobs asked for by their ids.

While `finish` runs, a write waits only until its events are told live, its effects are done and the audit log has it. That
events are recorded, and what workers are asked for, follows behind it: four trips to the database that nobody has to wait for.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from documents.base import Aggregate, Row
from lms_rt.bus.base import FanOut, Receiver
from lms_rt.clock import Clock, from_ms, to_ms
from lms_rt.contracts.events import LiveEvent
from lms_rt.errors import Code, Refused
from lms_rt.realtime.projections import wait_until
from lms_rt.services import figures
from lms_rt.services.jobs import Jobs

EffectHandler = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Given the intent's id and data; idempotent by that id."""
Recorder = Callable[[Row], Awaitable[None]]
"""Keeps an event of record, or a record of the audit log, given its intent; again changes nothing."""
_Key = tuple[type[Aggregate], str]
_Waiting = tuple[_Key, list[Row] | None]
"""An aggregate, and what of its outbox is left to be done; None: whatever is there."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What an event lacks that one write put into many outboxes: where it is told, and what differs among them."""

    channels: Sequence[str]
    data: Mapping[str, Any]


Fill = Callable[[str], Awaitable[Filled | None]]
"""Given the aggregate's id, what its event is filled with at the moment of telling; None: it is gone, tell nobody."""

SWEEP_PAGE = 100
MINIMUM_AGE_MS = 2_000
"""The fast path of a younger entry is probably still on its way."""
REST_WHILE_AWAY = 10
"""So many times rarer are the sweeps while no event can leave: only effects that a crash left behind are found then."""

MAX_BEHIND = 1_000
"""When so many aggregates wait to be finished, whoever writes does it all himself, and so comes slower."""
MAX_CROWD = 20_000
"""So many more may wait that one write reached among many: of these only the ids are kept."""
FINISHED_AT_ONCE = 20
CROWD_AT_ONCE = 5
"""Of a crowd that waits at least so many are finished each time, however much else there is to be finished."""
REMEMBERED = 10_000
"""So many events that were told and not yet pulled are known; one that is forgotten is told again, and dropped."""

_RECORDING = "recording"
_AT_ONCE = frozenset({"effect", "audit"})
"""What is done while its writer waits: own data that must be right, and what an administrator did, when the reply is there."""

_log = logging.getLogger(__name__)


class Relay(Receiver[bool]):
    """Publishes and records events, makes jobs, runs effects, each aggregate's in their order."""

    def __init__(
        self, *, fan_out: FanOut, clock: Clock, aggregates: Sequence[type[Aggregate]], jobs: Jobs, record: Recorder
    ) -> None:
        self._fan_out, self._clock, self._aggregates = fan_out, clock, tuple(aggregates)
        self._jobs, self._record = jobs, record
        self._effects: dict[str, EffectHandler] = {}
        self._fills: dict[str, Fill] = {}
        self._audit: Recorder | None = None
        self._is_bus_away = False
        self._is_back = asyncio.Event()
        self._behind: dict[_Key, list[Row] | None] = {}
        self._crowd: dict[_Key, None] = {}
        self._has_behind = asyncio.Event()
        self._is_finishing = False
        self._told: dict[str, None] = {}

    def register_effect(self, name: str, handler: EffectHandler) -> None:
        """Who carries out the effects of this name."""
        self._effects[name] = handler

    def register_fill(self, name: str, fill: Fill) -> None:
        """Who fills the events that ask for this name."""
        self._fills[name] = fill

    def register_audit(self, append: Recorder) -> None:
        """Who writes the audit log."""
        self._audit = append

    def receive(self, message: bool) -> None:
        """The bus went away (False), or is back (True): then all that waited leaves at once."""
        self._is_bus_away = not message
        if message:
            self._is_back.set()

    async def hand_over(self, document: type[Aggregate], document_id: str) -> None:
        """Tell and do what is pending of one aggregate. Never raises: the write stands, the sweeper comes back."""
        key = document, document_id
        if not self._is_finishing or len(self._behind) >= MAX_BEHIND:
            await self._finish(key)
            return
        try:
            if left := await self._tell(key):
                self._behind[key] = None if key in self._behind else left
                self._has_behind.set()
        except Exception:  # noqa: BLE001 - the caller's write is done; what failed here stays in the outbox
            _log.exception("outbox of %s stays for the sweeper", document_id)

    async def empty(self, document: type[Aggregate], document_id: str) -> None:
        """Carry out all that is pending of one aggregate before its caller goes on: what is removed has no outbox. Never raises."""
        await self._finish((document, document_id))

    async def hand_over_new(self, document: type[Aggregate], document_id: str, jobs: Sequence[Row]) -> None:
        """The same of an aggregate that was just made, and has nothing but these jobs in its outbox: nothing has to be read."""
        key = document, document_id
        if not self._is_finishing or len(self._behind) >= MAX_BEHIND:
            await self._finish(key)
            return
        self._behind[key] = None if key in self._behind else list(jobs)
        self._has_behind.set()

    async def hand_over_many(self, document: type[Aggregate], document_ids: Iterable[str]) -> None:
        """The same for all that one write of many reached: behind the caller, some at once, while `finish` runs."""
        for document_id in document_ids:
            if self._is_finishing and len(self._crowd) < MAX_CROWD:
                self._crowd[document, document_id] = None
                self._has_behind.set()
            else:
                await self._finish((document, document_id))

    async def finish(self) -> None:
        """Record, ask for jobs and empty outboxes behind those who write, until cancelled."""
        self._is_finishing = True
        try:
            while True:
                await self._has_behind.wait()
                self._has_behind.clear()
                while waiting := self._some_behind():
                    await self._finish_some(waiting)
        finally:
            self._is_finishing = False

    def _some_behind(self) -> list[_Waiting]:
        """Take some of what waits: single writes first, and always a few of a crowd."""
        single = list(itertools.islice(self._behind, FINISHED_AT_ONCE))
        taken = [(key, self._behind.pop(key)) for key in single]
        crowd = list(itertools.islice(self._crowd, max(CROWD_AT_ONCE, FINISHED_AT_ONCE - len(single))))
        return taken + [(key, self._crowd.pop(key)) for key in crowd if key not in single]

    async def _finish_some(self, waiting: Sequence[_Waiting]) -> None:
        """Finish several: their jobs are asked for in one command, and those that have no more are emptied in one write."""
        put = await self._put_jobs([one for _, intents in waiting for one in intents or ()])
        emptied = dict[type[Aggregate], dict[str, str]]()
        others = []
        for key, intents in waiting:
            if intents and len(intents) == 1 and intents[0]["id"] in put:
                emptied.setdefault(key[0], {})[key[1]] = intents[0]["id"]
            else:
                others.append(self._finish(key, intents, put))
        await asyncio.gather(*others, *(self._empty_all(document, last) for document, last in emptied.items()))

    async def _put_jobs(self, intents: Sequence[Row]) -> frozenset[str]:
        """Ask for the jobs among them that are due, if there are several; the ids of those that need not be asked for again."""
        now = self._clock.now()
        due = [one for one in intents if one["kind"] == "job" and one["due_at"] <= now]
        if len(due) < 2:
            return frozenset()
        try:
            await self._jobs.put_due([(one["id"], one["task"], one["data"]) for one in due])
        except Exception:  # noqa: BLE001 - each of them is tried by itself
            _log.exception("%d jobs could not be asked for at once", len(due))
            return frozenset()
        return frozenset(one["id"] for one in due)

    @staticmethod
    async def _empty_all(document: type[Aggregate], last: Mapping[str, str]) -> None:
        try:
            await document.pull_last_intents(last)
        except Exception:  # noqa: BLE001 - whatever it was, they stay in the outboxes
            _log.exception("%d outboxes stay for the sweeper", len(last))

    async def sweep(self, *, minimum_age_ms: int = MINIMUM_AGE_MS) -> int:
        """Carry out what is older than that, oldest first; how many aggregates were looked at."""
        until = from_ms(self._clock.now_ms() - minimum_age_ms)
        seen, oldest = 0, until
        for document in self._aggregates:
            after = None
            while page := await document.find_pending(until=until, after=after, limit=SWEEP_PAGE):
                oldest = min(oldest, page[0]["outbox_at"])
                for row in page:
                    await self._finish((document, row["_id"]))
                seen += len(page)
                after = (page[-1]["outbox_at"], page[-1]["_id"])
        figures.OUTBOX_PENDING.set(seen)
        figures.OUTBOX_OLDEST_SECONDS.set((self._clock.now_ms() - to_ms(oldest)) / 1000 if seen else 0)
        return seen

    async def run(self, *, interval_seconds: float) -> None:
        """Sweep all at once, then what is old enough every so often, until cancelled; all again when the bus is back."""
        minimum_age_ms = 0
        while True:
            self._is_back.clear()
            try:
                await self.sweep(minimum_age_ms=minimum_age_ms)
            except Exception:  # noqa: BLE001 - the database is away: the next sweep finds the same entries
                _log.exception("the sweep of the outboxes failed")
            else:
                minimum_age_ms = MINIMUM_AGE_MS
            rest_seconds = interval_seconds * REST_WHILE_AWAY if self._is_bus_away else interval_seconds
            if await wait_until(self._clock, self._clock.now_ms() + round(rest_seconds * 1000), self._is_back):
                minimum_age_ms = 0

    async def _finish(self, key: _Key, intents: list[Row] | None = None, put: frozenset[str] = frozenset()) -> None:
        """Carry out all that is pending, or these intents of it, but for the jobs that were `put` already."""
        try:
            wanted = await self._outbox(key) if intents is None else intents
            stopped, done = set[str](), list[Row]()
            for one in wanted:
                await self._pull_effects(key, done, before=one)
                if one["id"] in put or await self._is_carried_out(key[1], one, stopped):
                    done.append(one)
            await self._pull(key, done)
        except Exception:  # noqa: BLE001 - whatever it was, it stays in the outbox
            _log.exception("outbox of %s stays for the sweeper", key[1])

    async def _outbox(self, key: _Key) -> list[Row]:
        document, document_id = key
        row = await document.find_outbox(document_id)
        if row is None:
            return []
        intents: list[Row] = row.get("outbox") or []
        if not intents and row.get("outbox_at") is not None:
            await document.unflag_empty_outbox(document_id)
        return intents

    async def _tell(self, key: _Key) -> list[Row]:
        """Publish events and run effects, in their order; what is left to be finished."""
        intents, stopped, done = await self._outbox(key), set[str](), list[Row]()
        for intent in intents:
            if intent["kind"] in _AT_ONCE:
                done += [intent] if await self._is_carried_out(key[1], intent, stopped) else []
            elif intent["kind"] == "event" and _line_of(intent) not in stopped:
                await self._pull_effects(key, done, before=intent)
                if not await self._is_told(key[1], intent):
                    stopped.add(_line_of(intent))
        await self._pull(key, done)
        return [intent for intent in intents if intent["kind"] not in _AT_ONCE]

    async def _is_told(self, document_id: str, intent: Row) -> bool:
        try:
            await self._publish(document_id, intent)
        except Exception as error:  # noqa: BLE001 - it stays and is tried again
            _say_why(intent, document_id, error)
            return False
        return True

    async def _pull_effects(self, key: _Key, done: list[Row], *, before: Row) -> None:
        """Take out effects before an event or a job is begun: what they move remembers only so many of those before."""
        if before["kind"] not in _AT_ONCE and any(one["kind"] == "effect" for one in done):
            await self._pull(key, done)
            done.clear()

    async def _pull(self, key: _Key, done: Sequence[Row]) -> None:
        """Take what is done out of the outbox, all of it in one write: killed before it, all of it is done once more."""
        document, document_id = key
        if done:
            await document.pull_intents(document_id, *(intent["id"] for intent in done))
        for intent in done:
            self._told.pop(_told_key(document_id, intent), None)

    async def _is_carried_out(self, document_id: str, intent: Row, stopped: set[str]) -> bool:
        line = _line_of(intent)
        if await self._is_done(document_id, intent, line=line, stopped=stopped):
            return True
        if intent["kind"] != "job":
            stopped.add(line)
        return False

    async def _is_done(self, document_id: str, intent: Row, *, line: str, stopped: set[str]) -> bool:
        """Carry out one intent. An event that may not be told yet is recorded all the same, and stays."""
        may_tell = line not in stopped
        try:
            match intent["kind"]:
                case "event":
                    try:
                        if may_tell:
                            await self._publish(document_id, intent)
                    finally:
                        await self._keep(intent, stopped)
                case "job":
                    await self._jobs.put(intent["id"], intent["task"], intent["data"], due_at=intent["due_at"])
                case "audit" if may_tell:
                    await self._append_to_audit(intent)
                case "effect" if may_tell:
                    await self._effects[intent["effect"]](intent["id"], intent["data"])
        except Exception as error:  # noqa: BLE001 - one intent must not hold up the others; it stays and is tried again
            _say_why(intent, document_id, error)
            return False
        return may_tell or intent["kind"] == "job"

    async def _append_to_audit(self, intent: Row) -> None:
        if self._audit is None:
            raise LookupError("nobody writes the audit log here")
        await self._audit(intent)

    async def _keep(self, intent: Row, stopped: set[str]) -> None:
        """Record an event of record, unless an earlier one of its aggregate could not be."""
        if intent["type"] is None or _RECORDING in stopped:
            return
        stopped.add(_RECORDING)
        await self._record(intent)
        stopped.discard(_RECORDING)

    async def _publish(self, document_id: str, intent: Row) -> None:
        """Tell an event on its channels, unless this process has just done so."""
        told = _told_key(document_id, intent)
        if told in self._told:
            return
        filled = await self._filled(document_id, intent)
        event = LiveEvent(
            event_id=intent["id"],
            name=intent["name"],
            data=filled.data,
            at_ms=to_ms(intent["at"]),
            aggregate=intent.get("aggregate", document_id),
            version=intent["version"],
            n=intent["n"],
        )
        for channel in filled.channels:
            await self._fan_out.publish(channel, event)
        self._told[told] = None
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]

    async def _filled(self, document_id: str, intent: Row) -> Filled:
        """Channels and data of an event, with what it asks to be filled in."""
        name = intent.get("fill")
        if name is None:
            return Filled(intent["channels"], intent["data"])
        filled = await self._fills[name](document_id)
        return Filled((), {}) if filled is None else Filled(filled.channels, {**intent["data"], **filled.data})


def _told_key(document_id: str, intent: Row) -> str:
    """One intent may be in the outboxes of many."""
    return f"{document_id} {intent['id']}"


def _line_of(intent: Row) -> str:
    """Of one aggregate nothing overtakes: events wait for an event, an effect for one of its name."""
    return f"effect {intent['effect']}" if intent["kind"] == "effect" else str(intent["kind"])


def _say_why(intent: Row, document_id: str, error: Exception) -> None:
    """Why an intent stays."""
    if intent["kind"] == "event" and isinstance(error, Refused) and error.code is Code.UNAVAILABLE:
        _log.info("event %s of %s waits for the bus", intent["id"], document_id)
    else:
        _log.error("intent %s of %s could not be carried out", intent["id"], document_id, exc_info=error)
