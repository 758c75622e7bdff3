"""The pieces of the OpenAPI document: schemas, parameters, bodies, and every reply that an operation can give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, Literal, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from handlers.rest.dispatch import API_PREFIX
from handlers.rest.errors import PROBLEM, phrase_of, status_of
from handlers.rest.limits import HEADERS
from handlers.rest.operations import FORM, UPLOAD, Operation
from lms_rt.contracts.base import CursorPage, Page
from lms_rt.errors import Code
from lms_rt.security.rate_limits import UNLIMITED

Json = dict[str, Any]
_REF = "#/components/schemas/{model}"
_CONDITIONAL = frozenset({"PUT", "PATCH", "DELETE"})

COMPONENTS: Json = {
    "securitySchemes": {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "lms_access"},
        "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
    }
}

_PROBLEM_SCHEMA: Json = {
    "title": "Problem",
    "type": "object",
    "description": "RFC 9457. Facts that a code brings are further members.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}, "code": {"type": "string"}},
                "required": ["field", "message", "code"],
            },
        },
        "request_id": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail", "code", "errors", "request_id"],
}
_PROBLEM_IN_ENVELOPE: Json = {
    "type": "object",
    "properties": {
        "success": {"const": False},
        "message": {"type": "string"},
        "error": {"$ref": _REF.format(model="Problem")},
    },
    "required": ["success", "message", "error"],
}


class Schemas:
    """All models of the table as JSON Schema, named once, with references to them."""

    def __init__(self, operations: Sequence[Operation], *, has_envelope: bool) -> None:
        self.has_envelope = has_envelope
        inputs: list[tuple[Any, JsonSchemaMode, TypeAdapter[Any]]] = [
            (kind, mode, TypeAdapter(kind)) for kind, mode in dict.fromkeys(_kinds(operations))
        ]
        made, definitions = TypeAdapter.json_schemas(inputs, ref_template=_REF, schema_generator=GenerateJsonSchema)
        self._made = made
        self.components: Json = {**definitions.get("$defs", {}), "Problem": _PROBLEM_SCHEMA}

    def of_body(self, model: type[BaseModel]) -> Json:
        """The schema of a request's model."""
        return self._made[model, "validation"]

    def of_reply(self, kind: Any) -> Json:
        """The schema of a reply, inside the envelope when there is one."""
        schema = self._made[kind, "serialization"]
        if not self.has_envelope:
            return schema
        data = self._items(schema) if is_list(kind) else schema
        properties = {
            "success": {"const": True},
            "message": {"type": "string"},
            "data": data,
            "meta": {"type": "object"},
        }
        return {"type": "object", "properties": properties, "required": list(properties)}

    @property
    def of_problem(self) -> tuple[str, Json]:
        """The media type and the schema of an error."""
        if self.has_envelope:
            return "application/json", _PROBLEM_IN_ENVELOPE
        return PROBLEM, {"$ref": _REF.format(model="Problem")}

    def of_query(self, model: type[BaseModel]) -> Json:
        """The schema of a query's model, resolved, to be taken apart into parameters."""
        return self._resolved(self._made[model, "validation"])

    def _items(self, schema: Json) -> Json:
        """The rows alone: with the envelope, a page's numbers move to `meta`."""
        first = schema["anyOf"][0] if "anyOf" in schema else schema
        rows: Json = self._resolved(first)["properties"]["items"]
        return rows

    def _resolved(self, schema: Json) -> Json:
        reference = schema.get("$ref")
        return self.components[reference.rpartition("/")[2]] if reference else schema


def is_list(kind: Any) -> bool:
    """Is the reply a page, by number or by cursor?"""
    return all(isinstance(each, type) and issubclass(each, Page | CursorPage) for each in get_args(kind) or (kind,))


def _kinds(operations: Iterable[Operation]) -> Iterator[tuple[Any, Literal["validation", "serialization"]]]:
    for operation in operations:
        for model in (operation.body, operation.query, operation.form):
            if model is not None:
                yield model, "validation"
        if operation.reply not in (None, bytes):
            yield operation.reply, "serialization"


def parameters_of(operation: Operation, pattern: str, schemas: Schemas) -> Iterator[Json]:
    """Those of the path, of the query, and the headers that the operation honours."""
    for name in operation.parameters(pattern):
        text = {"type": "string", "minLength": 1, "maxLength": 200}
        yield {"name": name, "in": "path", "required": True, "schema": text}
    if operation.query is not None:
        schema = schemas.of_query(operation.query)
        required = schema.get("required", [])
        for name, described in schema.get("properties", {}).items():
            yield {"name": name, "in": "query", "required": name in required, "schema": described}
    if is_conditional(operation):
        yield _header("If-Match", 'The version that was read, as `"<version>"`, or `*`.')
    if operation.is_idempotent:
        yield _header("Idempotency-Key", "The same key and body give the first answer again, for 24 hours.", 255)


def _header(name: str, description: str, longest: int = 100) -> Json:
    schema: Json = {"type": "string", "minLength": 1, "maxLength": longest}
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


def is_conditional(operation: Operation) -> bool:
    """Does it honour `If-Match`?"""
    return bool(_CONDITIONAL & set(operation.methods)) or Code.VERSION_MISMATCH in operation.codes


def request_body_of(operation: Operation, schemas: Schemas) -> Json | None:
    """The body that it takes, in each media type."""
    if operation.takes == UPLOAD:
        form = {
            "type": "object",
            "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
            "required": ["file"],
            "additionalProperties": False,
        }
        content: Json = {"multipart/form-data": {"schema": form}}
        content |= {media_type: {"schema": {"type": "string"}} for media_type in UPLOAD[1:]}
        return {"required": True, "content": content}
    if operation.is_streamed:
        return _streamed_body_of(operation, schemas)
    if operation.body is None:
        return None
    is_required = any(field.is_required() for field in operation.body.model_fields.values())
    media_type = FORM[0] if operation.takes == FORM else "application/json"
    return {"required": is_required, "content": {media_type: {"schema": schemas.of_body(operation.body)}}}


def _streamed_body_of(operation: Operation, schemas: Schemas) -> Json:
    """A form with its file, or bytes as they are."""
    as_bytes: Json = {"type": "string", "contentMediaType": "application/octet-stream"}
    if operation.form is None:
        return {"required": False, "content": {media_type: {"schema": as_bytes} for media_type in operation.takes}}
    described = schemas.of_query(operation.form)
    form = {**described, "properties": {"file": as_bytes, **described.get("properties", {})}, "required": ["file"]}
    return {"required": True, "content": {operation.takes[0]: {"schema": form}}}


def documented_replies(operation: Operation, schemas: Schemas) -> Iterator[tuple[str, Json]]:
    """Every status that the operation can answer with: its successes, then its refusals with their codes."""
    for status in (operation.status, *operation.more_statuses):
        yield str(status), _success(operation, status, schemas)
    codes: dict[int, list[str]] = {}
    for code in sorted(implied_codes(operation) | set(operation.codes), key=lambda code: code.code):
        codes.setdefault(status_of(code), []).append(code.code)
    media_type, schema = schemas.of_problem
    for status in sorted({*codes, 500}):
        if status in operation.more_statuses:
            continue
        words = f"{phrase_of(status)}: {', '.join(codes.get(status, ['internal']))}"
        yield (
            str(status),
            {"description": words, "headers": _error_headers(status), "content": {media_type: {"schema": schema}}},
        )


def _success(operation: Operation, status: int, schemas: Schemas) -> Json:
    reply: Json = {"description": HTTPStatus(status).phrase}
    headers: Json = {}
    if operation.is_located(status):
        headers["Location"] = _location(operation)
    if isinstance(operation.reply, type) and "version" in getattr(operation.reply, "model_fields", {}):
        headers["ETag"] = {"description": 'The version, as `"<version>"`.', "schema": {"type": "string"}}
    if headers:
        reply["headers"] = headers
    if operation.reply is not None and status != 204:
        is_raw = operation.reply is bytes
        schema = {"type": "string"} if is_raw else schemas.of_reply(operation.reply)
        as_text: Json = {"type": "string"}
        reply["content"] = {
            media_type: {"schema": schema if media_type == operation.gives[0] else as_text}
            for media_type in operation.gives
        }
    return reply


def _location(operation: Operation) -> Json:
    where = f"Where it is: `{API_PREFIX}{operation.location}`."
    return {"description": where, "required": True, "schema": {"type": "string", "format": "uri-reference"}}


def _error_headers(status: int) -> Json:
    names = {401: ("WWW-Authenticate",), 405: ("Allow",), 429: HEADERS, 503: ("Retry-After",)}
    return {name: {"schema": {"type": "string"}} for name in names.get(status, ())}


def implied_codes(operation: Operation) -> set[Code]:
    """The refusals that follow from a row's columns, whatever its service does."""
    limited = set() if operation.counts_as == UNLIMITED else {Code.RATE_LIMITED}
    return {Code.MALFORMED_REQUEST, Code.NOT_ACCEPTABLE, Code.TOO_LARGE, Code.UNAVAILABLE} | (
        limited | _codes_of_access(operation) | _codes_of_input(operation)
    )


def _codes_of_access(operation: Operation) -> set[Code]:
    codes, access = set(), operation.access
    if access.reads_credentials:
        codes |= {Code.INVALID_TOKEN, Code.TOKEN_EXPIRED, Code.TOKEN_REVOKED}
        codes |= {Code.CSRF_FAILED, Code.ORIGIN_REFUSED} if set(operation.methods) - {"GET"} else set()
    if not access.is_public:
        codes.add(Code.UNAUTHENTICATED)
    if access.can_forbid or operation.is_own_alone:
        codes.add(Code.FORBIDDEN)
    return codes


def _codes_of_input(operation: Operation) -> set[Code]:
    codes = set()
    if any("{" in pattern for pattern in operation.patterns):
        codes.add(Code.NOT_FOUND)
    if is_conditional(operation):
        codes.add(Code.VERSION_MISMATCH)
    if operation.takes_body or operation.is_streamed:
        codes |= {Code.UNSUPPORTED_MEDIA_TYPE, Code.VALIDATION_FAILED}
        codes |= set() if operation.is_upload or operation.is_streamed else {Code.MALFORMED_JSON}
    if operation.query is not None:
        codes.add(Code.VALIDATION_FAILED)
    if operation.is_idempotent:
        codes |= {Code.IDEMPOTENCY_KEY_REUSED, Code.IDEMPOTENCY_IN_PROGRESS}
    return codes
