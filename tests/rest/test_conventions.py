"""The conventions that bind every operation: bodies, queries, verbs, versions, errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.rest.conftest import STUDENT, TEACHER, Table

API = "/api/v1"


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["code"] == code
    assert {"type", "title", "status", "detail", "errors", "request_id"} <= set(body)
    assert body["status"] == status
    assert body["request_id"] == response.headers["X-Request-ID"]
    return body


async def post(client: httpx.AsyncClient, content: bytes | str, path: str = "/echo", **headers: str) -> httpx.Response:
    raw = content.encode() if isinstance(content, str) else content
    return await client.post(API + path, content=raw, headers={"Content-Type": "application/json", **headers})


# --- bodies ---


async def test_a_good_body_is_echoed(client: httpx.AsyncClient) -> None:
    response = await post(client, '{"name": "a", "count": 3}')
    assert response.status_code == 200
    assert response.json()["got"] == {"name": "a", "count": 3, "tags": [], "any": None}


@pytest.mark.parametrize(
    ("body", "position"),
    [('{"name": }', 9), ('{"name": "a"', 12), ("", 0), ("[1, 2", 5), ('{"name": "ü" "b"}', 14)],
)
async def test_malformed_json_names_the_position(client: httpx.AsyncClient, body: str, position: int) -> None:
    problem = assert_problem(await post(client, body), 400, "malformed_json")
    assert problem["position"] == position


@pytest.mark.parametrize(
    "body",
    ['{"name": "a", "name": "b"}', '{"name": "a", "any": NaN}', '{"name": "a", "any": -Infinity}', b'{"name": "\xff"}'],
)
async def test_ambiguous_json_is_malformed(client: httpx.AsyncClient, body: str | bytes) -> None:
    assert_problem(await post(client, body), 400, "malformed_json")


async def test_ten_thousand_levels_are_malformed(client: httpx.AsyncClient) -> None:
    assert_problem(
        await post(client, '{"name": "a", "any": ' + "[" * 10_000 + "]" * 10_000 + "}"), 400, "malformed_json"
    )


async def test_a_hundred_levels_are_taken(client: httpx.AsyncClient) -> None:
    response = await post(client, '{"name": "a", "any": ' + "[" * 99 + "]" * 99 + "}")
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ('{"name": "a\\u0000b"}', "name", "nul_character"),
        ('{"name": "\\ud800"}', "name", "lone_surrogate"),
        ('{"name": "a", "any": {"n": [9223372036854775808]}}', "any.n.0", "integer_range"),
        ('{"name": "a", "any": 1e999}', "any", "number_range"),
        ('{"name": "a", "other": 1}', "other", "unknown_field"),
        ("{}", "name", "required"),
        ('{"name": ""}', "name", "string_too_short"),
        ('{"name": "a", "count": "3"}', "count", "int_type"),
        ('{"name": "a", "tags": ["x", 1]}', "tags.1", "string_type"),
        ("[]", "", "model_type"),
    ],
)
async def test_faults_of_fields_are_named(client: httpx.AsyncClient, body: str, field: str, code: str) -> None:
    problem = assert_problem(await post(client, body), 422, "validation_failed")
    assert [(fault["field"], fault["code"]) for fault in problem["errors"]] == [(field, code)]
    assert all(fault["message"] for fault in problem["errors"])


async def test_the_largest_integer_is_taken(client: httpx.AsyncClient) -> None:
    assert (await post(client, '{"name": "a", "any": -9223372036854775808}')).status_code == 200


async def test_an_empty_body_is_an_empty_object_where_all_is_optional(client: httpx.AsyncClient) -> None:
    response = await client.post(f"{API}/note", headers=STUDENT)
    assert response.json() == {"got": {"note": ""}}


async def test_read_only_fields_with_their_present_value_are_ignored(client: httpx.AsyncClient) -> None:
    response = await client.patch(
        f"{API}/things/thg_1", json={"name": "b", "id": "thg_1", "version": 7}, headers=STUDENT
    )
    assert response.status_code == 200
    response = await client.patch(f"{API}/things/thg_1", json={"name": "b", "version": 6}, headers=STUDENT)
    problem = assert_problem(response, 422, "validation_failed")
    assert problem["errors"][0]["code"] == "read_only"


# --- sizes and types ---


async def test_a_body_over_one_mebibyte_is_too_large(client: httpx.AsyncClient) -> None:
    body = json.dumps({"name": "a", "any": "x" * (1 << 20)})
    assert assert_problem(await post(client, body), 413, "too_large")["limit_bytes"] == 1 << 20


async def test_too_large_is_noticed_without_a_length(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 64_000

    response = await client.post(f"{API}/echo", content=chunks(), headers={"Content-Type": "application/json"})
    assert_problem(response, 413, "too_large")


async def test_far_too_large_is_refused_before_it_is_sent(table: Table) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", table.port)
    head = "POST /api/v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {1 << 40}\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"too_large" in answer


async def test_a_body_of_nearly_one_mebibyte_is_taken(client: httpx.AsyncClient) -> None:
    response = await post(client, json.dumps({"name": "a", "any": "x" * (1_000_000)}))
    assert response.status_code == 200


async def test_uploads_may_be_larger_than_json(client: httpx.AsyncClient) -> None:
    files = {"file": ("q.gift", b"x" * (4 << 20), "text/plain")}
    response = await client.post(f"{API}/upload", files=files, headers=STUDENT)
    assert response.json()["got"] == ["text/plain", "q.gift", 4 << 20]
    response = await client.post(f"{API}/upload", files={"file": ("q", b"x" * (6 << 20))}, headers=STUDENT)
    assert_problem(response, 413, "too_large")


async def test_an_upload_may_be_the_text_itself(client: httpx.AsyncClient) -> None:
    response = await client.post(f"{API}/upload", content=b"::a::", headers={**STUDENT, "Content-Type": "text/plain"})
    assert response.json()["got"] == ["text/plain", None, 5]


async def test_a_form_without_its_file_is_invalid(client: httpx.AsyncClient) -> None:
    response = await client.post(f"{API}/upload", files={"file": (None, b"x")}, headers=STUDENT)
    assert assert_problem(response, 422, "validation_failed")["errors"][0]["code"] == "required"
    response = await client.post(f"{API}/upload", files={"other": ("q", b"x")}, headers=STUDENT)
    fault = assert_problem(response, 422, "validation_failed")["errors"][0]
    assert (fault["field"], fault["code"]) == ("other", "unknown_field")


async def test_a_broken_multipart_form_is_malformed(client: httpx.AsyncClient) -> None:
    headers = {**STUDENT, "Content-Type": "multipart/form-data"}
    assert_problem(await client.post(f"{API}/upload", content=b"x", headers=headers), 400, "malformed_request")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/xml", "application/json; charset=latin-1"])
async def test_other_media_types_are_not_taken(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post(f"{API}/echo", content=b'{"name": "a"}', headers={"Content-Type": content_type})
    assert_problem(response, 415, "unsupported_media_type")


async def test_compressed_bodies_are_not_taken(client: httpx.AsyncClient) -> None:
    assert_problem(await post(client, '{"name": "a"}', **{"Content-Encoding": "gzip"}), 415, "unsupported_media_type")


async def test_forms_are_validated_like_json(client: httpx.AsyncClient) -> None:
    response = await client.post(f"{API}/grant", data={"username": "u", "password": "p", "scope": "ignored"})
    assert response.json()["got"] == {"username": "u", "password": "p"}
    response = await client.post(f"{API}/grant", data={"username": "u"})
    assert assert_problem(response, 422, "validation_failed")["errors"][0]["code"] == "required"


# --- what is given ---


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/*, text/plain;q=0.5"])
async def test_other_types_cannot_be_given(client: httpx.AsyncClient, accept: str) -> None:
    assert_problem(await client.get(f"{API}/whoami", headers={"Accept": accept}), 406, "not_acceptable")


@pytest.mark.parametrize("accept", ["*/*", "application/*", "text/html, */*;q=0.1", "APPLICATION/JSON", "nonsense", ""])
async def test_json_is_given_to_whoever_takes_it(client: httpx.AsyncClient, accept: str) -> None:
    response = await client.get(f"{API}/whoami", headers={"Accept": accept})
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")


async def test_other_kinds_of_replies_keep_their_type(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{API}/words")
    assert (response.text, response.headers["Content-Type"]) == ("words", "text/plain; charset=utf-8")


async def test_replies_over_a_thousand_bytes_are_compressed(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{API}/things/thg_1", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert int(response.headers["Content-Length"]) < 1000
    assert len(response.json()["extra"]) == 3000
    for refusing in ("identity", "gzip;q=0"):
        response = await client.get(f"{API}/things/thg_1", headers={"Accept-Encoding": refusing})
        assert "Content-Encoding" not in response.headers


async def test_small_and_secret_replies_are_not_compressed(client: httpx.AsyncClient) -> None:
    small = await client.get(f"{API}/whoami", headers={"Accept-Encoding": "gzip"})
    secret = await client.post(f"{API}/tokens", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in small.headers
    assert "Content-Encoding" not in secret.headers
    assert secret.headers["Cache-Control"] == "no-store"
    assert "HttpOnly" in secret.headers["Set-Cookie"]


# --- paths and verbs ---


async def test_a_trailing_slash_changes_nothing(client: httpx.AsyncClient) -> None:
    plain, slashed = await client.get(f"{API}/things"), await client.get(f"{API}/things/")
    assert plain.json() == slashed.json()


async def test_unknown_paths(client: httpx.AsyncClient) -> None:
    for path in (f"{API}/nothing", f"{API}/things/a/b", API, f"{API}/", "/nowhere", f"{API}//things"):
        assert_problem(await client.get(path), 404, "route_not_found")


async def test_another_verb_is_refused_with_those_that_are_taken(client: httpx.AsyncClient) -> None:
    response = await client.delete(f"{API}/things")
    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "QUERY"])
async def test_a_verb_nobody_knows_is_refused_too(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, f"{API}/things")
    assert_problem(response, 405, "method_not_allowed")
    assert "GET" in response.headers["Allow"]


async def test_head_is_get_without_the_body(client: httpx.AsyncClient) -> None:
    got, headed = await client.get(f"{API}/things"), await client.head(f"{API}/things")
    assert headed.status_code == 200
    assert headed.content == b""
    assert headed.headers["Content-Length"] == got.headers["Content-Length"]


async def test_options_names_the_verbs(client: httpx.AsyncClient) -> None:
    response = await client.options(f"{API}/things/thg_1")
    assert response.status_code == 204
    assert response.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    assert_problem(await client.options(f"{API}/nothing"), 404, "route_not_found")


async def test_literals_win_over_ids(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{API}/things/mine", headers=STUDENT)).json()["got"][0] == "usr_student"
    assert_problem(await client.patch(f"{API}/things/mine", json={}, headers=STUDENT), 405, "method_not_allowed")


async def test_other_spellings_run_the_same_operation(client: httpx.AsyncClient) -> None:
    response = await client.post(f"{API}/boxes/box_1/things", json={"name": "a"}, headers=TEACHER)
    assert response.status_code == 201


@pytest.mark.parametrize("thing_id", ["%00", "%FF", "a%0Ab", "x" * 201, "%ED%A0%80"])
async def test_what_can_be_no_id_is_not_found(client: httpx.AsyncClient, thing_id: str) -> None:
    assert_problem(await client.get(f"{API}/things/{thing_id}"), 404, "not_found")


async def test_ids_are_decoded(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{API}/things/a%2Fb%20%C3%BC")).json()["id"] == "a/b ü"


# --- lists ---


async def test_a_page_is_counted(client: httpx.AsyncClient) -> None:
    body = (await client.get(f"{API}/things", params={"page": 2, "page_size": 2})).json()
    assert {name: body[name] for name in ("page", "page_size", "total", "pages")} == {
        "page": 2,
        "page_size": 2,
        "total": 3,
        "pages": 2,
    }
    assert [item["id"] for item in body["items"]] == ["thg_2"]


async def test_past_the_end_is_empty(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{API}/things?page=9")).json()["items"] == []


@pytest.mark.parametrize(
    "query", ["page=0", "page=x", "page_size=101", "page=1.5", "sort=secret", "is_big=maybe", "page=", "tag=%00"]
)
async def test_parameters_out_of_range(client: httpx.AsyncClient, query: str) -> None:
    assert_problem(await client.get(f"{API}/things?{query}"), 422, "validation_failed")


async def test_unknown_parameters_are_ignored(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{API}/things?nonsense=1&sort=-name&tag=a&tag=b")).status_code == 200


async def test_parameters_that_are_not_utf8_are_malformed(client: httpx.AsyncClient) -> None:
    assert_problem(await client.get(f"{API}/things?tag=%FF"), 400, "malformed_request")


# --- versions ---


async def test_a_version_is_the_tag(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{API}/things/thg_1")).headers["ETag"] == '"7"'
    assert "ETag" not in (await client.get(f"{API}/things")).headers


@pytest.mark.parametrize("tag", ['"7"', "*", '"7", "x"'])
async def test_a_matching_tag_lets_the_change_through(client: httpx.AsyncClient, tag: str) -> None:
    response = await client.put(f"{API}/things/thg_1", json={"name": "b"}, headers={**STUDENT, "If-Match": tag})
    assert (response.status_code, response.headers["ETag"]) == (200, '"8"')


@pytest.mark.parametrize("tag", ['"6"', 'W/"7"', '"x"', "7", '""'])
async def test_a_stale_tag_names_the_current_version(client: httpx.AsyncClient, tag: str) -> None:
    response = await client.put(f"{API}/things/thg_1", json={"name": "b"}, headers={**STUDENT, "If-Match": tag})
    assert assert_problem(response, 412, "version_mismatch")["current_version"] == 7


# --- statuses and errors ---


async def test_creating_answers_201_with_the_place(client: httpx.AsyncClient) -> None:
    response = await client.post(f"{API}/things", json={"name": "a"}, headers=TEACHER)
    assert response.status_code == 201
    assert response.headers["Location"] == f"{API}/things/{response.json()['id']}"


async def test_removing_answers_204(client: httpx.AsyncClient) -> None:
    response = await client.delete(f"{API}/things/thg_1", headers=TEACHER)
    assert (response.status_code, response.content) == (204, b"")
    assert "Content-Type" not in response.headers


async def test_facts_of_a_code_are_members(client: httpx.AsyncClient) -> None:
    response = await client.post(f"{API}/things", json={"name": "refuse"}, headers=TEACHER)
    assert assert_problem(response, 409, "conflict")["stored"] == {"name": "other"}


async def test_what_nobody_expected_is_500_without_details(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{API}/broken")
    assert_problem(response, 500, "internal")
    assert "secret-detail" not in response.text
    assert "Traceback" not in response.text
