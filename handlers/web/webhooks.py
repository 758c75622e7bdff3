"""Pages of outgoing webhooks: all of them, and one with its settings and what it was sent."""

from __future__ import annotations

from handlers.rest.access import Access, needs
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.contracts.events import RECORD_TYPES
from lms_rt.contracts.webhooks import TEST_EVENT, DeliveryQuery, WebhookQuery
from lms_rt.security.rights import Reach

ACCESS: Access = needs("webhooks:manage")
TYPES = tuple(sorted(name for name in RECORD_TYPES if name != TEST_EVENT))
"""What can be chosen; a test event goes where it is asked for."""
_MAX_PAGE_DIGITS = 6
_SHEETS = ("pages.css", "teach.css", "admin.css")
_SCRIPTS = ("shell.js", "sending.js", "webhooks.js")


class WebhookPageHandler(PageHandler):
    """What both pages share."""

    access = ACCESS
    reach = Reach.ALL

    def page_number(self) -> int:
        """Which page of a list the address asks for."""
        text = self.get_query_argument("page", "1")
        return max(1, int(text)) if text.isdecimal() and len(text) <= _MAX_PAGE_DIGITS else 1

    def screen(self, template: str, *title: str) -> Screen:
        """A page with this template."""
        return Screen(template, title=title, groups=("errors", "compare", "webhooks"), scripts=_SCRIPTS, sheets=_SHEETS)


class WebhooksPage(WebhookPageHandler):
    """/admin/webhooks."""

    async def get(self) -> None:
        """All of them, the newest first, and the form of another one."""
        query = WebhookQuery(page=self.page_number(), page_size=20, sort="-created_at")
        listed = await self.services.webhooks.list(self.actor, query)
        screen = self.screen("admin_webhooks.html", self.t("admin.webhooks"))
        self.show(screen, tab="webhooks", listed=shape(listed), types=TYPES, chosen=())


class WebhookPage(WebhookPageHandler):
    """/admin/webhooks/{id}."""

    async def get(self, webhook_id: str) -> None:
        """Its settings, and what it was sent."""
        webhook = shape(await self.services.webhooks.show(self.actor, webhook_id))
        query = DeliveryQuery(page=self.page_number(), page_size=20)
        listed = await self.services.webhook_deliveries.list(self.actor, webhook_id, query)
        screen = self.screen("admin_webhook.html", webhook["description"] or webhook["url"], self.t("admin.webhooks"))
        types = (*TYPES, *(name for name in webhook["event_types"] if name not in TYPES))
        self.show(
            screen, tab="webhooks", webhook=webhook, listed=shape(listed), types=types, chosen=webhook["event_types"]
        )


PAGES = [(r"/admin/webhooks/?", WebhooksPage), (r"/admin/webhooks/([^/]+)/?", WebhookPage)]
