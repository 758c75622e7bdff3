"""Headers that every response carries, whoever wrote it: security, the request id, timings in debug."""

from __future__ import annotations

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

from handlers.exchange import this_exchange

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; object-src 'none'; frame-src 'none'; "
    "frame-ancestors 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types lms"
)
"""Nothing from elsewhere, nothing inline, no frames; one Trusted Types policy, in `static/html.js`."""

DOCS_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)
"""For /docs alone: Swagger UI writes styles inline; its scripts come from 'self' like all others."""

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
}
_HSTS = "max-age=31536000; includeSubDomains"


class CommonHeaders(OutputTransform):
    """Runs once for every response, errors and files included; what a handler set itself stays."""

    def __init__(self, request: HTTPServerRequest) -> None:
        self._is_https = request.protocol == "https"

    def transform_first_chunk(
        self,
        status_code: int,
        headers: HTTPHeaders,
        chunk: bytes,
        finishing: bool,  # noqa: ARG002 - Tornado's signature
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Add to the head, and count the first chunk."""
        exchange = this_exchange()
        for name, value in _ALWAYS.items():
            if name not in headers:
                headers[name] = value
        if self._is_https:
            headers["Strict-Transport-Security"] = _HSTS
        if exchange.request_id:
            headers["X-Request-ID"] = exchange.request_id
        if exchange.shows_timing:
            headers["Server-Timing"] = exchange.server_timing
        headers["Server"] = "lms_rt"
        exchange.bytes_sent += len(chunk)
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:  # noqa: ARG002 - Tornado's signature
        """Count what follows."""
        this_exchange().bytes_sent += len(chunk)
        return chunk
