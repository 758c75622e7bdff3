"""Closing and grading attempts: each exactly once, by whoever comes first, and nobody needs to be connected.

Every finaliser filters on the state it depends on, deadlines included. A grade is a compare-and-set on what was read; the
events of the closing and of the grade are in the outbox of that write, which knows the document.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

from documents import attempt_closing
from documents.attempt import Attempt
from documents.base import Row
from documents.enums import AttemptStatus, Grading
from documents.paper import AttemptPaper
from lms_rt.clock import Clock, from_ms, rfc3339
from lms_rt.contracts.base import hundredths_text
from lms_rt.contracts.channels import attempt_channel, course_staff_channel, quiz_live_channel, user_channel
from lms_rt.contracts.outbox import Intent, Write, effect, event
from lms_rt.contracts.questions import is_counted
from lms_rt.services import figures
from lms_rt.services.corrections import corrected, is_void
from lms_rt.services.grading import Graded, Total
from lms_rt.services.paper_grading import graded_answers, paper_total
from lms_rt.services.papers import corrections_of, written_paper
from lms_rt.services.quiz_standing import policy_of
from lms_rt.services.receipts import ReceiptSigning
from lms_rt.services.regraded import REGRADED_EFFECT, differs, has_result, regraded_data, why
from lms_rt.services.relay import Relay
from lms_rt.storage.faults import is_passing

ENROLLMENT_EFFECT = "enrollment.attempt_changed"

READ_TOGETHER = 25
PUT_BACK_MS = 10 * 60_000
"""So long an attempt that cannot be graded is left alone: it holds up nobody, and is in the log once in that time."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GradeWrite:
    """What a grade stores, and what follows it. `is_first`: it had none before."""

    fields: Row
    intents: Sequence[Intent]
    is_first: bool


class AttemptGrading:
    """Closes what is due and grades what is closed."""

    def __init__(
        self,
        *,
        clock: Clock,
        relay: Relay,
        signing: ReceiptSigning,
    ) -> None:
        self._clock, self._relay, self._signing = clock, relay, signing
        self._turn = asyncio.Lock()

    async def grade_waiting(self, *, minimum_age_ms: int, limit: int = 100) -> int:
        """Grade what has waited for so long: its closer is gone. How many there were."""
        waiting = await self.find_waiting(minimum_age_ms=minimum_age_ms, limit=limit)
        for attempt_id in waiting:
            try:
                await self.grade(attempt_id)
            except Exception as error:  # noqa: BLE001 - one damaged attempt must not hold up the others
                await self._put_back(attempt_id, error)
        return len(waiting)

    async def find_waiting(self, *, minimum_age_ms: int, limit: int) -> list[str]:
        """What has waited for so long, the oldest first, without what could not be graded a moment ago."""
        now_ms = self._clock.now_ms()
        failed_ms = now_ms - PUT_BACK_MS
        return await attempt_closing.find_ungraded(until_ms=now_ms - minimum_age_ms, failed_ms=failed_ms, limit=limit)

    async def grade_read_together(self, attempt_ids: Iterator[str], untold: list[str]) -> int:
        """Grade from a row that others take from as well, some read at once; how many do not wait any more.

        Nobody is told of these grades yet: whose they are goes to `untold`, for `tell_of`.
        """
        dealt_with = 0
        while some := list(islice(attempt_ids, READ_TOGETHER)):
            await self._let_others()
            rows = await Attempt.find_whole_ones(some)
            await self._let_others()
            papers = await AttemptPaper.find_rows(some)
            for attempt_id in some:
                await self._let_others()
                try:
                    if await self._try_to_grade(rows.get(attempt_id), papers.get(attempt_id)):
                        untold.append(attempt_id)
                    else:
                        await self.grade(attempt_id)
                    dealt_with += 1
                except Exception as error:  # noqa: BLE001 - one damaged attempt must not hold up the others
                    dealt_with += await self._put_back(attempt_id, error)
        return dealt_with

    async def tell_of(self, attempt_ids: Sequence[str]) -> None:
        """Let everybody know of grades that were made without a word."""
        await self._relay.hand_over_many(Attempt, attempt_ids)

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

    async def grade_closed_at(self, now_ms: int) -> None:
        """Grade what a closing with this `now` left."""
        for attempt_id in await attempt_closing.find_closed_at(now_ms):
            await self.grade(attempt_id)

    async def grade_write(self, attempt: Row, *, reason: str = "", written: Row | None = None) -> GradeWrite:
        """What the attempt is worth by its paper and its marks, as the next write of it; `reason` is that of a new mark.

        `written` is its paper as it was written, where it has been read.
        """
        if written is None:
            written = await written_paper(attempt["_id"])
        corrections = await corrections_of(written, attempt["key_version"])
        paper = corrected(written, corrections, attempt["key_version"])
        graded = graded_answers(paper, attempt)
        result = paper_total(paper, graded)
        write = Write(attempt["version"] + 1, self._clock.now())
        fields = _grade_fields(attempt, graded, result, write) | _waiting(attempt, paper, graded)
        fields |= await self._signing.fields_of(attempt, paper)
        after = {**attempt, **fields}
        is_first = "graded_key_version" not in attempt
        told = why(attempt, corrections)
        intents = _events(attempt, after, write, told=told | {"reason": reason} if told and reason else told)
        if not attempt["is_preview"]:
            intents.append(effect(write, ENROLLMENT_EFFECT, summary_data(after) | policy_of(paper)))
        if (regraded := regraded_data(attempt, after, written, corrections)) is not None:
            intents.append(effect(write, REGRADED_EFFECT, regraded))
        return GradeWrite(fields, intents, is_first)

    async def _let_others(self) -> None:
        """A turn for everybody else between two attempts, however many grade here: the embedded store never waits."""
        async with self._turn:
            await asyncio.sleep(0)

    async def _put_back(self, attempt_id: str, error: Exception) -> bool:
        """Leave alone for a while what cannot be graded; False: it is the store's health, and nothing is known of it."""
        _log.error("attempt %s could not be graded", attempt_id, exc_info=error)
        if is_passing(error):
            return False
        try:
            return await attempt_closing.put_back(attempt_id, self._clock.now_ms())
        except Exception:  # noqa: BLE001 - then it is tried again with the next look
            _log.exception("attempt %s could not be put back", attempt_id)
            return False

    async def _try_to_grade(self, attempt: Row | None, written: Row | None = None) -> bool:
        """Grade what was read, if it still waits and is as it was read."""
        if attempt is None or attempt.get("grading") != Grading.PENDING:
            return False
        made = await self.grade_write(attempt, written=written)
        is_graded = await Attempt.grade(attempt, made.fields, intents=made.intents, now_ms=self._clock.now_ms())
        if is_graded and made.is_first and not attempt["is_preview"]:
            figures.ATTEMPTS_FINISHED.labels(attempt["submitted_by"]).inc()
        return is_graded


async def exact_percentages(attempt: Row) -> list[Fraction]:
    """The percentages of all graded attempts of this student at this quiz, this one as it is now, before any was rounded."""
    found = await Attempt.find_percentages(attempt["student_id"], attempt["quiz_id"])
    if attempt["grading"] == Grading.DONE and not attempt["is_preview"]:
        found[attempt["attempt_number"]] = str(attempt.get("exact_percentage", attempt["percentage"]))
    return [Fraction(found[number]) for number in sorted(found)]


def _waiting(attempt: Row, paper: Row, graded: Mapping[str, Graded]) -> Row:
    """The questions whose answers wait for a person, in the order of the paper; not written where there never were any."""
    questions = paper["questions"]
    asked = [one for one in paper["question_ids"] if is_counted(questions[one]) and not is_void(questions[one])]
    waiting = [one for one in asked if graded[one].points is None]
    return {"waiting": waiting} if waiting or attempt.get("waiting") else {}


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
        "awarded": {one: points for one, got in graded.items() if (points := got.points_hundredths) is not None},
        "version": write.version,
    }
    if is_manual:
        return fields | _taken_back(attempt)
    if attempt["status"] == AttemptStatus.SUBMITTED:
        fields["status"] = AttemptStatus.GRADED.value
    return fields | {
        "graded_at": write.at,
        "score": result.score,
        "max_score": result.max_score,
        "percentage": result.percentage,
        "exact_percentage": str(result.exact),
        "is_passed": result.is_passed,
    }


def _taken_back(attempt: Row) -> Row:
    """A score that is none any more: a correction that stood for a person's judgement was undone."""
    if not has_result(attempt):
        return {}
    is_abandoned = attempt["status"] == AttemptStatus.ABANDONED
    shown = dict.fromkeys(("graded_at", "score", "max_score", "percentage", "is_passed"))
    return shown if is_abandoned else shown | {"status": AttemptStatus.SUBMITTED.value}


def _events(before: Row, attempt: Row, write: Write, *, told: Row) -> list[Intent]:
    """`attempt_submitted` with the first grading, `attempt_graded` with every grade that changes something.

    Previews count nowhere. `told` is what a new score is told with.
    """
    attempt_id, is_preview = attempt["_id"], attempt["is_preview"]
    intents: list[Intent] = []
    if "graded_key_version" not in before and not is_preview:
        data = {
            "attempt_id": attempt_id,
            "student_id": attempt["student_id"],
            "full_name": attempt["student_name"],
            "at": rfc3339(attempt["submitted_at"]),
        }
        channels = [quiz_live_channel(attempt["quiz_id"])]
        intents.append(event(write, "attempt_submitted", n=0, channels=channels, data=data, record="attempt.submitted"))
    if attempt["grading"] == Grading.DONE and (not has_result(before) or differs(before, attempt)):
        points = {name: hundredths_text(attempt[name]) for name in ("score", "max_score", "percentage")}
        data = {"attempt_id": attempt_id, "quiz_id": attempt["quiz_id"], **points, "is_passed": attempt["is_passed"]}
        data |= told
        channels = [attempt_channel(attempt_id), user_channel(attempt["student_id"])]
        if not is_preview:  # gradebooks that are looked at move
            channels.append(course_staff_channel(attempt["course_id"]))
        record = None if is_preview else "attempt.regraded" if has_result(before) else "attempt.graded"
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
