"""What whoever has closed their account meets: when it will be erased, and the button that keeps it."""

from __future__ import annotations

from typing import ClassVar

from handlers.rest.access import SIGNED_IN
from handlers.web.base import KEEP_PATH, PageHandler, Screen
from handlers.web.exporting import own_export, watching
from lms_rt.security.rights import Reach

_SHEETS = ("pages.css",)


class KeepPage(PageHandler):
    """/me/keep: the one page of a closed account."""

    access = SIGNED_IN
    reach = Reach.SELF
    is_own_alone: ClassVar[bool] = True
    is_for_leaving: ClassVar[bool] = True

    async def get(self) -> None:
        """When it ends; an account that stays has nothing to be asked."""
        leaving = await self.services.erasure.find_end(self.actor)
        if leaving is None:
            self.redirect("/", status=303)
            return
        title, export = self.t("keeping.title"), await own_export(self)
        screen = Screen("keep.html", title=(title,), sheets=_SHEETS)
        self.show(watching(screen, export), heading=title, erase_at=leaving.erase_at, export=export, own_path=KEEP_PATH)

    async def post(self) -> None:
        """Keep it, and go on as before."""
        await self.services.erasure.keep(self.actor)
        self.redirect("/", status=303)


PAGES = [(KEEP_PATH, KeepPage)]
