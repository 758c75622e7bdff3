"""Deliveries over days, on a clock of the test's own: pauses, patience, giving up, and what a crash may repeat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from documents.event_record import EventRecord
from documents.job import Job
from documents.webhook import Webhook
from documents.webhook_delivery import WebhookDelivery
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.event_records import RecordedEvent
from lms_rt.contracts.jobs import OVER_DAYS, DeliveryArgs
from lms_rt.contracts.webhooks import Answer, DeliveryQuery, WebhookChange, WebhookDraft, WebhookView
from lms_rt.errors import Refused
from lms_rt.gateways.webhook import WebhookGateway
from lms_rt.security import ssrf
from lms_rt.security.keyring import Keyring
from lms_rt.security.sealing import Sealer
from lms_rt.security.ssrf import TargetGuard
from lms_rt.security.webhook_signatures import webhook_signature
from lms_rt.services.jobs import Failed, Hopeless, Jobs, NotYet
from lms_rt.services.relay import Relay
from lms_rt.services.webhook_delivery import AT_ONCE, WebhookDeliveries
from lms_rt.services.webhook_notices import SWITCHED_OFF
from lms_rt.services.webhooks import Webhooks
from lms_rt.storage.mongo import OpenDatabase
from tests.servers.receiver import Receiver, Reply, receiving
from tests.services.relaying import unrecorded
from tests.services.school import ADMIN

EVENT_ID = "evt_1"
DAY = 24 * 3600


@dataclass
class Post:
    """The post office: one webhook, one event, and a resolver that says what the test wants."""

    clock: FakeClock
    webhooks: Webhooks
    deliveries: WebhookDeliveries
    gateway: WebhookGateway
    receiver: Receiver
    webhook: WebhookView
    addresses: list[str]
    told: list[dict[str, Any]]
    faults: list[Exception]

    async def attempt(self, *, failures: int = 0, job_id: str = "job_1", **order: Any) -> None:
        """One run of the job."""
        args = DeliveryArgs(webhook_id=self.webhook.id, event_id=order.pop("event_id", EVENT_ID), **order)
        await self.deliveries.deliver(args, job_id=job_id, failures=failures)

    async def fails(self, **order: Any) -> Failed:
        """One run that fails."""
        with pytest.raises(Failed) as caught:
            await self.attempt(**order)
        return caught.value

    async def stored(self) -> Webhook:
        found = await Webhook.find_by_id(self.webhook.id)
        assert found is not None
        return found


@pytest.fixture
async def post(database: OpenDatabase) -> AsyncIterator[Post]:
    clock, told, addresses, faults = FakeClock(), list[dict[str, Any]](), ["127.0.0.1"], list[Exception]()
    bus = memory_bus(clock)
    jobs = Jobs(clock=clock, wake_ups=bus.wake_ups)

    async def record(intent: dict[str, Any]) -> None:
        raise AssertionError("nothing is recorded here")

    async def resolve(host: str, port: int) -> Sequence[str]:
        if faults:
            raise faults.pop()
        return addresses

    async def tell(cause: str, facts: dict[str, Any]) -> None:
        told.append(facts)

    relay = Relay(fan_out=bus.fan_out, clock=clock, aggregates=[Webhook], jobs=jobs, record=record)
    relay.register_audit(unrecorded)
    relay.register_effect(SWITCHED_OFF, tell)
    guard = TargetGuard(resolve, allowed=["127.0.0.1/32"], is_http_allowed=True)
    sealer, gateway = Sealer(Keyring("k" * 32), purpose="webhooks"), WebhookGateway()
    webhooks = Webhooks(clock=clock, relay=relay, jobs=jobs, guard=guard, sealer=sealer)
    deliveries = WebhookDeliveries(clock=clock, relay=relay, jobs=jobs, guard=guard, sealer=sealer, gateway=gateway)
    await EventRecord.append(
        [{"event_id": EVENT_ID, "type": "course.published", "at": clock.now(), "data": {"id": "crs_1"}}], after=0
    )
    async with receiving() as receiver:
        webhook = await webhooks.create(ADMIN, WebhookDraft(url=receiver.url(host="hooks.example.org")))
        yield Post(clock, webhooks, deliveries, gateway, receiver, webhook, addresses, told, faults)
    await gateway.close()


async def test_each_attempt_is_signed_with_its_own_time_and_the_same_id_and_body(post: Post) -> None:
    post.receiver.replies.append(Reply(500))
    await post.fails()
    post.clock.advance(300)
    await post.attempt(failures=1)
    first, second = post.receiver.received
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    times = [int(one.headers["webhook-timestamp"]) for one in (first, second)]
    assert times[1] - times[0] == 300
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


async def test_what_arrived_before_a_crash_is_not_sent_again(post: Post) -> None:
    await post.attempt()
    await post.attempt()
    assert len(post.receiver.received) == 1
    await post.attempt(job_id="job_2", is_again=True)  # asked for
    assert len(post.receiver.received) == 2


# --- patience ---


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("has_date", [False, True], ids=["seconds", "a date"])
async def test_who_asks_for_patience_gets_it_for_all_that_waits(post: Post, status: int, has_date: bool) -> None:
    until = post.clock.now() + timedelta(seconds=90)
    post.receiver.replies.append(Reply(status, {"Retry-After": format_datetime(until) if has_date else "90"}))
    failed = await post.fails()
    assert failed.retry_after_seconds == 90
    with pytest.raises(NotYet) as caught:
        await post.attempt(job_id="job_of_another_event")
    assert caught.value.due_at == until
    await post.attempt(job_id="job_asked_for", is_again=True)
    assert len(post.receiver.received) == 2
    await post.attempt(job_id="job_of_another_event")  # it arrived: the pause is over
    assert len(post.receiver.received) == 3


NO_YEAR = "Wed, 21 Oct 99999999999999999999999 07:28:00 GMT"


@pytest.mark.parametrize("asked", ["", "soon", "-5", "Fri, 99 Nov 2026", "1e9", NO_YEAR])
async def test_a_wish_that_says_nothing_is_no_wish(post: Post, asked: str) -> None:
    post.receiver.replies.append(Reply(503, {"Retry-After": asked}))
    assert (await post.fails()).retry_after_seconds is None


async def test_nobody_is_waited_for_longer_than_a_day(post: Post) -> None:
    post.receiver.replies.append(Reply(429, {"Retry-After": "999999999"}))
    assert (await post.fails()).retry_after_seconds == DAY


async def test_who_does_not_answer_is_asked_more_and_more_rarely(post: Post) -> None:
    """Each attempt at a silent one holds a place in the queue for the whole time limit."""
    post.receiver.standing = Reply(is_silent=True)
    post.gateway._timeout_seconds = 0.05
    waits = []
    for _ in range(4):
        waits.append((await post.fails()).retry_after_seconds)
        with pytest.raises(NotYet):
            await post.attempt(job_id="job_of_another_event")
        post.clock.advance(1200)
    assert waits == [5, 300, 600, 900]


async def test_one_that_is_slow_has_few_places_and_gives_none_of_the_others(post: Post) -> None:
    post.receiver.standing = Reply(is_silent=True)
    held = [asyncio.create_task(post.attempt(job_id=f"job_{n}")) for n in range(AT_ONCE)]
    await post.receiver.hear(AT_ONCE)
    with pytest.raises(NotYet):
        await post.attempt(job_id="job_too_many")
    async with receiving() as other:
        quick = await post.webhooks.create(ADMIN, WebhookDraft(url=other.url()))
        order = DeliveryArgs(webhook_id=quick.id, event_id=EVENT_ID)
        await post.deliveries.deliver(order, job_id="job_of_another", failures=0)
        assert len(other.received) == 1
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    assert len(post.receiver.received) == AT_ONCE
    post.receiver.standing = Reply()
    post.clock.advance(6)
    await post.attempt(job_id="job_too_many")


async def test_who_switches_it_on_again_ends_its_patience(post: Post) -> None:
    post.receiver.replies.append(Reply(429, {"Retry-After": "3600"}))
    await post.fails()
    shown = await post.webhooks.show(ADMIN, post.webhook.id)
    assert shown.paused_until == post.clock.now() + timedelta(hours=1)
    await post.webhooks.follow(RecordedEvent(EVENT_ID, "course.published", post.clock.now(), {"id": "crs_1"}))
    await Job.rows().update_one({}, {"$set": {"due_at": shown.paused_until}})  # as the worker leaves it
    on = await post.webhooks.change(ADMIN, post.webhook.id, WebhookChange(is_active=True))
    assert (on.paused_until, on.failing_since) == (None, post.clock.now())
    (waiting,) = [row async for row in Job.rows().find({})]
    assert waiting["due_at"] == post.clock.now()
    await post.attempt(failures=1)
    assert len(post.receiver.received) == 2


# --- where it may go ---


async def test_a_name_that_leads_inside_at_the_moment_of_sending_is_not_followed(post: Post) -> None:
    post.addresses[:] = ["10.0.0.7"]
    assert "not public" in str(await post.fails())
    post.addresses[:] = ["127.0.0.1", "169.254.169.254"]
    post.clock.advance(DAY / 2)
    assert "not public" in str(await post.fails())
    assert post.receiver.received == []
    post.addresses[:] = ["127.0.0.1"]
    post.clock.advance(DAY / 2)
    await post.attempt(failures=2)
    assert len(post.receiver.received) == 1


async def test_only_another_address_is_judged_when_something_else_changes(post: Post) -> None:
    """A name server that is away for a moment is no reason to refuse another description."""
    post.addresses[:] = []
    echoed = WebhookChange(url=post.webhook.url, description="ours")
    assert (await post.webhooks.change(ADMIN, post.webhook.id, echoed)).description == "ours"
    with pytest.raises(Refused):
        await post.webhooks.change(ADMIN, post.webhook.id, WebhookChange(url="https://other.example.org/"))


@pytest.mark.parametrize("reply", [Reply(410), Reply(429, {"Retry-After": "90"}), Reply(500)], ids=lambda r: r.status)
async def test_what_the_old_address_answers_is_not_held_against_the_new_one(post: Post, reply: Reply) -> None:
    post.receiver.standing, sent = reply, post.gateway.post

    async def moved(*given: Any, **named: Any) -> Answer:
        answer = await sent(*given, **named)
        change = WebhookChange(url=post.receiver.url("/new", host="hooks.example.org"))
        await post.webhooks.change(ADMIN, post.webhook.id, change)
        return answer

    post.gateway.post = moved  # type: ignore[method-assign]
    with suppress(Failed):
        await post.attempt()
    new = await post.stored()
    assert (new.is_active, new.failing_since, new.paused_until, post.told) == (True, None, None, [])


async def test_that_nobody_looks_up_names_is_no_fault_of_the_endpoint(post: Post) -> None:
    post.faults.append(ssrf.ResolverBusy("too many names are being looked up"))
    assert "names" in str(await post.fails())
    assert (await post.stored()).failing_since is None
    assert (await post.stored()).paused_until is None


# --- giving up ---


async def test_after_days_of_failure_it_is_switched_off_and_its_maker_told_once(post: Post) -> None:
    post.receiver.standing = Reply(500)
    since = post.clock.now()
    await post.fails()
    post.clock.advance(2.9 * DAY)
    await post.fails(failures=7)
    assert (await post.stored()).is_active
    post.clock.advance(0.2 * DAY)
    await post.attempt(failures=8)
    off = await post.stored()
    assert (off.is_active, off.disabled_reason, off.failing_since) == (False, "failing", since)
    await post.attempt(failures=8)
    (told,) = post.told
    assert (told["user_id"], told["reason"]) == (ADMIN.user_id, "it answered 500")
    assert told["url"] == f"hooks.example.org:{post.receiver.port}"  # paths of receivers are secrets
    assert len(post.receiver.received) == 3


async def test_one_success_begins_the_days_anew(post: Post) -> None:
    post.receiver.replies.append(Reply(500))
    await post.fails()
    post.clock.advance(2.9 * DAY)
    await post.attempt(job_id="job_2")
    post.receiver.replies.append(Reply(500))
    post.clock.advance(2.9 * DAY)
    await post.fails(failures=1)
    assert (await post.stored()).is_active


async def test_the_schedule_of_one_event_lasts_long_enough_to_give_up(post: Post) -> None:
    """Else a webhook with a single event would fail for ever without anybody being told."""
    assert sum(wait * 0.9 for wait in OVER_DAYS.waits_seconds) > 2.8 * DAY
    assert sum(OVER_DAYS.waits_seconds) > 3 * DAY


async def test_gone_is_gone(post: Post) -> None:
    post.receiver.replies.append(Reply(410))
    await post.attempt()
    assert (await post.stored()).disabled_reason == "gone"
    assert len(post.told) == 1
    await post.attempt(job_id="job_2")
    assert len(post.receiver.received) == 1


async def test_of_many_that_learn_at_once_that_it_is_gone_one_tells(post: Post) -> None:
    post.receiver.standing = Reply(410)
    await asyncio.gather(*(post.attempt(job_id=f"job_{n}") for n in range(5)))
    assert (len(post.receiver.received), len(post.told), (await post.stored()).version) == (5, 1, 2)


async def test_what_happens_while_it_is_off_is_not_kept_for_it(post: Post) -> None:
    await post.webhooks.change(ADMIN, post.webhook.id, WebhookChange(is_active=False))
    await post.webhooks.follow(RecordedEvent(EVENT_ID, "course.published", post.clock.now(), {"id": "crs_1"}))
    assert await Job.rows().count_documents({"task": "webhooks.deliver"}) == 0


async def test_switched_on_again_it_has_no_past(post: Post) -> None:
    post.receiver.standing = Reply(500)
    await post.fails()
    post.clock.advance(3.1 * DAY)
    await post.attempt(failures=8)
    post.clock.advance(DAY)
    await post.webhooks.change(ADMIN, post.webhook.id, WebhookChange(is_active=True))
    await post.fails(failures=9)
    assert (await post.stored()).is_active


# --- what is missing ---


async def test_an_event_that_is_no_longer_kept_is_hopeless(post: Post) -> None:
    with pytest.raises(Hopeless):
        await post.attempt(event_id="evt_long_gone")


async def test_a_secret_of_another_key_is_said_to_be_one(post: Post) -> None:
    await Webhook.rows().update_one({"_id": post.webhook.id}, {"$set": {"secret": "v1.AAAA"}})
    assert "SECRET_KEY" in str(await post.fails())
    assert post.receiver.received == []
    (logged,) = (await post.deliveries.list(ADMIN, post.webhook.id, DeliveryQuery())).items
    assert (logged.attempt, logged.is_delivered, "SECRET_KEY" in (logged.error or "")) == (1, False, True)
    assert (await post.stored()).failing_since is None  # no fault of the endpoint


@pytest.mark.parametrize("is_found_before", [True, False], ids=["rotated with the old key", "rotated with the new key"])
async def test_after_a_change_of_the_key_rotating_helps_at_once(post: Post, is_found_before: bool) -> None:
    if is_found_before:
        await post.webhooks.change(ADMIN, post.webhook.id, WebhookChange(rotate_secret=True))
    post.webhooks._sealer = post.deliveries._sealer = Sealer(Keyring("n" * 32), purpose="webhooks")
    rotated = await post.webhooks.change(ADMIN, post.webhook.id, WebhookChange(rotate_secret=True))
    assert (await post.stored()).old_secrets == []
    await Webhook.rows().update_one(  # one that the old version kept
        {"_id": post.webhook.id},
        {"$push": {"old_secrets": {"secret": "v1.AAAA", "until": post.clock.now() + timedelta(1)}}},
    )
    await post.attempt()
    (received,) = post.receiver.received
    assert len(received.headers["webhook-signature"].split()) == 1
    headers, at = received.headers, int(received.headers["webhook-timestamp"])
    signed = webhook_signature([rotated.secret or ""], message_id=EVENT_ID, timestamp=at, body=received.body)
    assert headers["webhook-signature"] == signed


async def test_old_secrets_end_after_a_day_and_are_not_many(post: Post) -> None:
    secrets = [post.webhook.secret]
    for _ in range(6):
        changed = await post.webhooks.change(ADMIN, post.webhook.id, WebhookChange(rotate_secret=True))
        secrets.append(changed.secret)
    await post.attempt()
    assert len(post.receiver.received[0].headers["webhook-signature"].split()) == 5
    post.clock.advance(DAY + 1)
    await post.attempt(job_id="job_2")
    assert len(post.receiver.received[1].headers["webhook-signature"].split()) == 1


# --- following, and the log ---


async def test_an_event_that_is_followed_twice_is_one_delivery(post: Post) -> None:
    event = RecordedEvent(EVENT_ID, "course.published", post.clock.now(), {"id": "crs_1"})
    await post.webhooks.follow(event)
    await post.webhooks.follow(event)
    assert await Job.rows().count_documents({"task": "webhooks.deliver"}) == 1


async def test_nobody_is_told_of_what_was_before_them(post: Post) -> None:
    before = post.clock.now() - timedelta(seconds=1)
    await post.webhooks.follow(RecordedEvent(EVENT_ID, "course.published", before, {"id": "crs_1"}))
    assert await Job.rows().count_documents({"task": "webhooks.deliver"}) == 0


async def test_the_log_is_tidied(post: Post) -> None:
    await post.attempt()
    await post.attempt(job_id="job_2")
    post.clock.advance(31 * DAY)
    await post.attempt(job_id="job_3")
    until = post.clock.now() - timedelta(days=30)
    assert [await WebhookDelivery.forget(until, limit=1) for _ in range(3)] == [1, 1, 0]
    assert await WebhookDelivery.rows().count_documents({}) == 1
