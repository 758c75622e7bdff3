"""Health, readiness, figures, and the documentation."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from lms_rt.clock import FakeClock
from lms_rt.services import health as health_module
from lms_rt.services.health import Health
from tests.rest.conftest import Serve, Table, table_settings
from tests.rest.test_conventions import API, assert_problem


async def _down() -> None:
    raise ConnectionError("away")


async def _up() -> None:
    """It answers."""


async def _hangs() -> None:
    await asyncio.Event().wait()


def health_of(database: Any = _up, redis: Any = None, tasks: Any = None) -> Health:
    made = Health(clock=FakeClock(), node="n", version="1", database=database, redis=redis, tasks=tasks)
    made.open()
    return made


async def test_health_answers_at_both_places(client: httpx.AsyncClient) -> None:
    for path in ("/health", f"{API}/health", "/health/"):
        response = await client.get(path)
        assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert (await client.post("/health")).status_code == 405


async def test_ready_names_what_it_leans_on(client: httpx.AsyncClient) -> None:
    for path in ("/ready", f"{API}/ready"):
        response = await client.get(path)
        body = response.json()
        assert (response.status_code, body["status"], body["node"]) == (200, "ok", "node-1")
        assert {name: check["state"] for name, check in body["checks"].items()} == {
            "database": "ok",
            "redis": "unused",
            "tasks": "unused",
            "storage": "unused",
            "clock": "ok",
        }


async def test_closed_is_503_with_the_same_shape(serve: Serve) -> None:
    table: Table = await serve()
    table.services.health.close()
    response = await table.client.get("/ready")
    assert (response.status_code, response.json()["status"]) == (503, "down")
    assert (await table.client.get("/health")).status_code == 200


async def test_without_the_database_it_is_down() -> None:
    assert (await health_of(database=_down).ready()).status == "down"


async def test_without_redis_it_is_degraded() -> None:
    view = await health_of(redis=_down).ready()
    assert (view.status, view.checks.redis.state) == ("degraded", "degraded")


async def test_without_workers_it_is_degraded() -> None:
    view = await health_of(tasks=_down).ready()
    assert (view.status, view.checks.tasks.state) == ("degraded", "degraded")
    assert (await health_of(tasks=_up).ready()).checks.tasks.state == "ok"


async def test_a_clock_that_may_be_a_quarter_of_a_second_off_is_degraded() -> None:
    clock = FakeClock()
    made = Health(clock=clock, node="n", version="1", database=_up)
    made.open()
    clock.error_ms = 250
    assert (await made.ready()).status == "ok"
    clock.error_ms = 251
    view = await made.ready()
    assert (view.status, view.checks.clock.state) == ("degraded", "degraded")


async def test_what_hangs_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "PROBE_SECONDS", 0.01)
    assert (await health_of(database=_hangs).ready()).checks.database.state == "down"


async def test_figures_count_requests_by_route(serve: Serve) -> None:
    table = await serve()
    await table.client.get(f"{API}/things/thg_1")
    await table.client.get(f"{API}/nothing")
    response = await table.client.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain")
    assert 'http_requests_total{method="GET",route="/api/v1/things/{thing_id}",status="200"} 1.0' in response.text
    assert 'http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in response.text
    assert "http_requests_in_flight 1.0" in response.text
    assert "http_request_duration_seconds_bucket" in response.text


async def test_figures_are_for_whoever_shows_the_token(serve: Serve) -> None:
    table = await serve(metrics_token="a-long-metrics-token")
    assert_problem(await table.client.get("/metrics"), 401, "unauthenticated")
    shown = {"Authorization": "Bearer a-long-metrics-token"}
    assert (await table.client.get("/metrics", headers=shown)).status_code == 200


async def test_figures_without_a_token_are_for_this_machine(serve: Serve) -> None:
    table = await serve(trusted_proxies="127.0.0.1")
    elsewhere = {"X-Forwarded-For": "203.0.113.9"}
    assert_problem(await table.client.get("/metrics", headers=elsewhere), 403, "forbidden")


async def test_figures_may_be_off(serve: Serve) -> None:
    table = await serve(metrics_enabled=False)
    assert_problem(await table.client.get("/metrics"), 404, "route_not_found")


async def test_the_documentation_needs_no_internet(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "style-src 'self' 'unsafe-inline'" in page.headers["Content-Security-Policy"]
    assert "trusted-types" not in page.headers["Content-Security-Policy"]
    assert "<script>" not in page.text
    assert "//" not in page.text.replace("<!DOCTYPE", "")
    for path in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js", "favicon-32x32.png"):
        assert (await client.get(f"/docs/{path}")).status_code == 200
    assert_problem(await client.get("/docs/swagger-editor.js"), 404, "not_found")
    assert_problem(await client.post("/docs"), 405, "method_not_allowed")


async def test_the_documentation_may_be_closed(serve: Serve) -> None:
    table = await serve(enable_api_docs=False)
    for path in ("/docs", f"{API}/openapi.json"):
        assert (await table.client.get(path)).status_code == 404


def test_settings_of_the_table_are_not_the_machines() -> None:
    assert table_settings().is_embedded
