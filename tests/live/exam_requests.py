"""What the screens of a student ask, by socket or by REST, and which steps of the reference could have answered so."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from tests.clients import Visitor
from tests.live.exam_reference import CLOSED, Op, Reply, Sheet, granted, save, submit
from tests.live.node_school import Watcher, watching

_DEVICES, _LOST = itertools.count(1), itertools.count(1)
Body = dict[str, Any]
_NO_MORE = ("attempts_exhausted", "quiz_closed")
"""Where no second attempt can be begun, who asks to start learns why; or that the quiz is paused, where it is."""


@dataclass
class Screen:
    """One page load: its device id is its own, its lease may be that of the tab that it was made from."""

    visitors: list[Visitor] = field(repr=False)
    """The same person at every node."""
    lease: str | None = None
    revision: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    device: str = field(default_factory=lambda: f"device-{next(_DEVICES)}")
    seq: int = 0
    made: list[Op] = field(default_factory=list, repr=False)
    _lines: dict[int, tuple[AsyncExitStack, Watcher]] = field(default_factory=dict, repr=False)

    async def line(self, node: int) -> Watcher:
        """The socket of this screen at a node."""
        known = self._lines.get(node)
        if known is None or known[1].is_over:
            await self.hang_up(node)
            stack = AsyncExitStack()
            self._lines[node] = stack, await stack.enter_async_context(watching(self.visitors[node]))
        return self._lines[node][1]

    async def hang_up(self, *nodes: int) -> None:
        """End the sockets at these nodes, or all."""
        for one in nodes or tuple(self._lines):
            if (known := self._lines.pop(one, None)) is not None:
                await known[0].aclose()


@dataclass(frozen=True)
class Circumstances:
    """What else the reference has to know of the moment: may it be late, must it be; may an idle lease have been given?

    And was a pause ordered for all, so that nobody may begin?
    """

    lateness: tuple[bool, ...] = (False,)
    may_be_idle: bool = False
    is_for_nobody: bool = False
    is_contended: bool = False


@dataclass
class Request(ABC):
    """One request about an attempt. `body` is what came back; None: nobody knows what became of it."""

    screen: Screen
    body: Body | None = None

    @abstractmethod
    def rest(self, attempt_id: str) -> tuple[str, str, Body]:
        """Method, path and body."""

    def live(self, attempt_id: str) -> tuple[str, Body] | None:  # noqa: ARG002 - what has no command
        """Command and fields, where there is such a command."""
        return None

    @abstractmethod
    def outcomes(self, sheet: Sheet, now: Circumstances) -> Iterator[Sheet]:
        """Every sheet to which this request, answered as it was, may have led from this one."""

    @abstractmethod
    def learn(self) -> None:
        """Let the screen take the reply."""

    @property
    def code(self) -> str | None:
        """The code of a refusal."""
        return self.body.get("code") if self.body is not None else None

    def is_refused_for_haste(self, now: Circumstances) -> bool:
        """`busy`: others were faster five times."""
        return self.code == "busy" and now.is_contended


@dataclass
class Save(Request):
    """`answer.save`, or the same as a batch of REST: each row is decided for itself, in order."""

    ops: tuple[Op, ...] = ()

    def rest(self, attempt_id: str) -> tuple[str, str, Body]:
        names = (("question_id", "question_id"), ("value", "value"), ("op_id", "op_id"), ("seq", "seq"))
        rows = [{name: getattr(op, own) for name, own in names} | {"base_revision": op.base} for op in self.ops]
        body = {"answers": rows, "device_id": self.screen.device, "lease": self.ops[0].lease}
        return "PATCH", f"/attempts/{attempt_id}/answers", body

    def live(self, attempt_id: str) -> tuple[str, Body] | None:
        if len(self.ops) > 1:
            return None
        _, _, body = self.rest(attempt_id)
        row = body.pop("answers")[0]
        return "answer.save", {"attempt_id": attempt_id, **row, **body}

    def outcomes(self, sheet: Sheet, now: Circumstances) -> Iterator[Sheet]:
        if self.is_refused_for_haste(now):
            yield sheet
            return
        for is_late in now.lateness:
            yield from self._outcomes(sheet, 0, is_late=is_late, now=now)

    def _outcomes(self, sheet: Sheet, place: int, *, is_late: bool, now: Circumstances) -> Iterator[Sheet]:
        if self.body is None or place == len(self.ops):
            yield sheet  # without a reply it may have come no further than this
        if place == len(self.ops):
            return
        after, reply = save(sheet, self.ops[place], is_late=is_late)
        if self.body is not None:
            told = self._told(place)
            if told.code == "busy" and now.is_contended:
                after = sheet
            elif not _agree(told, reply):
                return
        yield from self._outcomes(after, place + 1, is_late=is_late, now=now)

    def _told(self, place: int) -> Reply:
        """What was told of one row."""
        body, op_id = self.body or {}, self.ops[place].op_id
        is_me = body.get("writer", {}).get("is_me")
        if body.get("op_id") == op_id:
            return Reply(None, body["revision"], bool(body.get("superseded")), is_me)
        if body.get("code") is not None and "refused" not in body:
            return Reply(body["code"], is_me=is_me)
        saved = _of(body.get("saved", []), op_id)
        if saved is not None:
            return Reply(None, saved["revision"], bool(saved.get("superseded")))
        if _of(body.get("conflicts", []), op_id) is not None:
            return Reply("conflict")
        refused = _of(body["refused"], op_id)
        assert refused is not None, body
        return Reply(refused["code"])

    def learn(self) -> None:
        if self.body is None:
            return
        for place, op in enumerate(self.ops):
            told = self._told(place)
            if told.code is None:
                self.screen.seen[op.question_id] = max(self.screen.seen.get(op.question_id, 0), told.revision)
                self.screen.revision = max(self.screen.revision, told.revision)
        for stored in [self.body.get("stored")] + [row["stored"] for row in self.body.get("conflicts", [])]:
            if stored is not None and len(self.ops) == 1:
                self.screen.seen[self.ops[0].question_id] = stored["revision"]
        if self.body.get("writer") == {"is_me": False} and self.screen.lease == self.ops[0].lease:
            self.screen.lease = None


@dataclass
class Submit(Request):
    """Handing in, with a revision or without, with last answers (REST) or without."""

    revision: int | None = None
    ops: tuple[Op, ...] = ()

    def rest(self, attempt_id: str) -> tuple[str, str, Body]:
        body: Body = {} if self.revision is None else {"revision": self.revision}
        if self.ops:
            _, _, rows = Save(self.screen, ops=self.ops).rest(attempt_id)
            body |= rows
        return "POST", f"/attempts/{attempt_id}/submit", body

    def live(self, attempt_id: str) -> tuple[str, Body] | None:
        if self.ops:
            return None
        return "attempt.submit", {"attempt_id": attempt_id, "revision": self.revision}

    def outcomes(self, sheet: Sheet, now: Circumstances) -> Iterator[Sheet]:
        if self.body is None or self.is_refused_for_haste(now):
            yield sheet
        for is_late in now.lateness:
            after, reply = submit(sheet, self.revision, self.ops, is_late=is_late)
            if self.body is None or self.code == reply.code:
                yield after

    def learn(self) -> None:
        if self.body is not None and self.code == "conflict":
            self.screen.revision = self.body.get("revision", self.screen.revision)


@dataclass
class HandOut(Request):
    """Resume or take-over: the attempt, with a lease where the rule gives one."""

    is_take_over: bool = False
    held: str | None = None
    """The lease that it was sent with."""

    def rest(self, attempt_id: str) -> tuple[str, str, Body]:
        if self.is_take_over:
            return "POST", f"/attempts/{attempt_id}/take-over", {"device_id": self.screen.device}
        self.held = None  # a start by REST knows of no lease
        return "POST", "/attempts", {"quiz_id": self.screen_quiz, "device_id": self.screen.device}

    screen_quiz: str = ""

    def live(self, attempt_id: str) -> tuple[str, Body]:
        command = "attempt.take_over" if self.is_take_over else "attempt.resume"
        fields: Body = {"attempt_id": attempt_id, "device_id": self.screen.device}
        return command, fields if self.is_take_over or self.held is None else {**fields, "lease": self.held}

    def outcomes(self, sheet: Sheet, now: Circumstances) -> Iterator[Sheet]:
        given = None if self.body is None else self.body.get("lease")
        if self.body is None or self.is_refused_for_haste(now):
            yield sheet
        if self.body is not None and self.code is not None:
            is_told_why = self.code in _NO_MORE or (self.code == "quiz_paused" and now.is_for_nobody)
            if sheet.status == CLOSED and is_told_why:
                yield sheet
            return
        is_own = sheet.device in (None, self.screen.device) or (self.held is not None and sheet.lease == self.held)
        may = sheet.status != CLOSED and (self.is_take_over or is_own or now.may_be_idle)
        must = sheet.status != CLOSED and (self.is_take_over or is_own)
        if given is not None and may:
            yield granted(sheet, self.screen.device, given)
        if given is None:
            if not must and self.body is not None:
                yield sheet
            if may:  # given to it, and taken from it before it was told; or it was never told
                yield granted(sheet, self.screen.device, f"lost-{next(_LOST)}")

    def learn(self) -> None:
        if self.body is None or self.code is not None:
            return
        self.screen.lease, self.screen.revision = self.body["lease"], self.body["revision"]
        self.screen.seen = {one: answer["revision"] for one, answer in self.body["answers"].items()}


@dataclass
class Sync(Request):
    """What does the server hold?"""

    have: tuple[str, ...] = ()

    def rest(self, attempt_id: str) -> tuple[str, str, Body]:
        return "POST", f"/attempts/{attempt_id}/sync", {"have": list(self.have)}

    def live(self, attempt_id: str) -> tuple[str, Body]:
        return "attempt.sync", {"attempt_id": attempt_id, "have": list(self.have)}

    def outcomes(self, sheet: Sheet, now: Circumstances) -> Iterator[Sheet]:  # noqa: ARG002 - it is the same at any time
        if (
            self.body is None
            or self.code is not None
            or (self.body["missing"] == [one for one in self.have if one not in sheet.ops] and self._is_stored(sheet))
        ):
            yield sheet

    def _is_stored(self, sheet: Sheet) -> bool:
        told = {one: (answer["op_id"], answer["revision"]) for one, answer in (self.body or {})["answers"].items()}
        return told == {one: (answer.op_id, answer.revision) for one, answer in sheet.answers.items()}

    def learn(self) -> None:
        """Nothing that other requests do not tell."""


def _agree(told: Reply, expected: Reply) -> bool:
    """Is this what the reference says? What a reply does not tell of the writer counts as told."""
    expected = expected if told.is_me is not None else replace(expected, is_me=None)
    return told == (expected if told.code is None else Reply(expected.code, is_me=expected.is_me))


def _of(rows: list[Body], op_id: str) -> Body | None:
    return next((row for row in rows if row["op_id"] == op_id), None)
