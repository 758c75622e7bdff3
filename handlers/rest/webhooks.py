"""Outgoing webhooks over HTTP: endpoints, their deliveries, sending again, and testing."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.webhooks import (
    DeliveryQuery,
    DeliveryView,
    WebhookChange,
    WebhookDraft,
    WebhookQuery,
    WebhookView,
)
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def list_webhooks(call: Call) -> Reply:
    """All endpoints."""
    return Reply(await call.services.webhooks.list(call.actor, call.query))


async def create_webhook(call: Call) -> Reply:
    """A new endpoint, with its secret."""
    webhook = await call.services.webhooks.create(call.actor, call.body)
    return Reply(webhook, made={"webhook_id": webhook.id})


async def show_webhook(call: Call) -> Reply:
    """One endpoint."""
    return Reply(await call.services.webhooks.show(call.actor, call.path["webhook_id"]))


async def change_webhook(call: Call) -> Reply:
    """Change an endpoint, or give it a new secret."""
    webhooks, webhook_id = call.services.webhooks, call.path["webhook_id"]
    return Reply(await webhooks.change(call.actor, webhook_id, call.body, expected_version=call.expected_version))


async def remove_webhook(call: Call) -> Reply:
    """Remove an endpoint."""
    webhooks, webhook_id = call.services.webhooks, call.path["webhook_id"]
    await webhooks.remove(call.actor, webhook_id, expected_version=call.expected_version)
    return Reply(None)


async def list_deliveries(call: Call) -> Reply:
    """What an endpoint was sent."""
    return Reply(await call.services.webhook_deliveries.list(call.actor, call.path["webhook_id"], call.query))


async def redeliver(call: Call) -> Reply:
    """Send an event once more."""
    return Reply(await call.services.webhook_deliveries.redeliver(call.actor, call.path["delivery_id"]))


async def test_webhook(call: Call) -> Reply:
    """Send a test event."""
    return Reply(await call.services.webhooks.test(call.actor, call.path["webhook_id"]))


_ACCESS = needs("webhooks:manage")
_ONE = "/webhooks/{webhook_id}"

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/webhooks",
        list_webhooks,
        _ACCESS,
        reach=Reach.ALL,
        query=WebhookQuery,
        reply=Page[WebhookView],
        summary="Outgoing webhooks",
    ),
    Operation(
        "POST",
        "/webhooks",
        create_webhook,
        _ACCESS,
        reach=Reach.ALL,
        body=WebhookDraft,
        reply=WebhookView,
        status=201,
        location=_ONE,
        is_secret=True,
        codes=(Code.CONFLICT,),
        is_own_alone=True,
        audit="webhook.create",
        summary="Add a webhook",
        description="The reply holds its `secret`, which is never shown again. Without `event_types` it is sent all events.",
    ),
    Operation("GET", _ONE, show_webhook, _ACCESS, reach=Reach.ALL, reply=WebhookView, summary="One webhook"),
    Operation(
        "PATCH",
        _ONE,
        change_webhook,
        _ACCESS,
        reach=Reach.ALL,
        body=WebhookChange,
        reply=WebhookView,
        is_secret=True,
        codes=(Code.VERSION_MISMATCH,),
        is_own_alone=True,
        audit="webhook.change",
        summary="Change a webhook, or give it a new secret",
        description=(
            "With `rotate_secret` the reply holds a new `secret`; the old one signs beside it for 24 hours more. "
            "`is_active: true` switches on again what was switched off after failures."
        ),
    ),
    Operation(
        "DELETE",
        _ONE,
        remove_webhook,
        _ACCESS,
        reach=Reach.ALL,
        status=204,
        codes=(Code.VERSION_MISMATCH,),
        audit="webhook.remove",
        summary="Remove a webhook",
    ),
    Operation(
        "GET",
        "/webhooks/{webhook_id}/deliveries",
        list_deliveries,
        _ACCESS,
        reach=Reach.ALL,
        query=DeliveryQuery,
        reply=Page[DeliveryView],
        summary="What a webhook was sent, newest first",
    ),
    Operation(
        "POST",
        "/webhooks/deliveries/{delivery_id}/redeliver",
        redeliver,
        _ACCESS,
        reach=Reach.ALL,
        reply=DeliveryView,
        codes=(Code.CONFLICT,),
        audit="webhook.redeliver",
        summary="Send an event to a webhook once more",
    ),
    Operation(
        "POST",
        "/webhooks/{webhook_id}/test",
        test_webhook,
        _ACCESS,
        reach=Reach.ALL,
        reply=DeliveryView,
        audit="webhook.test",
        summary="Send a test event to a webhook",
    ),
)
