"""The OpenAPI 3.1 document, made from the route table and the contracts' models. Nothing is described by hand twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from config.settings import VERSION, Settings
from handlers.rest.access import ANONYMOUS
from handlers.rest.calls import Call, Reply
from handlers.rest.dispatch import full_patterns
from handlers.rest.openapi_parts import COMPONENTS, Schemas, documented_replies, parameters_of, request_body_of
from handlers.rest.operations import Endpoint, Operation, Place
from lms_rt.contracts.base import encode

Json = dict[str, Any]

_DESCRIPTION = """\
Ids are opaque strings. Times are RFC 3339 in UTC. Money is integer minor units. Points and percentages are decimal
strings with two places. Errors are problem documents (RFC 9457) whose `code` never changes its meaning.
"""


def build_document(operations: Iterable[Operation], settings: Settings) -> Json:
    """The document of these operations, as these settings serve them."""
    shown = [operation for operation in operations if operation.is_documented]
    schemas = Schemas(shown, has_envelope=settings.api_response_envelope_enabled)
    paths: Json = {}
    for operation in shown:
        for number, pattern in enumerate(full_patterns(operation)):
            for method in operation.methods:
                item = _item(operation, pattern, schemas)
                item["operationId"] = _operation_id(method, pattern)
                if number:
                    item["description"] = (
                        f"The same operation as `{full_patterns(operation)[0]}`. {item['description']}"
                    )
                paths.setdefault(pattern, {})[method.lower()] = item
    return {
        "openapi": "3.1.0",
        "info": {"title": settings.project_name, "version": VERSION, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in sorted({_tag(operation) for operation in shown})],
        "paths": paths,
        "components": {**COMPONENTS, "schemas": schemas.components},
    }


def _item(operation: Operation, pattern: str, schemas: Schemas) -> Json:
    item: Json = {
        "summary": operation.summary,
        "description": operation.description or _who(operation),
        "tags": [_tag(operation)],
        "parameters": list(parameters_of(operation, pattern, schemas)),
        "responses": dict(documented_replies(operation, schemas)),
    }
    if body := request_body_of(operation, schemas):
        item["requestBody"] = body
    item["security"] = list(_security(operation))
    return item


def _who(operation: Operation) -> str:
    return f"For: {operation.access.name}."


def _security(operation: Operation) -> Iterator[Json]:
    """Which credentials it takes; the empty requirement says that none are needed."""
    if operation.access.is_public:
        yield {}
    if operation.access.reads_credentials:
        yield {"bearer": []}
        yield {"cookie": [], "csrf": []} if set(operation.methods) - {"GET"} else {"cookie": []}


def _tag(operation: Operation) -> str:
    return "operations" if operation.place is not Place.API else operation.path.split("/")[1]


def _operation_id(method: str, pattern: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", pattern.removeprefix("/api/v1").lower()).strip("_")
    root = "" if pattern.startswith("/api/v1") else "root_"
    return f"{method.lower()}_{root}{words}"


def document_endpoint(operations: Iterable[Operation], settings: Settings) -> Endpoint:
    """Serves the document; it is made once, when it is first asked for."""
    rows = tuple(operations)
    made: list[bytes] = []

    async def openapi(_call: Call) -> Reply:
        if not made:
            made.append(encode(build_document(rows, settings)))
        return Reply(made[0], content_type="application/json")

    return openapi


def document_routes(operations: Iterable[Operation], settings: Settings) -> tuple[Operation, ...]:
    """The row of `/api/v1/openapi.json`."""
    endpoint = document_endpoint(operations, settings)
    row = Operation(
        "GET", "/openapi.json", endpoint, ANONYMOUS, reply=bytes, is_documented=False, summary="This document"
    )
    return (row,)
