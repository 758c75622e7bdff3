"""Clean-ups: what is older than the settings say goes, what is younger stays, and whatever is still at work."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from config.settings import Settings
from documents.base import Row
from documents.event_record import EventRecord
from documents.idempotency import IdempotencyRecord
from documents.job import Job
from documents.notification import Notification
from documents.session import Session
from documents.ticket import SpareTicket
from documents.webhook_delivery import WebhookDelivery
from documents.worker import WorkerRecord
from lms_rt.clock import FakeClock, to_ms
from lms_rt.services.retention import PAGE, Retention
from lms_rt.storage.mongo import OpenDatabase

DAYS = {
    "retention_events_days": 3,
    "retention_done_jobs_days": 2,
    "retention_dead_letters_days": 5,
    "retention_notifications_days": 10,
    "retention_webhook_deliveries_days": 4,
    "retention_ended_sessions_days": 6,
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def retention(database: OpenDatabase, settings: Settings, clock: FakeClock) -> Retention:
    return Retention(settings=Settings.model_validate({**settings.model_dump(), **DAYS}), clock=clock)


def ages(clock: FakeClock, days: float) -> tuple[datetime, datetime]:
    """A moment just too long ago, and one that is not."""
    edge = clock.now() - timedelta(days=days)
    return edge - timedelta(seconds=1), edge + timedelta(seconds=1)


async def kept(document: Any) -> set[Any]:
    return {row["_id"] async for row in document.rows().find({}, {"_id": 1})}


async def put_pairs(document: Any, clock: FakeClock, days: float, field: str, **more: Any) -> None:
    """One that is too old and one that is not."""
    old, young = ages(clock, days)
    await document.rows().insert_many([{"_id": "old", field: old, **more}, {"_id": "young", field: young, **more}])


async def test_jobs_go_by_their_end_and_those_that_have_none_stay(retention: Retention, clock: FakeClock) -> None:
    rows: list[Row] = []
    for state, days in (("done", 2), ("dead", 5)):
        old, young = ages(clock, days)
        rows += [{"_id": f"old {state}", "finished_at": old}, {"_id": f"young {state}", "finished_at": young}]
        rows[-2]["state"] = rows[-1]["state"] = state
    long_ago = clock.now() - timedelta(days=900)
    rows += [
        {"_id": state, "state": state, "created_at": long_ago, "due_at": long_ago} for state in ("waiting", "running")
    ]
    await Job.rows().insert_many(rows)
    removed = await retention.clean_up()
    assert await kept(Job) == {"young done", "young dead", "waiting", "running"}
    assert (removed["done jobs"], removed["dead letters"]) == (1, 1)


async def test_a_promise_that_failed_holds_nobody_for_longer_than_its_link(
    retention: Retention, clock: FakeClock
) -> None:
    await put_pairs(Job, clock, 1, "finished_at", state="dead", task="accounts.promised")
    await Job.rows().insert_one(
        {"_id": "a mail", "finished_at": ages(clock, 1)[0], "state": "dead", "task": "mail.send"}
    )
    assert (await retention.clean_up())["promises that failed"] == 1
    assert await kept(Job) == {"young", "a mail"}


async def test_notifications_stay_while_they_have_something_to_tell(retention: Retention, clock: FakeClock) -> None:
    await put_pairs(Notification, clock, 10, "created_at")
    long_ago = clock.now() - timedelta(days=900)
    await Notification.rows().insert_one({"_id": "untold", "created_at": long_ago, "outbox_at": long_ago})
    await retention.clean_up()
    assert await kept(Notification) == {"young", "untold"}


async def test_deliveries_go_by_their_beginning(retention: Retention, clock: FakeClock) -> None:
    await put_pairs(WebhookDelivery, clock, 4, "created_at")
    await retention.clean_up()
    assert await kept(WebhookDelivery) == {"young"}


@pytest.mark.parametrize("end", ["revoked_at", "idle_until", "absolute_until"])
async def test_sessions_go_by_however_they_ended(retention: Retention, clock: FakeClock, end: str) -> None:
    later = clock.now() + timedelta(days=1)
    lasting = {name: later for name in ("idle_until", "absolute_until") if name != end}
    await put_pairs(Session, clock, 6, end, **lasting)
    await Session.rows().insert_one({"_id": "going on", "idle_until": later, "absolute_until": later})
    await retention.clean_up()
    assert await kept(Session) == {"young", "going on"}


async def test_idempotency_keys_live_a_day_and_as_long_as_their_request(retention: Retention, clock: FakeClock) -> None:
    old, young = (to_ms(moment) for moment in ages(clock, 1))
    rows = {"old": (old, old), "young": (young, young), "at work": (old, clock.now_ms() + 1)}
    for key, (started_ms, lease_until_ms) in rows.items():
        fields = {"started_ms": started_ms, "lease_until_ms": lease_until_ms}
        await IdempotencyRecord.rows().insert_one({"_id": key, **fields})
    await retention.clean_up()
    assert await kept(IdempotencyRecord) == {"young", "at work"}


async def test_tickets_and_the_reports_of_workers_that_are_gone(retention: Retention, clock: FakeClock) -> None:
    now_ms = clock.now_ms()
    await SpareTicket.rows().insert_many(
        [{"_id": "old", "expires_ms": now_ms}, {"_id": "young", "expires_ms": now_ms + 1}]
    )
    await put_pairs(WorkerRecord, clock, 1, "seen_at")
    await retention.clean_up()
    assert (await kept(SpareTicket), await kept(WorkerRecord)) == ({"young"}, {"young"})


async def put_events(clock: FakeClock, *ages_in_days: float) -> None:
    for seq, days in enumerate(ages_in_days, 1):
        at = clock.now() - timedelta(days=days)
        await EventRecord.rows().insert_one({"_id": seq, "event_id": f"evt_{seq}", "at": at})


async def test_events_go_from_the_front_and_leave_no_gap(retention: Retention, clock: FakeClock) -> None:
    await put_events(clock, 9, 4, 1, 5, 0)  # the fourth was written by a node that had been away
    await retention.clean_up()
    assert await kept(EventRecord) == {3, 4, 5}


async def test_the_last_event_stays_however_old_it_is(retention: Retention, clock: FakeClock) -> None:
    await put_events(clock, 9, 9, 9)
    await retention.clean_up()
    await retention.clean_up()
    assert await kept(EventRecord) == {3}


async def test_more_than_a_page_is_removed_in_one_go(retention: Retention, clock: FakeClock) -> None:
    old, _ = ages(clock, 2)
    rows = [{"_id": f"job_{number}", "state": "done", "finished_at": old} for number in range(PAGE * 2 + 1)]
    await Job.rows().insert_many(rows)
    assert (await retention.clean_up())["done jobs"] == PAGE * 2 + 1
    assert await kept(Job) == set()


async def test_what_cannot_be_removed_holds_up_nothing_else(
    retention: Retention, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> int:
        raise OSError("the disk is full")

    monkeypatch.setattr(EventRecord, "forget_before", fail)
    await put_pairs(Session, clock, 6, "revoked_at")
    with pytest.raises(OSError, match="disk"):
        await retention.clean_up()
    assert await kept(Session) == {"young"}
