"""What a regrade does: foretells what it would change, carries its corrections out, and keeps what they did to whom.

A correction goes out as a control of the quiz: that reaches open attempts live and lets closed ones be graded again, each
exactly once. So whatever dies on the way, the next one goes on where it stopped: every step meets what is done already.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from documents.attempt import Attempt
from documents.base import Row
from documents.correction import find_corrections
from documents.enums import ControlKind
from documents.names import names_of
from documents.paper import AttemptPaper
from documents.quiz import Quiz
from documents.quiz_control import QuizControl
from documents.regrade import Regrade, RegradeRow, count_regraded, find_pending, find_untold, page_of_graded
from lms_rt.clock import Clock
from lms_rt.contracts.channels import quiz_live_channel
from lms_rt.ids import derived_id
from lms_rt.services.attempt_grading import AttemptGrading
from lms_rt.services.contended import until_written
from lms_rt.services.corrections import FIX, corrected, has_same_shape, questions_corrected
from lms_rt.services.quiz_controls import ALL, ControlOrder, QuizControls
from lms_rt.services.quiz_views import counted_fields
from lms_rt.services.regrade_changes import told_changes, undoing
from lms_rt.services.regrade_views import counts_of, meaning_of
from lms_rt.services.regraded import part_of, result_by
from lms_rt.services.relay import Relay
from lms_rt.services.telling import Telling

PAGE = 50
MOVING = ("applying", "undoing")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Outlook:
    """What is in force at a quiz, what would come, and for how many each question was another one."""

    corrections: Sequence[Row]
    changes: Sequence[Row]
    left_out: dict[str, int]

    def note(self, paper: Row) -> None:
        """Count the questions of a paper that a fix cannot speak of."""
        for change in self.changes:
            given = paper["questions"].get(change["question_id"])
            if change["action"] == FIX and given is not None and not has_same_shape(given, change["question"]):
                self.left_out[change["question_id"]] = self.left_out.get(change["question_id"], 0) + 1


class Regrading:
    """Works on regrades; who may ask for one is `regrades.py`'s."""

    def __init__(
        self, *, clock: Clock, relay: Relay, telling: Telling, controls: QuizControls, grading: AttemptGrading
    ) -> None:
        self._clock, self._relay, self._telling = clock, relay, telling
        self._controls, self._grading = controls, grading

    # --- before ---

    async def foretell(self, quiz: Row, changes: Sequence[Row], left_out: dict[str, int]) -> AsyncIterator[Row]:
        """What these changes would do to each attempt that has a grade. `left_out` is counted: who was given other options."""
        quiz_id, after = quiz["_id"], ""
        corrections = await find_corrections(quiz_id, after=0, until=await self._controls.newest(quiz_id))
        outlook = _Outlook(corrections, changes, left_out)
        while attempts := await page_of_graded(quiz_id, after=after, limit=PAGE):
            papers = await AttemptPaper.find_rows([attempt["_id"] for attempt in attempts])
            for attempt in attempts:
                yield _foretold(attempt, papers[attempt["_id"]], outlook)
                # the embedded store waits for nothing: between two attempts others get their turn
                await asyncio.sleep(0)
            after = attempts[-1]["_id"]

    # --- doing it, and taking it back ---

    async def go_live(self, regrade: Row) -> int:
        """Give the control, and let the quiz ask as corrected from now on; the control's number. Again changes nothing."""
        is_undo = regrade["status"] == "undoing"
        quiz = await Quiz.find_whole(regrade["quiz_id"])
        if quiz is None:
            raise LookupError(f"the quiz of regrade {regrade['_id']} is gone")
        changes = undoing(regrade["changes"], regrade["n"]) if is_undo else told_changes(regrade["changes"])
        by_id = regrade["undone_by" if is_undo else "by"]
        order = ControlOrder(
            kind=ControlKind.CORRECT,
            scope=ALL,
            by_id=by_id,
            by_name=(await names_of([by_id])).get(by_id, {}).get("full_name", ""),
            control_id=regrade["undo_control_id" if is_undo else "control_id"],
            seconds=None if is_undo else regrade.get("seconds"),
            reason=regrade.get("undo_reason", "") if is_undo else regrade["reason"],
            changes=changes,
        )
        ordered = await self._controls.order(quiz, order)
        await until_written(lambda: self._correct_quiz(quiz["_id"], ordered.n))
        return ordered.n

    async def number_of(self, regrade: Row) -> int | None:
        """The number of its control; None: it is not written yet."""
        control_id = regrade["undo_control_id" if regrade["status"] == "undoing" else "control_id"]
        control = await QuizControl.find_row(control_id)
        return None if control is None else int(control["n"])

    async def carry_out(self, regrade_id: str) -> None:
        """All of it, from wherever it stopped; one that is over is left alone."""
        regrade = await Regrade.find_row(regrade_id)
        if regrade is None or regrade["status"] not in MOVING:
            return
        n = await self.go_live(regrade)
        await self._grade_all(regrade, n)
        await self._end(regrade_id, n)

    async def record(self, _: str, data: dict[str, Any]) -> None:
        """Keep what corrections did to an attempt. Told with its grade, perhaps more than once."""
        for step in data["steps"]:
            regrade = await Regrade.find_by_control(step["control_id"])
            if regrade is None:
                continue
            row_id, facts = row_id_of(regrade["_id"], data["attempt_id"]), _facts(regrade, data)
            if step["control_id"] == regrade.get("control_id"):
                done = {"old": step["old"], "new": step["new"], "applied_at": step["at"]}
                await RegradeRow.store(row_id, done | meaning_of(step["old"], step["new"]), facts=facts)
            else:
                await self._record_undone(row_id, step, facts)

    async def _record_undone(self, row_id: str, step: Row, facts: Row) -> None:
        """What is not as the regrade had left it, somebody has changed since: it is kept, and listed."""
        row = await RegradeRow.find_row(row_id)
        given = (row or {}).get("new") or step["old"]
        found = step["old"]["points"]
        kept = [one for one, points in given["points"].items() if found.get(one) != points]
        undone = {"undone": step["new"], "undone_at": step["at"], "kept": kept}
        await RegradeRow.store(row_id, undone, facts=facts | {"new": step["old"], "outcome": "same", "difference": 0})

    async def _correct_quiz(self, quiz_id: str, n: int) -> Row | None:
        """One compare-and-set; None: somebody else wrote the quiz meanwhile.

        With whatever the quiz misses of the corrections before: theirs may be under way still, or wait for a worker.
        """
        quiz = await Quiz.find_whole(quiz_id)
        if quiz is None or (known := quiz.get("key_version", 0)) >= n:
            return quiz or {}
        missed, at = await find_corrections(quiz_id, after=known, until=n), self._clock.now()
        questions = questions_corrected(quiz["questions"], missed, at=at)
        after = {**quiz, "questions": questions, "key_version": n}
        fields = {"questions": questions, "key_version": n, **counted_fields(after)}
        return after if await Quiz.change_at(quiz_id, quiz["version"], fields, at=at) else None

    async def _grade_all(self, regrade: Row, n: int) -> None:
        """Every attempt that waits, however many; one that cannot be graded does not keep the others from it."""
        after, failed = "", 0
        while ids := await find_pending(regrade["quiz_id"], after=after, limit=PAGE):
            for attempt_id in ids:
                try:
                    await self._grading.grade(attempt_id)
                except Exception:  # noqa: BLE001 - it is tried again with the whole job
                    _log.exception("attempt %s could not be graded again", attempt_id)
                    failed += 1
                await asyncio.sleep(0)
            await self._tell(regrade, n)
            after = ids[-1]
        if failed:
            raise RuntimeError(f"{failed} attempts could not be graded again")

    async def _tell(self, regrade: Row, n: int) -> None:
        done, total = await count_regraded(regrade["quiz_id"], n)
        data = {"regrade_id": regrade["_id"], "status": regrade["status"], "done": done, "total": total}
        await self._telling.event(quiz_live_channel(regrade["quiz_id"]), "regrade_progress", data)

    async def _end(self, regrade_id: str, n: int) -> None:
        """Say that it is over, unless somebody has."""
        regrade = await Regrade.find_row(regrade_id)
        if regrade is None or regrade["status"] not in MOVING:
            return
        for attempt_id in await find_untold(
            regrade["quiz_id"], n
        ):  # whoever graded it may be gone: its row comes by this
            await self._relay.hand_over(Attempt, attempt_id)
        is_undo, at = regrade["status"] == "undoing", self._clock.now()
        if not is_undo:
            await RegradeRow.forget_expected(regrade_id)
        counts = counts_of(await RegradeRow.tallied(regrade_id))
        ended = {"status": "undone", "undo_n": n, "undone_at": at} if is_undo else {"status": "applied", "n": n}
        fields = ended | ({} if is_undo else {"applied_at": at}) | {"counts": counts}
        if await Regrade.move(regrade, fields, at=at):
            await self._tell({**regrade, **fields}, n)


def row_id_of(regrade_id: str, attempt_id: str) -> str:
    """The row of an attempt in a regrade."""
    return derived_id("rgw", regrade_id, attempt_id)


def _facts(regrade: Row, data: Row) -> Row:
    names = ("attempt_id", "student_id", "attempt_number")
    return {"regrade_id": regrade["_id"], "quiz_id": regrade["quiz_id"], **{name: data[name] for name in names}}


def _foretold(attempt: Row, written: Row, outlook: _Outlook) -> Row:
    """What an attempt has now, and would have."""
    outlook.note(corrected(written, outlook.corrections, attempt["key_version"]))
    following = max([attempt["key_version"], written["key_version"], *(one["n"] for one in outlook.corrections)]) + 1
    in_force = [one for one in outlook.corrections if one["n"] <= attempt["key_version"]]
    then = corrected(written, [*in_force, {"n": following, "changes": outlook.changes}], following)
    question_ids = [change["question_id"] for change in outlook.changes]
    old, new = part_of(attempt, question_ids), part_of(result_by(then, attempt), question_ids)
    known = {name: attempt[name] for name in ("student_id", "attempt_number")}
    return {"attempt_id": attempt["_id"], **known, "old": old, "new": new, **meaning_of(old, new)}
