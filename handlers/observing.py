"""What operators see of HTTP: one log line per request, and the figures of `/metrics`."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from tornado.web import RequestHandler

from handlers.exchange import this_exchange

_log = logging.getLogger("lms_rt.http")
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(slots=True)
class _Bound:
    """The children of one method and route, bound once: looking them up by label costs more than counting."""

    duration: Histogram
    statuses: dict[int, Counter] = field(default_factory=dict)


class HttpFigures:
    """Requests, their durations, and how many are being worked on."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "http_requests_total", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._durations = Histogram(
            "http_request_duration_seconds",
            "From the request's head to the end of its answer.",
            ("method", "route"),
            registry=registry,
            buckets=_BUCKETS,
        )
        self.in_flight = Gauge("http_requests_in_flight", "Requests being worked on.", registry=registry)
        self._bound: dict[tuple[str, str], _Bound] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request more."""
        bound = self._bound.get((method, route))
        if bound is None:
            bound = self._bound[method, route] = _Bound(self._durations.labels(method, route))
        counter = bound.statuses.get(status)
        if counter is None:
            counter = bound.statuses[status] = self._requests.labels(method, route, str(status))
        counter.inc()
        bound.duration.observe(seconds)


class Observer:
    """Is told of every finished request by Tornado's `log_function`."""

    def __init__(self, figures: HttpFigures) -> None:
        self._figures = figures
        self.running = 0
        """Requests being worked on; a socket is none, once it is open."""

    def begun(self) -> None:
        """A request goes to its handler."""
        exchange = this_exchange()
        exchange.is_counted = True
        self.running += 1
        self._figures.in_flight.inc()

    def finished(self, handler: RequestHandler) -> None:
        """The answer is written: count it and log its line."""
        exchange, status = this_exchange(), handler.get_status()
        if exchange.is_counted:
            exchange.is_counted = False
            self.running -= 1
            self._figures.in_flight.dec()
        elapsed_ms = exchange.elapsed_ms
        method = str(handler.request.method)
        route = exchange.route or type(handler).__name__
        self._figures.count(method if method in _METHODS else "other", route, status, elapsed_ms / 1000)
        level = logging.INFO if status < 500 else logging.WARNING
        if _log.isEnabledFor(level):
            facts: dict[str, Any] = {"status": status, "ms": round(elapsed_ms, 2), "bytes": exchange.bytes_sent}
            if user_id := exchange.user_id or getattr(getattr(handler, "actor", None), "user_id", ""):
                facts["user_id"] = user_id
            _log.log(level, "%s %s", method, route, extra=facts)
