"""Who asks: the bearer token, or the session cookie with its CSRF token. What a token stands for is the services'."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornado.httputil import HTTPServerRequest

from config.settings import Settings
from handlers.origins import Origins
from handlers.rest.access import Access
from handlers.rest.session_cookies import CSRF_HEADER, cookie_names
from lms_rt.contracts.actor import STRANGER, Actor
from lms_rt.errors import Code, Refused, Situation

if TYPE_CHECKING:
    from lms_rt.bootstrap import Services

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Credentials:
    """Reads a request's credentials as the settings allow."""

    def __init__(self, *, services: Services, settings: Settings, origins: Origins) -> None:
        self._services, self._origins = services, origins
        self._takes_bearer = "bearer" in settings.auth_modes
        self._takes_cookie = "cookie" in settings.auth_modes
        self._cookies = cookie_names(settings)

    async def identify(self, request: HTTPServerRequest, access: Access) -> Actor:
        """The actor of this request: a stranger without credentials, a refusal for bad ones."""
        authorization = request.headers.get("Authorization")
        if not access.reads_credentials:
            return STRANGER
        if authorization is not None and self._takes_bearer:
            return await self._services.sessions.authenticate(_bearer(authorization), also_leaving=True)
        morsel = request.cookies.get(self._cookies.access) if self._takes_cookie else None
        if morsel is None or not morsel.value:
            return STRANGER
        return await self._identify_by_cookie(request, morsel.value, access)

    async def _identify_by_cookie(self, request: HTTPServerRequest, token: str, access: Access) -> Actor:
        try:
            actor = await self._services.sessions.authenticate(token, also_leaving=True)
        except Refused as refused:
            # A browser sends its old cookie along with everything, also with what needs none.
            if access.is_public and refused.code.situation is Situation.UNAUTHENTICATED:
                return STRANGER
            raise
        if request.method not in SAFE_METHODS:
            self._refuse_forged(request, actor)
        return actor

    def _refuse_forged(self, request: HTTPServerRequest, actor: Actor) -> None:
        """A cookie alone proves nothing about who made the request."""
        if not self._origins.is_allowed(request):
            raise Refused(Code.ORIGIN_REFUSED)
        cookie = request.cookies.get(self._cookies.csrf)
        sent = request.headers.get(CSRF_HEADER)
        is_valid = self._services.sessions.csrf.is_valid(
            actor.session_id, cookie=cookie.value if cookie else None, sent=sent
        )
        if not is_valid:
            raise Refused(Code.CSRF_FAILED)


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused(Code.INVALID_TOKEN, "Send `Authorization: Bearer <access token>`.")
    return token.strip()
