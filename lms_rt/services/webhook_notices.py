"""Telling that a webhook was switched off: whoever made it, else all who see to webhooks. By their wish a mail too.

They hear the host of its address and no more: the rest of it is a secret more often than not.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from documents.enums import Role
from documents.user import User
from documents.webhook import Webhook
from lms_rt.clock import rfc3339
from lms_rt.contracts.mails import WebhookDisabled
from lms_rt.contracts.outbox import Intent, Write, effect
from lms_rt.security.permissions import ROLE_PERMISSIONS, Permission, permissions_of
from lms_rt.services.notification_rules import Notice, NoticeMail
from lms_rt.services.notifications import Notifications
from lms_rt.services.relay import EffectHandler

SWITCHED_OFF = "webhooks.switched_off"
MAX_HOST_TOLD = 300
MAX_TOLD = 100


def switched_off(write: Write, webhook: Webhook, error: str) -> Intent:
    """The intent that goes with switching a webhook off."""
    facts = {
        "webhook_id": webhook.id,
        "user_id": webhook.created_by,
        "url": urlsplit(webhook.url).netloc[:MAX_HOST_TOLD],
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
        by_mail = NoticeMail("webhook_disabled", mail)
        notices = [
            Notice(user_id, "webhook.disabled", "webhook.disabled", data, link, by_mail)
            for user_id in await _concerned(facts["user_id"])
        ]
        await notifications.tell_all(notices, cause=cause)

    return tell


async def _concerned(created_by: str) -> list[str]:
    """Its maker, as long as they see to webhooks; else everybody who does."""
    needed = Permission.WEBHOOKS_MANAGE
    maker = await User.find_signed_in(created_by) or {"is_active": False}
    if maker["is_active"] and needed in permissions_of(Role(maker["role"]), maker["permissions"]):
        return [created_by]
    roles = [role for role, held in ROLE_PERMISSIONS.items() if needed in held]
    return await User.ids_holding(needed, roles=roles, limit=MAX_TOLD)
