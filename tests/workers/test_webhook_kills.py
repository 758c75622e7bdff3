"""Workers that are killed while they deliver: no event is missing at the receiver, and a repeat is known by its id."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import pytest

from config.settings import Settings
from documents.enums import JobState
from documents.event_record import EventRecord
from documents.job import Job
from lms_rt.bootstrap import Services, open_services
from lms_rt.contracts.event_records import RecordedEvent
from lms_rt.contracts.webhooks import WebhookDraft, WebhookView
from lms_rt.services.webhook_delivery import AT_ONCE
from tests.conftest import settings_on
from tests.servers.receiver import Receiver, receiving
from tests.servers.workers import LmsWorker
from tests.working import idle, leases_run_out

pytestmark = pytest.mark.real

EVENTS = 50
KILLS = (15,)
"""A worker is killed when so many requests have come."""


async def test_no_event_is_missing_and_each_repeat_is_known(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    wishes = {"webhook_allow_http": True, "webhook_allow_networks": ("127.0.0.0/8",)}
    settings = settings_on("real", request, tmp_path, **wishes)
    async with receiving() as receiver, open_services(settings) as services:
        try:
            webhook, event_ids = await followed(services, receiver)
            await deliver_and_die(settings, services, receiver, tmp_path)
            done = {"task": "webhooks.deliver", "state": JobState.DONE.value}
            assert await Job.rows().count_documents(done) == EVENTS
        finally:
            await services.database.motor.client.drop_database(settings.mongodb_database)
    came = [one.headers["webhook-id"] for one in receiver.received]
    assert set(came) == set(event_ids)
    assert len(came) - EVENTS <= len(KILLS) * AT_ONCE  # what a killed worker had under way
    for one in receiver.received:
        assert one.verified(webhook.secret or "")["id"] == one.headers["webhook-id"]


async def followed(services: Services, receiver: Receiver) -> tuple[WebhookView, list[str]]:
    """A webhook, and events that it is to be told of."""
    webhook = await services.webhooks.create(services.console_actor, WebhookDraft(url=receiver.url()))
    now, event_ids = services.clock.now(), [f"evt_{n}" for n in range(EVENTS)]
    events = [RecordedEvent(one, "course.published", now, {"id": "crs_1"}) for one in event_ids]
    assert await EventRecord.append([asdict(one) for one in events], after=0)
    for one in events:
        await services.webhooks.follow(one)
    return webhook, event_ids


async def deliver_and_die(settings: Settings, services: Services, receiver: Receiver, path: Path) -> None:
    """Workers one after the other, each but the last killed in the middle."""
    given = {"notes": str(path / "notes")}
    with ExitStack() as stack:
        for turn, count in enumerate((*KILLS, EVENTS)):
            worker = LmsWorker(settings, "webhooks", log=path / f"worker{turn}.log", given=given)
            stack.callback(worker.kill)
            await asyncio.to_thread(worker.start)
            await receiver.hear(count)
            if count < EVENTS:
                worker.kill()
                await leases_run_out()
        await idle(services)
