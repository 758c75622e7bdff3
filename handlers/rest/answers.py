"""From a `Reply` to the bytes and headers of an answer: JSON, ETag, the optional envelope, gzip. No decisions of rules."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from handlers.rest.calls import Cookie, Encoded, Reply
from handlers.rest.dispatch import API_PREFIX
from handlers.rest.errors import Problem
from handlers.rest.operations import Operation
from lms_rt.contracts.base import CursorPage, Page, encode

JSON_TYPE = "application/json"
MIN_GZIP_BYTES = 1_000
_INLINE_GZIP_BYTES = 64 << 10
_COMPRESSIBLE = ("application/json", "application/problem+json", "text/")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer ready to be written; of a `stream` the body is only the beginning."""

    status: int
    content_type: str = ""
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cookies: tuple[Cookie, ...] = ()
    is_secret: bool = False
    stream: AsyncGenerator[bytes, None] | None = None


def answer_of(reply: Reply, operation: Operation, *, has_envelope: bool) -> Answer:
    """The answer of an operation."""
    headers = dict(reply.headers)
    if reply.made is not None:
        headers["Location"] = API_PREFIX + operation.location_of(reply.made)
    if isinstance(version := getattr(reply.body, "version", None), int):
        headers["ETag"] = f'"{version}"'
    content_type, body = _written(reply, operation, has_envelope=has_envelope)
    return Answer(
        reply.status or operation.status,
        content_type,
        body,
        headers,
        reply.cookies,
        is_secret=operation.is_secret or bool(reply.cookies),
        stream=reply.stream,
    )


def _written(reply: Reply, operation: Operation, *, has_envelope: bool) -> tuple[str, bytes]:
    if reply.stream is not None:
        return reply.content_type or operation.gives[-1], b""
    if reply.body is None:
        return "", b""
    if isinstance(reply.body, bytes):
        return reply.content_type or operation.gives[0], reply.body
    if has_envelope:
        return JSON_TYPE, enveloped(reply.body)
    return JSON_TYPE, _json_of(reply.body)


def enveloped(body: object) -> bytes:
    """`{success, message, data, meta}`; the numbers of a page move to `meta`."""
    data, meta = body, {}
    if isinstance(body, Page | CursorPage):
        data = body.items
        meta = {name: getattr(body, name) for name in type(body).model_fields if name != "items"}
    return b'{"success":true,"message":"Success","data":' + _json_of(data) + b',"meta":' + encode(meta) + b"}"


def _json_of(body: object) -> bytes:
    return body.content if isinstance(body, Encoded) else encode(body)


def answer_of_problem(problem: Problem, *, has_envelope: bool) -> Answer:
    """The answer that says what went wrong."""
    content_type, body = problem.encoded(has_envelope=has_envelope)
    return Answer(problem.status, content_type, body, problem.headers)


async def compressed(answer: Answer, accept_encoding: str) -> Answer:
    """The answer gzipped, when that is accepted, worth it, and no secret is in it (BREACH)."""
    if (
        answer.is_secret
        or answer.stream is not None
        or len(answer.body) <= MIN_GZIP_BYTES
        or not answer.content_type.startswith(_COMPRESSIBLE)
        or not accepts_gzip(accept_encoding)
    ):
        return answer
    if len(answer.body) > _INLINE_GZIP_BYTES:
        body = await asyncio.to_thread(_gzip, answer.body)
    else:
        body = _gzip(answer.body)
    headers = answer.headers | {"Content-Encoding": "gzip"}
    return Answer(answer.status, answer.content_type, body, headers, answer.cookies)


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=5, mtime=0)


def accepts_gzip(accept_encoding: str) -> bool:
    """Does the header name gzip, and not with `q=0`?"""
    for item in accept_encoding.lower().split(","):
        name, _, weight = item.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
