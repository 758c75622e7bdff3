"""The school in which changes of every kind are made, and what a request for one of them is."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from lms_rt.contracts.jobs import task_kind
from lms_rt.ids import new_id
from lms_rt.services.jobs import Hopeless
from tests import factories
from tests.clients import Visitor
from tests.house import PASSWORD, House

HOOK = "http://127.0.0.1:9/hook"
GIFT = "::Slope::A line has a slope.{T}"
NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Asked:
    """A request, what it is about as the log calls it, and by whom (None: the administrator of the school)."""

    path: str
    target_id: str | None
    body: Any = None
    by: Visitor | None = None
    text: str = ""

    @property
    def options(self) -> dict[str, Any]:
        if self.text:
            return {"content": self.text, "headers": {"Content-Type": "text/plain"}}
        return {} if self.body is None else {"json": self.body}


class World:
    """A school with somebody else's course in it, and whatever a request is to be about, each time anew."""

    def __init__(self, house: House, admin: Visitor, teacher: Visitor) -> None:
        self.house, self.admin, self.teacher = house, admin, teacher

    async def course(self) -> str:
        return str((await factories.course(self.teacher))["id"])

    async def lesson(self) -> tuple[str, str]:
        course_id = await self.course()
        return course_id, (await self.teacher.ok("GET", f"/courses/{course_id}/lessons"))["items"][0]["id"]

    async def quiz(self) -> str:
        return str((await factories.quiz(self.teacher, await self.course(), (factories.TRUE_FALSE,)))["id"])

    async def question(self) -> tuple[str, str]:
        quiz_id = await self.quiz()
        more = await self.teacher.ok("POST", "/questions", json={**factories.NUMERIC, "quiz_id": quiz_id})
        return quiz_id, more["id"]

    async def enrollment(self) -> str:
        return str((await factories.enrolled(await self.house.student(), await self.course()))["id"])

    async def another_admin(self) -> Visitor:
        """Who may lose what the administrator of the school needs."""
        email = f"second{next(NUMBERS)}@example.org"
        await self.house.services.accounts.create_admin(email, PASSWORD, "Second")
        visitor = await self.house.visitor()
        await visitor.sign_in(email, PASSWORD)
        return visitor

    async def dead_letter(self) -> str:
        jobs, job_id = self.house.services.jobs, new_id("job")
        await jobs.put(job_id, "webhooks.deliver", {"webhook_id": "whk_1", "event_id": "evt_1"})
        due = await jobs.find_due(task_kind("webhooks.deliver").queue, limit=1_000)
        taken = await jobs.take(next(one for one in due if one.job_id == job_id), "wrk_test")
        assert taken is not None
        await jobs.failed(taken, Hopeless("There is no such host."))
        return job_id

    async def webhook(self) -> str:
        return str((await self.admin.ok("POST", "/webhooks", json={"url": HOOK}))["id"])

    async def delivery(self) -> tuple[str, str]:
        webhook_id = await self.webhook()
        delivery = await self.admin.ok("POST", f"/webhooks/{webhook_id}/test")
        await self.house.services.relay.sweep(minimum_age_ms=0)  # its event is kept behind the reply
        return webhook_id, delivery["id"]


async def newest(world: World, **query: Any) -> list[dict[str, Any]]:
    page = await world.admin.ok("GET", "/admin/audit-logs", params=query)
    found: list[dict[str, Any]] = page["items"]
    return found


Change = Callable[[World], Awaitable[Asked]]
