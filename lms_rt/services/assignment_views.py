"""Assignments and submissions as their readers see them, once it is decided who reads. What comes off is computed here. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from documents.base import Row
from lms_rt import ids
from lms_rt.clock import from_ms
from lms_rt.contracts.assignments import AssignmentView, OverrideView, WorkState, YourAssignmentView
from lms_rt.contracts.grading import PersonView
from lms_rt.contracts.rubrics import RubricView, criterion_marks
from lms_rt.contracts.submissions import (
    EarlierView,
    GradeChangeView,
    SubmissionRowView,
    SubmissionView,
    WorkDraftView,
)
from lms_rt.security.access.lessons import Lock
from lms_rt.services.late_penalty import Standing, Terms, standing_of, terms_of
from lms_rt.services.rendering import render

_SAME = (
    "course_id", "instructor_id", "title", "timezone", "points", "allow_late_submission",
    "is_marking_anonymous", "is_published", "is_archived", "metadata", "version", "created_at", "updated_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Beside:
    """What views of submissions show of other documents: names by person, groups by student, claims by submission."""

    names: Mapping[str, Row] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, Row] = field(default_factory=dict)
    is_for_staff: bool = True


def submission_id_of(assignment: Mapping[str, Any], student_id: str) -> str:
    """The one id that a student's work for an assignment can have: who knows it, and all students, knows not whose it is."""
    return ids.derived_id("sub", assignment.get("salt") or assignment["_id"], student_id)


def alias_of(submission_id: str) -> str:
    """What a student is called where names are hidden."""
    return hashlib.sha256(submission_id.encode()).hexdigest()[:6].upper()


def state_of(submission: Mapping[str, Any] | None) -> WorkState:
    """How far the work is."""
    if submission is None or submission.get("submitted_at") is None:
        return "draft" if submission is not None and submission.get("draft_revision") else "none"
    return "submitted" if submission.get("raw_grade") is None else "graded"


def may_submit(assignment: Row, terms: Terms, submission: Mapping[str, Any] | None, now: datetime) -> bool:
    """Would something be taken now?"""
    is_open = assignment["is_published"] and not assignment["is_archived"]
    is_in_time = terms.due_at is None or now <= terms.due_at or terms.allows_late
    return bool(is_open and is_in_time and (submission is None or submission.get("raw_grade") is None))


def assignment_view(
    row: Row,
    *,
    names: Mapping[str, Row] | None = None,
    counts: tuple[int, int] | None = None,
    yours: YourAssignmentView | None = None,
    lock: Lock | None = None,
) -> AssignmentView:
    """One assignment; with `names` and `counts` to those who teach it, with `yours` to who learns there.

    While a `lock` keeps its lesson closed, what is to be done and by what it is graded are withheld.
    """
    submitted, graded = counts or (None, None)
    rubric = row.get("rubric") if lock is None else None
    description = row["description"] if lock is None else ""
    return AssignmentView(
        id=row["_id"],
        **{name: row[name] for name in _SAME},
        description=description,
        lesson_id=row.get("lesson_id"),
        description_html=render(description),
        due_date=row.get("due_date"),
        late_penalty_percentage=row["late_penalty"],
        overrides=None if names is None else [_override(one, names) for one in row.get("overrides") or ()],
        rubric=None if rubric is None else RubricView.model_validate(rubric),
        submitted_count=submitted,
        graded_count=graded,
        has_work=None if counts is None else bool(submitted or row.get("is_begun")),
        is_locked=lock is not None,
        unlocks_at=None if lock is None else lock.unlocks_at,
        yours=yours if lock is None or yours is None else yours.model_copy(update={"can_submit": False}),
    )


def _override(row: Mapping[str, Any], names: Mapping[str, Row]) -> OverrideView:
    person = names.get(row.get("student_id", ""))
    return OverrideView(**row, full_name=None if person is None else person["full_name"])


def your_view(
    assignment: Row, submission: Mapping[str, Any] | None, *, student_id: str, group: str | None, now: datetime
) -> YourAssignmentView:
    """How it stands for one student."""
    terms = terms_of(assignment, student_id, group)
    work: Mapping[str, Any] = submission or {}
    standing = standing_of(terms, work.get("submitted_at"), work.get("raw_grade"))
    return YourAssignmentView(
        due_date=terms.due_at,
        is_own_date=terms.is_own,
        allows_late=terms.allows_late,
        state=state_of(submission),
        submission_id=submission_id_of(assignment, student_id),
        submitted_at=work.get("submitted_at"),
        is_late=standing.is_late,
        late_days=standing.late_days,
        penalty_percentage=standing.penalty,
        raw_grade=standing.raw_grade,
        grade=standing.grade,
        can_submit=may_submit(assignment, terms, submission, now),
    )


def standing_beside(assignment: Row, submission: Row, beside: Beside) -> Standing:
    """What the work comes to by the dates that hold for its student now."""
    terms = terms_of(assignment, submission["student_id"], beside.groups.get(submission["student_id"]))
    return standing_of(terms, submission.get("submitted_at"), submission.get("raw_grade"))


def row_view(assignment: Row, submission: Row, beside: Beside) -> SubmissionRowView:
    """One in a list: with its texts, if they were read."""
    texts = {name: submission.get(name) for name in ("content", "feedback")}
    return SubmissionRowView(**_row(assignment, submission, beside), **texts)


def submission_view(assignment: Row, submission: Row, beside: Beside) -> SubmissionView:
    """One with its texts. Its draft is nobody's but the student's."""
    content, feedback = submission.get("content", ""), submission.get("feedback")
    draft = None if beside.is_for_staff else submission.get("draft")
    chosen = submission.get("rubric")
    return SubmissionView(
        **_row(assignment, submission, beside),
        content=content,
        content_html=render(content),
        history=[EarlierView(**one) for one in reversed(submission.get("history") or ())],
        draft=None if draft is None else WorkDraftView(**draft),
        feedback=feedback,
        feedback_html=None if feedback is None else render(feedback),
        rubric=chosen,
        criteria=criterion_marks(assignment.get("rubric"), chosen),
        grade_history=[
            GradeChangeView(from_grade=one["from"], to_grade=one["to"], reason=one["reason"], at=from_ms(one["at_ms"]))
            for one in submission.get("grade_history") or ()
        ],
    )


def blank_submission(assignment: Row, student_id: str) -> Row:
    """What there is before anything is."""
    return {
        "_id": submission_id_of(assignment, student_id),
        "assignment_id": assignment["_id"],
        "course_id": assignment["course_id"],
        "student_id": student_id,
        "content": "",
        "file_ids": [],
        "number": 0,
        "grade_revision": 0,
        "version": 0,
        "revision": 0,
    }


def _row(assignment: Row, submission: Row, beside: Beside) -> dict[str, Any]:
    standing = standing_beside(assignment, submission, beside)
    file_ids = submission.get("file_ids") or []
    is_hidden = beside.is_for_staff and assignment["is_marking_anonymous"]
    student_id = submission["student_id"]
    return {
        "id": submission["_id"],
        "assignment_id": assignment["_id"],
        "course_id": assignment["course_id"],
        "student_id": None if is_hidden else student_id,
        "full_name": None if is_hidden else beside.names.get(student_id, {}).get("full_name"),
        "alias": alias_of(submission["_id"]),
        "state": state_of(submission),
        "number": submission["number"],
        "file_ids": file_ids,
        "file_url": f"/api/v1/files/{file_ids[0]}/download" if file_ids else None,
        # A date of one's own would tell whose work it is.
        "due_date": assignment.get("due_date") if is_hidden else standing.terms.due_at,
        "submitted_at": submission.get("submitted_at"),
        "is_late": standing.is_late,
        "late_days": standing.late_days,
        "penalty_percentage": standing.penalty,
        "points": assignment["points"],
        "raw_grade": standing.raw_grade,
        "grade": standing.grade,
        "graded_at": submission.get("graded_at"),
        "graded_by": submission.get("graded_by"),
        "revision": submission["grade_revision"],
        "version": submission["version"],
        "created_at": submission.get("created_at"),
        "updated_at": submission.get("updated_at"),
        **_claimed(beside.claims.get(submission["_id"]), beside.names),
    }


def _claimed(claim: Row | None, names: Mapping[str, Row]) -> dict[str, Any]:
    if claim is None:
        return {}
    name = names.get(claim["user_id"], {}).get("full_name")
    person = PersonView(user_id=claim["user_id"], full_name=name)
    return {"claimed_by": person, "claimed_until": from_ms(claim["until_ms"])}
