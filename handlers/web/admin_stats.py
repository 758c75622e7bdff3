"""/admin/stats: the school in figures, its nodes and what waits to be done. A script asks again every ten seconds."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.web.admin import POLL_MS
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.security.rights import Reach

_SHEETS = ("pages.css", "teach.css", "admin.css")
ROLES = ("student", "instructor", "admin")


class StatsPage(PageHandler):
    """The figures of GET /admin/stats, which the script asks for too."""

    access = needs("settings:manage")
    reach = Reach.ALL

    async def get(self) -> None:
        """Everything as it stands now."""
        stats = await self.services.admin_stats.show(self.actor)
        screen = Screen(
            "admin_stats.html",
            title=(self.t("admin.stats"),),
            data={"poll_ms": POLL_MS},
            groups=("admin", "stats", "shell"),
            scripts=("shell.js", "admin-stats.js"),
            sheets=_SHEETS,
        )
        self.show(screen, tab="stats", stats=shape(stats), now=self.services.clock.now(), roles=ROLES)


PAGES = [(r"/admin/stats/?", StatsPage)]
"""The rows of this page."""
