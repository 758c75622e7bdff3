"""The Tornado application: routes, the edge before them, and the server around them. No rule of the product is here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.web import Application

from handlers.edge import BoundedBody, Edge
from handlers.headers import CommonHeaders
from handlers.live import asyncapi
from handlers.live.lines import Lines
from handlers.live.socket import live_rules
from handlers.observing import HttpFigures, Observer
from handlers.origins import Origins
from handlers.rest import docs, well_known
from handlers.rest.base import RestHandler, Spine
from handlers.rest.credentials import Credentials
from handlers.rest.dispatch import API_PREFIX, Match, RouteTable, TableError, full_patterns
from handlers.rest.health import metrics_routes
from handlers.rest.limits import Limits
from handlers.rest.openapi import document_routes
from handlers.rest.operations import MAX_JSON_BYTES, Operation
from handlers.rest.streaming import StreamedHandler
from handlers.routes import ROUTES
from handlers.web.pages import PAGES
from lms_rt.errors import Code, Refused

if TYPE_CHECKING:
    from lms_rt.bootstrap import Services

Rules = Sequence[Any]
"""Tornado's url specs."""

IDLE_SECONDS = 75
BODY_SECONDS = 120
MAX_HEADER_BYTES = 32 << 10
MAX_BUFFER_BYTES = 2 << 20


class LmsApplication(Application):
    """Settles each request at the edge, finds REST operations in their table, and leaves the rest to Tornado's rules."""

    def __init__(self, spine: Spine, table: RouteTable, rules: Rules, *, observer: Observer, lines: Lines) -> None:
        self.spine, self.table = spine, table
        self.lines = lines
        self._edge, self._observer = Edge(spine.settings), observer
        super().__init__(
            list(rules),
            transforms=[CommonHeaders],
            default_handler_class=RestHandler,
            default_handler_args={"spine": spine},
            log_function=observer.finished,
            services=spine.services,
            origins=spine.origins,
            limits=spine.limits,
        )

    @property
    def requests_running(self) -> int:
        """How many requests are being worked on."""
        return self._observer.running

    def find_handler(  # type: ignore[override]  # Tornado declares its own delegate, and takes any
        self, request: HTTPServerRequest, **kwargs: Any
    ) -> HTTPMessageDelegate:
        """Every request comes through here, once its head was read."""
        refused = self._edge.admit(request)
        path = self._path_of(request)
        match = None if refused else self.table.find(str(request.method), path)
        is_streamed = match is not None and match.operation is not None and match.operation.is_streamed
        if refused:
            inner: HTTPMessageDelegate = self._rest(request, refused=refused)
        elif is_streamed:
            inner = self.get_handler_delegate(request, StreamedHandler, {"spine": self.spine, "match": match})
            self._observer.begun()  # for as long as its body comes
        elif match or path.startswith(f"{API_PREFIX}/"):
            inner = self._rest(request, match=match)
        else:
            inner = super().find_handler(request, **kwargs)
        return BoundedBody(
            inner,
            limit=_limit(match),
            refuse=lambda limit: self._rest(request, match=match, refused=_too_large(limit)),
            begun=_nothing if is_streamed else self._observer.begun,
        )

    def _path_of(self, request: HTTPServerRequest) -> str:
        """The path as the table has it, also where it was asked for below the school's own prefix."""
        own = self.spine.settings.api_v1_prefix
        is_below = request.path.startswith(f"{own}/")
        return API_PREFIX + request.path.removeprefix(own) if is_below else str(request.path)

    def _rest(self, request: HTTPServerRequest, **arguments: Any) -> HTTPMessageDelegate:
        return self.get_handler_delegate(request, RestHandler, {"spine": self.spine, **arguments})


def make_app(
    services: Services,
    *,
    operations: Sequence[Operation] = ROUTES,
    pages: Rules = PAGES,
    live: Rules | None = None,
    registry: CollectorRegistry | None = None,
) -> LmsApplication:
    """The application; its figures go into `registry`, beside the node's.

    Raises `TableError` when a row has no access rule, or stands in another's place.
    """
    settings = services.settings
    registry = registry or CollectorRegistry()
    served = (*operations, *well_known.ROUTES, *(metrics_routes(registry) if settings.metrics_enabled else ()))
    lines = Lines()
    rules = [*(live_rules(services, lines=lines) if live is None else live), *pages]
    if settings.are_docs_open:
        served += (*document_routes(operations, settings), *asyncapi.document_routes(settings), *docs.ROUTES)
    _refuse_prefix_among(rules, served, settings.api_v1_prefix)
    origins = Origins(settings)
    credentials = Credentials(services=services, settings=settings, origins=origins)
    limits = Limits(services)
    spine = Spine(services=services, settings=settings, credentials=credentials, origins=origins, limits=limits)
    return LmsApplication(spine, RouteTable(served), rules, observer=Observer(HttpFigures(registry)), lines=lines)


def _refuse_prefix_among(rules: Rules, operations: Sequence[Operation], prefix: str) -> None:
    """Below the API's own prefix nothing else can be: refuse one that begins as a page does, or as what is at the root."""
    roots = [path for one in operations for path in full_patterns(one) if not path.startswith(f"{API_PREFIX}/")]
    starts = (re.match(r"/([\w-]*)", str(path)) for path in ("/static", *roots, *(rule[0] for rule in rules)))
    if prefix.split("/")[1] in {start[1] for start in starts if start}:
        raise TableError(f"API_V1_PREFIX {prefix} begins as another address of the school does")


def server_options() -> dict[str, Any]:
    """The bounds of the HTTP server around it: slow heads, slow bodies and idle connections end."""
    return {
        "idle_connection_timeout": IDLE_SECONDS,
        "body_timeout": BODY_SECONDS,
        "max_header_size": MAX_HEADER_BYTES,
        "max_buffer_size": MAX_BUFFER_BYTES,
        "max_body_size": 1 << 62,  # `BoundedBody` decides, and answers 413 where Tornado would only hang up
    }


def _nothing() -> None:
    """It has begun long before."""


def _limit(match: Match | None) -> int:
    return match.operation.max_body_bytes if match and match.operation else MAX_JSON_BYTES


def _too_large(limit: int) -> Refused:
    return Refused(Code.TOO_LARGE, f"The body is larger than {limit} bytes.", limit_bytes=limit)
