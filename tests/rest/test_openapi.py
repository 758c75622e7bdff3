"""The OpenAPI document: valid, complete, and true of the replies that really come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from handlers.rest.dispatch import RouteTable, full_patterns
from handlers.rest.openapi import build_document
from handlers.rest.operations import Operation
from handlers.routes import ROUTES, openapi_document
from tests.rest.conftest import STUDENT, TABLE, TEACHER, Serve, table_settings
from tests.rest.test_conventions import API

WHOLE = pytest.param(ROUTES, id="whole")
SMALL = pytest.param(TABLE, id="small")
WITHOUT_A_PLACE = {
    "/courses/{course_id}/announcements": "everybody has it among their own notifications",
    "/courses/{course_id}/groups": "a word that stands with each student",
    "/quizzes/{quiz_id}/questions/import": "many at once",
}
"""What is made and has no address of its own."""


def references(node: Any) -> Iterator[str]:
    """Every `$ref` below a node."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


@pytest.mark.parametrize("operations", [WHOLE, SMALL])
@pytest.mark.parametrize("has_envelope", [False, True])
def test_the_document_is_valid_openapi(operations: tuple[Operation, ...], has_envelope: bool) -> None:
    document = build_document(operations, table_settings(api_response_envelope_enabled=has_envelope))
    assert document["openapi"] == "3.1.0"
    jsonschema_rs.validator_for(OPENAPI_31).validate(document)
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= known
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})


def test_every_row_and_spelling_is_described() -> None:
    document = openapi_document(table_settings())
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    rows = {(method, pattern) for row in ROUTES for pattern in full_patterns(row) for method in row.methods}
    assert described == rows
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids))


def test_the_whole_table_can_be_served() -> None:
    assert RouteTable(ROUTES).operations == ROUTES


def test_what_a_row_declares_is_documented() -> None:
    post = build_document(TABLE, table_settings())["paths"][f"{API}/things"]["post"]
    assert set(post["responses"]) == {
        "201",
        "400",
        "401",
        "403",
        "404",
        "406",
        "409",
        "413",
        "415",
        "422",
        "429",
        "500",
        "503",
    }
    assert "idempotency_key_reused" in post["responses"]["409"]["description"]
    assert {parameter["name"] for parameter in post["parameters"]} == {"Idempotency-Key"}
    assert {"bearer": []} in post["security"]
    assert {"cookie": [], "csrf": []} in post["security"]


def test_queries_and_versions_are_documented() -> None:
    paths = build_document(TABLE, table_settings())["paths"]
    names = {parameter["name"] for parameter in paths[f"{API}/things"]["get"]["parameters"]}
    assert names == {"page", "page_size", "sort", "is_big", "tag"}
    patch = paths[f"{API}/things/{{thing_id}}"]["patch"]
    assert {(p["name"], p["in"]) for p in patch["parameters"]} == {("thing_id", "path"), ("If-Match", "header")}
    assert "412" in patch["responses"]
    assert "ETag" in patch["responses"]["200"]["headers"]


def test_where_that_is_which_was_made_is_documented_where_it_is_told() -> None:
    """That it is told so, and found there, the walk of `test_rights.py` sees."""
    paths, silent = openapi_document(table_settings())["paths"], set()
    for row in ROUTES:
        replies = paths[full_patterns(row)[0]][row.methods[0].lower()]["responses"]
        places = {status: reply["headers"]["Location"] for status, reply in replies.items() if _is_located(reply)}
        assert set(places) <= {"201", "202"}, row.path
        silent |= {row.path} if "201" in replies.keys() - places.keys() else set()
        for place in places.values():
            assert place["required"]
            assert place["description"].split("`")[1].partition("?")[0] in paths
    assert silent == set(WITHOUT_A_PLACE)


def _is_located(reply: dict[str, Any]) -> bool:
    return "Location" in reply.get("headers", {})


@pytest.mark.parametrize("has_envelope", [False, True])
async def test_real_replies_are_as_described(serve: Serve, has_envelope: bool) -> None:
    table = await serve(api_response_envelope_enabled=has_envelope)
    document = (await table.client.get(f"{API}/openapi.json")).json()
    calls: list[tuple[str, str, str, dict[str, Any]]] = [
        ("get", "/things", "/things", {}),
        ("get", "/things/{thing_id}", "/things/thg_1", {}),
        ("get", "/things/mine", "/things/mine", {}),
        ("get", "/things/mine", "/things/mine", {"headers": STUDENT}),
        ("post", "/things", "/things", {"json": {"name": "a"}, "headers": TEACHER}),
        ("post", "/things", "/things", {"json": {}, "headers": TEACHER}),
        ("post", "/things", "/things", {"json": {"name": "refuse"}, "headers": TEACHER}),
        ("post", "/things", "/things", {"content": b"{", "headers": {**TEACHER, "Content-Type": "application/json"}}),
        ("delete", "/things/{thing_id}", "/things/thg_1", {"headers": STUDENT}),
        ("get", "/ready", "/ready", {}),
        ("get", "/broken", "/broken", {}),
        ("get", "/words", "/words", {}),
    ]
    for method, pattern, path, arguments in calls:
        response = await table.client.request(method, API + path, **arguments)
        described = document["paths"][API + pattern][method]["responses"][str(response.status_code)]
        media_type = response.headers["Content-Type"].partition(";")[0]
        schema = described["content"][media_type]["schema"]
        if media_type != "text/plain":
            jsonschema_rs.validate({**schema, "components": document["components"]}, response.json())


async def test_the_document_is_served_without_the_envelope(serve: Serve) -> None:
    table = await serve(api_response_envelope_enabled=True)
    response = await table.client.get(f"{API}/openapi.json")
    assert response.headers["Content-Type"] == "application/json"
    assert json.loads(response.content)["openapi"] == "3.1.0"
