"""Files in the school of rights: what the owner handed in, what they uploaded for nothing, a table. No tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from documents.stored_file import StoredFile
from lms_rt.ids import new_id
from tests.clients import Visitor
from tests.rest.rights.sending import PDF, begun_upload

if TYPE_CHECKING:
    from tests.rest.rights.school import Ids, Place, RightsSchool


async def handed_file(school: RightsSchool, course_id: str) -> str:
    """A file of the owner that they handed in as work: theirs, and those of who teach the course."""
    file_id = (await made_file(school))["file_id"]
    body = {"course_id": course_id, "title": "Drawing"}
    assignment = await school.teacher.ok("POST", "/assignments", json=body)
    await school.owner.ok("POST", f"/assignments/{assignment['id']}/submit", json={"file_ids": [file_id]})
    thumbnail_id = new_id("blb")
    await school.house.services.file_store.save(thumbnail_id, _drawn())
    await StoredFile.change(file_id, {}, {"$set": {"thumbnail_blob_id": thumbnail_id}})
    return file_id


async def _drawn() -> AsyncIterator[bytes]:
    yield b"a small picture"


async def fresh_file(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """Another file of the owner, used for nothing."""
    del ids, place
    return await made_file(school)


async def made_file(school: RightsSchool) -> Ids:
    """A file of the owner."""
    file = await school.owner.ok("POST", "/files/upload", files={"file": ("plan.pdf", PDF)})
    return {"file_id": file["id"]}


async def fresh_upload(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """Another upload that its owner has begun."""
    del ids, place
    return {"upload_id": await begun_upload(school.owner)}


async def bulk_run(teacher: Visitor, course_id: str) -> dict[str, Any]:
    """A table of one person that is worked through."""
    table = {"content": "email\nbulk@example.org", "headers": {"Content-Type": "text/csv"}}
    run: dict[str, Any] = await teacher.ok("POST", f"/courses/{course_id}/students/import", **table)
    return run
