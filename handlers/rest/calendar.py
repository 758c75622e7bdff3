"""REST: one's own calendar feed, and the feed itself for calendar programs."""

from __future__ import annotations

from handlers.rest.access import ANONYMOUS, SIGNED_IN
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.calendar import CalendarFeedView, FeedQuery
from lms_rt.errors import Code
from lms_rt.interchange.icalendar import MEDIA_TYPE
from lms_rt.security.rights import Reach

_GUARDS = {"X-Content-Type-Options": "nosniff", "X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer"}


async def show_feed(call: Call) -> Reply:
    """One's own feed."""
    return Reply(await call.services.calendar_feeds.show(call.actor))


async def make_feed(call: Call) -> Reply:
    """Make it."""
    view, is_new = await call.services.calendar_feeds.make(call.actor)
    return Reply(view, status=201 if is_new else 200, made={} if is_new else None)


async def rotate_feed(call: Call) -> Reply:
    """Give it another address."""
    return Reply(await call.services.calendar_feeds.rotate(call.actor))


async def remove_feed(call: Call) -> Reply:
    """Take it away."""
    await call.services.calendar_feeds.remove(call.actor)
    return Reply(None)


async def read_feed(call: Call) -> Reply:
    """The feed, or 304 for who has it already."""
    text = await call.services.calendar_feeds.read(call.query.token)
    headers = {**_GUARDS, "ETag": text.etag, "Content-Disposition": 'inline; filename="calendar.ics"'}
    known = (call.find_header("If-None-Match") or "").split(",")
    if any(tag.strip().removeprefix("W/") in ("*", text.etag) for tag in known):
        return Reply(None, status=304, headers=headers)
    return Reply(text.body, content_type=MEDIA_TYPE, headers=headers)


_FEED = "/calendar/feed"

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        _FEED,
        show_feed,
        SIGNED_IN,
        reach=Reach.SELF,
        reply=CalendarFeedView,
        is_secret=True,
        is_own_alone=True,
        codes=(Code.NOT_FOUND,),
        summary="One's own calendar feed",
        description="`url` is secret: whoever knows it reads what is due for its owner. 404 before one is made.",
    ),
    Operation(
        "POST",
        _FEED,
        make_feed,
        SIGNED_IN,
        reach=Reach.SELF,
        reply=CalendarFeedView,
        status=201,
        more_statuses=(200,),
        location=_FEED,
        is_secret=True,
        is_own_alone=True,
        summary="Make one's calendar feed",
        description="Who has one already gets that one (200).",
    ),
    Operation(
        "DELETE",
        _FEED,
        remove_feed,
        SIGNED_IN,
        reach=Reach.SELF,
        status=204,
        is_own_alone=True,
        summary="Take one's calendar feed away",
    ),
    Operation(
        "POST",
        "/calendar/feed/rotate",
        rotate_feed,
        SIGNED_IN,
        reach=Reach.SELF,
        reply=CalendarFeedView,
        is_secret=True,
        is_own_alone=True,
        codes=(Code.NOT_FOUND,),
        summary="Give one's calendar feed another address",
        description="The old address opens nothing from then on.",
    ),
    Operation(
        "GET",
        "/calendar/feed.ics",
        read_feed,
        ANONYMOUS,
        query=FeedQuery,
        reply=None,
        more_statuses=(304,),
        gives=("text/calendar",),
        is_secret=True,
        codes=(Code.NOT_FOUND,),
        summary="A calendar feed, as calendar programs read it",
        description=(
            "iCalendar (RFC 5545): when quizzes open and close and what is due, by the owner's own times, in UTC. The token "
            "is the only proof. `ETag` and `If-None-Match` are honoured."
        ),
    ),
)
