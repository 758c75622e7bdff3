"""What is looked after in the school of the table of rights: jobs that nobody could do, and webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lms_rt.security.rights import Person
from tests.rest.audited_world import HOOK

if TYPE_CHECKING:
    from tests.rest.rights.school import Ids, Place, RightsSchool


async def fresh_job(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """Another job that nobody could do."""
    del ids, place
    return {"job_id": await school.machinery.dead_letter()}


async def fresh_webhook(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """Another webhook."""
    del ids, place
    return {"webhook_id": (await school.people[Person.ADMIN].ok("POST", "/webhooks", json={"url": HOOK}))["id"]}
