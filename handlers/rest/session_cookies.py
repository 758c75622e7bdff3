"""The cookies of a browser's session: their names, how they are set, read and taken away. No rules of sessions.

`lms_access` and `lms_refresh` are out of scripts' reach; `lms_csrf` is there to be read and sent back as `X-CSRF-Token`.
`lms_device` outlives the session: by it the browser is known again at the entrance. `lms_own` leads who acts in somebody's
place back into their own session.
With `COOKIE_SECURE` those of path "/" carry the `__Host-` prefix, which keeps sibling domains from setting them.
"""

from __future__ import annotations

from dataclasses import dataclass

from config.settings import Settings
from handlers.rest.calls import Call, Cookie
from handlers.rest.dispatch import API_PREFIX
from lms_rt.contracts.accounts import TokensView
from lms_rt.security.ways_back import WAY_BACK_SECONDS
from lms_rt.services.impersonation import ActingSession, OwnSession

REFRESH_PATH = f"{API_PREFIX}/auth"
CSRF_HEADER = "X-CSRF-Token"
_DAY_SECONDS = 86_400
_KEPT_DEVICE_SECONDS = 365 * _DAY_SECONDS


@dataclass(frozen=True, slots=True)
class CookieNames:
    """What the cookies are called under these settings."""

    access: str
    refresh: str
    csrf: str
    device: str
    own: str


def cookie_names(settings: Settings) -> CookieNames:
    """The names, with the prefix where it holds."""
    prefix = "__Host-" if settings.cookie_secure else ""
    at_root = (f"{prefix}lms_{name}" for name in ("access", "csrf", "device", "own"))
    access, csrf, device, own = at_root
    return CookieNames(access, "lms_refresh", csrf, device, own)


def session_cookies(settings: Settings, tokens: TokensView, csrf_token: str) -> tuple[Cookie, ...]:
    """The cookies of a session that has just been begun or refreshed."""
    names, is_secure = cookie_names(settings), settings.cookie_secure
    kept_seconds = settings.refresh_token_expire_days * _DAY_SECONDS
    return (
        Cookie(names.access, tokens.access_token, tokens.expires_in, is_secure=is_secure),
        Cookie(
            names.refresh,
            tokens.refresh_token,
            kept_seconds,
            path=REFRESH_PATH,
            is_secure=is_secure,
            same_site="Strict",
        ),
        Cookie(names.csrf, csrf_token, kept_seconds, is_http_only=False, is_secure=is_secure),
    )


def device_cookie(settings: Settings, mark: str) -> Cookie:
    """The mark of a browser that signed in, or set a password by a mail. It stays when the session ends, and lets nobody in."""
    return Cookie(cookie_names(settings).device, mark, _KEPT_DEVICE_SECONDS, is_secure=settings.cookie_secure)


def acting_cookies(settings: Settings, begun: ActingSession, csrf_token: str) -> tuple[Cookie, ...]:
    """A session in somebody's place instead of one's own, whose refresh cookie stays where it is and is of no use meanwhile.

    The way back outlasts the session, so that whoever forgets to end it need not sign in again.
    """
    names, is_secure = cookie_names(settings), settings.cookie_secure
    return (
        Cookie(names.access, begun.access_token, begun.expires_in, is_secure=is_secure),
        Cookie(names.csrf, csrf_token, begun.expires_in, is_http_only=False, is_secure=is_secure),
        Cookie(names.own, begun.way_back, WAY_BACK_SECONDS, is_secure=is_secure),
    )


def own_cookies(settings: Settings, own: OwnSession, csrf_token: str) -> tuple[Cookie, ...]:
    """One's own session again; the way back has been gone."""
    names, is_secure = cookie_names(settings), settings.cookie_secure
    kept_seconds = settings.refresh_token_expire_days * _DAY_SECONDS
    return (
        Cookie(names.access, own.access_token, own.expires_in, is_secure=is_secure),
        Cookie(names.csrf, csrf_token, kept_seconds, is_http_only=False, is_secure=is_secure),
        cleared_way_back(settings),
    )


def cleared_way_back(settings: Settings) -> Cookie:
    """Take the way back away."""
    return Cookie(cookie_names(settings).own, "", 0, is_secure=settings.cookie_secure)


def cleared_cookies(settings: Settings) -> tuple[Cookie, ...]:
    """Take all of a session away, and of one that was kept aside."""
    names, is_secure = cookie_names(settings), settings.cookie_secure
    return (
        Cookie(names.access, "", 0, is_secure=is_secure),
        Cookie(names.refresh, "", 0, path=REFRESH_PATH, is_secure=is_secure, same_site="Strict"),
        Cookie(names.csrf, "", 0, is_http_only=False, is_secure=is_secure),
        cleared_way_back(settings),
    )


def has_csrf_proof(call: Call, session_id: str) -> bool:
    """Did the request send back the CSRF token of this session?"""
    cookie = call.find_cookie(cookie_names(call.services.settings).csrf)
    return call.services.sessions.csrf.is_valid(session_id, cookie=cookie, sent=call.find_header(CSRF_HEADER))
