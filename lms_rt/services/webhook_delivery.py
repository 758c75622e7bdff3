"""Telling an endpoint of an event: one attempt at a time, signed, logged, judged. Which endpoints, `webhooks.py` decides.

An endpoint is told at least once, each time under the id of the event. It is switched off when it says that it is gone,
and when nothing has arrived for days; its creator is told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from config.settings import VERSION
from documents.base import Row
from documents.event_record import EventRecord
from documents.webhook import Webhook
from documents.webhook_delivery import WebhookDelivery
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, encode, page_of
from lms_rt.contracts.jobs import DeliveryArgs
from lms_rt.contracts.outbox import Write, audit
from lms_rt.contracts.webhooks import TEST_EVENT, Answer, DeliveryQuery, DeliveryView, Unanswered, payload
from lms_rt.errors import Code, Refused
from lms_rt.gateways.webhook import WebhookGateway
from lms_rt.ids import new_id
from lms_rt.security.sealing import Sealer, Unsealable
from lms_rt.security.ssrf import ResolverBusy, TargetGuard, UnsafeTarget
from lms_rt.security.webhook_signatures import webhook_signature
from lms_rt.services import figures
from lms_rt.services.jobs import Failed, Hopeless, Jobs, NotYet
from lms_rt.services.relay import Relay
from lms_rt.services.webhook_notices import switched_off
from lms_rt.services.webhook_views import delivery_id_of, delivery_view
from lms_rt.services.webhooks import DELIVER, require_webhook, require_webhook_rights

GIVE_UP_DAYS = 3
MAX_RETRY_AFTER_SECONDS = 24 * 3600.0
SHORT_PAUSE_SECONDS, LONG_PAUSE_SECONDS = 5.0, 15 * 60.0
"""How long an endpoint that does not answer is left alone, at first and at most: else it would hold up all others."""
AT_ONCE = 8
"""Requests to one endpoint at the same time, of the 20 that a worker has under way: a slow one leaves room for others."""
PLACE_SECONDS = 0.5
_UNREADABLE = "its secret cannot be read: SECRET_KEY is another one; rotate the secret"
_GONE = 410
_ASKS_FOR_PATIENCE = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one attempt."""

    headers: dict[str, str]
    answer: Answer | None
    error: str | None
    duration_ms: int
    is_own_fault: bool = False
    """Nothing was sent, and not because of the endpoint."""

    @property
    def is_delivered(self) -> bool:
        return self.error is None

    @property
    def status_code(self) -> int | None:
        return None if self.answer is None else self.answer.status_code


class WebhookDeliveries:
    """Attempts at deliveries, and their log."""

    def __init__(
        self,
        *,
        clock: Clock,
        relay: Relay,
        jobs: Jobs,
        guard: TargetGuard,
        sealer: Sealer,
        gateway: WebhookGateway,
    ) -> None:
        self._clock, self._relay, self._jobs = clock, relay, jobs
        self._guard, self._sealer, self._gateway = guard, sealer, gateway
        self._places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def list(self, actor: Actor, webhook_id: str, query: DeliveryQuery) -> Page[DeliveryView]:
        """What an endpoint was sent, the newest first."""
        await require_webhook(actor, webhook_id)
        asked = {"event_id": query.event_id, "is_delivered": query.is_delivered}
        filter_ = {"webhook_id": webhook_id} | {name: value for name, value in asked.items() if value is not None}
        found, total = await WebhookDelivery.page(filter_, skip=query.skip, limit=query.page_size)
        waiting = await WebhookDelivery.find_next_attempts([one.job_id for one in found if not one.is_delivered])
        return page_of([delivery_view(one, next_attempt_at=waiting.get(one.job_id)) for one in found], query, total)

    async def redeliver(self, actor: Actor, delivery_id: str) -> DeliveryView:
        """Send the same event to the same endpoint once more, as a delivery of its own."""
        require_webhook_rights(actor)
        delivery = await WebhookDelivery.find_row(delivery_id)
        if delivery is None:
            raise Refused(Code.NOT_FOUND)
        webhook = await require_webhook(actor, delivery.webhook_id)
        if not webhook.is_active and delivery.type != TEST_EVENT:
            raise Refused(Code.CONFLICT, "The webhook is switched off; switch it on first.")
        if await EventRecord.find_event(delivery.event_id) is None:
            raise Refused(Code.CONFLICT, "This event is no longer kept.")
        job_id, now = new_id("job"), self._clock.now()
        record = audit(Write(webhook.version, now), actor, "webhook.redeliver", kind="webhook", target_id=webhook.id)
        await Webhook.put_intents(webhook.id, [record], now)
        await self._relay.hand_over(Webhook, webhook.id)
        order = DeliveryArgs(webhook_id=webhook.id, event_id=delivery.event_id, is_again=True)
        await self._jobs.put(job_id, DELIVER, order.model_dump())
        again = {"webhook_id": webhook.id, "event_id": delivery.event_id, "type": delivery.type, "job_id": job_id}
        await WebhookDelivery.open(delivery_id_of(job_id), {**again, "created_at": now})
        made = await WebhookDelivery.find_row(delivery_id_of(job_id))
        return delivery_view(made or delivery, next_attempt_at=None if made and made.is_delivered else now)

    async def deliver(self, order: DeliveryArgs, *, job_id: str, failures: int) -> None:
        """One attempt. Raises what a job raises to be run again; ends quietly when there is nobody to be told."""
        webhook = await Webhook.find_by_id(order.webhook_id)
        if webhook is None:
            return
        self._refuse_while_paused(webhook, is_asked_for=order.is_again)
        recorded = await EventRecord.find_event(order.event_id)
        if not webhook.is_active and (recorded is None or recorded["type"] != TEST_EVENT):
            return
        if recorded is None:
            raise Hopeless("the event is no longer kept")
        logged = await WebhookDelivery.find_row(delivery_id_of(job_id))
        if logged is not None and logged.is_delivered:  # a crash came between the answer and the end of the job
            return
        async with self._place_at(webhook):
            outcome = await self._attempt(webhook, recorded)
            # under way until that is written: a crash repeats no more than have a place
            await self._log(outcome, webhook, recorded, job_id=job_id, attempt=failures + 1)
        figures.WEBHOOK_DELIVERIES.labels("delivered" if outcome.is_delivered else "failed").inc()
        if outcome.is_delivered:
            if webhook.failing_since is not None:  # who began to fail meanwhile ends it with the next that arrives
                await Webhook.end_failing(webhook)
            return
        await self._after_failure(webhook, outcome)

    def _refuse_while_paused(self, webhook: Webhook, *, is_asked_for: bool) -> None:
        until = webhook.paused_until
        if until is not None and until > self._clock.now() and not is_asked_for:
            raise NotYet(until)

    @asynccontextmanager
    async def _place_at(self, webhook: Webhook) -> AsyncIterator[None]:
        """One of the few places that an endpoint has in this process; whoever finds none soon comes back later."""
        places = self._places.setdefault(webhook.id, asyncio.Semaphore(AT_ONCE))
        try:
            async with asyncio.timeout(PLACE_SECONDS):
                await places.acquire()
        except TimeoutError:
            until = self._clock.now() + timedelta(seconds=SHORT_PAUSE_SECONDS)
            await Webhook.pause(webhook, until)
            raise NotYet(until) from None
        try:
            yield
        finally:
            places.release()

    # --- one attempt ---

    async def _attempt(self, webhook: Webhook, recorded: Row) -> _Outcome:
        at = rfc3339(recorded["at"])
        body = encode(payload(recorded["event_id"], recorded["type"], at, recorded["data"]))
        try:
            headers = self._headers(webhook, recorded["event_id"], body)
        except Unsealable:
            return _Outcome({}, None, _UNREADABLE, 0, is_own_fault=True)
        begun = time.perf_counter()
        answer, error, is_own_fault = None, None, False
        try:
            answer = await self._gateway.post(await self._guard.pin(webhook.url), headers=headers, body=body)
        except (UnsafeTarget, Unanswered) as fault:
            error, is_own_fault = str(fault), isinstance(fault, ResolverBusy)
        else:
            error = None if 200 <= answer.status_code < 300 else f"it answered {answer.status_code}"
        return _Outcome(headers, answer, error, round((time.perf_counter() - begun) * 1000), is_own_fault)

    def _headers(self, webhook: Webhook, event_id: str, body: bytes) -> dict[str, str]:
        """Signed with every secret that holds. Raises `Unsealable` when the newest cannot be read."""
        now, unseal = self._clock.now(), partial(self._sealer.unseal, owner=webhook.id)
        valid = [old["secret"] for old in webhook.old_secrets if old["until"] > now]
        readable = [old for old in valid if self._sealer.can_unseal(old, owner=webhook.id)]
        secrets = [unseal(one) for one in (webhook.secret, *readable)]
        timestamp = int(now.timestamp())
        return {
            "Content-Type": "application/json",
            "User-Agent": f"lms_rt/{VERSION} (webhooks)",
            "webhook-id": event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": webhook_signature(secrets, message_id=event_id, timestamp=timestamp, body=body),
        }

    async def _log(self, outcome: _Outcome, webhook: Webhook, recorded: Row, *, job_id: str, attempt: int) -> None:
        now, answer = self._clock.now(), outcome.answer
        head = (
            None
            if answer is None
            else {"headers": [list(pair) for pair in answer.headers.items()], "body": answer.body}
        )
        short: dict[str, Any] = {
            "attempt": attempt,
            "status_code": outcome.status_code,
            "error": outcome.error,
            "duration_ms": outcome.duration_ms,
        }
        begun = {
            "webhook_id": webhook.id,
            "event_id": recorded["event_id"],
            "type": recorded["type"],
            "job_id": job_id,
            "created_at": now,
        }
        full = {
            **short,
            "is_delivered": outcome.is_delivered,
            "request_headers": outcome.headers,
            "response_head": head,
        }
        await WebhookDelivery.log(delivery_id_of(job_id), begun, full, {**short, "at": now})

    # --- what follows a failure ---

    async def _after_failure(self, webhook: Webhook, outcome: _Outcome) -> None:
        """Note it, leave the endpoint alone for a while or for good. Raises the failure, unless it is for good."""
        now, error = self._clock.now(), outcome.error or ""
        if outcome.is_own_fault:
            raise Failed(error)
        if outcome.status_code == _GONE:
            await self._switch_off(webhook, "gone", error, failing_since=None)
            return
        since = webhook.failing_since or now
        if now - since >= timedelta(days=GIVE_UP_DAYS):
            await self._switch_off(webhook, "failing", error, failing_since=since)
            return
        await Webhook.begin_failing(webhook, now)
        wait = _pause_seconds(outcome, failing_for=now - since, now=now)
        if wait is not None:
            await Webhook.pause(webhook, now + timedelta(seconds=wait))
        raise Failed(error, retry_after_seconds=wait)

    async def _switch_off(self, webhook: Webhook, reason: str, error: str, *, failing_since: datetime | None) -> None:
        """Once; of many deliveries that fail at the same time one tells its creator."""
        now = self._clock.now()
        told = switched_off(Write(webhook.version + 1, now), webhook, error)
        if await Webhook.disable(webhook, reason, failing_since=failing_since, intents=[told], at=now):
            await self._relay.hand_over(Webhook, webhook.id)


def _pause_seconds(outcome: _Outcome, *, failing_for: timedelta, now: datetime) -> float | None:
    """How long the endpoint is to be left alone; None: not longer than this one delivery waits anyway.

    Who is slow holds a place in the queue at each attempt, so the longer it has been failing the rarer they are.
    """
    if outcome.answer is None:
        return min(max(SHORT_PAUSE_SECONDS, failing_for.total_seconds() / 4), LONG_PAUSE_SECONDS)
    if outcome.answer.status_code not in _ASKS_FOR_PATIENCE:
        return None
    asked = _retry_after_seconds(outcome.answer.headers.get("retry-after", ""), now)
    return None if asked is None else min(max(0.0, asked), MAX_RETRY_AFTER_SECONDS)


def _retry_after_seconds(text: str, now: datetime) -> float | None:
    """Seconds, or the seconds until a date; None when it says neither."""
    if text.strip().isascii() and text.strip().isdigit():
        return float(text.strip()[:9])
    try:
        at = parsedate_to_datetime(text)
        return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
