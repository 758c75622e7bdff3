"""Grading what was handed in: one grade, comment and rubric per submission, who has taken which, and telling of grades that moved.

What a person gives is stored as it was given. What comes off for being late is computed wherever a grade is shown; when a moved
date makes another grade of it, the student is told once more. Neither newer work nor somebody else's grade is graded unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from documents.assignment import Assignment
from documents.base import Row
from documents.course import Course
from documents.enrollment import Enrollment
from documents.grading_claim import GradingClaim
from documents.submission import Submission
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.assignments import WaitingAssignmentView
from lms_rt.contracts.base import hundredths_text
from lms_rt.contracts.channels import course_staff_channel, user_channel
from lms_rt.contracts.outbox import Intent, Write, audited, event
from lms_rt.contracts.rubrics import rubric_points
from lms_rt.contracts.submissions import GradeDraft, NextWorkDraft, NextWorkView, SubmissionView
from lms_rt.errors import Code, Refused, invalid
from lms_rt.security.access.assignments import GRADING, require_submission_to_grade, require_taught_assignment
from lms_rt.services.assignment_views import Beside, standing_beside
from lms_rt.services.assignment_work import shown
from lms_rt.services.contended import until_written
from lms_rt.services.late_penalty import Standing
from lms_rt.services.manual_grading import refuse_claimed
from lms_rt.services.relay import Relay

CLAIM_MS = 15 * 60 * 1000
MAX_WAITING = 2_000
MAX_ASSIGNMENTS = 100
"""So many are named in an overview."""
MAX_CHANGES = 50
"""So many changes of one grade are told."""
_PAGE = 100
_SAID = ("raw_grade", "feedback", "rubric")


class AssignmentGrading:
    """Gives grades."""

    def __init__(self, *, clock: Clock, relay: Relay) -> None:
        self._clock, self._relay = clock, relay

    async def grade(self, actor: Actor, submission_id: str, draft: GradeDraft) -> SubmissionView:
        """Give what was handed in its grade, or another one for a reason; the student is told at once."""
        await require_submission_to_grade(actor, submission_id)
        await self._refuse_taken(actor, submission_id)
        row = await until_written(lambda: self._try_to_grade(actor, submission_id, draft))
        await self._relay.hand_over(Submission, submission_id)
        await GradingClaim.release(submission_id, actor.user_id)
        return await self._shown(row)

    async def take_back(self, actor: Actor, submission_id: str, reason: str) -> None:
        """Take away a grade that was given by mistake, with what was said beside it; the work waits again. 404: it has none."""
        await require_submission_to_grade(actor, submission_id)
        await self._refuse_taken(actor, submission_id)
        await until_written(lambda: self._try_to_take_back(actor, submission_id, reason))
        await self._relay.hand_over(Submission, submission_id)

    async def claim(self, actor: Actor, submission_id: str) -> SubmissionView:
        """Take what was handed in, or keep it for longer; 409 with who has it."""
        row = await require_submission_to_grade(actor, submission_id)
        if not await self._take(actor, row):
            await self._refuse_taken(actor, submission_id)
            raise Refused(Code.CONFLICT, "A colleague had it until now.")
        return await self._shown(row)

    async def release(self, actor: Actor, submission_id: str) -> None:
        """Give it back, for somebody else to grade."""
        await require_submission_to_grade(actor, submission_id)
        await GradingClaim.release(submission_id, actor.user_id)

    async def take_next(self, actor: Actor, assignment_id: str, draft: NextWorkDraft) -> NextWorkView:
        """Take what has waited longest and nobody else has, beginning after the one that is named, which is given back."""
        await require_taught_assignment(actor, assignment_id, GRADING)
        if draft.after is not None:
            await GradingClaim.release(draft.after, actor.user_id)
        waiting = await Submission.find_waiting({"assignment_id": assignment_id}, limit=MAX_WAITING)
        held = await GradingClaim.find_held([row["_id"] for row in waiting], self._clock.now_ms())
        place = next((place + 1 for place, row in enumerate(waiting) if row["_id"] == draft.after), 0)
        for row in [*waiting[place:], *waiting[:place]]:
            is_free = row["_id"] not in held or held[row["_id"]]["user_id"] == actor.user_id
            if is_free and await self._take(actor, row):
                whole = await Submission.find_whole(row["_id"]) or row
                return NextWorkView(item=await self._shown(whole), waiting_count=len(waiting))
        return NextWorkView(item=None, waiting_count=len(waiting))

    async def overview(self, actor: Actor) -> list[WaitingAssignmentView]:
        """The assignments of the courses that are the actor's own in which work waits, the one that has waited longest first."""
        course_ids = await Course.ids_of_instructor(actor.user_id)
        if not course_ids:
            return []
        waiting = await Submission.find_waiting({"course_id": {"$in": course_ids}}, limit=MAX_WAITING)
        by_assignment: dict[str, list[Row]] = {}
        for row in waiting:
            by_assignment.setdefault(row["assignment_id"], []).append(row)
        assignments = await Assignment.find_rows(list(by_assignment)[:MAX_ASSIGNMENTS])
        heads = await Course.heads({row["course_id"] for row in assignments.values()})
        return [
            WaitingAssignmentView(
                assignment_id=assignment_id,
                title=assignment["title"],
                course_id=assignment["course_id"],
                course_title=heads[assignment["course_id"]].title,
                waiting_count=len(rows),
                oldest_at=rows[0]["submitted_at"],
            )
            for assignment_id, rows in by_assignment.items()
            if (assignment := assignments.get(assignment_id)) is not None and assignment["course_id"] in heads
        ]

    async def retell(self, assignment_id: str) -> int:
        """Tell everybody whose grade is another one than they were told; how many. Again tells nobody."""
        after, told = "", 0
        while page := await Submission.page_of_assignment(assignment_id, after=after, limit=_PAGE):
            after = page[-1]["_id"]
            for row in page:
                if row.get("raw_grade") is not None:
                    told += await until_written(lambda key=row["_id"]: self._try_to_retell(key))  # type: ignore[misc]
        return told

    # --- how ---

    async def _shown(self, row: Row) -> SubmissionView:
        return await shown(row, is_for_staff=True, now_ms=self._clock.now_ms())

    async def _take(self, actor: Actor, row: Row) -> bool:
        now_ms = self._clock.now_ms()
        place = row["assignment_id"]  # claims of answers name their quiz here
        return await GradingClaim.take(row["_id"], actor.user_id, place, now_ms=now_ms, until_ms=now_ms + CLAIM_MS)

    async def _refuse_taken(self, actor: Actor, submission_id: str) -> None:
        claim = (await GradingClaim.find_held([submission_id], self._clock.now_ms())).get(submission_id)
        if claim is not None and claim["user_id"] != actor.user_id:
            await refuse_claimed(claim)

    async def _try_to_grade(self, actor: Actor, submission_id: str, draft: GradeDraft) -> Row | None:
        """One compare-and-set: the row as it now is, or None when something was written to it meanwhile."""
        row, assignment = await _read(submission_id)
        said = said_of(assignment, draft, row)
        if row.get("graded_by") == actor.user_id and _is_same(row, said, draft):
            return row  # sent again: the first reply was lost
        await self._refuse_unseen(actor, row, draft)
        return await self._store(actor, assignment, row, said=said, reason=draft.reason)

    async def _refuse_unseen(self, actor: Actor, row: Row, draft: GradeDraft) -> None:
        """Refuse where there is other work, or another grade, than the caller has seen."""
        present = row["grade_revision"]
        is_own = row.get("raw_grade") is None or row.get("graded_by") == actor.user_id
        if draft.number is not None and draft.number != row["number"]:
            raise Refused(Code.CONFLICT, "Something newer was handed in meanwhile.", stored=await self._shown(row))
        if not (is_own if draft.revision is None else draft.revision == present):
            raise Refused(Code.CONFLICT, "Somebody has graded this meanwhile.", stored=await self._shown(row))

    async def _store(self, actor: Actor, assignment: Row, row: Row, *, said: Row, reason: str) -> Row | None:
        now, former = self._clock.now(), row.get("raw_grade")
        changes = list(row.get("grade_history") or ())
        if former is not None and former != said["raw_grade"]:
            if not reason:
                raise invalid("reason", "It has its grade already: say why it changes.", "required")
            to = {"from": former, "to": said["raw_grade"], "reason": reason, "at_ms": self._clock.now_ms()}
            changes = [*changes, to][-MAX_CHANGES:]
        after = {**row, **said}
        groups = await Enrollment.groups_of(row["course_id"], [row["student_id"]])
        standing = standing_beside(assignment, after, Beside(groups=groups))
        fields = {
            **said,
            "graded_at": now,
            "graded_by": actor.user_id,
            "grade_revision": row["grade_revision"] + 1,
            "grade_history": changes,
            "told_grade": standing.grade,
        }
        write = Write(row["version"] + 1, now)
        intents = [_graded(write, row, standing, assignment, reason=reason)]
        intents += audited(
            write,
            actor,
            "assignment.grade",
            kind="assignment",
            target_id=assignment["_id"],
            before={"raw_grade": former},
            after={"raw_grade": said["raw_grade"]},
            person_id=row["student_id"],
        )
        if not await Submission.write(row, fields, intents=intents, at=now):
            return None
        return {**after, **fields, "version": write.version, "revision": row["revision"] + 1, "updated_at": now}

    async def _try_to_take_back(self, actor: Actor, submission_id: str, reason: str) -> bool | None:
        """One compare-and-set: True, or None when something was written to it meanwhile."""
        row, assignment = await _read(submission_id)
        former, now = row.get("raw_grade"), self._clock.now()
        if former is None:
            raise Refused(Code.NOT_FOUND)
        change = {"from": former, "to": None, "reason": reason, "at_ms": self._clock.now_ms()}
        fields: Row = dict.fromkeys((*_SAID, "graded_at", "graded_by", "told_grade"))
        fields["grade_revision"] = row["grade_revision"] + 1
        fields["grade_history"] = [*(row.get("grade_history") or ()), change][-MAX_CHANGES:]
        write = Write(row["version"] + 1, now)
        data = {"submission_id": row["_id"], "assignment_id": assignment["_id"], "course_id": row["course_id"]}
        told = event(write, "grade_taken_back", n=0, channels=_hearers(row, assignment), data=data | {"reason": reason})
        intents = [told]
        intents += audited(
            write,
            actor,
            "assignment.take_back",
            kind="assignment",
            target_id=assignment["_id"],
            before={"raw_grade": former},
            after={"raw_grade": None},
            reason=reason,
            person_id=row["student_id"],
        )
        return await Submission.write(row, fields, intents=intents, at=now) or None

    async def _try_to_retell(self, submission_id: str) -> int | None:
        row, assignment = await _read(submission_id)
        groups = await Enrollment.groups_of(row["course_id"], [row["student_id"]])
        standing = standing_beside(assignment, row, Beside(groups=groups))
        if standing.grade is None or standing.grade == row.get("told_grade"):
            return 0
        now = self._clock.now()
        write = Write(row["version"] + 1, now)
        intents = [_graded(write, row, standing, assignment)]
        if not await Submission.write(row, {"told_grade": standing.grade}, intents=intents, at=now):
            return None
        await self._relay.hand_over(Submission, submission_id)
        return 1


# --- what is said ---


def said_of(assignment: Row, draft: GradeDraft, row: Row) -> Row:
    """Grade, comment and levels as they are stored; refused where they do not fit the assignment.

    A comment and levels that nothing is said of stay as they are in the `row`; null and empty ones take them away.
    """
    chosen, rubric = draft.rubric or {}, assignment.get("rubric")
    _check_levels(rubric, chosen)
    grade = draft.grade
    if grade is None:
        grade = _grade_of_levels(rubric, chosen)
    if grade > assignment["points"]:
        most = hundredths_text(assignment["points"])
        raise invalid("grade", f"The assignment is worth {most} at most.", "out_of_range")
    sent = draft.model_fields_set
    return {
        "raw_grade": grade,
        "feedback": (draft.feedback or "").strip() or None if "feedback" in sent else row.get("feedback"),
        "rubric": chosen or None if "rubric" in sent else row.get("rubric"),
    }


def _check_levels(rubric: Mapping[str, Any] | None, chosen: Mapping[str, str]) -> None:
    known = {one["id"]: {level["id"] for level in one["levels"]} for one in (rubric or {}).get("criteria", ())}
    for criterion_id, level_id in chosen.items():
        if level_id not in known.get(criterion_id, ()):
            words = "The rubric has no such criterion, or no such level."
            raise invalid(f"rubric.{criterion_id}", words, "unknown_level")


def _grade_of_levels(rubric: Mapping[str, Any] | None, chosen: Mapping[str, str]) -> int:
    if rubric is None or not chosen:
        raise invalid("grade", "This field is needed.", "required")
    for criterion in rubric["criteria"]:
        if criterion["id"] not in chosen:
            words = "Choose a level of each criterion, or give the grade."
            raise invalid(f"rubric.{criterion['id']}", words, "required")
    return rubric_points(rubric, chosen)


def _is_same(row: Row, said: Row, draft: GradeDraft) -> bool:
    is_next = draft.revision is None or draft.revision in (row["grade_revision"], row["grade_revision"] - 1)
    is_seen = draft.number is None or draft.number == row["number"]
    return is_next and is_seen and all(row.get(name) == said[name] for name in _SAID)


async def _read(submission_id: str) -> tuple[Row, Row]:
    row = await Submission.find_whole(submission_id)
    assignment = None if row is None else await Assignment.find_row(row["assignment_id"])
    if row is None or assignment is None or row.get("submitted_at") is None:
        raise Refused(Code.NOT_FOUND)
    return row, assignment


def _graded(write: Write, row: Row, standing: Standing, assignment: Row, *, reason: str = "") -> Intent:
    """The student hears of it. The record (and with it notification, mail and webhooks) comes with another grade alone."""
    former, grade = row.get("told_grade"), standing.grade or 0
    data = {
        "submission_id": row["_id"],
        "assignment_id": assignment["_id"],
        "course_id": row["course_id"],
        "grade": hundredths_text(grade),
        "raw_grade": hundredths_text(standing.raw_grade or 0),
        "penalty_percentage": hundredths_text(standing.penalty),
        "points": hundredths_text(assignment["points"]),
        "previous": None if former is None else hundredths_text(former),
        "reason": reason or None,
    }
    record = None if former == grade else "assignment.graded"
    channels = _hearers(row, assignment)
    return event(write, "assignment_graded", n=0, channels=channels, data=data, record=record)


def _hearers(row: Row, assignment: Row) -> list[str]:
    """The student; and the staff, but where names are hidden: the moment would tell them, since the gradebook names who has a grade."""
    staff = [] if assignment["is_marking_anonymous"] else [course_staff_channel(row["course_id"])]
    return [user_channel(row["student_id"]), *staff]
