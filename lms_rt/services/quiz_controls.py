"""Controls of a running quiz: written first and numbered, then applied in their order, by whoever comes.

A control reaches an open attempt that has everything before it, once; so a repeat, a slow node or a crash grants nothing
twice and skips nothing. Who may order, and what is shown, is `live_controls.py`; the updates are in
`documents/attempt_controls.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

from documents import attempt_controls
from documents.attempt import OPEN, Attempt
from documents.attempt_controls import Step
from documents.base import Row
from documents.enums import ControlKind, ScopeKind
from documents.quiz_control import QuizControl
from lms_rt import ids
from lms_rt.clock import Clock, from_ms
from lms_rt.contracts.channels import quiz_live_channel
from lms_rt.contracts.outbox import Intent
from lms_rt.errors import Code, Refused
from lms_rt.services.relay import Relay
from lms_rt.services.telling import Telling
from lms_rt.storage.faults import again_on_conflict

TRIES = 50
"""Orders that meet each other take the next number; so many at once are given by nobody."""
UNDONE_AT_ONCE = 20
MINIMUM_AGE_MS = 2_000
"""Who ordered a younger one is probably still at it."""
READ_AT_ONCE = 500
MOST_ROUNDS = 1_000

EVENT_NAMES: Mapping[ControlKind, str] = {
    ControlKind.PAUSE: "quiz_paused",
    ControlKind.RESUME: "quiz_resumed",
    ControlKind.EXTEND: "quiz_extended",
    ControlKind.END: "quiz_ended",
    ControlKind.ANNOUNCE: "exam_announcement",
    ControlKind.CORRECT: "question_corrected",
}
FILL_TIMES = "attempt_times"
"""What the relay fills into a control's event from each attempt: its channel, and its times at that moment."""
ALL: Row = {"kind": ScopeKind.ALL.value}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ControlOrder:
    """What somebody orders. `scope` is `ALL`, `group_scope(…)` or `attempts_scope(…)`; `control_id` meets its repeats."""

    kind: ControlKind
    scope: Row
    by_id: str
    by_name: str
    control_id: str
    seconds: int | None = None
    text: str = ""
    reason: str = ""
    changes: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class Ordered:
    """What became of an order: the attempts that it took effect on, and those of the chosen ones that were closed before."""

    control_id: str
    n: int
    applied: list[str]
    already_closed: list[str]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a quiz stands for who begins now."""

    live_version: int
    key_version: int
    is_paused: bool
    is_ended: bool


def group_scope(group: str) -> Row:
    """Those of a group."""
    return {"kind": ScopeKind.GROUP.value, "group": group}


def attempts_scope(attempt_ids: Iterable[str]) -> Row:
    """Chosen attempts."""
    return {"kind": ScopeKind.ATTEMPTS.value, "attempt_ids": sorted(set(attempt_ids))}


def standing_of(controls: Iterable[Row], group: str | None, *, live_version: int) -> Standing:
    """What the broad controls of a quiz, in their order, come to for somebody of this group."""
    is_paused, is_ended, key_version = False, False, 0
    for control in controls:
        kind, scope = control["kind"], control["scope"]
        is_of_all = scope["kind"] == ScopeKind.ALL
        if kind == ControlKind.CORRECT:
            key_version = control["n"] if control["n"] <= live_version else key_version
        elif kind == ControlKind.END:
            is_ended = is_ended or is_of_all
        elif is_of_all or (group is not None and scope.get("group") == group):
            is_paused = kind == ControlKind.PAUSE
            is_ended = is_ended and not (is_of_all and kind == ControlKind.RESUME)
    return Standing(live_version, key_version, is_paused, is_ended)


async def has_ended(quiz_id: str) -> bool:
    """Is the quiz ended for all?"""
    return standing_of(await QuizControl.find_standing(quiz_id), None, live_version=0).is_ended


def concerns(control: Row, attempt: Row) -> bool:
    """Is the attempt among those whom the control is for?"""
    scope = control["scope"]
    if scope["kind"] == ScopeKind.GROUP:
        return bool(attempt.get("group") == scope["group"])
    return scope["kind"] == ScopeKind.ALL or attempt["_id"] in scope["attempt_ids"]


class QuizControls:
    """Orders, applies and settles controls."""

    def __init__(self, *, clock: Clock, relay: Relay, telling: Telling) -> None:
        self._clock, self._relay, self._telling = clock, relay, telling
        self._tell_of_pending: Callable[[], None] = _nobody

    def tell_of_pending(self, listener: Callable[[], None]) -> None:
        """Who is told, here, that a control left attempts to be graded."""
        self._tell_of_pending = listener

    async def order(self, quiz: Row, order: ControlOrder) -> Ordered:
        """Number and write the control, apply everything up to it; an order that was given before is finished, once."""
        control = await self._written(quiz, order)
        if control.get("undone"):
            await self._finish(control)
        return Ordered(
            control_id=control["_id"],
            n=control["n"],
            applied=await attempt_controls.reached_by(control["quiz_id"], control["n"]),
            already_closed=await self._closed_before(control),
        )

    async def standing(self, quiz_id: str, group: str | None) -> Standing:
        """How the quiz stands for who begins now, by a member of this group."""
        newest = await QuizControl.newest(quiz_id)
        controls = await QuizControl.find_standing(quiz_id) if newest else []
        return standing_of(controls, group, live_version=newest)

    async def settle(self, attempt: Row) -> Row:
        """Apply to an open attempt what it misses; the attempt as it is then, read again if anything was."""
        if attempt["status"] not in OPEN:
            return attempt
        newest = await QuizControl.newest(attempt["quiz_id"])
        if attempt["live_version"] >= newest:
            return attempt
        await self._settle_one(attempt, newest)
        return await Attempt.find_whole(attempt["_id"]) or attempt

    async def newest(self, quiz_id: str) -> int:
        """The `live_version` of a quiz."""
        return await QuizControl.newest(quiz_id)

    async def catch_up(self, quiz_id: str, until: int) -> None:
        """Bring every open attempt of a quiz up to this control."""
        for _ in range(MOST_ROUNDS):
            lowest = await attempt_controls.lowest_behind(quiz_id, until)
            if lowest is None:
                return
            controls = await QuizControl.find_between(quiz_id, lowest, until, limit=READ_AT_ONCE)
            await self._apply_all(controls)
        _log.warning("the open attempts of quiz %s do not come up to control %s", quiz_id, until)

    async def take_up(self) -> int:
        """Finish the controls that nobody finished; how many there were."""
        until_ms = self._clock.now_ms() - MINIMUM_AGE_MS
        undone = await QuizControl.find_undone(until_ms=until_ms, limit=UNDONE_AT_ONCE)
        for control in sorted(undone, key=lambda row: (row["quiz_id"], row["n"])):
            try:
                await self._finish(control)
            except Exception:  # noqa: BLE001 - one damaged control must not hold up the others
                _log.exception("control %s could not be applied", control["_id"])
        return len(undone)

    # --- how ---

    async def _written(self, quiz: Row, order: ControlOrder) -> Row:
        """The control as it is stored: with the next number, or as it was written before."""
        for _ in range(TRIES):
            known = await QuizControl.find_row(order.control_id)
            if known is not None:
                if _meaning(known) != _meaning(_control_row(quiz, order, n=0, now_ms=0)):
                    raise Refused(Code.OP_ID_REUSED)
                return known
            number = await QuizControl.newest(quiz["_id"]) + 1
            row = _control_row(quiz, order, n=number, now_ms=self._clock.now_ms())
            if await QuizControl.add(row):
                return row
        raise Refused(Code.BUSY, retry_after_seconds=1)

    async def _finish(self, control: Row) -> None:
        """Apply what is missing up to this control, say that it is done, and tell those whom it reached."""
        quiz_id, n = control["quiz_id"], control["n"]
        if _is_for_some(control):
            # the others only get its number, with the next control for all: a credit for one must not move thousands
            await self._settle_named([control])
        else:
            await self.catch_up(quiz_id, n)
        if control["kind"] == ControlKind.CORRECT:
            await self._apply(control)  # to what is closed, now that no open attempt is below
        is_first = await QuizControl.mark_done(control["_id"], self._clock.now())
        await self._relay.hand_over_many(Attempt, await attempt_controls.left_to_tell(quiz_id, n))
        if control["kind"] in (ControlKind.END, ControlKind.CORRECT):
            self._tell_of_pending()
        if is_first:
            told = {"kind": control["kind"], "scope": control["scope"]["kind"]}
            data = {"control_id": control["_id"], "number": n, **told}
            await self._telling.event(quiz_live_channel(quiz_id), "control_applied", data)

    async def _apply_all(self, controls: Sequence[Row]) -> None:
        """Controls that follow each other without a gap. Those for chosen attempts alone are passed over by all others."""
        for is_for_some, run in groupby(controls, key=_is_for_some):
            following = list(run)
            if is_for_some:
                await self._settle_named(following)
                first, last = following[0]["n"] - 1, following[-1]["n"]
                quiz_id = following[0]["quiz_id"]
                await again_on_conflict(partial(attempt_controls.pass_over, quiz_id, after=first, until=last))
                continue
            for control in following:
                await self._apply(control)

    async def _apply(self, control: Row, attempt_id: str | None = None) -> None:
        unasked_ids: Collection[str] = ()
        if control["kind"] == ControlKind.CORRECT:
            # who was not given the question is neither told of it nor given time for it
            asked = {change["question_id"] for change in control["changes"]}
            unasked_ids = await attempt_controls.unasked_of(control["quiz_id"], control["n"], asked, attempt_id)
        step = self._step(control, attempt_id, unasked_ids)
        await again_on_conflict(partial(attempt_controls.apply, step))

    async def _settle_named(self, controls: Sequence[Row]) -> None:
        """Bring those whom these controls name up to the last of them; when this is over, none stands before it."""
        last = controls[-1]["n"]
        for attempt_id in dict.fromkeys(one for control in controls for one in control["scope"]["attempt_ids"]):
            attempt = await Attempt.find_state(attempt_id)
            if attempt is not None and attempt["quiz_id"] == controls[0]["quiz_id"] and attempt["live_version"] < last:
                await self._settle_one(attempt, last)

    async def _settle_one(self, attempt: Row, until: int) -> None:
        """Every control that one attempt misses, in their order; those that are not for it are passed over at once."""
        quiz_id, attempt_id, after = attempt["quiz_id"], attempt["_id"], attempt["live_version"]
        reached, has_effect = after, False
        while after < until and (controls := await QuizControl.find_between(quiz_id, after, until, limit=READ_AT_ONCE)):
            for control in controls:
                after = control["n"]
                if concerns(control, attempt):
                    await attempt_controls.skip_to(attempt_id, after=reached, until=after - 1)
                    await self._apply(control, attempt_id)
                    reached, has_effect = after, True
        await attempt_controls.skip_to(attempt_id, after=reached, until=until)
        if has_effect:
            await self._relay.hand_over(Attempt, attempt_id)

    def _step(self, control: Row, attempt_id: str | None, unasked_ids: Collection[str]) -> Step:
        return Step(
            quiz_id=control["quiz_id"],
            n=control["n"],
            kind=ControlKind(control["kind"]),
            scope=control["scope"],
            now_ms=self._clock.now_ms(),
            seconds=control.get("seconds") or 0,
            intents=(control_intent(control),),
            attempt_id=attempt_id,
            unasked_ids=unasked_ids,
        )

    async def _closed_before(self, control: Row) -> list[str]:
        """The chosen attempts that it could not reach any more."""
        if control["scope"]["kind"] != ScopeKind.ATTEMPTS:
            return []
        named = control["scope"]["attempt_ids"]
        return await attempt_controls.closed_without(control["quiz_id"], control["n"], named)


def _nobody() -> None:
    """Grades are made by whoever looks next."""


def control_intent(control: Row) -> Intent:
    """What is told to each attempt that a control takes effect on; the relay fills in its channel and its times."""
    data: dict[str, Any] = {
        "control_id": control["_id"],
        "quiz_id": control["quiz_id"],
        "reason": control["reason"],
    }
    if control.get("seconds"):
        data["seconds"] = control["seconds"]
    if control["kind"] == ControlKind.ANNOUNCE:
        data["text"] = control["text"]
    if control["kind"] == ControlKind.CORRECT:
        data["question_ids"] = [change["question_id"] for change in control["changes"]]
        data["text"] = control["text"]
    return {
        "id": control["_id"],
        "kind": "event",
        "name": EVENT_NAMES[ControlKind(control["kind"])],
        "type": None,
        "channels": [],
        "data": data,
        "aggregate": f"{control['quiz_id']}:controls",
        "version": control["n"],
        "n": 0,
        "fill": FILL_TIMES,
        "at": control["at"],
    }


def _is_for_some(control: Row) -> bool:
    return bool(control["scope"]["kind"] == ScopeKind.ATTEMPTS and control["kind"] != ControlKind.CORRECT)


def _meaning(control: Row) -> tuple[Any, ...]:
    """What an order that is repeated must share with the first."""
    return tuple(control.get(name) for name in ("quiz_id", "kind", "scope", "seconds", "text", "changes"))


def _control_row(quiz: Row, order: ControlOrder, *, n: int, now_ms: int) -> Row:
    known = {} if order.seconds is None else {"seconds": order.seconds}
    return {
        "_id": order.control_id,
        "quiz_id": quiz["_id"],
        "course_id": quiz["course_id"],
        "n": n,
        "kind": order.kind.value,
        "scope": order.scope,
        **known,
        "text": order.text,
        "reason": order.reason,
        "changes": list(order.changes),
        "by": order.by_id,
        "by_name": order.by_name,
        "at": from_ms(now_ms),
        "at_ms": now_ms,
        "undone": True,
    }


def control_id_of(quiz_id: str, user_id: str, op_id: str | None) -> str:
    """The id of an order: the same for the same `op_id` of the same person, so that a repeat meets the first."""
    return ids.new_id("ctl") if op_id is None else ids.derived_id("ctl", quiz_id, user_id, op_id)
