"""/me/calendar: the address of one's calendar feed. Made, changed and taken away by plain forms."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.errors import Code, Refused
from lms_rt.security.rights import Reach

_DONE = frozenset({"made", "rotated", "removed"})


class CalendarFeedPage(PageHandler):
    """The address, and what can be done with it."""

    access = SIGNED_IN
    reach = Reach.SELF
    is_own_alone = True

    async def get(self) -> None:
        """The feed, if there is one."""
        try:
            feed = shape(await self.services.calendar_feeds.show(self.actor))
        except Refused as refused:
            if refused.code is not Code.NOT_FOUND:
                raise
            feed = None
        done = self.get_query_argument("done", "")
        screen = Screen(
            "calendar_feed.html",
            title=(self.t("gradebook.calendar_title"),),
            sheets=("pages.css", "gradebook.css"),
        )
        self.show(screen, feed=feed, done=done if done in _DONE else "")

    async def post(self) -> None:
        """Make it, give it another address, or take it away; again changes nothing more."""
        feeds, act = self.services.calendar_feeds, self.field("act")
        if act == "rotate":
            await feeds.make(self.actor)  # it may be gone since the page was shown
            await feeds.rotate(self.actor)
        elif act == "remove":
            await feeds.remove(self.actor)
        else:
            await feeds.make(self.actor)
        done = {"rotate": "rotated", "remove": "removed"}.get(act, "made")
        self.redirect(f"/me/calendar?done={done}", status=303)


PAGES = [(r"/me/calendar", CalendarFeedPage)]
