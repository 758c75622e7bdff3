"""The caller's own password. One that was forgotten is reset in `verification.py`."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN
from handlers.rest.auth import device_of
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.sessions import PasswordChangeDraft
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def change_password(call: Call) -> Reply:
    """A new password for the caller."""
    await call.services.own_passwords.change(call.actor, call.body, device_of(call))
    return Reply()


ROUTES: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/users/me/password",
        change_password,
        SIGNED_IN,
        reach=Reach.SELF,
        audit="user.change",
        body=PasswordChangeDraft,
        status=204,
        codes=(Code.INVALID_CREDENTIALS, Code.ACCOUNT_LOCKED, Code.RATE_LIMITED, Code.BUSY),
        is_own_alone=True,
        summary="Change my password",
        description="The session that asks goes on; all others end, and the owner is told by mail.",
    ),
)
