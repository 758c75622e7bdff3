"""A copy of one's data, and the end of one's account."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN
from handlers.rest.auth import device_of
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from handlers.rest.session_cookies import cleared_cookies
from lms_rt.contracts.privacy import ExportView, LeaveDraft, LeavingView
from lms_rt.errors import Code
from lms_rt.security.rights import Reach

ZIP = "application/zip"


async def ask_for_export(call: Call) -> Reply:
    """Begin an export, or be told of the one that is being made."""
    return Reply(await call.services.exports.ask(call.actor), made={})


async def tell_of_export(call: Call) -> Reply:
    """How far the newest export is."""
    return Reply(await call.services.exports.tell(call.actor))


async def fetch_export(call: Call) -> Reply:
    """The newest export itself."""
    view, chunks = await call.services.exports.fetch(call.actor)
    headers = {
        "Content-Disposition": f'attachment; filename="{view.id}.zip"',
        "Content-Length": str(view.size_bytes),
        "X-Content-Type-Options": "nosniff",
    }
    return Reply(stream=chunks, content_type=ZIP, headers=headers)


async def leave(call: Call) -> Reply:
    """Close one's own account."""
    leaving = await call.services.erasure.leave(call.actor, call.body, device_of(call))
    return Reply(leaving, cookies=cleared_cookies(call.services.settings))


async def keep(call: Call) -> Reply:
    """Keep it after all."""
    await call.services.erasure.keep(call.actor)
    return Reply(None)


ROUTES: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/users/me/export",
        ask_for_export,
        SIGNED_IN,
        reach=Reach.SELF,
        reply=ExportView,
        status=202,
        location="/users/me/export",
        is_own_alone=True,
        is_for_leaving=True,
        summary="Ask for a copy of my data",
        description="A ZIP of everything held about the caller, made in the background; `export_ready` and a mail tell of "
        "it. While one is being made, asking again gives that one. So many a day, then 429 with Retry-After.",
    ),
    Operation(
        "GET",
        "/users/me/export",
        tell_of_export,
        SIGNED_IN,
        reach=Reach.SELF,
        reply=ExportView,
        is_own_alone=True,
        is_for_leaving=True,
        codes=(Code.NOT_FOUND,),
        summary="How far the copy of my data is",
    ),
    Operation(
        "GET",
        "/users/me/export/download",
        fetch_export,
        SIGNED_IN,
        reach=Reach.SELF,
        reply=bytes,
        gives=(ZIP,),
        is_secret=True,
        is_own_alone=True,
        is_for_leaving=True,
        codes=(Code.NOT_FOUND,),
        summary="Fetch the copy of my data",
    ),
    Operation(
        "DELETE",
        "/users/me",
        leave,
        SIGNED_IN,
        reach=Reach.SELF,
        audit="user.erase",
        body=LeaveDraft,
        reply=LeavingView,
        status=202,
        is_own_alone=True,
        codes=(Code.INVALID_CREDENTIALS, Code.ACCOUNT_LOCKED, Code.CONFLICT),
        summary="Close my account",
        description="The account is closed at once, and erased when the time of grace is over. Until then its owner may "
        "sign in, and do nothing but keep it.",
    ),
    Operation(
        "POST",
        "/users/me/keep",
        keep,
        SIGNED_IN,
        reach=Reach.SELF,
        audit="user.change",
        status=204,
        is_own_alone=True,
        is_for_leaving=True,
        summary="Keep my account after all",
    ),
)
