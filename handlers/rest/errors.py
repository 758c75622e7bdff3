"""Errors become responses here and nowhere else: situation → status, refusal → RFC 9457 problem document."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from lms_rt.contracts.base import encode
from lms_rt.errors import Code, Refused, Situation

PROBLEM = "application/problem+json"

CHECKSUM_MISMATCH = 460
"""The status that tus 1.0 gives to a piece that is not what its checksum says."""

STATUS: Mapping[Situation, int] = {
    Situation.MALFORMED: 400,
    Situation.UNAUTHENTICATED: 401,
    Situation.UNPAID: 402,
    Situation.FORBIDDEN: 403,
    Situation.NOT_FOUND: 404,
    Situation.METHOD: 405,
    Situation.NOT_ACCEPTABLE: 406,
    Situation.CONFLICT: 409,
    Situation.CHECKSUM: CHECKSUM_MISMATCH,
    Situation.STALE: 412,
    Situation.TOO_LARGE: 413,
    Situation.UNSUPPORTED: 415,
    Situation.RANGE: 416,
    Situation.INVALID: 422,
    Situation.LIMITED: 429,
    Situation.UNAVAILABLE: 503,
    Situation.PROTOCOL: 400,
}

RETRY_SECONDS = 2
"""What `Retry-After` says when the refusal does not know better."""

_log = logging.getLogger("lms_rt.rest")


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document, not yet written: its status, its members, and the headers that go with it."""

    status: int
    members: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self, *, has_envelope: bool) -> tuple[str, bytes]:
        """Media type and bytes; with the optional envelope it is plain JSON."""
        if not has_envelope:
            return PROBLEM, encode(self.members)
        wrapped = {"success": False, "message": self.members["detail"], "error": self.members}
        return "application/json", encode(wrapped)


def status_of(code: Code) -> int:
    """The status with which REST answers a code."""
    return STATUS[code.situation]


def phrase_of(status: int) -> str:
    """What a status is called; tus has one of its own."""
    return "Checksum Mismatch" if status == CHECKSUM_MISMATCH else HTTPStatus(status).phrase


def problem_of(refused: Refused, request_id: str) -> Problem:
    """The problem document of a refusal; facts that its code brings are further members."""
    status = status_of(refused.code)
    members: dict[str, Any] = {
        "type": f"urn:lms-rt:problem:{refused.code.code}",
        "title": phrase_of(status),
        "status": status,
        "detail": refused.detail,
        "code": refused.code.code,
        "errors": [{"field": e.field, "message": e.message, "code": e.code} for e in refused.fields],
        "request_id": request_id,
    }
    members |= {name: value for name, value in refused.data.items() if name not in members}
    return Problem(status, members, _headers(refused, status))


def _headers(refused: Refused, status: int) -> dict[str, str]:
    headers: dict[str, str] = {}
    if status == 401:
        error = "" if refused.code is Code.UNAUTHENTICATED else ', error="invalid_token"'
        headers["WWW-Authenticate"] = f'Bearer realm="lms_rt"{error}'
    if "retry_after_seconds" in refused.data or status in (429, 503):
        headers["Retry-After"] = str(refused.data.get("retry_after_seconds", RETRY_SECONDS))
    if refused.code is Code.METHOD_NOT_ALLOWED and "allow" in refused.data:
        headers["Allow"] = ", ".join(refused.data["allow"])
    if refused.code is Code.RANGE_NOT_SATISFIABLE:
        headers["Content-Range"] = str(refused.data["content_range"])
    return headers


def problem_of_fault(error: BaseException, request_id: str, route: str) -> Problem:
    """The answer to what nobody expected: 500 without any detail; the log has it all, under the request id."""
    _log.error("unexpected fault in %s", route, exc_info=error, extra={"route": route})
    return Problem(
        500,
        {
            "type": "urn:lms-rt:problem:internal",
            "title": HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
            "status": 500,
            "detail": "Something went wrong on our side. Name the request id when you ask about it.",
            "code": "internal",
            "errors": [],
            "request_id": request_id,
        },
    )
