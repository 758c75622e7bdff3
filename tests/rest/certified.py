"""Certificates for the walks of the tables: given out as a completed course gives them, though it is not completed."""

from __future__ import annotations

from documents.enrollment import Enrollment
from tests import factories
from tests.house import House
from tests.rest.audited_world import Asked, Change, World

UNKNOWN_NUMBER = "CERT-2000-000001"
"""That was never given out."""


async def certified(house: House, enrollment_id: str) -> str:
    """The id of a certificate of this enrolment, with its file."""
    enrollment = await Enrollment.find_one_by_id(enrollment_id)
    assert enrollment is not None
    issuing = house.services.certificates._issuing
    row = await issuing.issue(enrollment.model_copy(update={"status": "completed"}))
    assert row is not None
    await issuing.make(row["_id"])
    return str(row["_id"])


async def _of_somebody(world: World) -> str:
    return await certified(world.house, await world.enrollment())


async def generate(world: World) -> Asked:
    course_id, lesson_id = await world.lesson()
    student = await world.house.student()
    enrollment = await factories.enrolled(student, course_id)
    await student.ok("POST", f"/lessons/{lesson_id}/complete")
    return Asked("/certificates/generate", None, {"enrollment_id": enrollment["id"]})


async def revoke(world: World) -> Asked:
    certificate_id = await _of_somebody(world)
    return Asked(f"/certificates/{certificate_id}/revoke", certificate_id, {"reason": "Issued by mistake."})


async def replace(world: World) -> Asked:
    certificate_id = await _of_somebody(world)
    return Asked(f"/certificates/{certificate_id}/replace", certificate_id, {"reason": "The name was wrong."})


async def give_missing(world: World) -> Asked:
    course_id = await world.course()
    return Asked(f"/courses/{course_id}/certificates", course_id)


async def change_template(world: World) -> Asked:
    course_id = await world.course()
    return Asked(f"/courses/{course_id}/certificate-template", course_id, {"text": "Forty hours."})


CERTIFICATE_CHANGES: dict[str, Change] = {
    "POST /certificates/generate": generate,
    "POST /certificates/{certificate_id}/revoke": revoke,
    "POST /certificates/{certificate_id}/replace": replace,
    "POST /courses/{course_id}/certificates": give_missing,
    "PATCH /courses/{course_id}/certificate-template": change_template,
}
"""By the first method of a row and its path."""
