"""Limits of asking at the HTTP border: which class a request is of, whom it counts for, and the headers that tell of it.

`RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers; the three `RateLimit-*` of its older
versions go with them. How much anybody may ask is `lms_rt/security/rate_limits.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tornado.httputil import HTTPServerRequest

from handlers.rest.operations import REFRESH
from handlers.rest.session_cookies import cookie_names
from lms_rt.contracts.accounts import RefreshDraft
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.json_reader import parse_json
from lms_rt.errors import Code, Refused
from lms_rt.security.rate_limits import TOLD_APART, UNLIMITED, Charge, LimitClass
from lms_rt.services import figures

if TYPE_CHECKING:
    from lms_rt.bootstrap import Services

HEADERS = ("RateLimit", "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After")


class Limits:
    """Counts requests as they come in."""

    def __init__(self, services: Services) -> None:
        self._services, self._cookies = services, cookie_names(services.settings)

    async def charge(self, request: HTTPServerRequest, name: str, actor: Actor) -> Charge | None:
        """Count one request of this name; None: it is not counted. Whether it is too many, `refuse_too_many` says."""
        address = str(request.remote_ip)
        if name == UNLIMITED or not self._services.limiter.is_limited(address):
            return None
        limit_class = LimitClass.AUTH if name == REFRESH else LimitClass(name)
        limiter, asker = self._services.limiter, self._asker(request, name, actor)
        charge, there = await limiter.charge(limit_class, asker), limiter.name_of_address(address)
        if not actor.is_stranger or asker == there or not charge.allowance.is_allowed:
            return charge
        if name == REFRESH and await self._services.sessions.may_go_on(asker):
            return charge  # what others ask behind the same address must not end it
        of_all = await limiter.charge(limit_class, f"all:{there}", times=TOLD_APART)
        return charge if of_all.allowance.is_allowed else of_all

    def _asker(self, request: HTTPServerRequest, name: str, actor: Actor) -> str:
        """Who is counted: whoever really asks, a browser that goes on or signs in again, else the address."""
        if not actor.is_stranger:
            return actor.impersonator_id or actor.user_id
        limiter = self._services.limiter
        if name == REFRESH and (session_id := self._session_of(request)):
            return session_id
        if name == LimitClass.SIGN_IN.value:
            device = self._services.device_marks.find_device(_cookie(request, self._cookies.device))
            if device is not None:
                return limiter.name_of("device", device)
        return limiter.name_of_address(str(request.remote_ip))

    def _session_of(self, request: HTTPServerRequest) -> str:
        """The session that a request goes on with; nothing when it shows no token of ours."""
        try:
            token = _cookie(request, self._cookies.refresh) or _sent_token(request.body)
            return self._services.sessions.session_of(token)
        except Refused:
            return ""


def refuse_too_many(charge: Charge | None) -> None:
    """429 for a request that was one too many."""
    if charge is not None and not charge.allowance.is_allowed:
        figures.RATE_LIMITED.labels(charge.limit_class.value).inc()
        raise Refused(Code.RATE_LIMITED, retry_after_seconds=charge.retry_after_seconds)


def limit_headers(charge: Charge | None) -> Mapping[str, str]:
    """What an answer tells of its class: how much there is, how much is left, and when all of it is back."""
    if charge is None:
        return {}
    name, quota, left = charge.limit_class.value, charge.quota, max(0, charge.allowance.remaining)
    return {
        "RateLimit-Policy": f'"{name}";q={quota.limit};w={quota.seconds}',
        "RateLimit": f'"{name}";r={left};t={charge.full_in_seconds}',
        "RateLimit-Limit": str(quota.limit),
        "RateLimit-Remaining": str(left),
        "RateLimit-Reset": str(charge.full_in_seconds),
    }


def _sent_token(body: bytes) -> str:
    """The refresh token in the body of a program, which has no cookies."""
    return str(read_model(RefreshDraft, parse_json(body)).refresh_token)


def _cookie(request: HTTPServerRequest, name: str) -> str:
    morsel = request.cookies.get(name)
    return morsel.value if morsel is not None else ""
