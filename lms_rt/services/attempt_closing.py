"""Finalisers: closing attempts at their deadline, after a pause that nobody ended, when nobody goes on with them, and who left.

Each takes its `now` first, applies the controls that are missing, and closes with that `now` what has all of them; so an
attempt that was extended a moment ago stays open. Grading follows, here or behind.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from config.settings import Settings
from documents import attempt_closing
from documents.attempt import Attempt
from documents.base import Row
from documents.enums import AttemptStatus, SubmittedBy
from lms_rt.clock import Clock, from_ms
from lms_rt.contracts.outbox import Intent, Write, effect
from lms_rt.services import deadlines
from lms_rt.services.attempt_grading import AttemptGrading
from lms_rt.services.contended import is_for_now
from lms_rt.services.enrollment_edits import Left
from lms_rt.services.offline import waits_for_word
from lms_rt.services.quiz_controls import QuizControls
from lms_rt.storage.faults import again_on_conflict

DAY_MS = 24 * 3600 * 1000
HOUR_MS = 3600 * 1000
FEW = 20
"""So many attempts are brought up to date one by one; for more, all open ones of their quiz are."""
PAUSE_ENDED = "attempts.pause_ended"
"""The effect that tells who teaches of a pause that nobody ended, once for all attempts that it closed."""

BeforeClosing = Callable[[Sequence[Row], int], Awaitable[None]]
"""Given the attempts that are due and the `now` of the finaliser: what may still move their deadlines, by a control."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClosingRules:
    """When attempts are closed by themselves."""

    grace_ms: int
    abandon_ms: int
    pause_ms: int


def closing_rules(settings: Settings) -> ClosingRules:
    """As the settings say."""
    return ClosingRules(
        grace_ms=settings.attempt_grace_seconds * 1000,
        abandon_ms=settings.attempt_abandon_days * DAY_MS,
        pause_ms=settings.attempt_pause_max_hours * HOUR_MS,
    )


@dataclass(frozen=True, slots=True)
class _Moment:
    """The `now` of a closing, the last deadline that is over by then, and which attempts wait for a word first."""

    now_ms: int
    due_ms: int
    left_ids: frozenset[str] = frozenset()


class AttemptClosing:
    """Closes what is due. `is_grading` False leaves the grades to whoever looks next."""

    def __init__(self, *, clock: Clock, rules: ClosingRules, controls: QuizControls, grading: AttemptGrading) -> None:
        self._clock, self._rules, self._controls, self._grading = clock, rules, controls, grading
        self._before: list[BeforeClosing] = []

    def ask_before(self, ask: BeforeClosing) -> None:
        """Let this look at what is due, and may still be given lost time, before it is closed: a quiz at a time."""
        self._before.append(ask)

    def is_due(self, attempt: Row) -> bool:
        """Is its time over, grace and slack included?"""
        due_ms = deadlines.due_deadline_ms(self._clock.now_ms(), self._rules.grace_ms)
        deadline_ms: int = attempt.get("deadline_ms", due_ms + 1)
        return bool(attempt["status"] == AttemptStatus.IN_PROGRESS) and deadline_ms <= due_ms

    async def close_due(self, attempt_id: str | None = None, *, is_grading: bool = True) -> bool:
        """Close every attempt (or this one) whose time is over; was there any?

        First those about whom nobody has to be asked: a hall that lost its line holds up nobody else.
        """
        now_ms = self._clock.now_ms()
        due_ms = deadlines.due_deadline_ms(now_ms, self._rules.grace_ms)
        due = await attempt_closing.find_due(due_ms, attempt_id)
        if not due:
            return False
        waiting = [row for row in due if waits_for_word(row.get("offline"))]
        moment = _Moment(now_ms, due_ms, frozenset(row["_id"] for row in waiting))
        has_closed = await self._close([row for row in due if row["_id"] not in moment.left_ids], moment, attempt_id)
        for quiz_id in sorted({row["quiz_id"] for row in waiting}):
            asked = [row for row in waiting if row["quiz_id"] == quiz_id]
            left_ids = await self._ask(asked, now_ms)
            told = [row for row in asked if row["_id"] not in left_ids]
            has_closed |= await self._close(told, _Moment(now_ms, due_ms, left_ids), attempt_id)
        return await self._followed(now_ms, has_closed=has_closed, is_grading=is_grading)

    async def close_abandoned(self, *, is_grading: bool = True) -> bool:
        """Close the untimed attempts in which nothing was answered for so many days."""
        now_ms, has_closed = self._clock.now_ms(), False
        idle_since_ms = now_ms - self._rules.abandon_ms
        idle = await attempt_closing.find_idle(idle_since_ms)
        for quiz_id, newest in (await self._settled(idle)).items():
            close = partial(attempt_closing.abandon, quiz_id, now_ms=now_ms, idle_since_ms=idle_since_ms)
            has_closed |= await again_on_conflict(partial(close, live_version=newest))
        return await self._followed(now_ms, has_closed=has_closed, is_grading=is_grading)

    async def close_paused(self, *, is_grading: bool = True) -> bool:
        """Bring paused attempts up to date, and close those whose pause nobody ended."""
        now_ms, has_closed = self._clock.now_ms(), False
        until_ms = now_ms - self._rules.pause_ms
        for quiz_id in await attempt_closing.quizzes_with_paused():
            newest = await self._controls.newest(quiz_id)
            if await attempt_closing.has_paused_behind(quiz_id, newest):
                await self._controls.catch_up(quiz_id, newest)
            first = await attempt_closing.first_paused_since(quiz_id, until_ms)
            if first is None:
                continue
            close = partial(
                attempt_closing.close_paused,
                quiz_id,
                now_ms=now_ms,
                paused_until_ms=until_ms,
                live_version=newest,
                intents=[pause_ended(quiz_id, first, now_ms)],
            )
            has_closed |= await again_on_conflict(close)
        return await self._followed(now_ms, has_closed=has_closed, is_grading=is_grading)

    async def close_left(self, left: Left) -> None:
        """Hand in what somebody has begun in a course that they left; again is as good. Grades are made at once."""
        for attempt in await attempt_closing.find_begun(left.student_id, left.course_id, left.at_ms):
            await self._controls.settle(attempt)
            by = SubmittedBy.INSTRUCTOR if left.is_put_out else SubmittedBy.STUDENT
            await attempt_closing.close_one(attempt["_id"], by, self._clock.now_ms())
            await self._grading.grade(attempt["_id"])

    async def _close(self, due: Sequence[Row], moment: _Moment, attempt_id: str | None) -> bool:
        """Close the quizzes' due attempts that have every control, but for those that are left."""
        has_closed = False
        for quiz_id, newest in (await self._settled(due)).items():
            close = partial(attempt_closing.close_due, quiz_id, now_ms=moment.now_ms, due_ms=moment.due_ms)
            which = partial(close, live_version=newest, attempt_id=attempt_id, left_ids=moment.left_ids)
            has_closed |= await again_on_conflict(which)
        return has_closed

    async def _ask(self, due: Sequence[Row], now_ms: int) -> frozenset[str]:
        """Which of them cannot be asked about now, and are left to the next round, so that nobody loses what is theirs.

        One damaged attempt must not keep a school from closing: where asking about all fails, each is asked about.
        """
        left: set[str] = set()
        for ask in self._before:
            try:
                await ask(due, now_ms)
            except Exception:  # noqa: BLE001 - said of the one below
                for attempt in due:
                    try:
                        await ask([attempt], now_ms)
                    except Exception as error:  # noqa: BLE001 - if it is damaged, it is closed as it stands
                        left |= {attempt["_id"]} if is_for_now(error) else set()
                        _log.exception("attempt %s could not be asked about before it is closed", attempt["_id"])
        return frozenset(left)

    async def _settled(self, due: Sequence[Row]) -> Mapping[str, int]:
        """The newest control of each quiz, after what is due has been given all of them."""
        newest: dict[str, int] = {}
        for attempt in due:
            quiz_id = attempt["quiz_id"]
            if quiz_id not in newest:
                newest[quiz_id] = await self._controls.newest(quiz_id)
        for quiz_id, number in newest.items():
            behind = [row for row in due if row["quiz_id"] == quiz_id and row["live_version"] < number]
            if len(behind) > FEW:
                await self._controls.catch_up(quiz_id, number)
                continue
            for attempt in behind:
                if (whole := await Attempt.find_state(attempt["_id"])) is not None:
                    await self._controls.settle(whole)
        return newest

    async def _followed(self, now_ms: int, *, has_closed: bool, is_grading: bool) -> bool:
        if has_closed and is_grading:
            await self._grading.grade_closed_at(now_ms)
        return has_closed


def pause_ended(quiz_id: str, first: Row, now_ms: int) -> Intent:
    """What the closing of a pause leaves: the same for all attempts of it, so that it is told once."""
    write = Write(0, from_ms(now_ms))
    told = effect(write, PAUSE_ENDED, {"quiz_id": quiz_id, "course_id": first["course_id"], "at_ms": now_ms})
    return told | {"id": f"{quiz_id}:{first['paused_at_ms']}"}
