"""A school with a real mail server beside it and somebody who reads mails, for tests of what becomes of mail jobs."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from config.settings import Settings
from documents.base import Row
from documents.job import Job
from lms_rt.clock import from_ms
from tests.house import House, open_house
from tests.servers.smtp_server import MailPlace, Received, mail_server
from tests.working import idle, working

_NUMBERS = itertools.count(1)


@dataclass
class MailSchool:
    """The house, and the mail server that its mails go to."""

    house: House
    place: MailPlace

    async def reader(self, **profile: str) -> Reader:
        """Somebody new, with this locale, timezone …; the welcome has been read already."""
        visitor = await self.house.student()
        if profile:
            await visitor.ok("PATCH", "/users/me", json=profile)
        reader = Reader(self, visitor.user_id, str(visitor.user["email"]), visitor)
        await self.work()
        self.place.received.clear()
        return reader

    async def ask(self, user_id: str, template: str, job_id: str = "", **data: Any) -> str:
        """Ask for a mail; the id of the job."""
        job_id = job_id or f"job_of_a_test_{next(_NUMBERS)}"
        args = {"template": template, "user_id": user_id, "data": data}
        await self.house.services.jobs.put(job_id, "mail.send", args)
        return job_id

    async def work(self) -> None:
        """Let workers do all that is due."""
        async with working(self.house):
            await idle(self.house.services)

    async def job(self, job_id: str) -> Row:
        """A job as it is stored."""
        row = await Job.find_row(job_id)
        assert row is not None
        return row

    async def wait_out(self, job_id: str, *, age: timedelta | None = None) -> None:
        """Let the time until a job is due be over, and the job be so old."""
        fields = {"due_at": from_ms(0)}
        if age is not None:
            fields["created_at"] = self.house.services.clock.now() - age
        await Job.rows().update_one({"_id": job_id}, {"$set": fields})

    async def figure(self, template: str, result: str) -> float:
        """How many mails ended so, as the figures of the server say."""
        visitor = await self.house.visitor()
        text = (await visitor.http.get(f"{self.house.address}/metrics")).text
        line = f'mails_total{{result="{result}",template="{template}"}} '
        return sum(float(row.removeprefix(line)) for row in text.splitlines() if row.startswith(line))


@dataclass
class Reader:
    """Somebody with an account and a mailbox."""

    school: MailSchool
    user_id: str
    email: str
    visitor: Any

    async def ask(self, template: str, job_id: str = "", **data: Any) -> str:
        """Ask for a mail to them."""
        return await self.school.ask(self.user_id, template, job_id, **data)

    async def wish(self, **preferences: Any) -> None:
        """Change what they want to hear of."""
        await self.visitor.ok("PUT", "/notifications/preferences", json=preferences)

    @property
    def mails(self) -> list[Received]:
        """What has come."""
        return self.school.place.to(self.email)


@asynccontextmanager
async def open_mail_school(settings: Settings) -> AsyncIterator[MailSchool]:
    """Serve it; the mail server takes whatever comes until it is told otherwise."""
    async with mail_server() as place:
        mail: Mapping[str, Any] = {
            "smtp_host": "127.0.0.1",
            "smtp_port": place.port,
            "smtp_tls": "none",
            "email_from": "school@lms.example",
            "public_url": "https://lms.example",
            "allowed_hosts": ("127.0.0.1",),
            "project_name": "Night School",
        }
        opened = Settings.model_validate({**settings.model_dump(), **mail})
        async with open_house(opened) as house:
            yield MailSchool(house, place)
