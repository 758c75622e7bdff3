"""Headers of pages and static files: a Content-Security-Policy without exceptions, and the usual guards. Not the API's."""

from __future__ import annotations

from collections.abc import Mapping

from tornado.web import RequestHandler

_DIRECTIVES: Mapping[str, str] = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-src": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "lms",
}
POLICY = "; ".join(f"{name} {value}" for name, value in _DIRECTIVES.items())
"""No inline scripts or styles, no other host, no frames, one Trusted Types policy (static/html.js)."""

PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def set_page_headers(handler: RequestHandler) -> None:
    """Set them on a response; over HTTPS also that it stays so."""
    for name, value in PAGE_HEADERS.items():
        handler.set_header(name, value)
    if handler.request.protocol == "https":
        handler.set_header("Strict-Transport-Security", "max-age=31536000")
