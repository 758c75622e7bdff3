"""Telling whoever made a webhook that it was switched off: a notification, and by their wish a mail."""

from __future__ import annotations

from typing import Any

from documents.webhook import Webhook
from lms_rt.clock import rfc3339
from lms_rt.contracts.mails import WebhookDisabled
from lms_rt.contracts.outbox import Intent, Write, effect
from lms_rt.services.notification_rules import Notice, NoticeMail
from lms_rt.services.notifications import Notifications
from lms_rt.services.relay import EffectHandler

SWITCHED_OFF = "webhooks.switched_off"
MAX_URL_TOLD = 300


def switched_off(write: Write, webhook: Webhook, error: str) -> Intent:
    """The intent that goes with switching a webhook off."""
    facts = {
        "webhook_id": webhook.id,
        "user_id": webhook.created_by,
        "url": webhook.url[:MAX_URL_TOLD],
        "reason": error,
        "since": rfc3339(webhook.failing_since or write.at),
    }
    return effect(write, SWITCHED_OFF, facts)


def telling_of(notifications: Notifications) -> EffectHandler:
    """What carries the intent out."""

    async def tell(cause: str, facts: dict[str, Any]) -> None:
        link = f"/admin/webhooks/{facts['webhook_id']}"
        shown = {name: facts[name] for name in ("url", "reason")}
        mail = WebhookDisabled(**shown, since=facts["since"], link=link)
        data = {**shown, "webhook_id": facts["webhook_id"]}
        notice = Notice(
            facts["user_id"],
            "webhook.disabled",
            "webhook.disabled",
            data,
            link,
            NoticeMail("webhook_disabled", mail),
        )
        await notifications.tell(notice, cause=cause)

    return tell
