"""Changes in chats and of reviews, as an administrator makes them: see `audited.py`."""

from __future__ import annotations

from tests import factories
from tests.rest.audited_world import Asked, Change, World

_MUTE = {"minutes": 5, "reason": "To be kind."}


async def _learner(world: World) -> tuple[str, str, str]:
    """A course, who learns there, and what they have said."""
    student, course_id = await world.house.student(), await world.course()
    await factories.enrolled(student, course_id)
    await student.ok("POST", f"/enrollments/{student.user_id}:{course_id}/review", json={"rating": 2, "review": "Hm."})
    said = await student.ok("POST", f"/courses/{course_id}/messages", json={"text": "Hello"})
    return course_id, student.user_id, said["id"]


async def review(world: World) -> Asked:
    course_id, student_id, _ = await _learner(world)
    enrollment_id = f"{student_id}:{course_id}"
    return Asked(f"/enrollments/{enrollment_id}/review", enrollment_id, {"rating": 5})


async def moderate_review(world: World) -> Asked:
    course_id, student_id, _ = await _learner(world)
    enrollment_id = f"{student_id}:{course_id}"
    body = {"is_hidden": True, "reason": "No names, please."}
    return Asked(f"/courses/{course_id}/reviews/{enrollment_id}", enrollment_id, body)


async def change_message(world: World) -> Asked:
    course_id = await world.course()
    said = await world.admin.ok("POST", f"/courses/{course_id}/messages", json={"text": "Helo"})
    return Asked(f"/courses/{course_id}/messages/{said['id']}", said["id"], {"text": "Hello"})


async def remove_message(world: World) -> Asked:
    course_id, _, message_id = await _learner(world)
    return Asked(f"/courses/{course_id}/messages/{message_id}?reason=Rude", message_id)


async def mute(world: World) -> Asked:
    course_id, student_id, _ = await _learner(world)
    body = {"student_id": student_id, **_MUTE}
    return Asked(f"/courses/{course_id}/chat/mutes", f"{student_id}:{course_id}", body)


async def unmute(world: World) -> Asked:
    asked = await mute(world)
    await world.admin.ok("POST", asked.path, json=asked.body)
    return Asked(f"{asked.path}/{asked.body['student_id']}", asked.target_id)


CHAT_CHANGES: dict[str, Change] = {
    "POST /enrollments/{enrollment_id}/review": review,
    "PATCH /courses/{course_id}/reviews/{enrollment_id}": moderate_review,
    "PATCH /courses/{course_id}/messages/{message_id}": change_message,
    "DELETE /courses/{course_id}/messages/{message_id}": remove_message,
    "POST /courses/{course_id}/chat/mutes": mute,
    "DELETE /courses/{course_id}/chat/mutes/{student_id}": unmute,
}
"""By the first method of a row and its path."""
