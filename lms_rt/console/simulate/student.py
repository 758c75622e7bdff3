"""One simulated student: signs in, starts, looks, answers, loses the line, comes back, hands in or runs out of time.

What was acknowledged is written down as a student would remember it; `proof.py` compares it with what is stored.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lms_rt.client.ear import Ear
from lms_rt.client.faults import CommandRefusedError, CommandTimeoutError, LineLostError
from lms_rt.client.live import LiveClient
from lms_rt.console.simulate.answers import answer, can_be_answered
from lms_rt.console.simulate.school import Person, School
from lms_rt.console.simulate.watcher import Latencies

_SAVE_TRIES = 30
_PAUSE_SECONDS = 0.2
_ENDS = frozenset({"attempt_closed"})
_PASSING = frozenset({"busy", "unavailable"})


@dataclass(frozen=True, slots=True)
class Operation:
    """An answer as it was sent."""

    question_id: str
    value: Any
    op_id: str
    seq: int
    base_revision: int


@dataclass(frozen=True, slots=True)
class Manner:
    """How students behave. While `goes_on` says so, they change their minds instead of handing in."""

    drop_rate: float = 0.2
    think_seconds: tuple[float, float] = (0.05, 0.6)
    goes_on: Callable[[], bool] = lambda: False


@dataclass(slots=True)
class Diary:
    """What one student saw: acknowledged operations by op_id, drops, and how it ended."""

    attempt_id: str = ""
    acknowledged: dict[str, tuple[Operation, int, bool]] = field(default_factory=dict)
    unanswered: list[Operation] = field(default_factory=list)
    drops: int = 0
    saves_by_rest: int = 0
    is_over: bool = False


class Student:
    """Plays one attempt."""

    def __init__(
        self, school: School, person: Person, *, draw: random.Random, manner: Manner, latencies: Latencies
    ) -> None:
        self.person, self.diary = person, Diary()
        self._school, self._draw, self._manner, self._latencies = school, draw, manner, latencies
        self._device_id = f"sim-{uuid.uuid4().hex[:12]}"
        self._lease: str | None = None
        self._revisions: dict[str, int] = {}
        self._seq = 0
        self._lines = 0

    async def sit(self, quiz_id: str, on_step: Callable[[], None]) -> None:
        """From the start to the hand-in, or until the time is over."""
        async with LiveClient(self._school.live_url, ticket=self.person.ticket) as live:
            attempt = await self._insist(live, "attempt.start", quiz_id=quiz_id, device_id=self._device_id)
            self._take(live, attempt)
            for question in self._path(attempt["questions"]):
                if self.diary.is_over:
                    break
                await self._step(live, question)
                on_step()
            if self.diary.is_over or self._is_sleepy(attempt):
                return
            await self._come_back(live)
            await self._hand_in(live)

    def _path(self, questions: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """All questions in their order, then some again: minds are changed."""
        answerable = [question for question in questions if can_be_answered(question)]
        yield from answerable
        if answerable:
            yield from self._draw.sample(answerable, max(1, len(answerable) // 3))
            while self._manner.goes_on():
                yield self._draw.choice(answerable)

    def _is_sleepy(self, attempt: dict[str, Any]) -> bool:
        """Some wait for the deadline instead of handing in, where it is near."""
        left = attempt["remaining_ms"]
        return left is not None and left < 120_000 and self._draw.random() < 0.3

    async def _step(self, live: LiveClient, question: dict[str, Any]) -> None:
        await asyncio.sleep(self._draw.uniform(*self._manner.think_seconds))
        self._seq += 1
        operation = Operation(
            question["id"],
            answer(question, self._draw),
            str(uuid.uuid4()),
            self._seq,
            self._revisions.get(question["id"], 0),
        )
        self.diary.unanswered.append(operation)
        is_dropping = self._draw.random() < self._manner.drop_rate
        if is_dropping and self._draw.random() < 0.5:
            live.drop()  # before it was sent
            self.diary.drops += 1
        if is_dropping and self._draw.random() < 0.4:
            await self._save_by_rest(operation)
            return
        if is_dropping:
            asyncio.get_running_loop().call_later(self._draw.uniform(0, 0.01), live.drop)  # while it is under way
            self.diary.drops += 1
        else:
            await self._look(live, question["id"])
        await self._save(live, operation)

    async def _look(self, live: LiveClient, question_id: str) -> None:
        try:
            await live.command("attempt.look", attempt_id=self.diary.attempt_id, question_id=question_id)
        except (LineLostError, CommandTimeoutError, CommandRefusedError):
            return  # best effort

    async def _save(self, live: LiveClient, operation: Operation) -> None:
        """Send until it is acknowledged or refused for good; the same op_id each time."""
        for _ in range(_SAVE_TRIES):
            await self._come_back(live)
            if self.diary.is_over or operation.op_id in self.diary.acknowledged:
                return
            sent, line = time.monotonic(), live.connections
            try:
                reply = await live.command("answer.save", **self._fields(operation), lease=self._lease)
            except (LineLostError, CommandTimeoutError):
                continue
            except CommandRefusedError as refused:
                if not await self._heed(live, refused.code):
                    return
                continue
            self._acknowledge(operation, reply, sent if live.connections == line else None)
            return

    def _fields(self, operation: Operation) -> dict[str, Any]:
        return {
            "attempt_id": self.diary.attempt_id,
            "device_id": self._device_id,
            "question_id": operation.question_id,
            "value": operation.value,
            "op_id": operation.op_id,
            "seq": operation.seq,
            "base_revision": operation.base_revision,
        }

    async def _heed(self, live: LiveClient, code: str) -> bool:
        """What a refusal asks for; is another try worth it?"""
        if code in _ENDS:
            self.diary.is_over = True
            return False
        if code == "not_writer":
            taken = await self._insist(
                live, "attempt.take_over", attempt_id=self.diary.attempt_id, device_id=self._device_id
            )
            self._take(live, taken)
            return True
        await asyncio.sleep(_PAUSE_SECONDS)
        return code in _PASSING

    async def _save_by_rest(self, operation: Operation) -> None:
        """The way for clients whose socket is away."""
        row = {
            name: value for name, value in self._fields(operation).items() if name not in ("attempt_id", "device_id")
        }
        body = {"answers": [row], "device_id": self._device_id, "lease": self._lease}
        sent = time.monotonic()
        path = f"/attempts/{self.diary.attempt_id}/answers"
        reply = await self.person.call("PATCH", path, json=body, also=(409,))
        for saved in reply.get("saved", ()):
            self._acknowledge(operation, saved, sent)
            self.diary.saves_by_rest += 1
        if reply.get("code") in _ENDS:
            self.diary.is_over = True

    def _acknowledge(self, operation: Operation, reply: dict[str, Any], sent: float | None) -> None:
        """Write it down. `sent` is None when the way to a new line is in the time, which says nothing of the server."""
        is_superseded = bool(reply.get("superseded"))
        self.diary.acknowledged[operation.op_id] = (operation, reply["revision"], is_superseded)
        self.diary.unanswered = [one for one in self.diary.unanswered if one.op_id != operation.op_id]
        self._revisions[operation.question_id] = max(reply["revision"], self._revisions.get(operation.question_id, 0))
        if sent is not None and not is_superseded:
            self._latencies.acknowledged(self.diary.attempt_id, reply["revision"], sent)

    async def _come_back(self, live: LiveClient) -> None:
        """After the line was lost: resume with the lease, so that events are heard and the pen is ours."""
        await live.connected()
        if live.connections == self._lines:
            return
        attempt = await self._insist(
            live, "attempt.resume", attempt_id=self.diary.attempt_id, device_id=self._device_id, lease=self._lease
        )
        self._take(live, attempt)
        held = [operation.op_id for operation in self.diary.unanswered]
        if held:
            await self._insist(live, "attempt.sync", attempt_id=self.diary.attempt_id, have=held)

    async def _hand_in(self, live: LiveClient) -> None:
        for _ in range(_SAVE_TRIES):
            try:
                await self._insist(live, "attempt.submit", attempt_id=self.diary.attempt_id)
            except CommandRefusedError as refused:
                if refused.code not in _PASSING:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                self.diary.is_over = True
                return

    def _take(self, live: LiveClient, attempt: dict[str, Any]) -> None:
        self._lines = live.connections
        self.diary.attempt_id = attempt["id"]
        self._lease = attempt["lease"] or self._lease
        self.diary.is_over = attempt["status"] not in ("in_progress", "paused")
        if attempt["subscription"] is not None:  # the bus is away: the attempt itself goes on
            live.adopt(Ear(attempt["subscription"]["channel"]), attempt["subscription"])

    async def _insist(self, live: LiveClient, command: str, **fields: Any) -> dict[str, Any]:
        """An idempotent command, also over a server that is busy or has just come back."""
        for turn in range(_SAVE_TRIES):
            try:
                reply: dict[str, Any] = await live.insist(command, **fields)
            except CommandRefusedError as refused:
                if refused.code not in _PASSING or turn == _SAVE_TRIES - 1:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return reply
        raise AssertionError("unreachable")
