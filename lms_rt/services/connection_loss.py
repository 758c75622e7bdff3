"""The connection-loss ledger of an attempt, and what is given back of it: nothing, by itself up to a cap, or by a teacher.

A credit is an `extend` of that one attempt, with an id that follows from its number: however often it is taken up again, it
is given once. What was lost is arithmetic, in `offline.py`; who is there, `lines.py` knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from documents import attempt_lines
from documents.attempt import OPEN
from documents.base import Row
from documents.enums import ControlKind
from documents.quiz import Quiz
from lms_rt import ids
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.audit import SYSTEM_ID
from lms_rt.contracts.channels import quiz_live_channel
from lms_rt.contracts.integrity import OfflineView, TimeCreditDraft
from lms_rt.errors import Code, Refused
from lms_rt.security.access.quizzes import require_attempt_to_mark
from lms_rt.services.audit import Audit
from lms_rt.services.contended import until_written
from lms_rt.services.deadlines import MINUTE_MS
from lms_rt.services.integrity import Integrity
from lms_rt.services.offline import (
    GAP_MS,
    Line,
    Offline,
    Pending,
    credit_seconds,
    folded,
    offline_of,
    offline_view,
    stood_still_ms,
    stored_row,
    waits_for_word,
)
from lms_rt.services.quiz_controls import ControlOrder, QuizControls, attempts_scope
from lms_rt.services.telling import Telling

REASON = "connection_loss"
"""What a credit by itself says as its reason: a word that pages put into the reader's language."""
PENDING_AGE_MS = 5_000
AT_ONCE = 100
_DEFAULT_CAP_MINUTES = 10

Change = Callable[[Offline, Row], Offline]


@dataclass(frozen=True, slots=True)
class Changed:
    """An attempt as it was read, and its ledger before and after a write."""

    attempt: Row
    before: Offline
    after: Offline

    @property
    def is_moved(self) -> bool:
        """Was anything written?"""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class _Wish:
    """Who gives back what: these seconds, or, under a cap, all that it allows. `until_ms`: an absence counts until then."""

    at_ms: int
    by_id: str
    by_name: str
    reason: str
    until_ms: int | None = None
    seconds: int = 0
    cap_ms: int | None = None


class ConnectionLoss:
    """Keeps the ledgers, and gives back by the quiz's policy."""

    def __init__(
        self, *, clock: Clock, controls: QuizControls, integrity: Integrity, telling: Telling, audit: Audit
    ) -> None:
        self._clock, self._controls, self._integrity = clock, controls, integrity
        self._telling, self._audit = telling, audit

    # --- lines ---

    async def came(self, attempt_id: str, user_id: str, line: Line) -> bool:
        """A line of somebody on the attempt's channel is up. False: it is not to be followed."""
        changed = await self._change(attempt_id, partial(_came, line), only_of=user_id)
        if changed is None:
            return False
        if changed.is_moved:
            facts = {"screens": len(changed.after.lines)}
            if changed.before.since_ms is not None:
                facts["away_ms"] = max(0, line.at_ms - changed.before.since_ms)
            await self._integrity.note(changed.attempt, "connected", facts, at_ms=line.at_ms)
        await self._follow(changed)  # moved or not: the last time it may have been cut off here
        return True

    async def went(self, attempt_id: str, line_id: str, at_ms: int, why: str) -> None:
        """A line is gone."""
        changed = await self._change(attempt_id, partial(_went, line_id, at_ms))
        if changed is not None and changed.is_moved:
            facts = {"screens": len(changed.after.lines), "why": why}
            await self._integrity.note(changed.attempt, "disconnected", facts, at_ms=at_ms)

    async def lost(self, attempt_id: str, node: str, last_ms: int) -> None:
        """The node that held lines of this attempt is silent since then."""
        changed = await self._change(attempt_id, partial(_lost, {node: last_ms}))
        if changed is not None and changed.is_moved:
            facts = {"screens": len(changed.after.lines), "why": "server"}
            await self._integrity.note(changed.attempt, "disconnected", facts, at_ms=last_ms)
        if changed is not None:
            await self._follow(changed)

    # --- credits ---

    async def before_closing(self, due: Sequence[Row], now_ms: int) -> None:
        """Whoever is away at their deadline gets what their quiz gives by itself, before anything is closed."""
        policies: dict[str, Row | None] = {}
        for row in due:
            if not waits_for_word(row.get("offline")):
                continue
            offline = offline_of(row["offline"])
            if row["quiz_id"] not in policies:
                policies[row["quiz_id"]] = await Quiz.find_head(row["quiz_id"])
            quiz = policies[row["quiz_id"]]
            if offline.pending is not None:
                await self._finish(row, offline.pending)
            elif quiz is not None and quiz.get("connection_loss_policy") == "automatic":
                await self._credit(row["_id"], quiz, until_ms=now_ms)

    async def ask_for_absent(self) -> None:
        """Put those who are away before their teachers, where these decide: after the deadline it is too late."""
        now_ms = self._clock.now_ms()
        away: Row = attempt_lines.away_unasked(now_ms=now_ms, since_ms=now_ms - GAP_MS)
        for quiz_id in await attempt_lines.quizzes_of(away):
            quiz = await Quiz.find_head(quiz_id)
            if quiz is None or quiz.get("connection_loss_policy") != "approval":
                continue
            for attempt_id in await attempt_lines.find_of_quiz(away, quiz_id, limit=AT_ONCE):
                await self._ask(attempt_id, quiz_id, partial(_asked_while_away, now_ms))

    async def finish_pending(self) -> None:
        """End the credits that somebody began to give."""
        until_ms = self._clock.now_ms() - PENDING_AGE_MS
        for attempt_id in await attempt_lines.find_pending(until_ms=until_ms, limit=AT_ONCE):
            attempt = await attempt_lines.find(attempt_id)
            if attempt is not None and (pending := offline_of(attempt.get("offline")).pending) is not None:
                await self._finish(attempt, pending)

    async def decide(self, actor: Actor, attempt_id: str, draft: TimeCreditDraft) -> OfflineView:
        """Give back, or not, what the student lost until now and nobody decided upon."""
        attempt = await require_attempt_to_mark(actor, attempt_id)
        if attempt["status"] not in OPEN:
            raise Refused(Code.ATTEMPT_CLOSED)
        now_ms = self._clock.now_ms()
        lost_ms = folded(offline_of(attempt.get("offline")), attempt, now_ms).undecided_ms
        if attempt["is_preview"] or "deadline_ms" not in attempt or not lost_ms:
            raise Refused(Code.CONFLICT, "Nothing was lost that nobody decided upon.")
        seconds = (draft.seconds or -(-lost_ms // 1000)) if draft.approve else 0
        await self._audit.record(
            actor,
            "attempt.credit",
            kind="attempt",
            target_id=attempt_id,
            after={"seconds": seconds},
            reason=draft.reason,
            person_id=attempt["student_id"],
        )
        wish = _Wish(now_ms, actor.user_id, actor.full_name, draft.reason, until_ms=now_ms, seconds=seconds)
        changed = await self._change(attempt_id, partial(_decided, wish), is_shown=True)
        if changed is None:
            raise Refused(Code.ATTEMPT_CLOSED)
        if changed.after.credits == changed.before.credits:
            raise Refused(Code.CONFLICT, "Somebody else decided upon it.")
        if changed.after.pending is not None:
            await self._finish(changed.attempt, changed.after.pending)
        else:
            refused = {"lost_ms": lost_ms, "by": "teacher"}
            await self._integrity.note(changed.attempt, "time_refused", refused)
        stored = await attempt_lines.find(attempt_id) or changed.attempt
        return offline_view(stored, now_ms)

    # --- how ---

    async def _follow(self, changed: Changed) -> None:
        """What the quiz does about what was lost. Where no time runs, nothing can be given."""
        attempt = changed.attempt
        if not changed.after.undecided_ms or "deadline_ms" not in attempt:
            return
        quiz = await Quiz.find_head(attempt["quiz_id"])
        policy = None if quiz is None else quiz.get("connection_loss_policy")
        if quiz is not None and policy == "automatic":
            await self._credit(attempt["_id"], quiz, until_ms=None)
        elif policy == "approval":
            await self._ask(attempt["_id"], attempt["quiz_id"], _asked)

    async def _ask(self, attempt_id: str, quiz_id: str, asked: Change) -> None:
        await self._change(attempt_id, asked, is_shown=True)
        await self._telling.poke(quiz_live_channel(quiz_id), [attempt_id])

    async def _credit(self, attempt_id: str, quiz: Row, *, until_ms: int | None) -> None:
        cap_ms = (quiz.get("connection_loss_cap_minutes") or _DEFAULT_CAP_MINUTES) * MINUTE_MS
        wish = _Wish(self._clock.now_ms(), SYSTEM_ID, "", REASON, until_ms=until_ms, cap_ms=cap_ms)
        changed = await self._change(attempt_id, partial(_decided, wish))
        if changed is not None and changed.after.pending is not None:
            await self._finish(changed.attempt, changed.after.pending)

    async def _finish(self, attempt: Row, pending: Pending) -> None:
        """Give a credit that was decided: the control, then the ledger's word of it."""
        attempt_id = attempt["_id"]
        order = ControlOrder(
            kind=ControlKind.EXTEND,
            scope=attempts_scope([attempt_id]),
            by_id=pending.by_id,
            by_name=pending.by_name,
            control_id=ids.derived_id("ctl", attempt_id, "credit", str(pending.number)),
            seconds=pending.seconds,
            reason=pending.reason,
        )
        quiz = {"_id": attempt["quiz_id"], "course_id": attempt["course_id"]}
        has_reached = attempt_id in (await self._controls.order(quiz, order)).applied
        changed = await self._change(attempt_id, partial(_given, pending, has_reached), is_shown=True, is_open=False)
        if changed is not None and changed.is_moved and has_reached:
            facts = {"seconds": pending.seconds, "by": "rule" if pending.by_id == SYSTEM_ID else "teacher"}
            await self._integrity.note(changed.attempt, "time_credited", facts)

    async def _change(
        self,
        attempt_id: str,
        change: Change,
        *,
        only_of: str | None = None,
        is_shown: bool = False,
        is_open: bool = True,
    ) -> Changed | None:
        """One compare-and-set of a ledger; None: there is no such attempt, or none that is followed."""

        async def step() -> Changed | bool | None:
            attempt = await attempt_lines.find(attempt_id)
            if attempt is None or attempt["is_preview"] or (is_open and attempt["status"] not in OPEN):
                return False
            if only_of not in (None, attempt["student_id"]):
                return False
            before = offline_of(attempt.get("offline"))
            changed = Changed(attempt, before, change(before, attempt))
            shown_ms = self._clock.now_ms() if is_shown else None
            if not changed.is_moved:
                return changed
            row = stored_row(changed.after)
            is_written = await attempt_lines.write(attempt_id, attempt.get("offline"), row, shown_ms=shown_ms)
            return changed if is_written else None

        result = await until_written(step)
        return result if isinstance(result, Changed) else None


# --- changes of a ledger ---


def _came(line: Line, offline: Offline, attempt: Row) -> Offline:
    stood_ms = stood_still_ms(attempt, line.at_ms)
    return offline.came(line, stood_ms=stood_ms, until_ms=attempt.get("deadline_ms"))


def _went(line_id: str, at_ms: int, offline: Offline, attempt: Row) -> Offline:
    return offline.went(line_id, at_ms, stood_ms=stood_still_ms(attempt, at_ms))


def _lost(nodes: dict[str, int], offline: Offline, attempt: Row) -> Offline:
    return offline.lost(nodes, stood_ms=stood_still_ms(attempt, max(nodes.values())))


def _asked(offline: Offline, attempt: Row) -> Offline:
    del attempt
    return offline.asked()


def _asked_while_away(now_ms: int, offline: Offline, attempt: Row) -> Offline:
    """Once for one absence: what comes on top is asked for at the return."""
    if offline.since_ms is None or offline.is_counted or offline.asked_ms is not None or offline.pending is not None:
        return offline
    return offline.asked(lost_ms=folded(offline, attempt, now_ms).lost_ms)


def _given(pending: Pending, has_reached: bool, offline: Offline, attempt: Row) -> Offline:
    del attempt
    return offline.given(has_reached=has_reached) if offline.pending == pending else offline


def _decided(wish: _Wish, offline: Offline, attempt: Row) -> Offline:
    """Decide upon all that was lost: by the cap, where there is one, else as it is wished. Once for what was lost once."""
    if wish.until_ms is not None:
        offline = folded(offline, attempt, wish.until_ms)
    if offline.pending is not None or not offline.undecided_ms:
        return offline
    seconds = wish.seconds if wish.cap_ms is None else credit_seconds(offline, cap_ms=wish.cap_ms)
    number = offline.credits + 1
    return offline.giving(Pending(number, seconds, wish.by_id, wish.by_name, wish.reason, wish.at_ms))
