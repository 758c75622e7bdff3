"""The second step of signing in: answered by a code, as a program and as a browser, and switched on and off."""

from __future__ import annotations

from handlers.rest.access import ANONYMOUS, SIGNED_IN
from handlers.rest.auth import device_of, in_cookies, require_mode, require_own_site
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.accounts import BrowserSessionView, TokensView
from lms_rt.contracts.mfa import (
    MailedCodeView,
    MfaAnswer,
    MfaConfirmation,
    MfaEnd,
    MfaRepeat,
    MfaRequest,
    RecoveryCodesView,
    TotpSetupView,
)
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def answer(call: Call) -> Reply:
    """Tokens for a challenge and a code."""
    require_mode(call, "bearer")
    return Reply(await call.services.second_steps.enter(call.body, device_of(call)))


async def answer_cookie(call: Call) -> Reply:
    """The same for a browser."""
    require_mode(call, "cookie")
    require_own_site(call)
    return in_cookies(call, await call.services.second_steps.enter(call.body, device_of(call)))


async def send_again(call: Call) -> Reply:
    """Another mail with another code."""
    return Reply(await call.services.second_steps.send_again(call.body.challenge_token))


async def request(call: Call) -> Reply:
    """Begin switching it on."""
    return Reply(await call.services.mfa.request(call.actor, call.body, device_of(call)))


async def confirm(call: Call) -> Reply:
    """Switch it on."""
    return Reply(await call.services.mfa.confirm(call.actor, call.body.code))


async def disable(call: Call) -> Reply:
    """Switch it off, or send the code that this needs."""
    mailed = await call.services.mfa.disable(call.actor, call.body, device_of(call))
    return Reply() if mailed is None else Reply(mailed, status=202)


_ANSWER_CODES = (Code.INVALID_CODE, Code.INVALID_TOKEN, Code.TOKEN_EXPIRED, Code.ACCOUNT_LOCKED)

ROUTES: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/auth/login/mfa",
        answer,
        ANONYMOUS,
        also=("/auth/mfa/login",),
        body=MfaAnswer,
        reply=TokensView,
        codes=_ANSWER_CODES,
        is_secret=True,
        limit="sign_in",
        summary="Sign in: the second step",
        description="The challenge of the first step and a code: of the app, of the mail, or a recovery code. Each holds once.",
    ),
    Operation(
        "POST",
        "/auth/login-cookie/mfa",
        answer_cookie,
        ANONYMOUS,
        body=MfaAnswer,
        reply=BrowserSessionView,
        codes=(*_ANSWER_CODES, Code.ORIGIN_REFUSED),
        is_secret=True,
        limit="sign_in",
        summary="Sign in as a browser: the second step",
    ),
    Operation(
        "POST",
        "/auth/login/mfa/resend",
        send_again,
        ANONYMOUS,
        body=MfaRepeat,
        reply=MailedCodeView,
        status=202,
        codes=(Code.INVALID_TOKEN, Code.TOKEN_EXPIRED, Code.RATE_LIMITED, Code.CONFLICT),
        is_secret=True,
        summary="Send the code again",
        description="Another code by mail, at least a minute after the one before, which is void then.",
    ),
    Operation(
        "POST",
        "/auth/mfa/enable/request",
        request,
        SIGNED_IN,
        reach=Reach.SELF,
        also=("/auth/mfa/enable",),
        body=MfaRequest,
        reply=TotpSetupView | MailedCodeView,
        codes=(Code.INVALID_CREDENTIALS, Code.ACCOUNT_LOCKED, Code.RATE_LIMITED, Code.CONFLICT, Code.BUSY),
        is_secret=True,
        is_own_alone=True,
        summary="Begin switching the second step on",
        description="`totp` answers the secret, its otpauth URI and a QR code as SVG; `email` sends a code. Nothing holds yet.",
    ),
    Operation(
        "POST",
        "/auth/mfa/enable/confirm",
        confirm,
        SIGNED_IN,
        reach=Reach.SELF,
        also=("/auth/mfa/verify",),
        body=MfaConfirmation,
        reply=RecoveryCodesView,
        codes=(Code.INVALID_CODE, Code.CONFLICT),
        is_secret=True,
        is_own_alone=True,
        audit="user.change",
        summary="Switch the second step on",
        description="By the first good code. Answers ten recovery codes, which are never shown again.",
    ),
    Operation(
        "POST",
        "/auth/mfa/disable",
        disable,
        SIGNED_IN,
        reach=Reach.SELF,
        body=MfaEnd,
        reply=MailedCodeView,
        status=204,
        more_statuses=(202,),
        codes=(
            Code.INVALID_CREDENTIALS,
            Code.INVALID_CODE,
            Code.ACCOUNT_LOCKED,
            Code.RATE_LIMITED,
            Code.CONFLICT,
            Code.BUSY,
        ),
        is_secret=True,
        is_own_alone=True,
        audit="user.change",
        summary="Switch the second step off",
        description="Password and a code. Whose codes come by mail leaves the code out first: 202, and one is sent.",
    ),
)
