"""What is settled around every request: hosts, origins, addresses, credentials, request ids, headers, the envelope."""

from __future__ import annotations

import io
import json
import logging

import httpx
import pytest

from config.logging import set_up_logging
from handlers.app import make_app
from handlers.rest.access import PUBLIC, SIGNED_IN
from handlers.rest.dispatch import TableError
from handlers.rest.operations import Operation
from lms_rt.clock import FakeClock
from tests.rest.conftest import STUDENT, TEACHER, Serve, StubSessions, show, table_services, table_settings
from tests.rest.test_conventions import API, assert_problem

CSRF = StubSessions.csrf


# --- hosts and addresses ---


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.2"])
async def test_another_host_is_not_served(client: httpx.AsyncClient, host: str) -> None:
    for path in (f"{API}/things", "/health", "/elsewhere"):
        assert_problem(await client.get(path, headers={"Host": host}), 400, "malformed_request")


@pytest.mark.parametrize(
    "host", ["localhost:8000", "LOCALHOST", "127.0.0.1", "[::1]:80", "lms.example", "a.school.org"]
)
async def test_own_hosts_are_served(serve: Serve, host: str) -> None:
    table = await serve(public_url="https://lms.example", allowed_hosts="*.school.org")
    assert (await table.client.get("/health", headers={"Host": host})).status_code == 200


async def test_forwarded_addresses_are_believed_from_trusted_proxies_alone(serve: Serve) -> None:
    plain = await serve()
    trusting = await serve(trusted_proxies="127.0.0.0/8, 10.0.0.0/8")
    forwarded = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9, 10.1.1.1", "X-Forwarded-Proto": "https"}
    alone = await plain.client.get(f"{API}/whoami", headers=forwarded)
    behind = await trusting.client.get(f"{API}/whoami", headers=forwarded)
    assert alone.json()["got"][1] == "127.0.0.1"
    assert "Strict-Transport-Security" not in alone.headers
    assert behind.json()["got"][1] == "203.0.113.9"
    assert "Strict-Transport-Security" in behind.headers


async def test_a_forged_chain_stops_at_what_is_no_address(serve: Serve) -> None:
    table = await serve(trusted_proxies="127.0.0.1")
    response = await table.client.get(f"{API}/whoami", headers={"X-Forwarded-For": "1.2.3.4, <script>"})
    assert response.json()["got"][1] == "127.0.0.1"


# --- origins ---


async def test_a_listed_origin_may_read_the_answers(serve: Serve) -> None:
    table = await serve(cors_origins="https://app.example")
    origin = {"Origin": "https://app.example"}
    for response in (
        await table.client.get(f"{API}/things", headers=origin),
        await table.client.get(f"{API}/nothing", headers=origin),
    ):
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert "Origin" in response.headers["Vary"]
        assert "ETag" in response.headers["Access-Control-Expose-Headers"]


async def test_another_origin_may_not(serve: Serve) -> None:
    table = await serve(cors_origins="https://app.example")
    for origin in ("https://evil.example", "null", "https://app.example.evil"):
        response = await table.client.get(f"{API}/things", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_preflight_is_answered(serve: Serve) -> None:
    table = await serve(cors_origins="https://app.example")
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "PATCH"}
    response = await table.client.options(f"{API}/things/thg_1", headers=asked)
    assert response.status_code == 204
    assert "PATCH" in response.headers["Access-Control-Allow-Methods"]
    assert "If-Match" in response.headers["Access-Control-Allow-Headers"]


# --- credentials ---


async def test_no_credentials(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{API}/things/mine")
    assert_problem(response, 401, "unauthenticated")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="lms_rt"'


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("Bearer expired", "token_expired"),
        ("Bearer x", "invalid_token"),
        ("Basic YQ==", "invalid_token"),
        ("Bearer", "invalid_token"),
    ],
)
async def test_bad_credentials(client: httpx.AsyncClient, header: str, code: str) -> None:
    for path in ("/things/mine", "/whoami"):
        response = await client.get(f"{API}{path}", headers={"Authorization": header})
        assert_problem(response, 401, code)
        assert "WWW-Authenticate" in response.headers


async def test_anonymous_operations_do_not_read_credentials(client: httpx.AsyncClient) -> None:
    response = await client.post(f"{API}/echo", json={"name": "a"}, headers={"Authorization": "Bearer expired"})
    assert response.status_code == 200


async def test_the_wrong_role(client: httpx.AsyncClient) -> None:
    assert_problem(await client.post(f"{API}/things", json={"name": "a"}, headers=STUDENT), 403, "forbidden")
    assert_problem(await client.delete(f"{API}/things/thg_1", headers=STUDENT), 403, "forbidden")
    assert (await client.delete(f"{API}/things/thg_1", headers=TEACHER)).status_code == 204


async def test_a_cookie_signs_in_with_its_csrf_token(client: httpx.AsyncClient) -> None:
    token = CSRF.issue("fam_student")
    cookies = {"Cookie": f"lms_access=student; lms_csrf={token}"}
    assert (await client.get(f"{API}/things/mine", headers=cookies)).json()["got"][0] == "usr_student"
    sent = {**cookies, "X-CSRF-Token": token}
    assert (await client.post(f"{API}/note", headers=sent)).status_code == 200


@pytest.mark.parametrize(
    "csrf", ["", "other.token", CSRF.issue("fam_teacher")], ids=["none", "forged", "of another session"]
)
async def test_a_cookie_alone_changes_nothing(client: httpx.AsyncClient, csrf: str) -> None:
    headers = {"Cookie": f"lms_access=student; lms_csrf={csrf}", **({"X-CSRF-Token": csrf} if csrf else {})}
    assert_problem(await client.post(f"{API}/note", headers=headers), 403, "csrf_failed")


async def test_a_cookie_from_another_site_changes_nothing(client: httpx.AsyncClient) -> None:
    token = CSRF.issue("fam_student")
    headers = {
        "Cookie": f"lms_access=student; lms_csrf={token}",
        "X-CSRF-Token": token,
        "Origin": "https://evil.example",
    }
    assert_problem(await client.post(f"{API}/note", headers=headers), 403, "origin_refused")


async def test_an_old_cookie_makes_a_stranger(client: httpx.AsyncClient) -> None:
    old = {"Cookie": "lms_access=expired"}
    assert (await client.get(f"{API}/whoami", headers=old)).json()["got"][0] == ""
    assert_problem(await client.get(f"{API}/things/mine", headers=old), 401, "token_expired")


async def test_only_the_modes_of_the_settings_are_read(serve: Serve) -> None:
    bearer, cookie = await serve(auth_modes="bearer"), await serve(auth_modes="cookie")
    assert_problem(
        await bearer.client.get(f"{API}/things/mine", headers={"Cookie": "lms_access=student"}), 401, "unauthenticated"
    )
    assert_problem(await cookie.client.get(f"{API}/things/mine", headers=STUDENT), 401, "unauthenticated")


async def test_secure_cookies_carry_their_prefix(serve: Serve) -> None:
    table = await serve(cookie_secure=True)
    got = await table.client.get(f"{API}/things/mine", headers={"Cookie": "__Host-lms_access=student"})
    assert got.status_code == 200
    tossed = await table.client.get(f"{API}/things/mine", headers={"Cookie": "lms_access=student"})
    assert_problem(tossed, 401, "unauthenticated")


# --- ids, headers, logs ---


async def test_a_well_formed_request_id_comes_back(client: httpx.AsyncClient) -> None:
    response = await client.get("/health", headers={"X-Request-ID": "abc-123_X.y"})
    assert response.headers["X-Request-ID"] == "abc-123_X.y"


_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c3IifQ.c2lnbmF0dXJl"  # of no use
_RANDOM = "q0Jz3mB7xk1WcVt9Ys5RfLh2Dn8Gp4AeUi6Oj-Hv_Tb"  # nor this


@pytest.mark.parametrize("request_id", ["", "with space", "x" * 129, 'a"b', "<b>", _TOKEN, _RANDOM, "token:abc"])
async def test_another_request_id_is_replaced(client: httpx.AsyncClient, request_id: str) -> None:
    response = await client.get("/health", headers={"X-Request-ID": request_id})
    assert response.headers["X-Request-ID"].startswith("req_")


@pytest.mark.parametrize("path", ["/health", f"{API}/things", f"{API}/nothing", f"{API}/broken", "/docs", "/nowhere"])
async def test_security_headers_are_everywhere(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-XSS-Protection"] == "1; mode=block"
    assert headers["Referrer-Policy"] == "same-origin"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "Tornado" not in headers["Server"]
    if path != "/docs":
        assert "unsafe" not in policy
        assert "require-trusted-types-for 'script'; trusted-types lms" in policy


async def test_timings_are_told_in_debug(serve: Serve, client: httpx.AsyncClient) -> None:
    table = await serve(debug=True)
    timing = (await table.client.get(f"{API}/things")).headers["Server-Timing"]
    assert [step.split(";")[0] for step in timing.split(", ")] == ["auth", "read", "work", "total"]
    assert "Server-Timing" not in (await client.get(f"{API}/things")).headers


async def test_one_line_per_request_without_secrets(client: httpx.AsyncClient) -> None:
    root, stream = logging.getLogger(), io.StringIO()
    before, level = list(root.handlers), root.level
    try:
        set_up_logging(table_settings(log_format="json"), stream)
        await client.get(f"{API}/things/mine?token=hidden-token", headers={**STUDENT, "X-Request-ID": "the-request"})
        await client.get(f"{API}/broken", headers={"X-Request-ID": "the-broken"})
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == "the-request"]
    assert (line["message"], line["status"], line["user_id"]) == (f"GET {API}/things/mine", 200, "usr_student")
    assert line["bytes"] > 0
    assert line["ms"] >= 0
    assert "hidden-token" not in stream.getvalue()
    fault = next(line for line in lines if line.get("request_id") == "the-broken" and "exception" in line)
    assert "RuntimeError" in fault["exception"]


# --- the optional envelope ---


async def test_the_envelope_wraps_everything(serve: Serve) -> None:
    table = await serve(api_response_envelope_enabled=True)
    one = (await table.client.get(f"{API}/things/thg_1")).json()
    assert (one["success"], one["message"], one["data"]["id"], one["meta"]) == (True, "Success", "thg_1", {})
    page = (await table.client.get(f"{API}/things?page_size=2")).json()
    assert [item["id"] for item in page["data"]] == ["thg_0", "thg_1"]
    assert page["meta"] == {"page": 1, "page_size": 2, "total": 3, "pages": 2}
    response = await table.client.get(f"{API}/nothing")
    wrong = response.json()
    assert response.headers["Content-Type"] == "application/json"
    assert (wrong["success"], wrong["error"]["code"]) == (False, "route_not_found")
    assert wrong["message"] == wrong["error"]["detail"]
    removed = await table.client.delete(f"{API}/things/thg_1", headers=TEACHER)
    assert (removed.status_code, removed.content) == (204, b"")


# --- the table ---


def test_a_table_with_a_fault_does_not_start() -> None:
    services = table_services(table_settings(), FakeClock())
    bare = Operation("GET", "/a", show, None, summary="No rule")  # type: ignore[arg-type]
    vague = Operation("GET", "/v", show, SIGNED_IN, summary="Whose")
    twice = [Operation("GET", path, show, PUBLIC, summary="Twice") for path in ("/b/{x}", "/b/{y}")]
    lost = Operation("POST", "/c", show, PUBLIC, status=201, location="/c/{c_id}?d={d}", summary="Makes")
    said = (
        r"GET /a declares no access rule; GET /v does not say whose .*; GET /api/v1/b/\{y\} stands twice in the table; "
        r"/c makes what is found at /api/v1/c/\{c_id\}, where nothing is$"
    )
    with pytest.raises(TableError, match=said):
        make_app(services, operations=(bare, vague, *twice, lost))


# --- a prefix of the school's own ---


async def test_the_api_answers_below_a_prefix_of_ones_own_too(serve: Serve) -> None:
    table = await serve(api_v1_prefix="/school/api/v1")
    for prefix in ("/school/api/v1", API):
        found = await table.client.get(f"{prefix}/things/thg_1")
        assert (found.status_code, found.json()["id"]) == (200, "thg_1")
        missing = await table.client.get(f"{prefix}/nothing")
        assert (missing.status_code, missing.json()["code"]) == (404, "route_not_found")
        refused = await table.client.put(f"{prefix}/things")
        assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    made = await table.client.post("/school/api/v1/things", json={"name": "Ball"}, headers=TEACHER)
    assert (made.status_code, made.headers["Location"].startswith(f"{API}/things/")) == (201, True)
    assert (await table.client.get("/school/api/v1things/thg_1")).status_code == 404


@pytest.mark.parametrize("prefix", ["/courses", "/health/api", "/static/v1"])
def test_a_prefix_that_would_hide_other_addresses_does_not_start(prefix: str) -> None:
    services = table_services(table_settings(api_v1_prefix=prefix), FakeClock())
    with pytest.raises(TableError, match="API_V1_PREFIX"):
        make_app(services)


@pytest.mark.parametrize("prefix", ["", "/", "api/v1", "/api/v1/", "/a//b", "/a b", "/.well-known", "/../x"])
def test_a_prefix_is_a_path(prefix: str) -> None:
    with pytest.raises(ValueError, match="api_v1_prefix"):
        table_settings(api_v1_prefix=prefix)
