"""What is changed in bulk, as an administrator changes it: people brought in, courses copied, taken out and put in; and files."""

from __future__ import annotations

from tests.rest.audited_world import NUMBERS, Asked, Change, World


async def import_people(world: World) -> Asked:
    course_id = await world.course()
    return Asked(f"/courses/{course_id}/students/import", course_id, text=f"email\nbulk{next(NUMBERS)}@example.org\n")


async def cancel_import(world: World) -> Asked:
    asked = await import_people(world)
    run = await world.teacher.ok("POST", asked.path, **asked.options)
    return Asked(f"/imports/{run['id']}/cancel", run["id"])


async def copy_course(world: World) -> Asked:
    course_id = await world.course()
    return Asked(f"/courses/{course_id}/copy", course_id, {"title": "Algebra, again"})


async def export_course(world: World) -> Asked:
    course_id = await world.course()
    return Asked(f"/courses/{course_id}/export", course_id)


async def import_course(world: World) -> Asked:
    asked = await export_course(world)
    run = await world.admin.ok("POST", asked.path)
    await world.house.services.import_runs.run(run["id"])
    archive = await world.admin.call("GET", f"/imports/{run['id']}/result")
    sent = await world.admin.ok("POST", "/files/upload", files={"file": ("course.zip", archive.content)})
    return Asked("/courses/import", None, {"file_id": sent["id"]})


async def change_file(world: World) -> Asked:
    sent = await world.teacher.ok("POST", "/files/upload", files={"file": ("plan.pdf", b"%PDF-1.7 A plan")})
    return Asked(f"/files/{sent['id']}", sent["id"], {"folder": "week-1"})


async def remove_file(world: World) -> Asked:
    sent = await world.teacher.ok("POST", "/files/upload", files={"file": ("plan.pdf", b"%PDF-1.7 A plan")})
    return Asked(f"/files/{sent['id']}", sent["id"])


BULK_CHANGES: dict[str, Change] = {
    "PATCH /files/{file_id}": change_file,
    "DELETE /files/{file_id}": remove_file,
    "POST /courses/{course_id}/students/import": import_people,
    "POST /imports/{import_id}/cancel": cancel_import,
    "POST /courses/{course_id}/copy": copy_course,
    "POST /courses/{course_id}/export": export_course,
    "POST /courses/import": import_course,
}
