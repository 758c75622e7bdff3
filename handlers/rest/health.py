"""Operations for operators: is the process alive, is it ready, its figures, and the API's own description."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from handlers.rest.access import ANONYMOUS
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Endpoint, Operation, Place
from lms_rt.contracts.health import HealthView, ReadyView
from lms_rt.errors import Code, Refused


async def health(_call: Call) -> Reply:
    """The process answers."""
    return Reply(HealthView())


async def ready(call: Call) -> Reply:
    """May this node be sent requests?"""
    view = await call.services.health.ready()
    return Reply(view, status=503 if view.status == "down" else 200)


def metrics_endpoint(registry: CollectorRegistry) -> Endpoint:
    """The figures of this process: those of `registry`, then those that every module counts for itself."""

    async def metrics(call: Call) -> Reply:
        _refuse_strangers(call)
        body = generate_latest(registry) + generate_latest(REGISTRY)
        return Reply(body, content_type=CONTENT_TYPE_PLAIN_0_0_4)

    return metrics


def _refuse_strangers(call: Call) -> None:
    """With METRICS_TOKEN whoever shows it; without one only this machine."""
    token = call.services.settings.metrics_token.get_secret_value()
    if token:
        shown = (call.find_header("Authorization") or "").removeprefix("Bearer ").strip()
        if not hmac.compare_digest(shown.encode(), token.encode()):
            raise Refused(Code.UNAUTHENTICATED, "Show the metrics token.")
    elif not _is_loopback(call.address):
        raise Refused(Code.FORBIDDEN, "Figures are given to this machine alone while METRICS_TOKEN is not set.")


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET", "/health", health, ANONYMOUS, reply=HealthView, place=Place.BOTH, summary="Does the process answer?"
    ),
    Operation(
        "GET",
        "/ready",
        ready,
        ANONYMOUS,
        reply=ReadyView,
        more_statuses=(503,),
        place=Place.BOTH,
        summary="Can this node be sent requests?",
        description="503 with `status: down` while starting, while shutting down, and without the database.",
    ),
)


def metrics_routes(registry: CollectorRegistry) -> tuple[Operation, ...]:
    """The row of `/metrics`, when it is enabled."""
    return (
        Operation(
            "GET",
            "/metrics",
            metrics_endpoint(registry),
            ANONYMOUS,
            reply=bytes,
            gives=("text/plain",),
            codes=(Code.UNAUTHENTICATED, Code.FORBIDDEN),
            place=Place.ROOT,
            summary="Figures for Prometheus",
        ),
    )
