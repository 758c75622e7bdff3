"""Forgotten passwords and addresses to be proved: asking for the mail, and following its link. Nobody has to be signed in.

Who asks is always answered the same, so that nobody learns which addresses have accounts.
"""

from __future__ import annotations

from handlers.rest.access import ANONYMOUS, PUBLIC
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.verification import (
    AcceptedView,
    ForgottenDraft,
    ResetDraft,
    VerificationDraft,
    VerificationRequest,
)
from lms_rt.errors import Code

_LINK_CODES = (Code.INVALID_TOKEN, Code.TOKEN_EXPIRED)


async def forgot_password(call: Call) -> Reply:
    """A link to choose a new password, to whoever owns the address."""
    await call.services.password_resets.ask(call.body.email)
    return Reply(AcceptedView())


async def reset_password(call: Call) -> Reply:
    """The new password."""
    await call.services.password_resets.confirm(call.body)
    return Reply()


async def ask_verification(call: Call) -> Reply:
    """A link to prove an address, to whoever owns it."""
    await call.services.verification.ask(call.actor, call.body)
    return Reply(AcceptedView())


async def verify_email(call: Call) -> Reply:
    """The address is proved."""
    await call.services.verification.confirm(call.body)
    return Reply()


ROUTES: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/auth/forgot-password",
        forgot_password,
        ANONYMOUS,
        also=("/auth/password/reset",),
        body=ForgottenDraft,
        reply=AcceptedView,
        status=202,
        codes=(Code.BUSY,),
        is_secret=True,
        summary="Ask for a link to choose a new password",
        description="The answer is the same whoever asks for whom; an address with an account is sent the link.",
    ),
    Operation(
        "POST",
        "/auth/reset-password",
        reset_password,
        ANONYMOUS,
        also=("/auth/password/reset/confirm",),
        body=ResetDraft,
        reply=None,
        status=204,
        codes=(*_LINK_CODES, Code.BUSY),
        is_secret=True,
        summary="Choose a new password",
        description=(
            "By the token of a mail: of a reset, or of an invitation. It holds once, and ends all sessions of the account."
        ),
    ),
    Operation(
        "POST",
        "/auth/verify-email/request",
        ask_verification,
        PUBLIC,
        also=("/auth/email/verify",),
        body=VerificationRequest,
        reply=AcceptedView,
        status=202,
        codes=(Code.BUSY,),
        is_secret=True,
        summary="Ask for a link to prove an address",
        description="For the address given, else the caller's own; the answer is the same in any case.",
    ),
    Operation(
        "POST",
        "/auth/verify-email/confirm",
        verify_email,
        ANONYMOUS,
        also=("/auth/email/verify/confirm",),
        body=VerificationDraft,
        reply=None,
        status=204,
        codes=_LINK_CODES,
        is_secret=True,
        summary="Prove an address",
        description="By the token of a mail, which holds once.",
    ),
)
