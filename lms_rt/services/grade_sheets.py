"""Grades by a sheet: what was handed in as CSV to fill in, and the filled sheet back, with a preview and a fault per row.

With one row refused none is written; what comes in between while they are written is told of its row alone. A row says which
grade it was filled in over, so that what somebody gave meanwhile is not overwritten; sent again, the same sheet changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

from documents.base import Row
from documents.submission import Submission
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import hundredths_text, read_model
from lms_rt.contracts.grading import PersonView
from lms_rt.contracts.submissions import GradeDraft, GradeSheetReport, SheetFaultView, SheetRowView
from lms_rt.errors import Code, FieldError, Refused, invalid
from lms_rt.interchange.grade_sheet import (
    SheetFault,
    SheetRow,
    decimal_text,
    head_line,
    may_be_thousands,
    read_sheet,
    row_lines,
)
from lms_rt.security.access.assignments import GRADING, require_taught_assignment
from lms_rt.services.assignment_grading import AssignmentGrading, said_of
from lms_rt.services.assignment_views import Beside, row_view
from lms_rt.services.assignment_work import beside
from lms_rt.services.audit import Audit

MAX_SHEET_BYTES = 5 << 20
_PAGE = 200
_TOLD = 100
_THOUSAND = 100_000


@dataclass(frozen=True, slots=True)
class _Asked:
    """A row that was looked at, with the grade to give where it is to be given."""

    view: SheetRowView
    draft: GradeDraft | None


@dataclass(frozen=True, slots=True)
class _Ground:
    """What rows are looked at by: the submissions that they name, and those that were named already."""

    assignment: Row
    known: Mapping[str, Row]
    around: Beside
    actor: Actor
    seen: set[str]


class GradeSheets:
    """Writes and reads sheets of grades."""

    def __init__(self, *, clock: Clock, grading: AssignmentGrading, audit: Audit) -> None:
        self._clock, self._grading, self._audit = clock, grading, audit
        self._turn = asyncio.Semaphore(2)

    async def table(self, actor: Actor, assignment_id: str) -> AsyncGenerator[bytes, None]:
        """The sheet, in pieces, once it is known that the actor grades there."""
        assignment = (await require_taught_assignment(actor, assignment_id, GRADING)).assignment
        after = {"format": "csv"}
        await self._audit.record(actor, "assignment.export", kind="assignment", target_id=assignment_id, after=after)
        return self._lines(assignment)

    async def read(
        self, actor: Actor, assignment_id: str, content: bytes, *, is_dry_run: bool = False
    ) -> GradeSheetReport:
        """What a filled sheet comes to; unless it is a dry run, or a row is refused (422), its grades are given."""
        assignment = (await require_taught_assignment(actor, assignment_id, GRADING)).assignment
        if len(content) > MAX_SHEET_BYTES:
            raise Refused(Code.TOO_LARGE, f"A sheet has at most {MAX_SHEET_BYTES >> 20} MiB.")
        rows = await self._read(content)
        asked = await self._asked(actor, assignment, rows)
        if not is_dry_run:
            _refuse_faulty(asked)
            asked = [await self._written(actor, one) for one in asked]
        counts = {status: sum(one.view.status == status for one in asked) for status in ("changed", "same", "refused")}
        return GradeSheetReport(dry_run=is_dry_run, rows=[one.view for one in asked], **counts)

    # --- how ---

    async def _written(self, actor: Actor, one: _Asked) -> _Asked:
        """What became of a row: others are written by now, so that what is in the way of this one is told, not raised."""
        if one.draft is None:
            return one
        try:
            await self._grading.grade(actor, one.view.submission_id, one.draft)
        except Refused as refused:
            fields = refused.fields or (FieldError("grade", str(refused) or "Not taken.", refused.code.code),)
            faults = [SheetFaultView(field=fault.field, message=fault.message, code=fault.code) for fault in fields]
            return _Asked(one.view.model_copy(update={"status": "refused", "errors": faults}), None)
        return one

    async def _lines(self, assignment: Row) -> AsyncGenerator[bytes, None]:
        yield head_line()
        after = ""
        while page := await Submission.page_of_assignment(assignment["_id"], after=after, limit=_PAGE):
            after = page[-1]["_id"]
            around = await beside(page, now_ms=self._clock.now_ms())
            yield row_lines(_cells(assignment, row, around) for row in page)

    async def _read(self, content: bytes) -> list[SheetRow]:
        async with self._turn:
            try:
                return await asyncio.to_thread(read_sheet, content)
            except SheetFault as fault:
                raise invalid("file", str(fault), "not_a_sheet") from None

    async def _asked(self, actor: Actor, assignment: Row, rows: Sequence[SheetRow]) -> list[_Asked]:
        asked: list[_Asked] = []
        seen: set[str] = set()
        for start in range(0, len(rows), _PAGE):
            part = rows[start : start + _PAGE]
            wanted = {row.cells["submission_id"].strip() for row in part} - {""}
            stored = await Submission.find_whole_ones(sorted(wanted))
            known = {
                one: row
                for one, row in stored.items()
                if row["assignment_id"] == assignment["_id"] and row.get("submitted_at") is not None
            }
            around = await beside(list(known.values()), now_ms=self._clock.now_ms())
            ground = _Ground(assignment, known, around, actor, seen)
            asked += [_looked_at(ground, row) for row in part]
        return asked


def _cells(assignment: Row, row: Row, around: Beside) -> dict[str, object]:
    view = row_view(assignment, row, around)
    return {
        "submission_id": view.id,
        "name": view.full_name or view.alias,
        "submitted_at": None if view.submitted_at is None else rfc3339(view.submitted_at),
        "late_days": view.late_days,
        "points": hundredths_text(view.points),
        "grade": None if view.raw_grade is None else hundredths_text(view.raw_grade),
        "feedback": row.get("feedback"),
        "reason": None,
        "revision": view.revision,
    }


def _looked_at(ground: _Ground, row: SheetRow) -> _Asked:
    """What one row asks for, or what is wrong with it."""
    submission_id = row.cells["submission_id"].strip()
    stored = ground.known.get(submission_id)
    facts: Row = {"line": row.line, "submission_id": submission_id[:100], "name": None, "before": None, "after": None}
    if stored is None or submission_id in ground.seen:
        words = "This work stands in the sheet twice." if stored else "Nothing like this was handed in here."
        return _refused(facts, [FieldError("submission_id", words, "not_unique" if stored else "unknown")])
    ground.seen.add(submission_id)
    view, before = row_view(ground.assignment, stored, ground.around), stored.get("raw_grade")
    comment = _lined(stored.get("feedback") or "") or None
    facts |= {"name": view.full_name or view.alias, "before": before}
    facts |= {"feedback_before": comment, "feedback_after": comment}
    if not row.cells["grade"].strip():
        return _Asked(SheetRowView(**facts | {"after": before}, status="same", errors=[]), None)
    try:
        draft = _draft(row, ground.assignment, comment)
        said = said_of(ground.assignment, draft, stored)
        is_same = before == said["raw_grade"] and comment == said["feedback"]
        if not is_same:
            _check(stored, said, draft)
            _check_claim(view.claimed_by, ground.actor)
    except Refused as refused:
        return _refused(facts, refused.fields)
    facts |= {"after": said["raw_grade"], "feedback_after": said["feedback"]}
    if is_same:
        return _Asked(SheetRowView(**facts, status="same", errors=[]), None)
    kept = draft.model_copy(update={"number": stored["number"]})
    return _Asked(SheetRowView(**facts, status="changed", errors=[]), kept)


def _draft(row: SheetRow, assignment: Row, comment: str | None) -> GradeDraft:
    """What a row gives. Where it says nothing of a comment, the one that there is stays."""
    cells = row.cells
    if may_be_thousands(cells["grade"], can_be=assignment["points"] >= _THOUSAND):
        raise invalid(
            "grade", "Thousands, or a fraction? Write it without a separator, or with two places.", "ambiguous"
        )
    asked: dict[str, object] = {"grade": decimal_text(cells["grade"]), "reason": cells["reason"]}
    asked["feedback"] = _lined(cells["feedback"]) if cells["feedback"].strip() else comment
    if revision := cells["revision"].strip():
        asked["revision"] = int(revision) if revision.isdecimal() and len(revision) < 16 else revision
    return read_model(GradeDraft, asked)


def _lined(text: str) -> str:
    """With one kind of line break: forms and spreadsheets make two of them, which is no other comment."""
    return text.replace("\r\n", "\n").strip()


def _check_claim(claimed_by: PersonView | None, actor: Actor) -> None:
    if claimed_by is not None and claimed_by.user_id != actor.user_id:
        raise invalid("submission_id", "A colleague is grading it.", "claimed")


def _check(stored: Row, said: Row, draft: GradeDraft) -> None:
    """Refuse to write over what was given since, and to change a grade without a reason."""
    former = stored.get("raw_grade")
    if draft.revision is not None and draft.revision != stored["grade_revision"]:
        raise invalid("revision", "It was graded since the sheet was made.", "conflict")
    if former is not None and former != said["raw_grade"] and not draft.reason:
        raise invalid("reason", "It has its grade already: say why it changes.", "required")


def _refused(facts: Row, faults: Sequence[FieldError]) -> _Asked:
    told = [SheetFaultView(field=one.field, message=one.message, code=one.code) for one in faults]
    return _Asked(SheetRowView(**facts, status="refused", errors=told), None)


def _refuse_faulty(asked: Sequence[_Asked]) -> None:
    faults = [
        FieldError(f"rows.{one.view.line}.{fault.field}", fault.message, fault.code)
        for one in asked
        for fault in one.view.errors
    ]
    if faults:
        raise Refused(Code.VALIDATION_FAILED, fields=faults[:_TOLD])
