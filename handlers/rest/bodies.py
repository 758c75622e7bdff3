"""From bytes to contracts: bodies, forms, uploads and queries, each validated by its operation's model or refused."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any, get_origin

from pydantic import BaseModel
from tornado.httputil import HTTPServerRequest

from handlers.rest.calls import Upload
from handlers.rest.operations import FORM, Operation
from handlers.rest.texts import model_of_texts, text_of
from lms_rt.contracts.base import CursorQuery, PageQuery, read_model
from lms_rt.contracts.json_reader import parse_json
from lms_rt.errors import Code, Refused, invalid

INLINE_PARSE_BYTES = 64 << 10
"""A larger JSON body is parsed in a thread: the loop belongs to everybody."""


async def read_body(operation: Operation, request: HTTPServerRequest) -> Any:
    """The validated body: a model's instance, an `Upload`, or None for operations without a body."""
    if not operation.takes_body:
        return None
    model = operation.body
    if model is not None and not request.body and _may_be_empty(model):
        return read_model(model, {})
    media_type = _require_media_type(operation, request)
    if model is None:
        return _upload(media_type, request)
    if operation.takes == FORM:
        return _strings(model, request.body_arguments)
    if len(request.body) > INLINE_PARSE_BYTES:
        return await asyncio.to_thread(_parse, model, request.body)
    return _parse(model, request.body)


def read_query(model: type[BaseModel], request: HTTPServerRequest) -> BaseModel:
    """The query's parameters that the model knows; of one that is given twice, the last, unless it is a list.

    A list of one order takes no `sort`: whoever asks for another must not take that one for it.
    """
    is_list = issubclass(model, PageQuery | CursorQuery)
    if is_list and "sort" in request.query_arguments and "sort" not in _names(model):
        raise invalid("sort", "This list has one order: leave it out.", "literal_error")
    return _strings(model, request.query_arguments)


def _parse(model: type[BaseModel], raw: bytes) -> BaseModel:
    return read_model(model, parse_json(raw))


def _strings(model: type[BaseModel], arguments: dict[str, list[bytes]]) -> BaseModel:
    """A model from a form or a query, whose values are all texts."""
    given: dict[str, Any] = {}
    for name, is_list in _names(model).items():
        if name in arguments:
            texts = [text_of(value, "A parameter is not UTF-8.") for value in arguments[name]]
            given[name] = texts if is_list else texts[-1]
    return model_of_texts(model, given)


@cache
def _names(model: type[BaseModel]) -> dict[str, bool]:
    """The names under which the model's fields are sent, and whether each is a list."""
    fields = model.model_fields.items()
    return {field.alias or name: get_origin(field.annotation) in (list, tuple, set) for name, field in fields}


@cache
def _may_be_empty(model: type[BaseModel]) -> bool:
    return not any(field.is_required() for field in model.model_fields.values())


def _require_media_type(operation: Operation, request: HTTPServerRequest) -> str:
    """The body's media type, when the operation takes it, in UTF-8 and not compressed."""
    media_type, *parameters = (part.strip().lower() for part in request.headers.get("Content-Type", "").split(";"))
    charset = next((p.removeprefix("charset=").strip('"') for p in parameters if p.startswith("charset=")), "utf-8")
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if media_type not in operation.takes or encoding not in ("", "identity"):
        taken = ", ".join(operation.takes)
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, f"Send {taken}, not compressed.", taken=list(operation.takes))
    if charset not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "Send UTF-8.", taken=list(operation.takes))
    return media_type


def _upload(media_type: str, request: HTTPServerRequest) -> Upload:
    if media_type != "multipart/form-data":
        return Upload(request.body, media_type)
    unknown = sorted((set(request.files) | set(request.body_arguments)) - {"file"})
    if unknown:
        raise invalid(unknown[0], "The form has one field, `file`.", "unknown_field")
    files = request.files.get("file")
    if not files:
        raise invalid("file", "Send the file in the form's field `file`.", "required")
    return Upload(files[0]["body"], files[0]["content_type"], files[0]["filename"])
