"""People's own profiles."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN
from handlers.rest.auth import me
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.accounts import ProfileChange, UserView
from lms_rt.errors import Code


async def update_me(call: Call) -> Reply:
    """Change the caller's profile."""
    accounts = call.services.accounts
    return Reply(await accounts.update_me(call.actor, call.body, expected_version=call.expected_version))


ROUTES: tuple[Operation, ...] = (
    Operation("GET", "/users/me", me, SIGNED_IN, reply=UserView, is_for_leaving=True, summary="My profile"),
    Operation(
        ("PATCH", "PUT"),
        "/users/me",
        update_me,
        SIGNED_IN,
        body=ProfileChange,
        reply=UserView,
        codes=(Code.VERSION_MISMATCH,),
        summary="Change my profile",
    ),
)
