"""What students do for an assignment: keep a draft, hand in, hand in again until it is graded. And who reads it.

Handing in is one compare-and-set of the student's own document: it meets a grade, another screen and the due moment each in one
order. What came before is kept. What being late costs is `late_penalty.py`'s, and stored nowhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from documents.assignment import Assignment
from documents.base import Row
from documents.enrollment import Enrollment, enrollment_id_of
from documents.grading_claim import GradingClaim
from documents.names import names_of
from documents.stored_file import FileUse, StoredFile, use_of
from documents.submission import Submission
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, encode, page_of
from lms_rt.contracts.channels import course_staff_channel
from lms_rt.contracts.outbox import Intent, Write, effect, event
from lms_rt.contracts.submissions import (
    HandInDraft,
    SubmissionQuery,
    SubmissionRowView,
    SubmissionView,
    WorkDraft,
    WorkDraftView,
)
from lms_rt.errors import Code, Refused, invalid
from lms_rt.security.access.assignments import (
    GRADING,
    AssignmentAccess,
    require_assignment_to_do,
    require_submission,
    require_taught_assignment,
)
from lms_rt.services.assignment_views import Beside, blank_submission, row_view, standing_beside, submission_view
from lms_rt.services.contended import until_written
from lms_rt.services.files import Files
from lms_rt.services.late_penalty import Terms, terms_of
from lms_rt.services.progress import SUBMISSION_CHANGED
from lms_rt.services.relay import Relay

MAX_HISTORY = 20
MAX_TIMES = 500
"""So often one may hand in for one assignment."""
TEXT_BYTES_OF_A_PAGE = 2_000_000
"""As JSON: so much of what was handed in, and said to it, a page of a list holds at most."""
_LATE_AT_ONCE = 5_000
_TEXTS_AT_ONCE = 20


class AssignmentWork:
    """Drafts, submissions, and the lists of them."""

    def __init__(self, *, clock: Clock, relay: Relay, files: Files) -> None:
        self._clock, self._relay, self._files = clock, relay, files

    async def mine(self, actor: Actor, assignment_id: str) -> SubmissionView:
        """The actor's own work, begun or not."""
        access = await require_assignment_to_do(actor, assignment_id, now_ms=self._clock.now_ms())
        stored = await Submission.find_whole(blank_submission(access.assignment, actor.user_id)["_id"])
        return _own_view(access, stored or blank_submission(access.assignment, actor.user_id))

    async def show(self, actor: Actor, submission_id: str) -> SubmissionView:
        """One's own work, or what was handed in in a course that one teaches."""
        submission, is_for_staff = await require_submission(actor, submission_id)
        return await shown(submission, is_for_staff=is_for_staff, now_ms=self._clock.now_ms())

    async def list_of(self, actor: Actor, assignment_id: str, query: SubmissionQuery) -> Page[SubmissionRowView]:
        """What was handed in, or waits, or is graded, or came late."""
        assignment = (await require_taught_assignment(actor, assignment_id, GRADING)).assignment
        order = -1 if query.sort.startswith("-") else 1
        sort, wanted = [("submitted_at", order), ("_id", order)], _wanted(assignment, query)
        if query.state != "late":
            rows, total = await Submission.find_page(wanted, sort, skip=query.skip, limit=query.page_size)
            return page_of(await self._rows(assignment, rows), query, total)
        rows, _ = await Submission.find_page(wanted, sort, skip=0, limit=_LATE_AT_ONCE)
        groups = await Enrollment.groups_of(assignment["course_id"], [row["student_id"] for row in rows])
        late = [row for row in rows if standing_beside(assignment, row, Beside(groups=groups)).is_late]
        page = late[query.skip : query.skip + query.page_size]
        return page_of(await self._rows(assignment, page), query, len(late))

    async def save_draft(self, actor: Actor, assignment_id: str, draft: WorkDraft) -> SubmissionView:
        """Keep what is not handed in yet. 409 `conflict` with `stored` where another screen wrote meanwhile."""
        access = await require_assignment_to_do(actor, assignment_id, now_ms=self._clock.now_ms())
        blank = blank_submission(access.assignment, actor.user_id)
        await self._attach(actor, access, blank["_id"], draft.file_ids)
        row = await self._with_files(blank["_id"], lambda: self._try_to_keep(blank, draft))
        return _own_view(access, row)

    async def submit(
        self, actor: Actor, assignment_id: str, draft: HandInDraft, *, seed: str | None = None
    ) -> SubmissionView:
        """Hand in, also again: until somebody grades, the newest counts, with the time at which it came."""
        access = await require_assignment_to_do(actor, assignment_id, now_ms=self._clock.now_ms())
        blank = blank_submission(access.assignment, actor.user_id)
        await self._attach(actor, access, blank["_id"], draft.file_ids)
        row = await self._with_files(blank["_id"], lambda: self._try_to_submit(actor, access, draft, seed))
        await self._relay.hand_over(Submission, row["_id"])
        return _own_view(access, row)

    # --- how ---

    async def _with_files(self, submission_id: str, step: Callable[[], Awaitable[Row | None]]) -> Row:
        """What was written; whether or not it was, files that it does not name are let go of."""
        try:
            row = await until_written(step)
        except Refused:
            await self._detach(submission_id)
            raise
        await self._detach(submission_id)
        return row

    async def _try_to_keep(self, blank: Row, draft: WorkDraft) -> Row | None:
        stored = await Submission.find_whole(blank["_id"])
        row, now = stored or blank, self._clock.now()
        _refuse_graded(row)
        kept: Row = row.get("draft") or {}
        said = {"content": draft.content, "file_ids": draft.file_ids}
        if kept and all(kept[name] == value for name, value in said.items()):
            return row
        present = kept.get("revision", 0)
        if draft.revision is not None and draft.revision != present:
            shown_draft = WorkDraftView(**kept) if kept else None
            raise Refused(Code.CONFLICT, "Another screen has kept something else.", stored=shown_draft)
        made = {**said, "saved_at": now, "revision": present + 1}
        fields = {"draft": made, "draft_revision": present + 1}
        return await self._store(stored, blank, fields, is_edit=False)

    async def _try_to_submit(
        self, actor: Actor, access: AssignmentAccess, draft: HandInDraft, seed: str | None
    ) -> Row | None:
        # Read again each time: a date may have been moved, and the assignment closed, while others wrote.
        assignment = await Assignment.find_row(access.assignment["_id"])
        if assignment is None or not assignment["is_published"]:
            raise Refused(Code.NOT_FOUND)
        blank = blank_submission(assignment, actor.user_id)
        stored = await Submission.find_whole(blank["_id"])
        row = stored or blank
        said = _said(draft, row)
        if _is_repeat(row, said, seed):
            return row
        _refuse_graded(row)
        await self._refuse_unreadable(said["file_ids"])
        group = None if access.enrollment is None else access.enrollment.group
        now = self._clock.now()
        _refuse_late(terms_of(assignment, actor.user_id, group), now)
        if row["number"] >= MAX_TIMES:
            raise Refused(Code.CONFLICT, "This was handed in too often.", reason="too_often")
        fields = {**_handed_in(row, said, now), "request_seed": seed}
        return await self._store(stored, blank, fields, assignment=assignment, actor=actor)

    async def _store(
        self,
        stored: Row | None,
        blank: Row,
        fields: Row,
        *,
        is_edit: bool = True,
        assignment: Row | None = None,
        actor: Actor | None = None,
    ) -> Row | None:
        """The first write of a student, or the next one: the row as it now is, or None when somebody was faster."""
        now = fields.get("submitted_at") or self._clock.now()
        version = 1 if stored is None else stored["version"] + is_edit
        intents: list[Intent] = []
        if assignment is not None and actor is not None:
            intents = _told(assignment, {**blank, **fields}, actor, Write(version, now))
        if stored is not None:
            if not await Submission.write(stored, fields, intents=intents, at=now, is_edit=is_edit):
                return None
            moved = {"updated_at": now} if is_edit else {}
            return {**stored, **fields, **moved, "version": version, "revision": stored["revision"] + 1}
        if not await Assignment.begin(blank["assignment_id"]):
            raise Refused(Code.NOT_FOUND)
        row = {**blank, **{name: value for name, value in fields.items() if value is not None}}
        row |= {"version": 1, "revision": 1, "created_at": now, "updated_at": now, "outbox": intents}
        if intents:
            row["outbox_at"] = now
        return row if await Submission.add(row) else None

    async def _attach(
        self, actor: Actor, access: AssignmentAccess, submission_id: str, file_ids: Sequence[str]
    ) -> None:
        await self._files.attach(
            actor,
            file_ids,
            use=FileUse.SUBMISSION,
            subject_id=submission_id,
            course_id=access.course.id,
        )
        if file_ids:
            await StoredFile.tell_assignment(use_of(FileUse.SUBMISSION, submission_id), access.assignment["_id"])

    async def _refuse_unreadable(self, file_ids: Sequence[str]) -> None:
        """An image that nobody else will ever be given is no work."""
        views = await self._files.views(file_ids) if file_ids else {}
        refused = [view.original_filename for view in views.values() if view.status == "refused"]
        if refused:
            words = f"{refused[0]} could not be read as an image: add another file in its place."
            raise invalid("file_ids", words, "refused_file")

    async def _detach(self, submission_id: str) -> None:
        """Let go of files that neither the work nor its draft nor anything handed in before names: of refused ones too."""
        row = await Submission.find_whole(submission_id) or {}
        kept = set(row.get("file_ids") or ()) | set((row.get("draft") or {}).get("file_ids") or ())
        for earlier in row.get("history") or ():
            kept |= set(earlier["file_ids"])
        await self._files.detach(FileUse.SUBMISSION, submission_id, keep=kept)

    async def _rows(self, assignment: Row, rows: Sequence[Row]) -> list[SubmissionRowView]:
        around = await beside(rows, now_ms=self._clock.now_ms())
        return [row_view(assignment, row, around) for row in await _with_texts(rows)]


async def beside(rows: Sequence[Row], *, now_ms: int, is_for_staff: bool = True) -> Beside:
    """What views of these submissions, all of one course, show of other documents."""
    if not rows:
        return Beside(is_for_staff=is_for_staff)
    claims = await GradingClaim.find_held([row["_id"] for row in rows], now_ms) if is_for_staff else {}
    students = [row["student_id"] for row in rows]
    people: Iterable[str] = [*students, *(claim["user_id"] for claim in claims.values())]
    groups = await Enrollment.groups_of(rows[0]["course_id"], students)
    return Beside(await names_of(people), groups, claims, is_for_staff)


async def shown(submission: Row, *, is_for_staff: bool, now_ms: int) -> SubmissionView:
    """One submission with its texts, for its student or for who grades."""
    assignment = await Assignment.find_row(submission["assignment_id"])
    if assignment is None:
        raise Refused(Code.NOT_FOUND)
    return submission_view(assignment, submission, await beside([submission], now_ms=now_ms, is_for_staff=is_for_staff))


async def _with_texts(rows: Sequence[Row]) -> list[Row]:
    """The rows with their texts, as many from the first on as a page may hold."""
    told: list[Row] = []
    size = 0
    for begin in range(0, len(rows), _TEXTS_AT_ONCE):
        chunk = rows[begin : begin + _TEXTS_AT_ONCE]
        texts = await Submission.find_texts([row["_id"] for row in chunk])
        for row in chunk:
            text = {"content": "", **texts.get(row["_id"], {})}
            size += len(encode([text["content"], text.get("feedback")]))
            if size > TEXT_BYTES_OF_A_PAGE:
                return [*told, *rows[len(told) :]]
            told.append({**row, **text})
    return told


def _own_view(access: AssignmentAccess, row: Row) -> SubmissionView:
    enrollment = access.enrollment
    group = None if enrollment is None else enrollment.group
    groups = {} if group is None else {row["student_id"]: group}
    return submission_view(access.assignment, row, Beside(groups=groups, is_for_staff=False))


def _wanted(assignment: Row, query: SubmissionQuery) -> Row:
    wanted: Row = {"assignment_id": assignment["_id"], "submitted_at": {"$exists": True}}
    if query.student_id is not None:
        # Where names are hidden, nobody is found by theirs.
        wanted["student_id"] = "" if assignment["is_marking_anonymous"] else query.student_id
    if query.state in ("waiting", "graded"):
        wanted["raw_grade"] = {"$exists": query.state == "graded"}
    return wanted


def _said(draft: HandInDraft, row: Row) -> Row:
    """What is to be handed in: what was sent, else the draft; with neither, what is there already."""
    kept: Row = row.get("draft") or (row if row.get("submitted_at") is not None else {})
    is_empty = not draft.content.strip() and not draft.file_ids
    source: dict[str, Any] = kept if is_empty else {"content": draft.content, "file_ids": draft.file_ids}
    if not source or (not source["content"].strip() and not source["file_ids"]):
        raise invalid("content", "Write something, or add a file.", "required")
    return {"content": source["content"], "file_ids": list(source["file_ids"])}


def _is_repeat(row: Row, said: Row, seed: str | None) -> bool:
    """Is this there already? Who sends the same again, because the first reply was lost, is not later by it."""
    if row.get("submitted_at") is None:
        return False
    if seed is not None and row.get("request_seed") == seed:
        return True
    return all(row.get(name) == value for name, value in said.items())


def _handed_in(row: Row, said: Row, now: datetime) -> Row:
    fields = {**said, "submitted_at": now, "number": row["number"] + 1, "draft": None, "draft_revision": None}
    if row.get("submitted_at") is not None:
        earlier = {name: row[name] for name in ("number", "content", "file_ids", "submitted_at")}
        fields["history"] = [*(row.get("history") or ()), earlier][-MAX_HISTORY:]
    return fields


def _refuse_late(terms: Terms, now: datetime) -> None:
    if terms.due_at is not None and not terms.allows_late and now > terms.due_at:
        due_date = rfc3339(terms.due_at)
        raise Refused(Code.CONFLICT, "It was due, and later is not taken.", reason="past_due", due_date=due_date)


def _refuse_graded(row: Row) -> None:
    if row.get("raw_grade") is not None:
        raise Refused(Code.CONFLICT, "It is graded already.", reason="graded")


def _told(assignment: Row, row: Row, actor: Actor, write: Write) -> list[Intent]:
    """What follows from handing in: the staff hear of it, and the lesson may be done."""
    is_hidden = assignment["is_marking_anonymous"]
    data = {
        "submission_id": row["_id"],
        "assignment_id": assignment["_id"],
        "course_id": assignment["course_id"],
        "title": assignment["title"],
        "student_id": None if is_hidden else actor.user_id,
        "student_name": None if is_hidden else actor.full_name,
        "number": row["number"],
        "submitted_at": rfc3339(row["submitted_at"]),
    }
    channels = [course_staff_channel(assignment["course_id"])]
    told = [event(write, "submission_received", n=0, channels=channels, data=data, record="assignment.submitted")]
    if (lesson_id := assignment.get("lesson_id")) is not None:
        enrollment_id = enrollment_id_of(actor.user_id, assignment["course_id"])
        facts = {"enrollment_id": enrollment_id, "lesson_id": lesson_id, "assignment_id": assignment["_id"]}
        told.append(effect(write, SUBMISSION_CHANGED, facts))
    return told
