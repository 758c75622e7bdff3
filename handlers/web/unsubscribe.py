"""Where the unsubscribe links of mails lead: one click of a mail program, or a button for people. Nobody has to sign in.

Opening the page changes nothing, since programs open links to look at them (RFC 8058 wants a POST for that reason).
"""

from __future__ import annotations

from handlers.rest.access import Access
from handlers.web.base import PageHandler, Screen

_SHEETS = ("pages.css",)


class UnsubscribePage(PageHandler):
    """/unsubscribe/{token}: the token says whose mails of which kind, and is all the proof there is."""

    access = Access("whoever has the link of a mail", is_public=True)
    limit = "pages"  # mail services click for all their users, from few addresses

    def get(self, token: str) -> None:
        """What would be switched off, and the button for it."""
        self._show(self.services.mails.unsubscribed_kind(token), is_done=False)

    async def post(self, token: str) -> None:
        """Switch it off. Again changes nothing."""
        self._show(await self.services.mails.unsubscribe(token), is_done=True)

    def check_form(self) -> None:
        """A mail program has no cookie to show: the token in the address is the proof."""

    def _show(self, kind: str, *, is_done: bool) -> None:
        name = "all_kinds" if kind == "all" else f"kind_{kind.replace('.', '-')}"
        words = self.t(f"notifications.{name}") if self.t.knows(f"notifications.{name}") else kind
        title = self.t("mails.stopped" if is_done else "mails.stop_title")
        self.show(
            Screen("unsubscribe.html", title=(title,), sheets=_SHEETS),
            heading=title,
            kind="" if kind == "all" else words,
            is_done=is_done,
        )


PAGES = [(r"/unsubscribe/([\w-]{1,400})", UnsubscribePage)]
