"""Random walks of relays that are slow, killed, many at once, and lose the bus: the verdicts of the delivery model.

Nothing runs by itself here: each awaited step of a relay (a read, a publish, a pull) is taken when the walk says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from documents.base import PULLS
from lms_rt.bus.base import Bus
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.events import LiveEvent
from lms_rt.contracts.outbox import Write, effect, event, job
from lms_rt.errors import Code, Refused
from lms_rt.services import relay as relay_module
from lms_rt.services.relay import Relay

CHANNELS = ("course:1", "course:2")
KINDS = ("course:1", "course:2", "course:1+course:2", "!counted", "!told", "job")


class Step:
    """Where a walk may stop a relay: before each thing that leaves the process."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Documents:
    """The queries of `documents/base.py` over a dictionary, each one atomic step."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    async def find_outbox(self, document_id: str) -> dict[str, Any] | None:
        await Step()
        return deepcopy(self.rows.get(document_id))

    async def find_pending(
        self, *, until: datetime, after: tuple[datetime, str] | None, limit: int
    ) -> list[dict[str, Any]]:
        await Step()
        flagged = ((row["outbox_at"], name) for name, row in self.rows.items() if "outbox_at" in row)
        pending = sorted(place for place in flagged if place[0] <= until and (after is None or place > after))
        return [{"_id": name, "outbox_at": at} for at, name in pending[:limit]]

    async def pull_intents(self, document_id: str, *intent_ids: str) -> None:
        row, done = self.rows[document_id], set(intent_ids)
        for _ in range(PULLS):
            await Step()
            if {intent["id"] for intent in row["outbox"]} <= done:
                row["outbox"] = []
                row.pop("outbox_at", None)
                return
            await Step()
            if left := [intent for intent in row["outbox"] if intent["id"] not in done]:
                row["outbox"] = left
                return

    async def pull_last_intents(self, last: Mapping[str, str]) -> None:
        await Step()
        matched = 0
        for document_id, intent_id in last.items():
            if [intent["id"] for intent in self.rows[document_id]["outbox"]] == [intent_id]:
                self.rows[document_id]["outbox"] = []
                self.rows[document_id].pop("outbox_at", None)
                matched += 1
        if matched < len(last):
            for document_id, intent_id in last.items():
                await self.pull_intents(document_id, intent_id)

    async def unflag_empty_outbox(self, document_id: str) -> None:
        await Step()
        if not self.rows[document_id]["outbox"]:
            self.rows[document_id].pop("outbox_at", None)


class SlowFanOut:
    """The memory bus with a step before each publish, and away when the walk says so."""

    def __init__(self, bus: Bus) -> None:
        self._bus, self.is_away = bus, False

    async def publish(self, channel: str, event: LiveEvent) -> Any:
        await Step()
        if self.is_away:
            raise Refused(Code.UNAVAILABLE)
        return await self._bus.fan_out.publish(channel, event)


class SlowJobs:
    """Jobs that are there as soon as they were asked for, however often; many at once come through whole, or in part."""

    def __init__(self) -> None:
        self.asked_for: set[str] = set()
        self.is_breaking = False

    async def put(self, job_id: str, task: str, args: dict[str, Any], *, due_at: datetime) -> None:  # noqa: ARG002
        await Step()
        self.asked_for.add(job_id)

    async def put_due(self, asked: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
        for n, (job_id, *_) in enumerate(asked):
            await Step()
            if self.is_breaking and n > 0:
                raise ConnectionError("away")
            self.asked_for.add(job_id)


async def gather(*awaited: Coroutine[Any, Any, None]) -> None:
    """`asyncio.gather` for a walk: each takes one step after the other's."""
    running = list(awaited)
    try:
        while running:
            for one in tuple(running):
                try:
                    one.send(None)
                except StopIteration:
                    running.remove(one)
                else:
                    await Step()
    finally:
        for one in running:
            one.close()


class RelayWalk(RuleBasedStateMachine):
    """Writers, relays and the adversary."""

    @initialize()
    def begin(self) -> None:
        self.clock = FakeClock()
        self.bus = memory_bus(self.clock)
        self.fan_out, self.documents = SlowFanOut(self.bus), Documents()
        self.jobs, self.recorded = SlowJobs(), set[str]()
        self.relay = Relay(
            fan_out=self.fan_out,  # type: ignore[arg-type]
            clock=self.clock,
            aggregates=(self.documents,),  # type: ignore[arg-type]
            jobs=self.jobs,  # type: ignore[arg-type]
            record=self.record,
        )
        self.relay._is_finishing = True
        self.effects: list[str] = []
        self.relay.register_effect("counted", self.run_effect)
        self.relay.register_effect("told", self.run_effect)
        self.running: list[Coroutine[Any, Any, Any]] = []
        self.written: list[dict[str, Any]] = []

    async def run_effect(self, intent_id: str, _: dict[str, Any]) -> None:
        await Step()
        self.effects.append(intent_id)

    async def record(self, intent: dict[str, Any]) -> None:
        await Step()
        self.recorded.add(intent["id"])

    @rule(
        name=st.sampled_from("ab"), kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3), fast=st.booleans()
    )
    def write(self, name: str, kinds: list[str], *, fast: bool) -> None:
        row = self.documents.rows.setdefault(name, {"_id": name, "version": 0, "outbox": []})
        row["version"] += 1
        write = Write(row["version"], self.clock.now())
        for n, kind in enumerate(kinds):
            if kind.startswith("!"):
                intent = effect(write, kind[1:], {})
            elif kind == "job":
                intent = job(write, "counters.reconcile", {})
            else:
                told = kind.split("+")
                intent = event(write, "course_updated", n=n, channels=told, data={"of": name}, record="course.updated")
            row["outbox"].append(intent)
            self.written.append(intent)
        row["outbox_at"] = write.at
        if fast:
            self.running.append(self.relay.hand_over(self.documents, name))  # type: ignore[arg-type]

    @rule(count=st.integers(1, 3))
    def make(self, count: int) -> None:
        write, name = Write(1, self.clock.now()), f"new {len(self.documents.rows)}"
        jobs = [job(write, "counters.reconcile", {}) for _ in range(count)]
        self.documents.rows[name] = {"_id": name, "version": 1, "outbox": list(jobs), "outbox_at": write.at}
        self.written += jobs
        task = self.relay.hand_over_new(self.documents, name, jobs)  # type: ignore[arg-type]
        self.running.append(task)
        self.step(task)

    @rule()
    def jobs_asked_for_at_once_break_or_go_well(self) -> None:
        self.jobs.is_breaking = not self.jobs.is_breaking

    @rule()
    def requests_wait_for_all_or_for_the_first_half(self) -> None:
        self.relay._is_finishing = not self.relay._is_finishing

    @precondition(lambda self: self.relay._behind)
    @rule()
    def finish(self) -> None:
        key = next(iter(self.relay._behind))
        self.running.append(self.relay._finish(key, self.relay._behind.pop(key)))

    @precondition(lambda self: self.relay._behind)
    @rule()
    def finish_some(self) -> None:
        self.running.append(self.relay._finish_some(self.relay._some_behind()))

    @rule()
    def sweep(self) -> None:
        self.running.append(self.relay.sweep(minimum_age_ms=0))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), steps=st.integers(1, 12))
    def go_on(self, data: st.DataObject, steps: int) -> None:
        task = data.draw(st.sampled_from(self.running))
        for _ in range(steps):
            if not self.step(task):
                return

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(self.running))
        self.running.remove(task)
        task.close()

    @rule(is_away=st.booleans())
    def bus_goes_or_comes(self, *, is_away: bool) -> None:
        self.fan_out.is_away = is_away

    def step(self, task: Coroutine[Any, Any, Any]) -> bool:
        try:
            with patch.object(relay_module, "asyncio", SimpleNamespace(gather=gather)):
                task.send(None)
        except StopIteration:
            self.running.remove(task)
            return False
        return True

    def run_all(self) -> None:
        while self.running:
            self.step(self.running[0])

    def heard(self, channel: str) -> list[LiveEvent]:
        stretch = asyncio.run(self.bus.history.read(channel, after=0))
        return [published.event for published in stretch.events]

    @invariant()
    def nothing_is_told_twice_or_out_of_order(self) -> None:
        for channel in CHANNELS if self.written else ():
            for name in "ab":
                places = [(e.version, e.n) for e in self.heard(channel) if e.aggregate == name]
                assert places == sorted(set(places))

    def teardown(self) -> None:
        if not hasattr(self, "relay"):
            return
        self.fan_out.is_away = False
        self.run_all()
        while self.relay._behind:
            self.finish_some()
            self.run_all()
        self.sweep()
        self.run_all()
        assert [row for row in self.documents.rows.values() if row["outbox"] or "outbox_at" in row] == []
        told = {channel: {e.event_id for e in self.heard(channel)} for channel in CHANNELS}
        for intent in self.written:
            if intent["kind"] == "effect":
                assert intent["id"] in self.effects
            elif intent["kind"] == "job":
                assert intent["id"] in self.jobs.asked_for
            else:
                assert intent["id"] in self.recorded
                assert all(intent["id"] in told[channel] for channel in intent["channels"])


RelayWalk.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestRelayWalk = RelayWalk.TestCase
