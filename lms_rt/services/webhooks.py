"""Outgoing webhooks: endpoints made, changed, tested, removed, and which of them are told of an event.

How one is told, again and again until it listens, is `webhook_delivery.py`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from documents.base import Row
from documents.webhook import Webhook
from documents.webhook_delivery import WebhookDelivery
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of, refuse_changed_read_only
from lms_rt.contracts.event_records import RecordedEvent
from lms_rt.contracts.jobs import DeliveryArgs
from lms_rt.contracts.outbox import Intent, Write, audit, event
from lms_rt.contracts.webhooks import (
    MAX_WEBHOOKS,
    TEST_EVENT,
    DeliveryView,
    WebhookChange,
    WebhookDraft,
    WebhookQuery,
    WebhookView,
)
from lms_rt.errors import Code, Refused, invalid
from lms_rt.ids import new_id
from lms_rt.security.permissions import Permission
from lms_rt.security.sealing import Sealer
from lms_rt.security.ssrf import ResolverBusy, ResolverSlow, TargetGuard, UnsafeTarget
from lms_rt.security.webhook_signatures import new_webhook_secret
from lms_rt.services.contended import until_written
from lms_rt.services.jobs import Jobs
from lms_rt.services.relay import Relay
from lms_rt.services.webhook_views import delivery_id_of, delivery_view, job_id_of, webhook_view

DELIVER = "webhooks.deliver"
OVERLAP_HOURS = 24
"""So long an old secret signs beside the new one."""
MAX_OLD_SECRETS = 4
LOOK_UP_AGAIN_SECONDS = 5


def require_webhook_rights(actor: Actor) -> None:
    """Refuse who may not see to webhooks."""
    if not actor.has_permission(Permission.WEBHOOKS_MANAGE):
        raise Refused(Code.FORBIDDEN)


class Webhooks:
    """What can be done with endpoints."""

    def __init__(self, *, clock: Clock, relay: Relay, jobs: Jobs, guard: TargetGuard, sealer: Sealer) -> None:
        self._clock, self._relay, self._jobs = clock, relay, jobs
        self._guard, self._sealer = guard, sealer

    async def list(self, actor: Actor, query: WebhookQuery) -> Page[WebhookView]:
        """All endpoints."""
        require_webhook_rights(actor)
        newest_first = query.sort.startswith("-")
        found, total = await Webhook.page(newest_first=newest_first, skip=query.skip, limit=query.page_size)
        return page_of([webhook_view(one) for one in found], query, total)

    async def show(self, actor: Actor, webhook_id: str) -> WebhookView:
        """One endpoint."""
        return webhook_view(await require_webhook(actor, webhook_id))

    async def create(self, actor: Actor, draft: WebhookDraft) -> WebhookView:
        """A new endpoint; its secret is in this reply and in no other."""
        require_webhook_rights(actor)
        await self._refuse_unsafe(draft.url)
        if await Webhook.count_all() >= MAX_WEBHOOKS:
            raise Refused(Code.CONFLICT, f"There are {MAX_WEBHOOKS} webhooks; remove one first.")
        webhook_id, secret, now = new_id("whk"), new_webhook_secret(), self._clock.now()
        webhook = Webhook(
            id=webhook_id,
            secret=self._sealer.seal(secret, owner=webhook_id),
            created_by=actor.user_id,
            created_at=now,
            updated_at=now,
            **draft.model_dump(),
        )
        webhook.outbox = [_record(Write(1, now), actor, "webhook.create", webhook_id, after=draft.model_dump())]
        webhook.outbox_at = now
        await Webhook.add(webhook)
        await self._relay.hand_over(Webhook, webhook_id)
        return webhook_view(webhook, secret=secret)

    async def change(
        self, actor: Actor, webhook_id: str, change: WebhookChange, *, expected_version: int | None = None
    ) -> WebhookView:
        """A partial update. Switched on again, it begins without a past; with `rotate_secret` the reply has the new one.

        `is_active` given to one that is on ends a pause that it asked for.
        """
        given = change.given()
        new_secret = new_webhook_secret() if given.pop("rotate_secret", False) else None

        async def step() -> Webhook | None:
            webhook = await require_webhook(actor, webhook_id)
            if expected_version not in (None, webhook.version):
                raise Refused(Code.VERSION_MISMATCH, current_version=webhook.version)
            refuse_changed_read_only(change, webhook_view(webhook))
            fields = _differing(webhook, given)
            if "url" in fields:
                await self._refuse_unsafe(fields["url"])
            if new_secret is not None:
                fields |= self._rotated(webhook, new_secret)
            if not fields:
                return webhook
            return await self._write(actor, webhook, fields)

        webhook = await until_written(step)
        await self._relay.hand_over(Webhook, webhook_id)
        return webhook_view(webhook, secret=new_secret)

    async def remove(self, actor: Actor, webhook_id: str, *, expected_version: int | None = None) -> None:
        """Remove an endpoint; what still was on its way to it ends."""
        told: list[Intent] = []

        async def step() -> bool | None:
            webhook = await require_webhook(actor, webhook_id)
            if expected_version not in (None, webhook.version):
                raise Refused(Code.VERSION_MISMATCH, current_version=webhook.version)
            if not told:  # once, and before: what is gone has no outbox
                now = self._clock.now()
                told.append(_record(Write(webhook.version, now), actor, "webhook.remove", webhook_id))
                await Webhook.put_intents(webhook_id, told, now)
            await self._relay.hand_over(Webhook, webhook_id)
            return await Webhook.remove_at(webhook_id, webhook.version) or None

        await until_written(step)

    async def test(self, actor: Actor, webhook_id: str) -> DeliveryView:
        """Send a test event to this endpoint alone, also while it is switched off."""
        webhook, now = await require_webhook(actor, webhook_id), self._clock.now()
        data = webhook_view(webhook).model_dump(mode="json", exclude={"secret"})
        intent = event(Write(webhook.version, now), "webhook_test", n=0, channels=[], data=data, record=TEST_EVENT)
        record = _record(Write(webhook.version, now), actor, "webhook.test", webhook_id)
        await Webhook.tell(webhook_id, [record, intent], at=now)
        job_id = job_id_of(webhook_id, intent["id"])
        begun = {"webhook_id": webhook_id, "event_id": intent["id"], "type": TEST_EVENT, "job_id": job_id}
        await WebhookDelivery.open(delivery_id_of(job_id), {**begun, "created_at": now})
        await self._relay.hand_over(Webhook, webhook_id)
        delivery = await WebhookDelivery.find_row(delivery_id_of(job_id))
        if delivery is None:  # the log was tidied this very moment
            raise Refused(Code.NOT_FOUND)
        return delivery_view(delivery, next_attempt_at=None if delivery.is_delivered else now)

    async def follow(self, recorded: RecordedEvent) -> None:
        """Ask for a delivery to each endpoint that wants this event; again changes nothing."""
        is_test = recorded.type == TEST_EVENT
        if is_test:
            listening = [str(recorded.data["id"])]
        else:
            listening = await Webhook.find_listening(recorded.type, recorded.at, limit=MAX_WEBHOOKS * 2)
        for webhook_id in listening:
            order = DeliveryArgs(webhook_id=webhook_id, event_id=recorded.event_id, is_again=is_test)
            await self._jobs.put(job_id_of(webhook_id, recorded.event_id), DELIVER, order.model_dump())

    def _rotated(self, webhook: Webhook, new_secret: str) -> Row:
        now = self._clock.now()
        latest = {"secret": webhook.secret, "until": now + timedelta(hours=OVERLAP_HOURS)}
        valid = [
            old
            for old in (latest, *webhook.old_secrets)
            if old["until"] > now and self._sealer.can_unseal(old["secret"], owner=webhook.id)
        ]
        sealed = self._sealer.seal(new_secret, owner=webhook.id)
        return {"secret": sealed, "old_secrets": valid[:MAX_OLD_SECRETS]}

    async def _write(self, actor: Actor, webhook: Webhook, fields: dict[str, Any]) -> Webhook | None:
        now, write = self._clock.now(), Write(webhook.version + 1, self._clock.now())
        was, is_now = _told_fields(webhook.model_dump(), fields, 0), _told_fields(fields, fields, 1)
        record = _record(write, actor, "webhook.change", webhook.id, before=was, after=is_now)
        if not await Webhook.change_at(webhook.id, webhook.version, fields, intents=[record], at=now):
            return None
        if "paused_until" in fields and webhook.paused_until is not None:
            await WebhookDelivery.bring_forward(webhook.id, now, until=webhook.paused_until)
        written: Webhook = webhook.model_copy(update={**fields, "version": webhook.version + 1, "updated_at": now})
        return written

    async def _refuse_unsafe(self, url: str) -> None:
        try:
            await self._guard.pin(url)
        except (ResolverBusy, ResolverSlow) as error:  # that says nothing of the address
            words = f"The address cannot be judged at the moment: {error}."
            raise Refused(Code.UNAVAILABLE, words, retry_after_seconds=LOOK_UP_AGAIN_SECONDS) from None
        except UnsafeTarget as error:
            raise invalid("url", f"This address cannot be used: {error}.", "unsafe_url") from None


def _record(write: Write, actor: Actor, action: str, webhook_id: str, **values: Row) -> Intent:
    """For the audit log."""
    before, after = values.get("before"), values.get("after")
    return audit(write, actor, action, kind="webhook", target_id=webhook_id, before=before, after=after)


def _told_fields(row: Row, names: Row, turn: int) -> Row:
    """What may be told of fields to the audit log: of a secret only that it is another one."""
    told = {name: row[name] for name in names if name != "old_secrets"}
    return told | ({"secret": turn} if "secret" in told else {})


def _differing(webhook: Webhook, given: Row) -> dict[str, Any]:
    """What a change would write; None takes a field away."""
    fields = {name: value for name, value in given.items() if getattr(webhook, name) != value}
    if fields.get("is_active") or "url" in fields:
        fields |= dict.fromkeys(("disabled_reason", "failing_since", "paused_until"))
    elif given.get("is_active") and webhook.paused_until is not None:
        fields["paused_until"] = None
    return fields


async def require_webhook(actor: Actor, webhook_id: str) -> Webhook:
    """The endpoint, for who may see to webhooks."""
    require_webhook_rights(actor)
    webhook = await Webhook.find_by_id(webhook_id)
    if webhook is None:
        raise Refused(Code.NOT_FOUND)
    return webhook
