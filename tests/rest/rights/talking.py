"""What is said and rated in the courses of the walk of the table of rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lms_rt.security.rights import Person
from tests import factories
from tests.clients import Visitor

if TYPE_CHECKING:
    from tests.rest.rights.school import Ids, Place, RightsSchool


async def said_and_rated(school: RightsSchool, course_id: str) -> Ids:
    """Two messages and a review of the owner; who has left the course is there to be muted."""
    owner = school.owner
    await owner.ok("POST", f"/enrollments/{owner.user_id}:{course_id}/review", json={"rating": 4})
    return {
        "message_id": await said(owner, course_id),
        "said_id": await said(owner, course_id),
        "student_id": school.people[Person.DROPPED].user_id,
    }


async def said(who: Visitor, course_id: str) -> str:
    """A message of theirs."""
    return str((await who.ok("POST", f"/courses/{course_id}/messages", json={"text": "Hello"}))["id"])


async def fresh_message(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """Another message of the owner, in another course, which stands as this one does."""
    del ids
    course = await factories.course(school.teacher, title="For once")
    await factories.enrolled(school.owner, course["id"])
    message_id = await said(school.owner, course["id"])
    if place.value == "hidden":
        await school.teacher.ok("POST", f"/courses/{course['id']}/unpublish")
    return {"course_id": course["id"], "message_id": message_id}


async def fresh_mute(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """Somebody who may not write at this time."""
    del place
    body = {"student_id": ids["student_id"], "minutes": 5, "reason": "To be kind."}
    await school.teacher.ok("POST", f"/courses/{ids['course_id']}/chat/mutes", json=body)
    return {}


async def fresh_override(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """A grade of the owner by hand."""
    del place
    path = f"/courses/{ids['course_id']}/gradebook/students/{ids['student_id']}/grades/total"
    await school.teacher.ok("PUT", path, json={"points": 80, "reason": "Jury"})
    return {}
