"""How endpoints and deliveries are shown, and the ids that deliveries have. No rules."""

from __future__ import annotations

from datetime import datetime

from documents.webhook import Webhook
from documents.webhook_delivery import WebhookDelivery
from lms_rt.contracts.webhooks import AttemptAtDeliveryView, DeliveryView, ResponseHead, WebhookView
from lms_rt.ids import derived_id


def job_id_of(webhook_id: str, event_id: str) -> str:
    """The one job that tells this endpoint of this event."""
    return derived_id("job", webhook_id, event_id)


def delivery_id_of(job_id: str) -> str:
    """The log of what a job does."""
    return derived_id("dlv", job_id)


def webhook_view(webhook: Webhook, *, secret: str | None = None) -> WebhookView:
    """An endpoint, with its secret only when it was made just now."""
    shown = webhook.model_dump(include=set(WebhookView.model_fields) - {"secret"})
    return WebhookView(**shown, secret=secret)


def delivery_view(delivery: WebhookDelivery, *, next_attempt_at: datetime | None) -> DeliveryView:
    """A delivery as of its latest attempt."""
    head = delivery.response_head
    shown = delivery.model_dump(include=set(DeliveryView.model_fields) - {"attempts", "response_head"})
    return DeliveryView(
        **shown,
        response_head=None if head is None else ResponseHead(headers=dict(head["headers"]), body=head["body"]),
        attempts=[
            AttemptAtDeliveryView(
                attempt=row["attempt"],
                status_code=row.get("status_code"),
                error=row.get("error"),
                duration_ms=row["duration_ms"],
                created_at=row["at"],
            )
            for row in delivery.attempts
        ],
        next_attempt_at=next_attempt_at,
    )
