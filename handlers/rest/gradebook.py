"""REST: the gradebook of a course as JSON and as tables, how it is graded, grades by hand, and one's own grades."""

from __future__ import annotations

import asyncio

from handlers.rest.access import SIGNED_IN, needs, needs_one_of
from handlers.rest.calls import Call, Encoded, Reply
from handlers.rest.conditions import preferred
from handlers.rest.operations import Operation
from lms_rt.contracts.gradebook import (
    GradebookChange,
    GradebookQuery,
    GradebookSettingsView,
    GradebookView,
    GradesView,
    OverrideDraft,
    OverrideView,
    TakeBackQuery,
)
from lms_rt.errors import Code
from lms_rt.interchange.sheets import MEDIA_TYPE as SHEET
from lms_rt.security.rights import Reach

_JSON, _TABLE = "application/json", "text/csv"
_GIVES = (_JSON, _TABLE, SHEET)
_WISHED = {"json": _JSON, "csv": _TABLE, "xlsx": SHEET}


async def show(call: Call) -> Reply:
    """The whole gradebook, or a table of it."""
    course_id, query = call.path["course_id"], call.query
    wished = _WISHED.get(query.format or "") or preferred(call.find_header("Accept"), _GIVES)
    export = call.services.gradebook_export
    if wished == _TABLE:
        lines = export.csv(call.actor, course_id, has_bom=query.bom)
        return Reply(stream=lines, content_type=f"{_TABLE}; charset=utf-8", headers=_file("gradebook.csv"))
    if wished == SHEET:
        is_mirrored = (call.find_header("Accept-Language") or "").lower().startswith("ar")
        pieces = export.xlsx(call.actor, course_id, is_mirrored=is_mirrored)
        return Reply(stream=pieces, content_type=SHEET, headers=_file("gradebook.xlsx"))
    book = await call.services.gradebooks.show(call.actor, course_id, student_ids=query.student_ids or None)
    return Reply(await asyncio.to_thread(Encoded.of, book, "students"))


async def change(call: Call) -> Reply:
    """Set how the course is graded."""
    changed = await call.services.gradebooks.change(
        call.actor, call.path["course_id"], call.body, expected_version=call.expected_version
    )
    return Reply(changed)


async def explain(call: Call) -> Reply:
    """One student's grades."""
    path = call.path
    return Reply(await call.services.gradebooks.explain(call.actor, path["course_id"], path["student_id"]))


async def explain_own(call: Call) -> Reply:
    """One's own grades."""
    return Reply(await call.services.gradebooks.explain_own(call.actor, call.path["course_id"]))


async def override(call: Call) -> Reply:
    """Set a grade by hand."""
    made = await call.services.grade_overrides.set(
        call.actor, _place(call), call.body, expected_version=call.expected_version
    )
    return Reply(made)


async def take_back(call: Call) -> Reply:
    """Let count again what was worked out."""
    await call.services.grade_overrides.take_back(
        call.actor, _place(call), call.query.reason, expected_version=call.expected_version
    )
    return Reply(None)


def _place(call: Call) -> tuple[str, str, str]:
    return call.path["course_id"], call.path["student_id"], call.path["graded_item_id"]


def _file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}


_MANAGE, _SEE = needs("quizzes:manage"), needs_one_of("analytics:view", "quizzes:manage")
_BOOK = "/courses/{course_id}/gradebook"
_BY_HAND = _BOOK + "/students/{student_id}/grades/{graded_item_id}"

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        _BOOK,
        show,
        _SEE,
        reach=Reach.TAUGHT,
        query=GradebookQuery,
        reply=GradebookView,
        gives=_GIVES,
        summary="The gradebook of a course",
        description=(
            "Every student with every graded quiz and assignment, and what these come to: `docs/gradebook.md`. By `Accept` or "
            "`format` also as CSV (`bom=true` with the mark that old spreadsheets need) and XLSX, in which nothing runs as a "
            "formula; that a table was taken stands in the audit log. With `student_ids` JSON is of these students alone, and then "
            "without averages."
        ),
    ),
    Operation(
        ("PATCH", "PUT"),
        _BOOK,
        change,
        _MANAGE,
        reach=Reach.TAUGHT,
        body=GradebookChange,
        reply=GradebookSettingsView,
        codes=(Code.VERSION_MISMATCH,),
        audit="gradebook.change",
        summary="Set how a course is graded",
    ),
    Operation(
        "GET",
        _BOOK + "/students/{student_id}",
        explain,
        _SEE,
        reach=Reach.TAUGHT,
        reply=GradesView,
        summary="One student's grades, and how they came about",
    ),
    Operation(
        "PUT",
        _BY_HAND,
        override,
        _MANAGE,
        reach=Reach.TAUGHT,
        body=OverrideDraft,
        reply=OverrideView,
        codes=(Code.VERSION_MISMATCH,),
        audit="gradebook.override",
        summary="Set a grade by hand",
        description="Points, or that it does not count; always with a reason. The item `total` is the course's percentage.",
    ),
    Operation(
        "DELETE",
        _BY_HAND,
        take_back,
        _MANAGE,
        reach=Reach.TAUGHT,
        query=TakeBackQuery,
        status=204,
        audit="gradebook.take_back",
        summary="Let a grade count again as it was worked out",
    ),
    Operation(
        "GET",
        "/courses/{course_id}/grades",
        explain_own,
        SIGNED_IN,
        reach=Reach.LEARNER,
        reply=GradesView,
        codes=(Code.NOT_ENROLLED,),
        summary="One's own grades in a course, and how they came about",
        description="The same numbers as in the gradebook.",
    ),
)
