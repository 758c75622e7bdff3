"""Timed attempts, as REST and live call them: start, resume, take over, save, sync, submit, show, list, and small signals.

What decides lies beside it: `attempt_start.py`, `leases.py`, `ledger.py`, `submissions.py`, `attempt_grading.py`.
"""

from __future__ import annotations

from config.settings import Settings
from documents.attempt import OPEN, Attempt, LedgerWrite
from documents.attempt_records import AttemptRecords
from documents.base import Row
from documents.course import Course
from documents.enums import AttemptStatus
from lms_rt import ids
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock, to_ms
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import (
    AnswerRow,
    AnswersDraft,
    AnswersView,
    AttemptQuery,
    AttemptRowView,
    AttemptView,
    HandedOutView,
    IsWriter,
    SavedView,
    Signal,
    SubmitDraft,
    SyncDraft,
    SyncView,
)
from lms_rt.contracts.base import CursorPage, Page, page_of
from lms_rt.contracts.channels import attempt_channel, quiz_live_channel
from lms_rt.errors import Code, Refused, invalid
from lms_rt.realtime.timers import TimerFacts
from lms_rt.security.access.quizzes import (
    ATTEMPT_PERMISSIONS,
    own,
    require_attempt,
    require_own_attempt,
    require_quiz,
    require_taught_quiz,
    sees_attempts,
)
from lms_rt.services.answers import Answers
from lms_rt.services.attempt_clock import AttemptClock
from lms_rt.services.attempt_start import AttemptStart
from lms_rt.services.attempt_views import answer_views, attempt_view, handed_out_view, summary_view, times_of
from lms_rt.services.control_receipts import ControlReceipts
from lms_rt.services.cursors import cursor_of, place_of
from lms_rt.services.integrity import Integrity
from lms_rt.services.leases import Device, Leases
from lms_rt.services.ledger import MAX_OPERATIONS, Ledger, LedgerRules, Operation, Record, is_writer
from lms_rt.services.live_controls import messages_of
from lms_rt.services.relay import Relay
from lms_rt.services.submissions import Submissions
from lms_rt.services.telling import Telling


class Attempts:
    """The attempt engine's front."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        bus: Bus,
        relay: Relay,
        attempt_clock: AttemptClock,
        max_operations: int = MAX_OPERATIONS,
    ) -> None:
        self._clock, self._alarms = clock, attempt_clock
        self._papers = attempt_clock.papers
        self._telling = Telling(bus)
        rules = LedgerRules(grace_ms=settings.attempt_grace_seconds * 1000, max_operations=max_operations)
        ledger = Ledger(clock=clock, rules=rules, record=_recorder(is_embedded=settings.is_embedded))
        self._leases = Leases(clock=clock, telling=self._telling, controls=attempt_clock.controls)
        self.control_receipts = ControlReceipts(clock=clock, telling=self._telling)
        self.integrity = Integrity(clock=clock, telling=self._telling)
        self._answers = Answers(ledger=ledger, papers=self._papers, telling=self._telling, integrity=self.integrity)
        self._submissions = Submissions(
            ledger=ledger,
            papers=self._papers,
            grading=attempt_clock.grading,
            answers=self._answers,
            controls=attempt_clock.controls,
        )
        self._starting = AttemptStart(
            clock=clock, relay=relay, papers=self._papers, closing=attempt_clock.closing, leases=self._leases
        )

    # --- handing out ---

    async def start(self, actor: Actor, quiz_id: str, device: Device) -> tuple[HandedOutView, bool]:
        """The open attempt or a new one, and whether it is new."""
        started = await self._starting.start(actor, quiz_id, device)
        return await self._handed_out(started.attempt, started.lease), started.is_new

    async def find_open(self, actor: Actor, quiz_id: str) -> str | None:
        """The id of the actor's open attempt at a quiz, if there is one."""
        attempt = await Attempt.find_open(actor.user_id, quiz_id)
        return None if attempt is None else str(attempt["_id"])

    async def require_own(self, actor: Actor, attempt_id: str) -> None:
        """Not found, unless the actor sits this attempt: asked before its channel is listened to."""
        await require_own_attempt(actor, attempt_id)

    async def resume(self, actor: Actor, attempt_id: str, device: Device) -> HandedOutView:
        """The attempt as it is, with a lease when this device may write."""
        attempt = own(actor, await Attempt.find_whole(attempt_id))
        return await self._handed_out(*await self._leases.resume(attempt, device))

    async def take_over(self, actor: Actor, attempt_id: str, device: Device) -> HandedOutView:
        """The attempt with the lease, whoever had it; without one only when it is closed."""
        attempt = own(actor, await Attempt.find_whole(attempt_id))
        before: Row = attempt.get("writer") or {}
        attempt, lease = await self._leases.take_over(attempt, device)
        if lease is not None and before.get("device_id") not in (None, device.device_id):
            await self.integrity.note(attempt, "take_over", {"device_id": device.device_id})
        return await self._handed_out(attempt, lease)

    async def show_again(self, actor: Actor, attempt_id: str, lease: str | None) -> HandedOutView:
        """What was handed out, as it is now; the lease only while it is the stored one."""
        attempt = own(actor, await Attempt.find_whole(attempt_id))
        return await self._handed_out(attempt, lease if is_writer(attempt, lease) else None)

    # --- writing ---

    async def save(
        self,
        actor: Actor,
        attempt_id: str,
        row: AnswerRow,
        *,
        device_id: str,
        lease: str,
        received_ms: int | None = None,
    ) -> SavedView:
        """Save one answer; `received_ms` is when it arrived, if that was before this call."""
        names = ("question_id", "value", "op_id", "seq", "base_revision")
        op = Operation(**{name: getattr(row, name) for name in names}, device_id=device_id, lease=lease)
        return await self._answers.save(actor, attempt_id, op, received_ms=self._arrival(received_ms))

    async def save_all(self, actor: Actor, attempt_id: str, draft: AnswersDraft) -> AnswersView:
        """Save answers, each decided for itself."""
        return await self._answers.save_all(actor, attempt_id, draft, received_ms=self._arrival(None))

    async def submit(
        self, actor: Actor, attempt_id: str, draft: SubmitDraft, *, quiz_id: str | None = None
    ) -> AttemptView:
        """Close the attempt, if it is open, and show it graded."""
        received_ms = self._arrival(None)
        attempt = await self._submissions.submit(actor, attempt_id, draft, received_ms=received_ms, quiz_id=quiz_id)
        paper = await self._papers.require_shown(attempt)
        told, is_me = await messages_of(attempt), is_writer(attempt, draft.lease)
        return attempt_view(attempt, paper, self._clock.now_ms(), is_me=is_me, messages=told)

    async def signal(self, actor: Actor, attempt_id: str, signals: list[Signal]) -> None:
        """What the student looks at, for the dashboard: best effort, kept nowhere."""
        attempt = await require_own_attempt(actor, attempt_id)
        sheet = await self._papers.sheet_of(attempt_id)
        facts: dict[str, str] = {}
        for signal in signals:
            if signal.question_id is not None and signal.question_id not in sheet:
                raise Refused(Code.NOT_FOUND, "The attempt has no such question.")
            facts |= _facts_of(signal)
            if signal.kind == "seen" and signal.event_id is not None:
                await self.control_receipts.seen(attempt, signal.event_id)
        await self._telling.note(attempt_channel(attempt_id), actor.user_id, facts)
        for signal in signals if attempt["status"] in OPEN else ():
            if signal.kind == "page" and signal.state is not None:
                await self.integrity.page(attempt, signal.state)
        if not attempt["is_preview"]:
            await self._telling.poke(quiz_live_channel(attempt["quiz_id"]), [attempt_id])

    # --- reading ---

    async def sync(
        self, actor: Actor, attempt_id: str, draft: SyncDraft, *, connection_id: str | None = None
    ) -> SyncView:
        """What is stored, and which of the client's operations are not known here."""
        attempt = own(actor, await Attempt.find_for_sync(attempt_id, draft.have))
        known = attempt.get("ops", {})
        writer: Row = attempt.get("writer") or {}
        is_me = is_writer(attempt, draft.lease) or any(
            given is not None and given == writer.get(name)
            for name, given in (("device_id", draft.device_id), ("connection", connection_id))
        )
        return SyncView(
            revision=attempt["revision"],
            live_version=attempt.get("live_version", 0),
            answers=answer_views(attempt),
            missing=[op_id for op_id in dict.fromkeys(draft.have) if op_id not in known],
            writer=IsWriter(is_me=is_me),
            status=AttemptStatus(attempt["status"]),
            **times_of(attempt, self._clock.now_ms()),
        )

    async def show(self, actor: Actor, attempt_id: str) -> AttemptView:
        """One attempt with its questions and saved answers, to its student and to those who teach it."""
        attempt = await require_attempt(actor, attempt_id)
        told = await messages_of(attempt)
        return attempt_view(attempt, await self._papers.require_shown(attempt), self._clock.now_ms(), messages=told)

    async def list(
        self, actor: Actor, query: AttemptQuery, *, quiz_id: str | None = None
    ) -> Page[AttemptRowView] | CursorPage[AttemptRowView]:
        """The actor's own attempts; those of a quiz or a course that they teach, when it is named.

        `quiz_id` is the one that a path names: unlike a filter it has to be there.
        """
        if quiz_id is not None:
            await self._require_known_quiz(actor, quiz_id)
            query = query.model_copy(update={"quiz_id": quiz_id})
        if query.course_id is not None and (course := await Course.find_head(query.course_id)) is not None:
            query = query.model_copy(update={"course_id": course.id})
        wanted = await self._scope(actor, query)
        for name in ("quiz_id", "course_id", "status", "is_preview"):
            if (value := getattr(query, name)) is not None:
                wanted[name] = value
        if query.is_by_cursor:
            return await self._stretch(wanted, query)
        field, order = query.sort.lstrip("-"), -1 if query.sort.startswith("-") else 1
        sort = [(field, order), ("_id", order)]
        rows, total = await Attempt.find_page(wanted, sort, skip=query.skip, limit=query.page_size)
        return page_of([summary_view(row, self._clock.now_ms()) for row in rows], query, total)

    async def find_timer(self, attempt_id: str) -> TimerFacts | None:
        """What the timer of an attempt follows from."""
        attempt = await Attempt.find_state(attempt_id)
        if attempt is None:
            return None
        is_running = attempt["status"] == AttemptStatus.IN_PROGRESS
        return TimerFacts(to_ms(attempt["started_at"]), attempt.get("deadline_ms"), is_running)

    # --- how ---

    def _arrival(self, received_ms: int | None) -> int:
        return self._clock.now_ms() if received_ms is None else received_ms

    async def _handed_out(self, attempt: Row, lease: str | None) -> HandedOutView:
        if attempt["status"] == AttemptStatus.IN_PROGRESS and "deadline_ms" in attempt:
            self._alarms.watch(attempt["_id"], attempt["deadline_ms"])
        paper = await self._papers.require_shown(attempt)
        told = await messages_of(attempt)
        return handed_out_view(attempt, paper, self._clock.now_ms(), lease=lease, messages=told)

    async def _require_known_quiz(self, actor: Actor, quiz_id: str) -> None:
        """Who has sat it may go on asking, also when it was taken back from view."""
        highest, _ = await Attempt.find_numbers(actor.user_id, quiz_id)
        if not highest:
            await require_quiz(actor, quiz_id, now_ms=self._clock.now_ms())

    async def _scope(self, actor: Actor, query: AttemptQuery) -> Row:
        """Whose attempts: by a quiz or course of their own a teacher sees all that count, everybody else their own."""
        is_taught = False
        if query.quiz_id is not None:
            try:
                await require_taught_quiz(actor, query.quiz_id, *ATTEMPT_PERMISSIONS)
                is_taught = True
            except Refused as refused:
                if refused.code is not Code.NOT_FOUND:
                    raise
        elif query.course_id is not None:
            is_taught = await sees_attempts(actor, query.course_id)
        if not is_taught and not (actor.is_admin and query.student_id is not None):
            is_own = query.student_id in (None, actor.user_id)
            return {"student_id": actor.user_id} if is_own else {"_id": {"$in": []}}
        wanted: Row = {"is_preview": False}
        return wanted if query.student_id is None else wanted | {"student_id": query.student_id}

    async def _stretch(self, wanted: Row, query: AttemptQuery) -> CursorPage[AttemptRowView]:
        rows = await Attempt.find_before(wanted, place_of(query.after), limit=query.limit + 1)
        shown = rows[: query.limit]
        following = cursor_of(shown[-1]["started_at"], shown[-1]["_id"]) if len(rows) > query.limit else None
        items = [summary_view(row, self._clock.now_ms()) for row in shown]
        return CursorPage(items=items, next=following, limit=query.limit)


def _recorder(*, is_embedded: bool) -> Record:
    """How steps of the ledger are stored: on a server many together, on the embedded store each by itself."""
    records = AttemptRecords()

    async def record(attempt_id: str, write: LedgerWrite) -> bool:
        if is_embedded:
            return await Attempt.record(attempt_id, write)
        return await records.record(attempt_id, write)

    return record


def device_of(device_id: str | None, *, lease: str | None = None, connection_id: str | None = None) -> Device:
    """The screen that asks; where it names no device, one is made."""
    return Device(device_id or ids.random_token(12), lease, connection_id)


def _facts_of(signal: Signal) -> dict[str, str]:
    """A signal as the notes name it; what a signal is about must be there."""
    name, value = {
        "look": ("question_id", signal.question_id),
        "page": ("state", signal.state),
        "seen": ("event_id", signal.event_id),
    }[signal.kind]
    if value is None:
        raise invalid(f"signals.{name}", f"A signal of the kind {signal.kind} needs this.", "required")
    return {name if signal.kind != "seen" else "seen_event_id": value}
