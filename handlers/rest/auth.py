"""Signing in and out: as a program (tokens in the body) and as a browser (tokens in cookies that scripts cannot read)."""

from __future__ import annotations

from handlers.origins import Origins
from handlers.rest.access import ANONYMOUS, SIGNED_IN
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import FORM, Operation
from handlers.rest.session_cookies import (
    cleared_cookies,
    cleared_way_back,
    cookie_names,
    device_cookie,
    has_csrf_proof,
    session_cookies,
)
from lms_rt.contracts.accounts import (
    BrowserSessionView,
    PasswordGrantForm,
    RefreshDraft,
    RegistrationDraft,
    SignInDraft,
    SignOutDraft,
    TicketView,
    TokensView,
    UserView,
)
from lms_rt.contracts.mfa import MfaRequiredView, required_of
from lms_rt.contracts.verification import AcceptedView
from lms_rt.errors import Code, Refused
from lms_rt.security.rights import Reach
from lms_rt.security.sessions import Device


async def register(call: Call) -> Reply:
    """A new account, signed in; or nothing but that it was heard, and the mailbox has the rest."""
    tokens = await call.services.registration.register(call.body, device_of(call))
    return Reply(AcceptedView(), status=202) if tokens is None else Reply(tokens, made={})


async def login(call: Call) -> Reply:
    """Tokens for an address and its password."""
    require_mode(call, "bearer")
    try:
        return Reply(await call.services.accounts.login(call.body, device_of(call)))
    except Refused as refused:
        return Reply(required_of(refused))


async def token(call: Call) -> Reply:
    """The same for standard OAuth2 clients, refused in their words."""
    require_mode(call, "bearer")
    form: PasswordGrantForm = call.body
    draft = SignInDraft(email=form.username, password=form.password)
    try:
        return Reply(await call.services.accounts.login(draft, device_of(call)))
    except Refused as refused:
        if refused.code is Code.MFA_REQUIRED:
            words = Code.MFA_REQUIRED.words
            raise Refused(Code.MFA_REQUIRED, error="mfa_required", error_description=words, **refused.data) from None
        if refused.code is not Code.INVALID_CREDENTIALS:
            raise
        raise Refused(Code.INVALID_GRANT, error="invalid_grant", error_description=Code.INVALID_GRANT.words) from None


async def refresh(call: Call) -> Reply:
    """The next tokens of a session."""
    require_mode(call, "bearer")
    return Reply(await call.services.sessions.refresh(call.body.refresh_token))


async def logout(call: Call) -> Reply:
    """End the caller's session, or all of theirs."""
    await call.services.sessions.sign_out(call.actor, everywhere=call.body.everywhere)
    return Reply()


async def me(call: Call) -> Reply:
    """The caller."""
    return Reply(await call.services.accounts.me(call.actor))


async def login_cookie(call: Call) -> Reply:
    """A browser's session. Another site must not begin one: its visitor would work in an account of that site's choice."""
    require_mode(call, "cookie")
    require_own_site(call)
    try:
        return in_cookies(call, await call.services.accounts.login(call.body, device_of(call)))
    except Refused as refused:
        return Reply(required_of(refused))


async def refresh_cookie(call: Call) -> Reply:
    """The next tokens of a browser's session; its CSRF token proves that our own page asks."""
    require_mode(call, "cookie")
    refresh_token = call.find_cookie(cookie_names(call.services.settings).refresh)
    if not refresh_token:
        raise Refused(Code.UNAUTHENTICATED)
    _require_csrf_proof(call, refresh_token)
    return in_cookies(call, await call.services.sessions.refresh(refresh_token), is_sign_in=False)


async def logout_cookie(call: Call) -> Reply:
    """End a browser's session, which its refresh cookie names: the access cookie may have run out by now."""
    require_mode(call, "cookie")
    require_own_site(call)  # else any site's form could clear the cookies
    refresh_token = call.find_cookie(cookie_names(call.services.settings).refresh)
    if refresh_token and _is_ours(call, refresh_token):
        _require_csrf_proof(call, refresh_token, *_acting_from(call, refresh_token))
        await call.services.sessions.sign_out_by_refresh_token(refresh_token, everywhere=call.body.everywhere)
    return Reply(cookies=cleared_cookies(call.services.settings))


async def ws_ticket(call: Call) -> Reply:
    """A one-time ticket for opening a WebSocket."""
    return Reply(await call.services.sessions.issue_ticket(call.actor))


def device_of(call: Call) -> Device:
    """What the caller signs in from."""
    mark = call.find_cookie(cookie_names(call.services.settings).device) or ""
    return Device(program=call.user_agent, address=call.address, mark=mark)


def require_mode(call: Call, mode: str) -> None:
    """An operation of a way to sign in that is switched off is not there."""
    if mode not in call.services.settings.auth_modes:
        raise Refused(Code.ROUTE_NOT_FOUND)


def require_own_site(call: Call) -> None:
    """Refuse what a page of another site asks for."""
    if not Origins(call.services.settings).is_allowed(call.request):
        raise Refused(Code.ORIGIN_REFUSED)


def _require_csrf_proof(call: Call, refresh_token: str, *also: str) -> None:
    sessions = (call.services.sessions.session_of(refresh_token), *also)
    if not any(has_csrf_proof(call, session_id) for session_id in sessions):
        raise Refused(Code.CSRF_FAILED)


def _acting_from(call: Call, refresh_token: str) -> tuple[str, ...]:
    """The session in which the browser acts for somebody while this one is kept aside, if it does."""
    mark = call.find_cookie(cookie_names(call.services.settings).own)
    way = call.services.impersonation.read_way_back(mark) if mark else None
    is_aside = way is not None and way.session_id == call.services.sessions.session_of(refresh_token)
    return (way.acting_id,) if way is not None and is_aside else ()


def _is_ours(call: Call, refresh_token: str) -> bool:
    try:
        call.services.sessions.session_of(refresh_token)
    except Refused:
        return False
    return True


def in_cookies(call: Call, tokens: TokensView, *, is_sign_in: bool = True) -> Reply:
    """The session in a browser's cookies; when it has just been begun, the browser is known from then on."""
    sessions, settings = call.services.sessions, call.services.settings
    csrf_token = sessions.csrf.issue(sessions.session_of(tokens.refresh_token))
    cookies = session_cookies(settings, tokens, csrf_token)
    if is_sign_in:
        mark = call.services.device_marks.renewed(device_of(call).mark, tokens.user.id, since_ms=tokens.marks_since_ms)
        cookies = (*cookies, device_cookie(settings, mark))
        if call.find_cookie(cookie_names(settings).own):  # of a session before this one
            cookies = (*cookies, cleared_way_back(settings))
    return Reply(BrowserSessionView(user=tokens.user, expires_in=tokens.expires_in), cookies=cookies)


ROUTES: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/auth/register",
        register,
        ANONYMOUS,
        body=RegistrationDraft,
        reply=TokensView | AcceptedView,
        status=201,
        more_statuses=(202,),
        location="/users/me",
        codes=(Code.EMAIL_TAKEN, Code.FORBIDDEN, Code.BUSY),
        is_secret=True,
        summary="Register",
        description=(
            "Students by themselves; instructors only where ALLOW_PUBLIC_ROLE_REGISTRATION is on; admins never. "
            "202 without tokens where the address has to be proved first (REQUIRE_VERIFIED_EMAIL), and always where "
            "nobody may learn which addresses have accounts (REGISTRATION_HIDES_EXISTING)."
        ),
    ),
    Operation(
        "POST",
        "/auth/login",
        login,
        ANONYMOUS,
        limit="sign_in",
        body=SignInDraft,
        reply=TokensView | MfaRequiredView,
        codes=(Code.INVALID_CREDENTIALS, Code.ACCOUNT_LOCKED, Code.BUSY),
        is_secret=True,
        summary="Sign in",
        description="Where the account has a second step, the answer is its challenge, for /auth/login/mfa.",
    ),
    Operation(
        "POST",
        "/auth/token",
        token,
        ANONYMOUS,
        limit="sign_in",
        body=PasswordGrantForm,
        takes=FORM,
        reply=TokensView,
        codes=(Code.INVALID_GRANT, Code.MFA_REQUIRED, Code.ACCOUNT_LOCKED, Code.BUSY),
        is_secret=True,
        summary="Sign in as an OAuth2 client",
        description="The password grant of RFC 6749 for standard clients.",
    ),
    Operation(
        "POST",
        "/auth/refresh",
        refresh,
        ANONYMOUS,
        limit="refresh",
        body=RefreshDraft,
        reply=TokensView,
        codes=(Code.INVALID_TOKEN, Code.TOKEN_EXPIRED, Code.TOKEN_REVOKED),
        is_secret=True,
        summary="Replace the tokens of a session",
        description="A token that was replaced within 10 s gets its successor again; an older one ends the session.",
    ),
    Operation(
        "POST",
        "/auth/logout",
        logout,
        SIGNED_IN,
        reach=Reach.SELF,
        body=SignOutDraft,
        reply=None,
        status=204,
        is_for_leaving=True,
        summary="Sign out",
    ),
    Operation(
        "GET", "/auth/me", me, SIGNED_IN, reach=Reach.SELF, reply=UserView, is_for_leaving=True, summary="Who am I"
    ),
    Operation(
        "POST",
        "/auth/login-cookie",
        login_cookie,
        ANONYMOUS,
        limit="sign_in",
        body=SignInDraft,
        reply=BrowserSessionView | MfaRequiredView,
        codes=(Code.INVALID_CREDENTIALS, Code.ACCOUNT_LOCKED, Code.BUSY, Code.ORIGIN_REFUSED),
        is_secret=True,
        summary="Sign in as a browser",
        description="Sets lms_access and lms_refresh, which scripts cannot read, and lms_csrf, to be sent back as X-CSRF-Token.",
    ),
    Operation(
        "POST",
        "/auth/refresh-cookie",
        refresh_cookie,
        ANONYMOUS,
        limit="refresh",
        reply=BrowserSessionView,
        codes=(
            Code.UNAUTHENTICATED,
            Code.INVALID_TOKEN,
            Code.TOKEN_EXPIRED,
            Code.TOKEN_REVOKED,
            Code.CSRF_FAILED,
        ),
        is_secret=True,
        summary="Replace the tokens of a browser's session",
    ),
    Operation(
        "POST",
        "/auth/logout-cookie",
        logout_cookie,
        ANONYMOUS,
        limit="refresh",
        body=SignOutDraft,
        reply=None,
        status=204,
        codes=(Code.CSRF_FAILED, Code.ORIGIN_REFUSED),
        summary="Sign out as a browser",
    ),
    Operation(
        "POST",
        "/auth/ws-ticket",
        ws_ticket,
        SIGNED_IN,
        reach=Reach.SELF,
        reply=TicketView,
        is_secret=True,
        summary="Get a ticket for the WebSocket",
        description="It holds once, for 30 seconds, and only while the caller's session does.",
    ),
)
