"""Closing and grading attempts: each exactly once, by whoever comes first, and nobody needs to be connected.

Every finaliser filters on the state it depends on, deadlines included. A grade is a compare-and-set on what was read; the
events of the closing and of the grade are in the outbox of that write, which knows the document.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from documents.attempt import Attempt
from documents.base import Row
from documents.enums import AttemptStatus, Grading
from lms_rt.clock import Clock, from_ms, rfc3339
from lms_rt.contracts.base import hundredths_text
from lms_rt.contracts.channels import attempt_channel, quiz_live_channel, user_channel
from lms_rt.contracts.outbox import Intent, Write, effect, event
from lms_rt.services import deadlines, figures
from lms_rt.services.grading import Graded, Total, counted_percentage, grade_answer, round_half_up, total
from lms_rt.services.papers import Papers
from lms_rt.services.relay import Relay
from lms_rt.storage.faults import again_on_conflict

ENROLLMENT_EFFECT = "enrollment.attempt_changed"
DAY_MS = 24 * 3600 * 1000

_log = logging.getLogger(__name__)


class AttemptGrading:
    """Closes what is due and grades what is closed."""

    def __init__(self, *, clock: Clock, relay: Relay, papers: Papers, grace_ms: int, abandon_days: int) -> None:
        self._clock, self._relay, self._papers = clock, relay, papers
        self._grace_ms, self._abandon_ms = grace_ms, abandon_days * DAY_MS

    def is_due(self, attempt: Row) -> bool:
        """Is its time over, grace and slack included?"""
        due_ms = deadlines.due_deadline_ms(self._clock.now_ms(), self._grace_ms)
        deadline_ms: int = attempt.get("deadline_ms", due_ms + 1)
        return bool(attempt["status"] == AttemptStatus.IN_PROGRESS) and deadline_ms <= due_ms

    async def close_due(self, attempt_id: str | None = None) -> None:
        """Close every attempt (or this one) whose time is over, and grade what this closed."""
        now_ms = self._clock.now_ms()
        due_ms = deadlines.due_deadline_ms(now_ms, self._grace_ms)
        close = partial(Attempt.close_due, now_ms=now_ms, due_ms=due_ms, attempt_id=attempt_id)
        if await again_on_conflict(close):
            await self._grade_closed_at(now_ms)

    async def close_abandoned(self) -> None:
        """Close the untimed attempts in which nothing was answered for so many days."""
        now_ms = self._clock.now_ms()
        close = partial(Attempt.abandon, now_ms=now_ms, idle_since_ms=now_ms - self._abandon_ms)
        if await again_on_conflict(close):
            await self._grade_closed_at(now_ms)

    async def grade_waiting(self, *, minimum_age_ms: int, limit: int = 100) -> int:
        """Grade what has waited for so long: its closer is gone. How many there were."""
        waiting = await Attempt.find_ungraded(until_ms=self._clock.now_ms() - minimum_age_ms, limit=limit)
        for attempt_id in waiting:
            try:
                await self.grade(attempt_id)
            except Exception:  # noqa: BLE001 - one damaged attempt must not hold up the others
                _log.exception("attempt %s could not be graded", attempt_id)
        return len(waiting)

    async def grade(self, attempt_id: str) -> Row:
        """The closed attempt with its grade, made here or by somebody faster."""
        while True:
            attempt = await Attempt.find_whole(attempt_id)
            if attempt is None:
                raise LookupError(f"attempt {attempt_id} is gone")
            if attempt.get("grading") != Grading.PENDING:
                return attempt
            if await self._try_to_grade(attempt):
                await self._relay.hand_over(Attempt, attempt_id)

    async def _grade_closed_at(self, now_ms: int) -> None:
        for attempt_id in await Attempt.find_closed_at(now_ms):
            await self.grade(attempt_id)

    async def _try_to_grade(self, attempt: Row) -> bool:
        paper = await self._papers.require(attempt["_id"])
        graded = graded_answers(paper, attempt)
        result = total(paper["questions"].values(), graded, passing_score_hundredths=paper["passing_score"])
        write = Write(attempt["version"] + 1, self._clock.now())
        fields = _grade_fields(attempt, graded, result, write)
        after = {**attempt, **fields}
        is_first = "graded_key_version" not in attempt
        intents = _events(after, write, is_first=is_first)
        if not attempt["is_preview"]:
            intents.append(await self._effect(after, paper, write))
        is_graded = await Attempt.grade(attempt, fields, intents=intents, now_ms=self._clock.now_ms())
        if is_graded and is_first and not attempt["is_preview"]:
            figures.ATTEMPTS_FINISHED.labels(attempt["submitted_by"]).inc()
        return is_graded

    async def _effect(self, attempt: Row, paper: Row, write: Write) -> Intent:
        """What the enrolment is told: the attempt, and what all attempts come to under the quiz's policy."""
        return effect(write, ENROLLMENT_EFFECT, summary_data(attempt) | await standing(attempt, paper))


async def standing(attempt: Row, paper: Row) -> dict[str, Any]:
    """What all attempts of this student at this quiz come to, by the policy that this attempt began with."""
    percentages = await Attempt.find_percentages(attempt["student_id"], attempt["quiz_id"])
    if attempt["grading"] == Grading.DONE:
        percentages[attempt["attempt_number"]] = attempt["percentage"]
    counted = counted_percentage(paper["grading_policy"], [percentages[number] for number in sorted(percentages)])
    return {
        "quiz_percentage": None if counted is None else round_half_up(counted),
        "is_quiz_passed": counted is not None and counted >= paper["passing_score"],
    }


def graded_answers(paper: Row, attempt: Row) -> dict[str, Graded]:
    """What each answer is worth; a question without one counts as not answered."""
    answers: Mapping[str, Row] = attempt.get("answers", {})
    return {
        question_id: grade_answer(question, answers.get(question_id, {}).get("value"))
        for question_id, question in paper["questions"].items()
    }


def summary_data(attempt: Row) -> dict[str, Any]:
    """What an enrolment keeps of an attempt."""
    names = ("enrollment_id", "quiz_id", "lesson_id", "attempt_number", "status", "percentage", "is_passed")
    return {
        "attempt_id": attempt["_id"],
        **{name: attempt.get(name) for name in names},
        "submitted_at": attempt.get("submitted_at"),
        "version": attempt["version"],
    }


def _grade_fields(attempt: Row, graded: Mapping[str, Graded], result: Total, write: Write) -> Row:
    """What a grade stores. An abandoned attempt stays abandoned; an essay waits for a person."""
    is_manual = result.score is None
    fields: Row = {
        "grading": (Grading.MANUAL if is_manual else Grading.DONE).value,
        "graded_key_version": attempt["key_version"],
        "awarded": {one: got.points_hundredths for one, got in graded.items() if got.points_hundredths is not None},
        "version": write.version,
    }
    if is_manual:
        return fields
    if attempt["status"] == AttemptStatus.SUBMITTED:
        fields["status"] = AttemptStatus.GRADED.value
    return fields | {
        "graded_at": write.at,
        "score": result.score,
        "max_score": result.max_score,
        "percentage": result.percentage,
        "is_passed": result.is_passed,
    }


def _events(attempt: Row, write: Write, *, is_first: bool) -> list[Intent]:
    """`attempt_submitted` with the first grading of an attempt, `attempt_graded` with every grade. Previews count nowhere."""
    attempt_id, is_preview = attempt["_id"], attempt["is_preview"]
    intents: list[Intent] = []
    if is_first and not is_preview:
        data = {
            "attempt_id": attempt_id,
            "student_id": attempt["student_id"],
            "full_name": attempt["student_name"],
            "at": rfc3339(attempt["submitted_at"]),
        }
        channels = [quiz_live_channel(attempt["quiz_id"])]
        intents.append(event(write, "attempt_submitted", n=0, channels=channels, data=data, record="attempt.submitted"))
    if attempt["grading"] == Grading.DONE:
        points = {name: hundredths_text(attempt[name]) for name in ("score", "max_score", "percentage")}
        data = {"attempt_id": attempt_id, "quiz_id": attempt["quiz_id"], **points, "is_passed": attempt["is_passed"]}
        channels = [attempt_channel(attempt_id), user_channel(attempt["student_id"])]
        record = None if is_preview else "attempt.graded"
        intents.append(event(write, "attempt_graded", n=len(intents), channels=channels, data=data, record=record))
    return intents


def started_intents(attempt: Row) -> list[Intent]:
    """What the insert of an attempt carries. Previews count nowhere."""
    if attempt["is_preview"]:
        return []
    write = Write(attempt["version"], from_ms(attempt["updated_ms"]))
    data = {
        "attempt_id": attempt["_id"],
        "student_id": attempt["student_id"],
        "full_name": attempt["student_name"],
        "at": rfc3339(attempt["started_at"]),
    }
    channels = [quiz_live_channel(attempt["quiz_id"])]
    return [
        event(write, "attempt_started", n=0, channels=channels, data=data, record="attempt.started"),
        effect(write, ENROLLMENT_EFFECT, summary_data(attempt)),
    ]
