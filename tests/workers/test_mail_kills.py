"""Workers that are killed while they send: no mail is missing, no kill repeats more than one, and a repeat is known."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from documents.enums import JobState, Role
from documents.job import Job
from documents.user import User
from lms_rt.bootstrap import Services, open_services
from lms_rt.ids import derived_id, new_id
from tests.conftest import settings_on
from tests.servers.smtp_server import mail_server
from tests.servers.workers import LmsWorker
from tests.unit.mail_samples import SAMPLES
from tests.working import leases_run_out

pytestmark = pytest.mark.real

MAILS = 120
KILLS = (30, 70)
"""A worker is killed when so many mails have come."""


async def _reader(services: Services) -> User:
    now = services.clock.now()
    reader = User(
        id=new_id("usr"),
        email="ali@example.org",
        email_key="ali@example.org",
        full_name="Ali",
        role=Role.STUDENT,
        password_hash="-",
        created_at=now,
        updated_at=now,
    )
    assert await User.add(reader)
    return reader


async def test_no_mail_is_missing_and_each_repeat_is_known(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    async with mail_server() as place:
        settings = settings_on(
            "real",
            request,
            tmp_path,
            smtp_host="127.0.0.1",
            smtp_port=place.port,
            smtp_tls="none",
            email_from="school@lms.example",
        )
        async with open_services(settings) as services:
            reader = await _reader(services)
            args = {"template": "course_completion", "user_id": reader.id, "data": SAMPLES["course_completion"]}
            job_ids = [f"mail:{n}" for n in range(MAILS)]
            for job_id in job_ids:
                await services.jobs.put(job_id, "mail.send", args)
            given = {"notes": str(tmp_path / "notes"), "suspect_seconds": 0.1}
            with ExitStack() as stack:
                for turn, count in enumerate((*KILLS, MAILS)):
                    worker = LmsWorker(settings, "emails", log=tmp_path / f"worker{turn}.log", given=given)
                    stack.callback(worker.kill)
                    await asyncio.to_thread(worker.start)
                    await place.wait_for(count)
                    if count < MAILS:
                        worker.kill()
                        await leases_run_out()
                # A job that was there at several kills waits a while, apart from those beside it: nothing is due meanwhile.
                while await Job.count_matching({"state": JobState.DONE.value}) < MAILS:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.05)
            await services.database.motor.client.drop_database(settings.mongodb_database)
    came = [str(mail.message["Message-ID"]) for mail in place.received]
    assert set(came) == {f"<{derived_id('msg', job_id)}@lms.example>" for job_id in job_ids}
    assert len(came) - MAILS <= len(KILLS)
