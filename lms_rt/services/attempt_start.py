"""Starting an attempt: the order of decisions, and the one insert that makes it. Coming back to an open one is `leases.py`."""

from __future__ import annotations

from dataclasses import dataclass

from documents.attempt import OPEN, Attempt, open_key
from documents.base import Row
from documents.enums import AttemptStatus
from documents.quiz import Quiz
from lms_rt import ids
from lms_rt.clock import Clock, from_ms, to_ms
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.access.quizzes import QuizAccess, refuse_other_hand, require_quiz
from lms_rt.services import deadlines, figures
from lms_rt.services.attempt_grading import AttemptGrading, started_intents
from lms_rt.services.leases import Device, Leases, new_writer
from lms_rt.services.papers import Papers, paper_row
from lms_rt.services.relay import Relay

TRIES = 10


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt, the lease that was given with it, and whether it was made just now."""

    attempt: Row
    lease: str | None
    is_new: bool


class AttemptStart:
    """Starts attempts, one open at a time for each student and quiz."""

    def __init__(self, *, clock: Clock, relay: Relay, papers: Papers, grading: AttemptGrading, leases: Leases) -> None:
        self._clock, self._relay, self._papers = clock, relay, papers
        self._grading, self._leases = grading, leases

    async def start(self, actor: Actor, quiz_id: str, device: Device) -> Started:
        """The open attempt, else a new one: not found, not enrolled, open one, window, attempts left, in this order."""
        access = await require_quiz(actor, quiz_id, now_ms=self._clock.now_ms())
        refuse_other_hand(actor)
        for _ in range(TRIES):
            started = await self._open_one(actor, quiz_id, device) or await self._new_one(actor, access, device)
            if started is not None:
                return started
        raise Refused(Code.BUSY, retry_after_seconds=1)

    async def _open_one(self, actor: Actor, quiz_id: str, device: Device) -> Started | None:
        """The student's open attempt, handed out by the rule of leases; one that is due is closed instead."""
        attempt = await Attempt.find_open(actor.user_id, quiz_id)
        if attempt is None:
            return None
        if self._grading.is_due(attempt):
            await self._grading.close_due(attempt["_id"])
            return None
        attempt, lease = await self._leases.resume(attempt, device)
        return Started(attempt, lease, is_new=False) if attempt["status"] in OPEN else None

    async def _new_one(self, actor: Actor, access: QuizAccess, device: Device) -> Started | None:
        """A new attempt; None when somebody was faster."""
        now_ms = self._clock.now_ms()
        if not access.is_taught:
            _check_window(access.quiz, now_ms)
        highest, used = await Attempt.find_numbers(actor.user_id, access.quiz["_id"])
        most = access.quiz.get("max_attempts")
        if not access.is_taught and most is not None and used >= most:
            raise Refused(Code.ATTEMPTS_EXHAUSTED, max_attempts=most)
        quiz = await Quiz.find_whole(access.quiz["_id"])
        if quiz is None or not (access.is_taught or quiz["is_published"]):
            raise Refused(Code.NOT_FOUND)
        if not quiz["question_ids"]:
            raise Refused(Code.QUIZ_NOT_READY, missing=["questions"])
        attempt = _attempt_row(actor, access, now_ms=now_ms, number=highest + 1)
        attempt["writer"] = new_writer(device, now_ms)
        return await self._insert(attempt, quiz)

    async def _insert(self, attempt: Row, quiz: Row) -> Started | None:
        """The paper first, then the attempt that it belongs to."""
        attempt_id, at = attempt["_id"], attempt["started_at"]
        await self._papers.store(paper_row(quiz, attempt_id, at=at, key_version=attempt["key_version"]))
        intents = started_intents(attempt)
        outbox: Row = {"outbox": intents, "outbox_at": at} if intents else {"outbox": []}
        if not await Attempt.add(attempt | outbox):
            await self._papers.withdraw(attempt_id)
            return None
        if not attempt["is_preview"]:
            figures.ATTEMPTS_STARTED.inc()
        await self._relay.hand_over(Attempt, attempt_id)
        return Started(attempt, attempt["writer"]["lease"], is_new=True)


def _check_window(quiz: Row, now_ms: int) -> None:
    opens_at, closes_at = quiz.get("opens_at"), quiz.get("closes_at")
    if opens_at is not None and now_ms < to_ms(opens_at):
        raise Refused(Code.QUIZ_NOT_OPEN, opens_at=opens_at)
    if closes_at is not None and now_ms >= to_ms(closes_at):
        raise Refused(Code.QUIZ_CLOSED, closes_at=closes_at)


def _attempt_row(actor: Actor, access: QuizAccess, *, now_ms: int, number: int) -> Row:
    """A new attempt. Who teaches the quiz previews it: without enrolment and closing time."""
    quiz, enrollment = access.quiz, access.enrollment
    closes_at = None if access.is_taught else quiz.get("closes_at")
    closes_ms = None if closes_at is None else to_ms(closes_at)
    known: Row = {
        "lesson_id": quiz.get("lesson_id"),
        "enrollment_id": None if enrollment is None else enrollment.id,
        "closes_ms": closes_ms,
        "deadline_ms": deadlines.deadline_of(now_ms, limit_minutes=quiz.get("time_limit_minutes"), closes_ms=closes_ms),
    }
    return {
        "_id": ids.new_id("att"),
        "quiz_id": quiz["_id"],
        "course_id": quiz["course_id"],
        "student_id": actor.user_id,
        "student_name": actor.full_name,
        "attempt_number": number,
        "is_preview": access.is_taught,
        "metadata": {},
        "status": AttemptStatus.IN_PROGRESS.value,
        "open_key": open_key(actor.user_id, quiz["_id"]),
        "started_at": from_ms(now_ms),
        **{name: value for name, value in known.items() if value is not None},
        "revision": 0,
        "live_version": 0,
        "key_version": 0,
        "answers": {},
        "ops": {},
        "ops_count": 0,
        "updated_ms": now_ms,
        "version": 1,
        "created_at": from_ms(now_ms),
        "updated_at": from_ms(now_ms),
    }
