"""Assignments over HTTP: the assignments themselves, what students hand in, grades, the sheet of grades, and the ZIP."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN, needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import UPLOAD, Operation
from lms_rt.contracts.assignments import (
    AssignmentChange,
    AssignmentDraft,
    AssignmentQuery,
    AssignmentRemovalQuery,
    AssignmentView,
)
from lms_rt.contracts.base import Page
from lms_rt.contracts.gradebook import TakeBackQuery
from lms_rt.contracts.submissions import (
    GradeDraft,
    GradeSheetQuery,
    GradeSheetReport,
    HandInDraft,
    NextWorkDraft,
    NextWorkView,
    SubmissionQuery,
    SubmissionRowView,
    SubmissionView,
    WorkDraft,
)
from lms_rt.errors import Code
from lms_rt.security.rights import Reach

_TABLE, _ZIP = "text/csv", "application/zip"


async def list_assignments(call: Call) -> Reply:
    """The assignments that the caller may know of."""
    return Reply(await call.services.assignments.list(call.actor, call.query))


async def create_assignment(call: Call) -> Reply:
    """Create one."""
    assignment = await call.services.assignments.create(call.actor, call.body)
    return Reply(assignment, made={"assignment_id": assignment.id})


async def show_assignment(call: Call) -> Reply:
    """One assignment."""
    return Reply(await call.services.assignments.show(call.actor, call.path["assignment_id"]))


async def change_assignment(call: Call) -> Reply:
    """Change one."""
    assignments, assignment_id = call.services.assignments, call.path["assignment_id"]
    return Reply(await assignments.change(call.actor, assignment_id, call.body, expected_version=call.expected_version))


async def remove_assignment(call: Call) -> Reply:
    """Delete or archive one."""
    await call.services.assignments.remove(
        call.actor, call.path["assignment_id"], archive=call.query.archive, expected_version=call.expected_version
    )
    return Reply(None)


async def save_draft(call: Call) -> Reply:
    """Keep what is not handed in yet."""
    return Reply(await call.services.assignment_work.save_draft(call.actor, call.path["assignment_id"], call.body))


async def submit(call: Call) -> Reply:
    """Hand in."""
    work, assignment_id = call.services.assignment_work, call.path["assignment_id"]
    submission = await work.submit(call.actor, assignment_id, call.body, seed=call.idempotency_seed)
    return Reply(submission)


async def show_own(call: Call) -> Reply:
    """The caller's own work."""
    return Reply(await call.services.assignment_work.mine(call.actor, call.path["assignment_id"]))


async def list_submissions(call: Call) -> Reply:
    """What was handed in."""
    return Reply(await call.services.assignment_work.list_of(call.actor, call.path["assignment_id"], call.query))


async def show_submission(call: Call) -> Reply:
    """One submission."""
    return Reply(await call.services.assignment_work.show(call.actor, call.path["submission_id"]))


async def grade(call: Call) -> Reply:
    """Give a grade."""
    return Reply(await call.services.assignment_grading.grade(call.actor, call.path["submission_id"], call.body))


async def take_back(call: Call) -> Reply:
    """Take a grade away."""
    await call.services.assignment_grading.take_back(call.actor, call.path["submission_id"], call.query.reason)
    return Reply(None)


async def claim(call: Call) -> Reply:
    """Take one to grade."""
    return Reply(await call.services.assignment_grading.claim(call.actor, call.path["submission_id"]))


async def release(call: Call) -> Reply:
    """Give it back."""
    await call.services.assignment_grading.release(call.actor, call.path["submission_id"])
    return Reply(None)


async def take_next(call: Call) -> Reply:
    """Take the next one that nobody has."""
    grading, assignment_id = call.services.assignment_grading, call.path["assignment_id"]
    return Reply(await grading.take_next(call.actor, assignment_id, call.body))


async def write_sheet(call: Call) -> Reply:
    """The sheet of grades."""
    assignment_id = call.path["assignment_id"]
    stream = await call.services.grade_sheets.table(call.actor, assignment_id)
    return Reply(stream=stream, content_type=f"{_TABLE}; charset=utf-8", headers=_named(f"{assignment_id}.csv"))


async def read_sheet(call: Call) -> Reply:
    """Take the grades of a filled sheet."""
    assert call.upload is not None  # noqa: S101 - the row takes uploads alone
    report = await call.services.grade_sheets.read(
        call.actor, call.path["assignment_id"], call.upload.content, is_dry_run=call.query.dry_run
    )
    return Reply(report)


async def pack(call: Call) -> Reply:
    """All that was handed in, as a ZIP."""
    assignment_id = call.path["assignment_id"]
    stream = await call.services.submission_archive.stream(call.actor, assignment_id)
    return Reply(stream=stream, content_type=_ZIP, headers=_named(f"{assignment_id}.zip"))


def _named(filename: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{filename}"', "X-Content-Type-Options": "nosniff"}


_MANAGE = needs("quizzes:manage")

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/assignments",
        list_assignments,
        SIGNED_IN,
        reach=Reach.INSIDE,
        query=AssignmentQuery,
        reply=Page[AssignmentView],
        summary="Assignments",
    ),
    Operation(
        "POST",
        "/assignments",
        create_assignment,
        _MANAGE,
        reach=Reach.TAUGHT,
        body=AssignmentDraft,
        reply=AssignmentView,
        status=201,
        location="/assignments/{assignment_id}",
        audit="assignment.create",
        summary="Create an assignment",
        codes=(Code.NOT_FOUND,),
    ),
    Operation(
        "GET",
        "/assignments/submissions/{submission_id}",
        show_submission,
        SIGNED_IN,
        reach=Reach.SHARED,
        reply=SubmissionView,
        summary="What one student handed in",
    ),
    Operation(
        "POST",
        "/assignments/submissions/{submission_id}/grade",
        grade,
        _MANAGE,
        reach=Reach.TAUGHT,
        body=GradeDraft,
        reply=SubmissionView,
        codes=(Code.CONFLICT, Code.BUSY),
        audit="assignment.grade",
        summary="Grade what was handed in",
        description="What comes off for being late is shown beside it. 409 `conflict` brings `stored` (newer work, or a grade that "
        "somebody else gave) or `claimed_by`, who has it.",
    ),
    Operation(
        "DELETE",
        "/assignments/submissions/{submission_id}/grade",
        take_back,
        _MANAGE,
        reach=Reach.TAUGHT,
        query=TakeBackQuery,
        status=204,
        codes=(Code.CONFLICT, Code.BUSY),
        audit="assignment.take_back",
        summary="Take back a grade that was given by mistake",
        description="With its comment and levels; the work waits again. 404 where there is no grade, 409 while a colleague has it.",
    ),
    Operation(
        "POST",
        "/assignments/submissions/{submission_id}/claim",
        claim,
        _MANAGE,
        reach=Reach.TAUGHT,
        reply=SubmissionView,
        codes=(Code.CONFLICT,),
        summary="Take a submission to grade, for 15 minutes",
    ),
    Operation(
        "DELETE",
        "/assignments/submissions/{submission_id}/claim",
        release,
        _MANAGE,
        reach=Reach.TAUGHT,
        status=204,
        summary="Give a submission back",
    ),
    Operation(
        "GET",
        "/assignments/{assignment_id}",
        show_assignment,
        SIGNED_IN,
        reach=Reach.INSIDE,
        reply=AssignmentView,
        codes=(Code.NOT_ENROLLED,),
        summary="One assignment",
    ),
    Operation(
        ("PATCH", "PUT"),
        "/assignments/{assignment_id}",
        change_assignment,
        _MANAGE,
        reach=Reach.TAUGHT,
        body=AssignmentChange,
        reply=AssignmentView,
        codes=(Code.VERSION_MISMATCH,),
        audit="assignment.change",
        summary="Change an assignment",
        description="`overrides`, dates for single students and groups, are replaced by those that are sent.",
    ),
    Operation(
        "DELETE",
        "/assignments/{assignment_id}",
        remove_assignment,
        _MANAGE,
        reach=Reach.TAUGHT,
        query=AssignmentRemovalQuery,
        status=204,
        codes=(Code.CONFLICT, Code.VERSION_MISMATCH),
        audit="assignment.remove",
        summary="Delete an assignment, or archive it",
    ),
    Operation(
        ("PUT", "PATCH"),
        "/assignments/{assignment_id}/draft",
        save_draft,
        SIGNED_IN,
        reach=Reach.LEARNER,
        is_own_alone=True,
        body=WorkDraft,
        reply=SubmissionView,
        codes=(Code.NOT_ENROLLED, Code.CONFLICT),
        summary="Keep a draft of one's work",
    ),
    Operation(
        "POST",
        "/assignments/{assignment_id}/submit",
        submit,
        SIGNED_IN,
        reach=Reach.LEARNER,
        is_own_alone=True,
        body=HandInDraft,
        reply=SubmissionView,
        codes=(Code.NOT_ENROLLED, Code.CONFLICT),
        is_idempotent=True,
        summary="Hand in",
        description="Until it is graded, handing in again replaces; what came before is kept. 409 `conflict` with `reason` "
        "`past_due` or `graded`.",
    ),
    Operation(
        "GET",
        "/assignments/{assignment_id}/my-submission",
        show_own,
        SIGNED_IN,
        reach=Reach.LEARNER,
        reply=SubmissionView,
        codes=(Code.NOT_ENROLLED,),
        summary="One's own work, begun or not",
    ),
    Operation(
        "GET",
        "/assignments/{assignment_id}/submissions",
        list_submissions,
        _MANAGE,
        reach=Reach.TAUGHT,
        query=SubmissionQuery,
        reply=Page[SubmissionRowView],
        summary="What was handed in",
    ),
    Operation(
        "POST",
        "/assignments/{assignment_id}/submissions/next",
        take_next,
        _MANAGE,
        reach=Reach.TAUGHT,
        body=NextWorkDraft,
        reply=NextWorkView,
        summary="Take the next submission that waits and nobody has",
        description="It is the caller's for 15 minutes; the one named by `after` is given back.",
    ),
    Operation(
        "GET",
        "/assignments/{assignment_id}/submissions/archive",
        pack,
        _MANAGE,
        reach=Reach.TAUGHT,
        gives=(_ZIP,),
        summary="All that was handed in, as a ZIP",
    ),
    Operation(
        "GET",
        "/assignments/{assignment_id}/grade-sheet",
        write_sheet,
        _MANAGE,
        reach=Reach.TAUGHT,
        gives=(_TABLE,),
        summary="A sheet to fill grades into",
    ),
    Operation(
        "POST",
        "/assignments/{assignment_id}/grade-sheet",
        read_sheet,
        _MANAGE,
        reach=Reach.TAUGHT,
        takes=UPLOAD,
        query=GradeSheetQuery,
        reply=GradeSheetReport,
        codes=(Code.TOO_LARGE, Code.CONFLICT, Code.BUSY),
        audit="assignment.grade",
        summary="Take the grades of a filled sheet",
        description="With `dry_run=true` nothing is written, and each row says what it would do. With one row refused (422) none "
        "is written.",
    ),
)
