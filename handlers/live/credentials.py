"""Who opens a socket: origin and credentials of the handshake. What tokens and tickets stand for is the services'."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornado.httputil import HTTPServerRequest

from handlers.origins import Origins
from handlers.rest.session_cookies import cookie_names
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused

if TYPE_CHECKING:
    from lms_rt.bootstrap import Services


class SocketCredentials:
    """Reads a handshake: a ticket, `?token=` where it is allowed, or the session cookie of an allowed origin."""

    def __init__(self, services: Services, origins: Origins) -> None:
        self._services, self._origins = services, origins

    async def identify(self, request: HTTPServerRequest) -> Actor | None:
        """The actor; None: no credentials came, the first frame has to bring them. Bad ones are refused."""
        ticket, token = _taken(request, "ticket"), _taken(request, "token")
        # From here on nothing that may be logged holds them.
        request.uri, request.query = request.path, ""
        if not self._origins.is_allowed(request):
            raise Refused(Code.ORIGIN_REFUSED)
        sessions, settings = self._services.sessions, self._services.settings
        if ticket is not None:
            return await sessions.consume_ticket(ticket)
        if token is not None and settings.is_query_token_allowed:
            return await sessions.authenticate(token)
        if token is not None:
            raise Refused(Code.UNAUTHENTICATED, "?token= is not taken here; use a ticket.")
        cookie = request.cookies.get(cookie_names(settings).access) if "cookie" in settings.auth_modes else None
        # A cookie proves who, but not from where: only a browser's Origin does.
        if cookie is None or not cookie.value or "Origin" not in request.headers:
            return None
        return await sessions.authenticate(cookie.value)


def _taken(request: HTTPServerRequest, name: str) -> str | None:
    """A query parameter, taken out of the request."""
    values = request.query_arguments.pop(name, [])
    request.arguments.pop(name, None)
    return values[-1].decode("utf-8", "replace") if values else None
