"""What is settled before any handler: request id, the caller's address, the trusted host, and how large a body may be."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest, RequestStartLine, ResponseStartLine

from config.logging import current_request_id, own_request_id
from config.scrubbing import looks_secret
from config.settings import Settings
from handlers.exchange import Exchange, current_exchange, this_exchange
from lms_rt.errors import Code, Refused
from lms_rt.ids import new_id

MAX_DRAINED_BYTES = 16 << 20
"""A body over its limit is read to its end up to here, so that the client hears the 413 instead of a broken pipe."""

_COUNTRY = re.compile(r"[A-Z]{2}")
_NO_COUNTRIES = frozenset({"XX", "ZZ", "EU", "AP"})
"""What proxies say of addresses of which they know no country."""
_WELL_FORMED_ID = re.compile(r"^[A-Za-z0-9._:-]{1,128}$")


class Edge:
    """Admits requests. Keeps nothing of them but the context's `Exchange`."""

    def __init__(self, settings: Settings) -> None:
        self._hosts, self._shows_timing = settings.own_hosts, settings.debug
        self._country_header = settings.country_header
        self._proxies = [ip_network(network, strict=False) for network in settings.trusted_proxies]

    def admit(self, request: HTTPServerRequest) -> Refused | None:
        """Begin the exchange; the refusal when the request names a host that is not ours."""
        given = request.headers.get("X-Request-ID", "")
        is_taken = _WELL_FORMED_ID.match(given) and not looks_secret(given)  # it is logged, and told on
        own_id = new_id("req")
        request_id = given if is_taken else own_id
        current_exchange.set(Exchange(request_id, shows_timing=self._shows_timing))
        current_request_id.set(request_id)
        own_request_id.set(own_id if is_taken else "")
        request.request_id = request_id  # type: ignore[attr-defined]  # pages show it
        self._look_behind_proxies(request)
        if not self._is_ours(request.host_name):
            return Refused(Code.MALFORMED_REQUEST, "This host name is not served here.")
        return None

    def _is_ours(self, host: str) -> bool:
        name = host.strip("[]").rstrip(".").lower()
        if name in self._hosts or "*" in self._hosts:
            return True
        return any(name.endswith(own.lstrip("*")) for own in self._hosts if own.startswith(("*.", ".")))

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)

    def _look_behind_proxies(self, request: HTTPServerRequest) -> None:
        """Believe `X-Forwarded-*` as far as trusted proxies wrote it, from the nearest one outwards."""
        address = str(request.remote_ip)
        if not self._proxies or not self._is_proxy(address):
            return
        passed_on = [word.strip() for word in request.headers.get("X-Forwarded-For", "").split(",") if word.strip()]
        while passed_on and self._is_proxy(address):
            if not _is_address(passed_on[-1]):
                break
            address = passed_on.pop()
        request.remote_ip = address
        country = request.headers.get(self._country_header, "").upper() if self._country_header else ""
        if _COUNTRY.fullmatch(country) and country not in _NO_COUNTRIES:
            this_exchange().country = country
        protocol = request.headers.get("X-Forwarded-Proto", "").split(",")[-1].strip().lower()
        if protocol in ("http", "https"):
            request.protocol = protocol


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


class BoundedBody(HTTPMessageDelegate):
    """Passes a request on to its handler, and to a refusing one as soon as the body exceeds `limit` bytes."""

    def __init__(
        self,
        inner: HTTPMessageDelegate,
        *,
        limit: int,
        refuse: Callable[[int], HTTPMessageDelegate],
        begun: Callable[[], None],
    ) -> None:
        self._inner, self._limit, self._refuse, self._begun = inner, limit, refuse, begun
        self._received, self._is_over, self._is_answered = 0, False, False
        self._start: tuple[RequestStartLine | ResponseStartLine, HTTPHeaders] | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """A length that is announced too large is refused before the body is read, unless it is soon drained."""
        announced = headers.get("Content-Length", "")
        length = int(announced) if announced.isdecimal() and len(announced) < 20 else 0
        self._start = (start_line, headers)
        if length > self._limit:
            self._turn_away()
            if length > MAX_DRAINED_BYTES:
                self._answer()
            return None
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Count; what is over the limit is dropped."""
        self._received += len(chunk)
        if not self._is_over and self._received > self._limit:
            self._turn_away()
        if not self._is_over:
            return self._inner.data_received(chunk)
        if self._received > MAX_DRAINED_BYTES:
            self._answer()
        return None

    def finish(self) -> None:
        """The body is complete."""
        self._answer()

    def on_connection_close(self) -> None:
        """The client went away in the middle."""
        if not self._is_answered:
            self._inner.on_connection_close()

    def _turn_away(self) -> None:
        self._is_over = True
        self._inner = self._refuse(self._limit)
        if self._start is not None:
            self._inner.headers_received(*self._start)

    def _answer(self) -> None:
        if not self._is_answered:
            self._is_answered = True
            self._begun()
            self._inner.finish()
