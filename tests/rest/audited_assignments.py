"""Changes of assignments and grades, as an administrator makes them: see `audited.py`."""

from __future__ import annotations

from tests import factories
from tests.rest.audited_world import Asked, Change, World


async def _assignment(world: World) -> str:
    body = {"course_id": await world.course(), "title": "Essay"}
    return str((await world.teacher.ok("POST", "/assignments", json=body))["id"])


async def _work(world: World) -> tuple[str, str]:
    """An assignment, and what somebody handed in for it."""
    student, course_id = await world.house.student(), await world.course()
    await factories.enrolled(student, course_id)
    made = await factories.handed_in(world.teacher, student, course_id)
    return made["assignment_id"], made["submission_id"]


async def create(world: World) -> Asked:
    return Asked("/assignments", None, {"course_id": await world.course(), "title": "Essay"})


async def change(world: World) -> Asked:
    assignment_id = await _assignment(world)
    return Asked(f"/assignments/{assignment_id}", assignment_id, {"title": "Essays"})


async def remove(world: World) -> Asked:
    assignment_id = await _assignment(world)
    return Asked(f"/assignments/{assignment_id}", assignment_id)


async def grade(world: World) -> Asked:
    assignment_id, submission_id = await _work(world)
    return Asked(f"/assignments/submissions/{submission_id}/grade", assignment_id, {"grade": 50})


async def take_back(world: World) -> Asked:
    asked = await grade(world)
    await world.admin.ok("POST", asked.path, json=asked.body)
    return Asked(f"{asked.path}?reason=Slip", asked.target_id)


async def grade_by_sheet(world: World) -> Asked:
    assignment_id, submission_id = await _work(world)
    sheet = f"submission_id,grade\n{submission_id},50\n"
    return Asked(f"/assignments/{assignment_id}/grade-sheet", assignment_id, text=sheet)


ASSIGNMENT_CHANGES: dict[str, Change] = {
    "POST /assignments": create,
    "PATCH /assignments/{assignment_id}": change,
    "DELETE /assignments/{assignment_id}": remove,
    "POST /assignments/submissions/{submission_id}/grade": grade,
    "DELETE /assignments/submissions/{submission_id}/grade": take_back,
    "POST /assignments/{assignment_id}/grade-sheet": grade_by_sheet,
}
"""By the first method of a row and its path."""
