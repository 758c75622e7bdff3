"""Which sites may call: the `Origin` allow-list, one for REST, pages and sockets."""

from __future__ import annotations

from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from config.settings import Settings

_SHARED = (
    "ETag, Location, RateLimit, RateLimit-Limit, RateLimit-Policy, RateLimit-Remaining, RateLimit-Reset, Retry-After, "
    "X-Request-ID, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, Upload-Expires, "
    "Upload-Length, Upload-Metadata, Upload-Offset"
)
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_HEADERS = (
    "Accept, Authorization, Content-Type, If-Match, Idempotency-Key, X-CSRF-Token, X-Request-ID, "
    "Tus-Resumable, Upload-Checksum, Upload-Length, Upload-Metadata, Upload-Offset, X-HTTP-Method-Override"
)


class Origins:
    """The own `Host`, `PUBLIC_URL` and `CORS_ORIGINS`."""

    def __init__(self, settings: Settings) -> None:
        self._listed = frozenset(_normal(origin) for origin in settings.cors_origins)
        self._own = _normal(settings.public_url) if settings.public_url else ""

    def is_allowed(self, request: HTTPServerRequest) -> bool:
        """May this request be made from where it says it comes from? Without an `Origin` it is no browser's."""
        origin = request.headers.get("Origin")
        if origin is None:
            return True
        is_same_host = urlsplit(origin).netloc.lower() == request.host.lower()
        return is_same_host or _normal(origin) == self._own or self._is_listed(origin)

    def cors_headers(self, request: HTTPServerRequest) -> dict[str, str]:
        """What a listed site's browser has to read before it hands an answer on; nothing for all others."""
        origin = request.headers.get("Origin")
        if origin is None or not self._is_listed(origin):
            return {}
        headers = {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _SHARED}
        if "*" not in self._listed:  # whoever asks with cookies has to be listed by name
            headers["Access-Control-Allow-Credentials"] = "true"
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            headers["Access-Control-Allow-Methods"] = _METHODS
            headers["Access-Control-Allow-Headers"] = _HEADERS
            headers["Access-Control-Max-Age"] = "600"
        return headers

    def _is_listed(self, origin: str) -> bool:
        return "*" in self._listed or _normal(origin) in self._listed


def _normal(origin: str) -> str:
    """Scheme and host in lower case, without a path."""
    if origin == "*":
        return origin
    parts = urlsplit(origin)
    return f"{parts.scheme}://{parts.netloc}".lower()
