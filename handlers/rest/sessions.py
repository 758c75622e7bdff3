"""Where the caller is signed in."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page, PageQuery
from lms_rt.contracts.sessions import SessionView
from lms_rt.security.rights import Reach


async def list_sessions(call: Call) -> Reply:
    """The caller's sessions."""
    return Reply(await call.services.own_sessions.list(call.actor, call.query))


async def show_session(call: Call) -> Reply:
    """One of them."""
    return Reply(await call.services.own_sessions.show(call.actor, call.path["session_id"]))


async def end_session(call: Call) -> Reply:
    """End one of them."""
    await call.services.own_sessions.end(call.actor, call.path["session_id"])
    return Reply()


async def end_other_sessions(call: Call) -> Reply:
    """End all but the one that asks."""
    await call.services.own_sessions.end_others(call.actor)
    return Reply()


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/auth/sessions",
        list_sessions,
        SIGNED_IN,
        reach=Reach.OWN,
        query=PageQuery,
        reply=Page[SessionView],
        is_own_alone=True,
        summary="Where am I signed in",
        description="The latest used first.",
    ),
    Operation(
        "DELETE",
        "/auth/sessions",
        end_other_sessions,
        SIGNED_IN,
        reach=Reach.SELF,
        status=204,
        is_own_alone=True,
        summary="Sign out everywhere else",
    ),
    Operation(
        "GET",
        "/auth/sessions/{session_id}",
        show_session,
        SIGNED_IN,
        reach=Reach.OWN,
        reply=SessionView,
        is_own_alone=True,
        summary="One place where I am signed in",
    ),
    Operation(
        "DELETE",
        "/auth/sessions/{session_id}",
        end_session,
        SIGNED_IN,
        reach=Reach.OWN,
        status=204,
        is_own_alone=True,
        summary="Sign out somewhere",
        description="Its sockets are closed within a second. The caller's own session may be named as well.",
    ),
)
