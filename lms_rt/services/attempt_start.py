"""Starting an attempt: the order of decisions, and the one insert that makes it. Coming back to an open one is `leases.py`."""

from __future__ import annotations

from dataclasses import dataclass

from documents.accommodation import Accommodation
from documents.attempt import OPEN, Attempt, open_key
from documents.base import Row
from documents.enrollment import Enrollment
from documents.enums import AttemptStatus
from documents.quiz import Quiz
from lms_rt import ids
from lms_rt.clock import Clock, from_ms, to_ms
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.access.lessons import refuse_locked
from lms_rt.security.access.quizzes import QuizAccess, refuse_other_hand, require_quiz
from lms_rt.services import figures
from lms_rt.services.accommodations import snapshot, times_of_quiz
from lms_rt.services.attempt_closing import AttemptClosing
from lms_rt.services.attempt_grading import started_intents
from lms_rt.services.deadlines import Sitting
from lms_rt.services.enrollment_edits import Left
from lms_rt.services.leases import Device, Leases, new_writer
from lms_rt.services.papers import Papers, paper_row
from lms_rt.services.quiz_controls import Standing
from lms_rt.services.receipt_chain import begun
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

    def __init__(self, *, clock: Clock, relay: Relay, papers: Papers, closing: AttemptClosing, leases: Leases) -> None:
        self._clock, self._relay, self._papers = clock, relay, papers
        self._closing, self._leases, self._controls = closing, leases, leases.controls

    async def start(self, actor: Actor, quiz_id: str, device: Device) -> Started:
        """The open attempt, else a new one: not found, not enrolled, open one, locked lesson, window, attempts left."""
        access = await require_quiz(actor, quiz_id, now_ms=self._clock.now_ms())
        refuse_other_hand(actor)
        for _ in range(TRIES):
            started = await self._open_one(actor, quiz_id, device) or await self._new_or_none(actor, access, device)
            if started is not None:
                return started
        raise Refused(Code.BUSY, retry_after_seconds=1)

    async def _open_one(self, actor: Actor, quiz_id: str, device: Device) -> Started | None:
        """The student's open attempt, handed out by the rule of leases; one that is due is closed instead."""
        attempt = await Attempt.find_open(actor.user_id, quiz_id)
        if attempt is None:
            return None
        if self._closing.is_due(attempt):
            await self._closing.close_due(attempt["_id"])
            return None
        attempt, lease = await self._leases.resume(attempt, device)
        return Started(attempt, lease, is_new=False) if attempt["status"] in OPEN else None

    async def _new_or_none(self, actor: Actor, access: QuizAccess, device: Device) -> Started | None:
        """A new attempt; None when somebody was faster: another screen may have begun the last one that is allowed."""
        try:
            return await self._new_one(actor, access, device)
        except Refused:
            if await Attempt.find_open(actor.user_id, access.quiz["_id"]) is None:
                raise
            return None

    async def _new_one(self, actor: Actor, access: QuizAccess, device: Device) -> Started | None:
        """A new attempt; None when somebody was faster."""
        now_ms = self._clock.now_ms()
        standing = await self._controls.standing(access.quiz["_id"], _group_of(access))
        terms = await _terms_of(actor, access)
        if not access.is_taught:
            refuse_locked(access.course, access.quiz.get("lesson_id"), access.enrollment, from_ms(now_ms))
            _check_window(access.quiz, terms.times.closes_ms, now_ms)
            _check_standing(standing)
        highest, used = await Attempt.find_numbers(actor.user_id, access.quiz["_id"])
        most = access.quiz.get("max_attempts")
        if not access.is_taught and most is not None and used >= most:
            raise Refused(Code.ATTEMPTS_EXHAUSTED, max_attempts=most)
        quiz = await Quiz.find_whole(access.quiz["_id"])
        if quiz is None or not (access.is_taught or quiz["is_published"]):
            raise Refused(Code.NOT_FOUND)
        if not quiz["question_ids"]:
            raise Refused(Code.QUIZ_NOT_READY, missing=["questions"])
        attempt = _attempt_row(actor, access, now_ms=now_ms, number=highest + 1) | terms.fields(now_ms)
        attempt |= {"live_version": standing.live_version, "key_version": standing.key_version}
        attempt["writer"] = new_writer(device, now_ms)
        return await self._insert(attempt, quiz)

    async def _insert(self, attempt: Row, quiz: Row) -> Started | None:
        """The paper first, then the attempt that it belongs to."""
        attempt_id, at = attempt["_id"], attempt["started_at"]
        await self._papers.store(paper_row(quiz, attempt_id, at=at))
        intents = started_intents(attempt)
        outbox: Row = {"outbox": intents, "outbox_at": at} if intents else {"outbox": []}
        if not await Attempt.add(attempt | outbox):
            await self._papers.withdraw(attempt_id)
            return None
        if not attempt["is_preview"]:
            figures.ATTEMPTS_STARTED.inc()
        await self._relay.hand_over(Attempt, attempt_id)
        attempt = await self._closed_if_left(attempt)
        settled = await self._controls.settle(attempt)  # what was ordered since this start read how the quiz stands
        is_open = settled["status"] in OPEN
        return Started(settled, attempt["writer"]["lease"] if is_open else None, is_new=True)

    async def _closed_if_left(self, attempt: Row) -> Row:
        """The attempt, handed in if its student left the course since this start read that they are in it."""
        enrollment_id = attempt.get("enrollment_id")
        enrollment = None if enrollment_id is None else await Enrollment.find_dropped(enrollment_id)
        if enrollment is None:
            return attempt
        left_ms, is_put_out = to_ms(attempt["started_at"]), enrollment.get("is_put_out", False)
        await self._closing.close_left(Left(attempt["student_id"], attempt["course_id"], left_ms, is_put_out))
        return await Attempt.find_whole(attempt["_id"]) or attempt


@dataclass(frozen=True, slots=True)
class _Terms:
    """The times of a quiz as they apply to who starts, and what an attempt keeps of why."""

    times: Sitting
    accommodation: Row | None

    def fields(self, now_ms: int) -> Row:
        """What an attempt that starts now is given; what there is none of is left out."""
        given: Row = {
            "closes_ms": self.times.closes_ms,
            "deadline_ms": self.times.deadline_ms(now_ms),
            "accommodation": self.accommodation,
        }
        return {name: value for name, value in given.items() if value is not None}


async def _terms_of(actor: Actor, access: QuizAccess) -> _Terms:
    """By the student's accommodation. Who teaches the quiz previews it without one, and without a closing time."""
    quiz = access.quiz
    if access.is_taught:
        return _Terms(times_of_quiz({**quiz, "closes_at": None}, None), None)
    profile = await Accommodation.find_in_force(actor.user_id, quiz["_id"], quiz["course_id"])
    return _Terms(times_of_quiz(quiz, profile), snapshot(profile))


def _check_window(quiz: Row, closes_ms: int | None, now_ms: int) -> None:
    """May one start now whose closing time this is?"""
    opens_at = quiz.get("opens_at")
    if opens_at is not None and now_ms < to_ms(opens_at):
        raise Refused(Code.QUIZ_NOT_OPEN, opens_at=opens_at)
    if closes_ms is not None and now_ms >= closes_ms:
        raise Refused(Code.QUIZ_CLOSED, closes_at=from_ms(closes_ms))


def _check_standing(standing: Standing) -> None:
    """May one start while the quiz's controls stand like this?"""
    if standing.is_ended:
        raise Refused(Code.QUIZ_CLOSED)
    if standing.is_paused:
        raise Refused(Code.QUIZ_PAUSED)


def _group_of(access: QuizAccess) -> str | None:
    return None if access.enrollment is None else access.enrollment.group


def _attempt_row(actor: Actor, access: QuizAccess, *, now_ms: int, number: int) -> Row:
    """A new attempt, but for its times. Who teaches the quiz previews it, without enrolment."""
    quiz, enrollment = access.quiz, access.enrollment
    known: Row = {
        "lesson_id": quiz.get("lesson_id"),
        "enrollment_id": None if enrollment is None else enrollment.id,
        "group": _group_of(access),
    }
    attempt_id = ids.new_id("att")
    return {
        "_id": attempt_id,
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
        "receipt_head": begun(attempt_id),
        "updated_ms": now_ms,
        "version": 1,
        "created_at": from_ms(now_ms),
        "updated_at": from_ms(now_ms),
    }
